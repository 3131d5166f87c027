from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from lib import clock

LATE_EVENING = datetime(2026, 8, 12, 1, 30, tzinfo=UTC)  # 22:30 of the 11th in São Paulo


@pytest.fixture(autouse=True)
def _real_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UX_TODAY", raising=False)


def test_today_is_the_sao_paulo_date_even_when_utc_is_already_tomorrow() -> None:
    with time_machine.travel(LATE_EVENING, tick=False):
        assert clock.today() == date(2026, 8, 11)


def test_today_follows_the_zone_of_the_organisation() -> None:
    with time_machine.travel(datetime(2026, 8, 12, 3, 30, tzinfo=UTC), tick=False):
        assert clock.today() == date(2026, 8, 12)
        assert clock.today("America/Rio_Branco") == date(2026, 8, 11)


def test_now_is_aware_and_in_utc() -> None:
    with time_machine.travel(LATE_EVENING, tick=False):
        assert clock.now() == LATE_EVENING
        assert clock.now().tzinfo is UTC


def test_ux_today_moves_the_date_and_keeps_the_sao_paulo_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UX_TODAY", "2030-01-31")

    with time_machine.travel(LATE_EVENING, tick=False):
        now, today = clock.now(), clock.today()

    assert today == date(2030, 1, 31)
    assert now == datetime(2030, 2, 1, 1, 30, tzinfo=UTC)
    assert now.tzinfo is UTC
    assert now.astimezone(ZoneInfo("America/Sao_Paulo")).date() == today


def test_ux_today_wins_in_every_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UX_TODAY", "2030-01-31")

    assert clock.today("Asia/Tokyo") == date(2030, 1, 31)


def test_ux_today_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UX_TODAY", "2026-08-12")
    first = clock.today()
    monkeypatch.setenv("UX_TODAY", "2026-08-13")

    assert (first, clock.today()) == (date(2026, 8, 12), date(2026, 8, 13))


def test_an_empty_ux_today_is_the_real_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UX_TODAY", "")

    with time_machine.travel(LATE_EVENING, tick=False):
        assert clock.today() == date(2026, 8, 11)


@pytest.mark.parametrize(
    "text", ["12/08/2026", "20260812", "2026-W33-3", "2026-02-30", "amanhã", "２０２６-08-12"]
)
def test_a_malformed_ux_today_names_itself(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UX_TODAY", text)

    with pytest.raises(ValueError, match="UX_TODAY"):
        clock.today()
    with pytest.raises(ValueError, match="UX_TODAY"):
        clock.now()
