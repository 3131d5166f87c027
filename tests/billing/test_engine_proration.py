from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.proration import (
    BilledPeriod,
    final_charge,
    period_containing,
    period_of,
    prorate_lines,
    prorated,
    unused_credit,
)
from billing.engine.schedule import MONTHLY, WEEKLY, Schedule

VALUES = st.decimals(min_value=0, max_value=10**9, places=2)
AUGUST = {"start": date(2026, 8, 1), "end": date(2026, 8, 31)}


def D(text: str) -> Decimal:
    return Decimal(text)


def monthly(init: date, end: date | None = None) -> Schedule:
    return Schedule(init, MONTHLY, 1, end)


def test_a_period_goes_up_to_the_eve_of_the_next_occurrence() -> None:
    schedule = monthly(date(2026, 1, 31))

    assert period_of(schedule, 0) == (date(2026, 1, 31), date(2026, 2, 27))
    assert period_of(schedule, 1) == (date(2026, 2, 28), date(2026, 3, 30))
    weekly = Schedule(date(2026, 8, 3), WEEKLY, None, None)
    assert period_of(weekly, 1) == (date(2026, 8, 10), date(2026, 8, 16))


def test_the_period_of_a_day_is_found_at_both_of_its_ends() -> None:
    schedule = monthly(date(2026, 1, 10), date(2026, 3, 10))

    assert period_containing(schedule, date(2026, 1, 9)) is None
    assert period_containing(schedule, date(2026, 1, 10)) == 0
    assert period_containing(schedule, date(2026, 2, 9)) == 0
    assert period_containing(schedule, date(2026, 2, 10)) == 1
    assert period_containing(schedule, date(2026, 4, 9)) == 2
    assert period_containing(schedule, date(2026, 4, 10)) is None


@pytest.mark.parametrize(
    ("value", "used_until", "expected"),
    [
        ("310.00", date(2026, 8, 12), "120.00"),
        ("100.00", date(2026, 8, 10), "32.26"),
        ("100.00", date(2026, 8, 1), "3.23"),
        ("100.00", date(2026, 8, 31), "100.00"),
        ("100.00", date(2026, 9, 30), "100.00"),
        ("100.00", date(2026, 7, 31), "0.00"),
        ("-31.00", date(2026, 8, 10), "-10.00"),
    ],
)
def test_both_ends_of_the_used_days_count(value: str, used_until: date, expected: str) -> None:
    assert str(prorated(D(value), used_until=used_until, **AUGUST)) == expected


def test_a_tie_rounds_half_up() -> None:
    april = {"start": date(2026, 4, 1), "end": date(2026, 4, 30)}

    assert prorated(D("99.99"), used_until=date(2026, 4, 15), **april) == D("50.00")


def test_february_has_its_actual_days() -> None:
    leap = {"start": date(2028, 2, 1), "end": date(2028, 2, 29)}

    assert prorated(D("29.00"), used_until=date(2028, 2, 14), **leap) == D("14.00")


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ValueError, match="period"):
        prorated(D("1"), start=date(2026, 8, 2), end=date(2026, 8, 1), used_until=date(2026, 8, 1))


def test_each_line_rounds_by_itself() -> None:
    found = prorate_lines([D("10.00"), D("10.00")], used_until=date(2026, 8, 10), **AUGUST)

    assert found.amounts == (D("3.23"), D("3.23"))
    assert found.total == D("6.46")  # 20.00 at once would be 6.45
    assert (found.days, found.period_days) == (10, 31)


def test_the_final_charge_is_the_used_part_of_the_period_in_course() -> None:
    found = final_charge(
        [D("310.00"), D("100.00")],
        schedule=monthly(date(2026, 1, 1)),
        cancel_date=date(2026, 8, 12),
    )

    assert found is not None
    assert (found.start, found.end) == (date(2026, 8, 1), date(2026, 8, 31))
    assert (found.days, found.period_days) == (12, 31)
    assert found.amounts == (D("120.00"), D("38.71"))
    assert found.total == D("158.71")


def test_there_is_no_final_charge_outside_the_agreement() -> None:
    schedule = monthly(date(2026, 1, 1), date(2026, 3, 1))

    assert final_charge([D("10")], schedule=schedule, cancel_date=date(2025, 12, 31)) is None
    assert final_charge([D("10")], schedule=schedule, cancel_date=date(2026, 4, 1)) is None


def test_a_prepaid_period_credits_its_unused_days() -> None:
    billed = BilledPeriod(date(2026, 8, 1), date(2026, 8, 31), (D("310.00"), D("100.00")))

    (found,) = unused_credit([billed], cancel_date=date(2026, 8, 12))

    assert (found.days, found.period_days) == (19, 31)
    assert found.amounts == (D("190.00"), D("61.29"))
    assert found.total == D("251.29")


def test_an_earlier_cancellation_credits_every_period_billed_in_excess() -> None:
    july = BilledPeriod(date(2026, 7, 1), date(2026, 7, 31), (D("31.00"),))
    august = BilledPeriod(date(2026, 8, 1), date(2026, 8, 31), (D("31.00"),))
    june = BilledPeriod(date(2026, 6, 1), date(2026, 6, 30), (D("31.00"),))

    found = unused_credit([june, july, august], cancel_date=date(2026, 7, 10))

    assert [(credit.start, credit.days, credit.total) for credit in found] == [
        (date(2026, 7, 1), 21, D("21.00")),
        (date(2026, 8, 1), 31, D("31.00")),
    ]


def test_cancelling_on_the_last_day_credits_nothing() -> None:
    billed = BilledPeriod(date(2026, 8, 1), date(2026, 8, 31), (D("31.00"),))

    assert unused_credit([billed], cancel_date=date(2026, 8, 31)) == []


@given(VALUES, st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 366), st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_kept_and_what_is_credited_add_up_to_what_was_billed(
    value: Decimal, start: date, length: int, data: st.DataObject
) -> None:
    end = start + timedelta(days=length - 1)
    used = data.draw(st.integers(0, length - 1))
    cancel_date = start + timedelta(days=used - 1)

    kept = prorated(value, start=start, end=end, used_until=cancel_date)
    (credit,) = unused_credit([BilledPeriod(start, end, (value,))], cancel_date=cancel_date)

    assert kept + credit.total == value
    assert abs(Fraction(kept) - Fraction(value) * used / length) <= Fraction(1, 200)
    assert credit.days + used == length


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_periods_follow_each_other_without_gap_or_overlap(init: date, n: int) -> None:
    schedule = monthly(init)

    start, end = period_of(schedule, n)

    assert period_of(schedule, n + 1)[0] == end + timedelta(days=1)
    assert period_containing(schedule, start) == n
    assert period_containing(schedule, end) == n
