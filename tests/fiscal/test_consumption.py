"""Calls stay below what earns 656 (fiscal-engine §8.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from support.invoices import in_threads

from fiscal.models import Consumption
from fiscal.services import consumption
from fiscal.services.consumption import OFFICIAL, Caller, Service, Throttled

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WHO = Caller("11222333", "homologacao")
KEY = "35261111222333000181550010000000011123456784"
HOUR = timedelta(hours=1)


def spend(
    n: int = 1,
    *,
    service: Service = Service.CONSULT,
    subject: str = KEY,
    now: datetime = NOW,
    who: Caller = WHO,
) -> int:
    """How many of n calls were let through."""
    made = 0
    for _ in range(n):
        try:
            consumption.spend(who, service=service, subject=subject, now=now)
        except Throttled:
            continue
        made += 1
    return made


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("service", "n"),
    [
        (Service.AUTHORIZE, 15),
        (Service.EVENT, 10),
        (Service.VOID, 10),
        (Service.CONSULT, 5),
        (Service.RECEIPT, 20),
        (Service.DISTRIBUTION_ONE, 10),
    ],
)
def test_half_of_the_official_number_is_let_through(service: Service, n: int) -> None:
    assert spend(50, service=service) == n


@pytest.mark.django_db
def test_a_refusal_tells_when_and_counts_nothing() -> None:
    spend(5)

    with pytest.raises(Throttled) as throttled:
        consumption.spend(WHO, service=Service.CONSULT, subject=KEY, now=NOW)

    assert throttled.value.until == NOW + timedelta(minutes=12)
    assert Consumption.objects.get().count == 5


@pytest.mark.django_db
def test_calls_come_back_one_by_one_over_the_hour() -> None:
    spend(5)

    assert spend(5, now=NOW + timedelta(minutes=11, seconds=59)) == 0
    assert spend(5, now=NOW + timedelta(minutes=12)) == 1
    assert spend(5, now=NOW + timedelta(minutes=35)) == 1
    assert spend(9, now=NOW + 3 * HOUR) == 5


@pytest.mark.django_db
def test_keys_services_environments_and_taxpayers_are_counted_apart() -> None:
    spend(5)

    assert spend(subject=KEY[:-1] + "5") == 1
    assert spend(service=Service.AUTHORIZE) == 1
    assert spend(who=Caller("11222333", "producao")) == 1
    assert spend(who=Caller("45543915", "homologacao")) == 1


def test_branches_of_one_taxpayer_are_one_caller() -> None:
    of = [consumption.caller(cnpj, "producao") for cnpj in ("11222333000181", "11222333000262")]

    assert of[0] == of[1] == Caller("11222333", "producao")
    assert consumption.caller("12ABC34501DE35", "producao").base == "12ABC345"
    assert consumption.caller("12345678909", "producao").base == "12345678909"


@pytest.mark.django_db
def test_656_stops_the_service_for_an_hour_whatever_the_subject() -> None:
    until = consumption.block(WHO, service=Service.CONSULT, now=NOW)

    assert until == NOW + HOUR
    assert spend(now=NOW + HOUR - timedelta(seconds=1)) == 0
    assert spend(subject="", now=NOW + timedelta(minutes=1)) == 0
    assert spend(service=Service.AUTHORIZE, now=NOW) == 1
    assert spend(now=NOW + HOUR) == 1


@pytest.mark.django_db
def test_a_block_is_told_with_its_end() -> None:
    consumption.block(WHO, service=Service.AUTHORIZE, now=NOW)

    with pytest.raises(Throttled) as throttled:
        consumption.spend(WHO, service=Service.AUTHORIZE, subject=KEY, now=NOW)

    assert throttled.value.until == NOW + HOUR
    assert throttled.value.codigo == "limite_excedido"


@pytest.mark.django_db
def test_a_second_656_never_shortens_the_block() -> None:
    consumption.block(WHO, service=Service.CONSULT, now=NOW)

    assert consumption.block(WHO, service=Service.CONSULT, now=NOW - HOUR) == NOW + HOUR


@pytest.mark.django_db
def test_distribution_waits_an_hour_after_nothing_new_and_has_no_other_limit() -> None:
    ask = {"service": Service.DISTRIBUTION_NSU, "subject": ""}
    assert spend(100, **ask) == 100  # type: ignore[arg-type]

    consumption.block(WHO, service=Service.DISTRIBUTION_NSU, now=NOW)

    assert spend(**ask) == 0  # type: ignore[arg-type]
    assert spend(**ask, now=NOW + HOUR) == 1  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_call_that_never_left_is_given_back() -> None:
    spend(5)

    consumption.give_back(WHO, service=Service.CONSULT, subject=KEY)

    assert spend(5) == 1


@pytest.mark.django_db
def test_nothing_is_given_back_below_zero() -> None:
    consumption.give_back(WHO, service=Service.CONSULT, subject=KEY)
    spend(1)
    for _ in range(3):
        consumption.give_back(WHO, service=Service.CONSULT, subject=KEY)

    assert Consumption.objects.get().count == 0


@pytest.mark.django_db
def test_asking_when_counts_nothing() -> None:
    ask = {"service": Service.CONSULT, "subject": KEY}
    assert consumption.allowed_at(WHO, **ask, now=NOW) == NOW  # type: ignore[arg-type]

    spend(5)

    assert consumption.allowed_at(WHO, **ask, now=NOW) == NOW + timedelta(minutes=12)  # type: ignore[arg-type]
    later = NOW + timedelta(minutes=12)
    assert consumption.allowed_at(WHO, **ask, now=later) == later  # type: ignore[arg-type]
    consumption.block(WHO, service=Service.CONSULT, now=later)
    assert consumption.allowed_at(WHO, **ask, now=later) == later + HOUR  # type: ignore[arg-type]
    assert Consumption.objects.get(subject=KEY).count == 5


@pytest.mark.django_db
def test_old_buckets_are_forgotten_but_not_a_block_that_holds() -> None:
    spend(3)
    consumption.block(WHO, service=Service.EVENT, now=NOW + 2 * HOUR)

    assert consumption.forget_old(NOW + HOUR) == 0
    assert consumption.forget_old(NOW + timedelta(hours=2, minutes=30)) == 1
    assert Consumption.objects.get().service == Service.EVENT
    assert consumption.forget_old(NOW + 5 * HOUR) == 1


class NoHourSeesMoreThanTheOfficialNumber(TestCase):
    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.integers(min_value=0, max_value=900), max_size=60))
    def test_at_any_pace(self, pauses: list[int]) -> None:
        now, made = NOW, []
        for seconds in pauses:
            now += timedelta(seconds=seconds)
            made += [now] * spend(3, now=now)

        for first in made:
            inside = [at for at in made if first <= at < first + HOUR]
            assert len(inside) <= OFFICIAL[Service.CONSULT]


@pytest.mark.django_db(transaction=True)
def test_racing_calls_are_all_counted() -> None:
    made = in_threads([lambda: spend(4)] * 6)

    assert sum(made) == 5
    assert Consumption.objects.get().count == 5
