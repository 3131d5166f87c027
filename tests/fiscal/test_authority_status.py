"""One status for all, and the breaker (fiscal-engine §8.7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.invoices import in_threads

from fiscal.authorities.base import Answer, Lost, Misconfigured, NotSent, Route
from fiscal.models import AuthorityStatus
from fiscal.services import authority_status as status

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SP = Route("SP", "SP", 55, "homologacao")
RJ = Route("SVRS", "RJ", 55, "homologacao")
SC = replace(RJ, uf="SC")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Authority:
    """A Sefaz whose status is said beforehand; it counts how often it is asked."""

    def __init__(self, *says: str | Exception, route: Route = SP) -> None:
        self.route = route
        self.says = list(says)
        self.n_asked = 0

    def status(self) -> Answer:
        self.n_asked += 1
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return Answer(c_stat=said, x_motivo=f"situação {said}", raw=b"")


def refresh(authority: Authority, now: datetime = NOW) -> status.Situation:
    return status.refresh_status(authority, now=now)  # type: ignore[arg-type]


def fail(n: int, *, route: Route = SP, since: datetime = NOW, every: timedelta = SECOND) -> None:
    for i in range(n):
        status.record_failure(route, now=since + i * every)


pytestmark = pytest.mark.django_db


def test_nothing_known_is_no_reason_not_to_call() -> None:
    assert status.may_call(SP, now=NOW)
    assert not AuthorityStatus.objects.exists()


def test_the_status_is_asked_once_in_three_minutes_for_all() -> None:
    authority, other = Authority("107"), Authority("107")

    first = refresh(authority)
    refresh(other, NOW + 2 * MINUTE + 59 * SECOND)
    refresh(other, NOW + 3 * MINUTE)

    assert (first.c_stat, first.x_motivo, first.checked_at) == ("107", "situação 107", NOW)
    assert (authority.n_asked, other.n_asked) == (1, 1)


def test_each_uf_model_and_environment_has_its_status() -> None:
    for route in (SP, replace(SP, modelo=65), replace(SP, ambiente="producao"), RJ, SC):
        authority = Authority("107", route=route)
        refresh(authority)
        assert authority.n_asked == 1


def test_107_in_a_row_are_counted_and_anything_else_starts_again() -> None:
    authority = Authority("107", "107", "107", "108", "107")

    seen = [refresh(authority, NOW + i * 3 * MINUTE).n_up for i in range(5)]

    assert seen == [1, 2, 3, 0, 1]


def test_five_failures_in_a_minute_open_the_breaker() -> None:
    fail(4)
    assert status.may_call(SP, now=NOW)

    situation = status.record_failure(SP, now=NOW + 59 * SECOND)

    assert situation.is_open
    assert situation.down_since == NOW
    assert not status.may_call(SP, now=NOW + MINUTE)


def test_failures_spread_over_minutes_do_not_open_it() -> None:
    fail(12, every=20 * SECOND)

    assert status.may_call(SP, now=NOW + 4 * MINUTE)


def test_an_answer_between_failures_starts_the_count_again() -> None:
    fail(4)
    status.record_success(SP, now=NOW + 5 * SECOND)
    fail(4, since=NOW + 6 * SECOND)

    assert status.may_call(SP, now=NOW + 10 * SECOND)


def test_failures_of_an_authority_count_for_all_its_ufs_and_for_no_other() -> None:
    fail(3, route=RJ)
    fail(2, route=SC, since=NOW + 3 * SECOND)

    assert not status.may_call(RJ, now=NOW)
    assert not status.may_call(SC, now=NOW)
    assert status.may_call(SP, now=NOW)
    assert status.may_call(replace(RJ, modelo=65), now=NOW)
    assert status.may_call(replace(RJ, ambiente="producao"), now=NOW)


def test_an_open_breaker_stays_open_until_a_status_answers_107() -> None:
    fail(5)
    authority = Authority(Lost("sem resposta"), "108", "107")
    open_at = [NOW + MINUTE, NOW + 4 * MINUTE, NOW + 7 * MINUTE]

    seen = [refresh(authority, at) for at in open_at]

    # 108 is an answer: the network is back, and the authority says that it pauses.
    assert [each.is_open for each in seen] == [True, False, False]
    assert seen[0].down_since == NOW
    assert [each.c_stat for each in seen] == ["", "108", "107"]


def test_109_opens_the_breaker_of_the_uf_alone_until_107() -> None:
    status.record_status(RJ, c_stat="109", x_motivo="parado", now=NOW)

    assert not status.may_call(RJ, now=NOW)
    assert status.may_call(SC, now=NOW)
    later = status.record_status(RJ, c_stat="109", x_motivo="parado", now=NOW + MINUTE)
    assert later.down_since == NOW
    status.record_success(RJ, now=NOW + 2 * MINUTE)
    assert not status.may_call(RJ, now=NOW + 2 * MINUTE)
    assert not status.record_status(RJ, c_stat="107", x_motivo="", now=NOW + 3 * MINUTE).is_open


def test_108_pauses_without_opening() -> None:
    situation = refresh(Authority("108"))

    assert situation.c_stat == "108"
    assert not situation.is_open


@pytest.mark.parametrize("code", ["113", "114"])
def test_what_an_svc_says_is_kept_and_opens_nothing(code: str) -> None:
    svc = Route("SVC-AN", "SP", 55, "homologacao")

    situation = refresh(Authority(code, route=svc))

    assert (situation.c_stat, situation.is_open) == (code, False)


@pytest.mark.parametrize("error", [NotSent("recusada"), Lost("sem resposta")])
def test_a_status_without_answer_is_a_failure(error: Exception) -> None:
    refresh(Authority("107"), NOW - 3 * MINUTE)

    situation = refresh(Authority(error))

    assert (situation.c_stat, situation.x_motivo, situation.n_up) == ("", str(error), 0)
    assert AuthorityStatus.objects.get(uf="").n_failures == 1


def test_a_certificate_that_cannot_ask_leaves_the_question_to_the_next() -> None:
    with pytest.raises(Misconfigured):
        refresh(Authority(Misconfigured("certificado recusado")))

    authority = Authority("107")
    assert refresh(authority, NOW + SECOND).c_stat == "107"
    assert authority.n_asked == 1
    assert status.may_call(SP, now=NOW)


def test_success_writes_nothing_when_there_is_nothing_to_forget(
    django_assert_num_queries: Any,
) -> None:
    refresh(Authority("107"))

    with django_assert_num_queries(1):
        status.record_success(SP, now=NOW)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_one_asks() -> None:
    authority = Authority("107")

    in_threads([lambda: refresh(authority)] * 6)

    assert authority.n_asked == 1
    assert AuthorityStatus.objects.get(uf="SP").c_stat == "107"


@pytest.mark.django_db(transaction=True)
def test_racing_failures_are_all_counted() -> None:
    in_threads([lambda: status.record_failure(SP, now=NOW)] * 5)

    assert not status.may_call(SP, now=NOW)
