import subprocess
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.schedule import (
    MONTHLY,
    WEEKLY,
    AccrualOffset,
    PeriodUnit,
    Schedule,
    accrual_month,
    add_months,
    complete_years,
    first_n_after,
    horizon,
    occurrence,
    occurrences,
    validate,
)

DATES = st.dates(date(2000, 1, 1), date(2060, 12, 31))
SCHEDULES = st.one_of(
    st.builds(
        Schedule,
        init_date=DATES,
        period_unit=st.just(MONTHLY),
        month_quantity=st.sampled_from([1, 2, 3, 6, 12]),
        end_date=st.none(),
    ),
    st.builds(
        Schedule,
        init_date=DATES,
        period_unit=st.just(WEEKLY),
        month_quantity=st.none(),
        end_date=st.none(),
    ),
)


def monthly(init: date, quantity: int = 1, end: date | None = None) -> Schedule:
    return Schedule(init, MONTHLY, quantity, end)


def weekly(init: date, end: date | None = None) -> Schedule:
    return Schedule(init, WEEKLY, None, end)


@pytest.mark.parametrize(
    "module",
    ["schedule", "due_dates", "splitting", "readjustment", "proration", "late_charges"],
)
def test_the_engine_needs_no_django(module: str) -> None:
    script = f"import sys, billing.engine.{module}; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_rule_from_the_31st_clamps_to_short_months_without_drifting() -> None:
    schedule = monthly(date(2026, 1, 31))

    dates = [occurrence(schedule, n) for n in range(12)]

    assert [d.day for d in dates] == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert [d.month for d in dates] == list(range(1, 13))


def test_a_yearly_rule_from_29_february_returns_to_the_29th_in_leap_years() -> None:
    schedule = monthly(date(2024, 2, 29), 12)

    assert [occurrence(schedule, n) for n in (1, 2, 3, 4)] == [
        date(2025, 2, 28),
        date(2026, 2, 28),
        date(2027, 2, 28),
        date(2028, 2, 29),
    ]


def test_a_weekly_rule_ignores_the_month_quantity() -> None:
    assert occurrence(Schedule(date(2026, 12, 28), WEEKLY, 6, None), 1) == date(2027, 1, 4)


def test_a_monthly_rule_without_quantity_cannot_be_computed() -> None:
    with pytest.raises(ValueError, match="month_quantity"):
        occurrence(Schedule(date(2026, 1, 1), MONTHLY, None, None), 1)


@pytest.mark.parametrize(
    ("d", "n", "moved"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-01-15", -1, "2025-12-15"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-08-12", 0, "2026-08-12"),
        ("2026-08-31", -18, "2025-02-28"),
    ],
)
def test_adding_months_clamps_the_day(d: str, n: int, moved: str) -> None:
    assert add_months(date.fromisoformat(d), n) == date.fromisoformat(moved)


@pytest.mark.parametrize(
    ("schedule", "count"),
    [
        (monthly(date(2018, 12, 10), 1, date(2019, 12, 31)), 13),
        (monthly(date(2017, 6, 5), 1, date(2022, 6, 4)), 60),
        (monthly(date(2016, 9, 2)), 25),
        (monthly(date(2016, 9, 2), 6), 5),
        (monthly(date(2018, 12, 20), 12), 3),
        (monthly(date(2018, 12, 21), 12), 3),
        (weekly(date(2017, 6, 5), date(2017, 9, 18)), 16),
        (weekly(date(2016, 9, 2)), 26),
        (weekly(date(2017, 6, 5)), 27),
        (weekly(date(2017, 6, 5), date(2017, 6, 4)), 0),
        (monthly(date(2026, 7, 1), 1, date(2026, 10, 1)), 4),
    ],
)
def test_a_new_rule_generates_the_recorded_number_of_invoices(
    schedule: Schedule, count: int
) -> None:
    block = 24 if schedule.period_unit == MONTHLY else 6

    limit = horizon(schedule, today=None, block_months=block, ahead_months=0)

    assert len(occurrences(schedule, start_n=0, until=limit)) == count


def test_occurrences_respect_start_until_and_the_inclusive_end() -> None:
    schedule = monthly(date(2026, 1, 10), 1, date(2026, 5, 10))

    assert occurrences(schedule, start_n=2, until=date(2026, 4, 10)) == [
        (2, date(2026, 3, 10)),
        (3, date(2026, 4, 10)),
    ]
    assert occurrences(schedule, start_n=4, until=date(2030, 1, 1)) == [(4, date(2026, 5, 10))]
    assert occurrences(schedule, start_n=5, until=date(2030, 1, 1)) == []
    assert occurrences(schedule, start_n=0, until=date(2026, 1, 9)) == []


def test_occurrences_reach_the_end_of_the_calendar_without_failing() -> None:
    assert occurrences(weekly(date(9999, 12, 20)), start_n=0, until=date.max) == [
        (0, date(9999, 12, 20)),
        (1, date(9999, 12, 27)),
    ]


def test_a_changed_schedule_goes_on_after_the_last_materialised_date() -> None:
    changed = monthly(date(2026, 1, 20), 2)

    assert first_n_after(changed, date(2026, 5, 10)) == 2
    assert occurrence(changed, 2) == date(2026, 5, 20)
    assert first_n_after(changed, date(2026, 5, 20)) == 3
    assert first_n_after(changed, date(2025, 1, 1)) == 0


@given(SCHEDULES, st.integers(-400, 4000))
@settings(max_examples=150, deadline=None)
def test_first_n_after_is_what_a_search_would_find(schedule: Schedule, days: int) -> None:
    after = schedule.init_date + timedelta(days=days)

    found = first_n_after(schedule, after)

    assert found == next(n for n in range(1000) if occurrence(schedule, n) > after)


@given(SCHEDULES, st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_occurrences_never_drift_from_init_date(schedule: Schedule, n: int) -> None:
    d = occurrence(schedule, n)

    assert d < occurrence(schedule, n + 1)
    if schedule.period_unit == WEEKLY:
        assert d.weekday() == schedule.init_date.weekday()
    else:
        is_month_end = (d + timedelta(days=1)).day == 1
        assert d.day == schedule.init_date.day or (is_month_end and d.day < schedule.init_date.day)


@given(SCHEDULES, st.dates(date(2000, 1, 1), date(2065, 12, 31)))
@settings(max_examples=60, deadline=None)
def test_occurrences_in_two_runs_are_those_of_one(schedule: Schedule, middle: date) -> None:
    until = schedule.init_date + timedelta(days=1500)
    whole = occurrences(schedule, start_n=0, until=until)

    first = occurrences(schedule, start_n=0, until=min(middle, until))
    rest = occurrences(schedule, start_n=len(first), until=until)

    assert first + rest == whole
    assert [n for n, _ in whole] == list(range(len(whole)))


@pytest.mark.parametrize(
    ("offset", "month"),
    [
        ("same_month", date(2026, 1, 1)),
        ("previous_month", date(2025, 12, 1)),
        ("next_month", date(2026, 2, 1)),
    ],
)
def test_the_accrual_month_is_a_first_day(offset: AccrualOffset, month: date) -> None:
    assert accrual_month(date(2026, 1, 31), offset) == month


@pytest.mark.parametrize(
    ("today", "limit"),
    [
        (None, "2018-09-02"),
        ("2016-09-02", "2018-09-02"),
        ("2018-03-02", "2018-09-02"),
        ("2018-03-03", "2020-09-02"),
        ("2026-08-12", "2028-09-02"),
        ("2010-01-01", "2018-09-02"),
    ],
)
def test_an_open_monthly_rule_grows_in_blocks_of_24_months(today: str | None, limit: str) -> None:
    schedule = monthly(date(2016, 9, 2), 6)
    on = date.fromisoformat(today) if today else None

    found = horizon(schedule, today=on, block_months=24, ahead_months=6)

    assert found == date.fromisoformat(limit)


def test_an_open_weekly_rule_grows_in_blocks_of_6_months() -> None:
    schedule = weekly(date(2017, 6, 5))

    assert horizon(schedule, today=date(2017, 11, 5), block_months=6, ahead_months=1) == date(
        2017, 12, 5
    )
    assert horizon(schedule, today=date(2017, 11, 6), block_months=6, ahead_months=1) == date(
        2018, 6, 5
    )


def test_blocks_are_counted_from_init_date_and_do_not_drift() -> None:
    schedule = monthly(date(2026, 1, 31))

    assert horizon(schedule, today=date(2026, 3, 1), block_months=1, ahead_months=0) == date(
        2026, 3, 31
    )


def test_the_horizon_of_a_rule_with_an_end_is_its_end() -> None:
    schedule = monthly(date(2016, 9, 2), 1, date(2016, 12, 31))

    for today in (None, date(2026, 8, 12)):
        assert horizon(schedule, today=today, block_months=24, ahead_months=6) == date(2016, 12, 31)


@given(SCHEDULES, st.integers(0, 8000), st.integers(1, 36), st.integers(0, 24))
@settings(max_examples=100, deadline=None)
def test_the_horizon_is_the_first_block_end_far_enough(
    schedule: Schedule, days: int, block: int, ahead: int
) -> None:
    today = schedule.init_date + timedelta(days=days)
    enough = add_months(today, ahead)

    found = horizon(schedule, today=today, block_months=block, ahead_months=ahead)

    ends = (add_months(schedule.init_date, k * block) for k in range(1, 1000))
    assert found == next(end for end in ends if end >= enough)


@pytest.mark.parametrize("quantity", [1, 2, 3, 6, 12])
def test_the_five_periodicities_are_accepted(quantity: int) -> None:
    assert validate(monthly(date(2026, 1, 1), quantity)) == []


@pytest.mark.parametrize("quantity", [None, 0, -1, 4, 5, 24])
def test_other_periodicities_are_refused_when_monthly(quantity: int | None) -> None:
    schedule = Schedule(date(2026, 1, 1), MONTHLY, quantity, None)

    assert validate(schedule) == [("month_quantity", "valor deve ser 1, 2, 3, 6 ou 12 (em meses)")]
    assert validate(Schedule(date(2026, 1, 1), WEEKLY, quantity, None)) == []


@pytest.mark.parametrize(
    ("unit", "end", "message"),
    [
        (MONTHLY, "2025-01-09", None),
        (MONTHLY, "2026-01-09", None),
        (MONTHLY, "2026-01-10", "deve ser no máximo 5 (cinco) anos"),
        (WEEKLY, "2021-02-10", None),
        (WEEKLY, "2022-01-09", None),
        (WEEKLY, "2022-01-10", "deve ser no máximo 1 (um) ano"),
        (MONTHLY, "2019-01-10", None),
    ],
)
def test_the_span_is_limited_in_complete_years(
    unit: PeriodUnit, end: str, message: str | None
) -> None:
    schedule = Schedule(date(2020, 1, 10), unit, 1, date.fromisoformat(end))

    assert validate(schedule) == ([("periodicity", message)] if message else [])


def test_both_faults_are_reported_at_once() -> None:
    faults = validate(monthly(date(2020, 1, 10), 4, date(2030, 1, 1)))

    assert [field for field, _ in faults] == ["month_quantity", "periodicity"]


def test_an_unknown_period_unit_is_refused() -> None:
    schedule = Schedule(date(2020, 1, 10), "daily", 1, None)  # type: ignore[arg-type]

    assert validate(schedule) == [("period_unit", "não está incluído na lista")]


def test_complete_years_of_a_leap_day_end_on_the_28th() -> None:
    assert complete_years(date(2024, 2, 29), date(2025, 2, 27)) == 0
    assert complete_years(date(2024, 2, 29), date(2025, 2, 28)) == 1
    assert complete_years(date(2024, 2, 29), date(2023, 3, 1)) == -1
