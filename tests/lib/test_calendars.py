import time
from datetime import date, timedelta

import holidays
import pytest
from dateutil.easter import easter as dateutil_easter
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.calendars import BR_BANK, BR_FIN, Calendar, easter, national_closures

DATES = st.dates(date(1995, 1, 1), date(2085, 12, 31))
CALENDARS = st.sampled_from([BR_BANK, BR_FIN, Calendar("br_bank", frozenset({date(2026, 7, 9)}))])


@pytest.mark.parametrize(
    ("easter_day", "carnival_tuesday", "good_friday", "corpus_christi", "last_weekday"),
    [
        ("2025-04-20", "2025-03-04", "2025-04-18", "2025-06-19", "2025-12-31"),
        ("2026-04-05", "2026-02-17", "2026-04-03", "2026-06-04", "2026-12-31"),
        ("2027-03-28", "2027-02-09", "2027-03-26", "2027-05-27", "2027-12-31"),
        ("2028-04-16", "2028-02-29", "2028-04-14", "2028-06-15", "2028-12-29"),
        ("2029-04-01", "2029-02-13", "2029-03-30", "2029-05-31", "2029-12-31"),
        ("2030-04-21", "2030-03-05", "2030-04-19", "2030-06-20", "2030-12-31"),
    ],
)
def test_movable_closures_follow_the_published_table(
    easter_day: str,
    carnival_tuesday: str,
    good_friday: str,
    corpus_christi: str,
    last_weekday: str,
) -> None:
    year = int(easter_day[:4])
    tuesday = date.fromisoformat(carnival_tuesday)
    closed = [tuesday, tuesday - timedelta(days=1)]
    closed += [date.fromisoformat(d) for d in (good_friday, corpus_christi, last_weekday)]

    assert easter(year) == date.fromisoformat(easter_day)
    assert not any(BR_BANK.is_business_day(d) for d in closed)


def test_easter_agrees_with_dateutil_for_three_centuries() -> None:
    assert [y for y in range(1900, 2200) if easter(y) != dateutil_easter(y)] == []


def test_br_fin_agrees_with_the_financial_market_from_2001_to_2078() -> None:
    market = holidays.financial_holidays("BVMF", years=range(2001, 2079))
    first = date(2001, 1, 1)
    days = [first + timedelta(days=n) for n in range((date(2079, 1, 1) - first).days)]

    differing = [d for d in days if BR_FIN.is_business_day(d) != market.is_working_day(d)]

    assert differing == []


@pytest.mark.parametrize(
    "day",
    [
        "2026-01-01",
        "2026-04-21",
        "2026-05-01",
        "2026-09-07",
        "2026-10-12",
        "2026-11-02",
        "2025-12-25",
        "2024-11-15",
        "2026-11-20",
        "2026-08-08",
        "2026-08-09",
    ],
)
def test_fixed_holidays_and_weekends_are_closed(day: str) -> None:
    assert not BR_BANK.is_business_day(date.fromisoformat(day))
    assert not BR_FIN.is_business_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    "day", ["2026-02-18", "2026-04-02", "2026-12-24", "2026-10-28", "2023-11-20", "2025-06-20"]
)
def test_days_that_only_look_like_holidays_are_open(day: str) -> None:
    assert BR_BANK.is_business_day(date.fromisoformat(day))


def test_consciencia_negra_is_closed_from_2024_on() -> None:
    assert BR_BANK.is_business_day(date(2023, 11, 20))
    assert not BR_BANK.is_business_day(date(2024, 11, 20))


def test_the_last_weekday_of_the_year_is_closed_only_at_the_counter() -> None:
    assert not BR_BANK.is_business_day(date(2027, 12, 31))
    assert BR_FIN.is_business_day(date(2027, 12, 31))
    assert BR_BANK.is_business_day(date(2027, 12, 30))
    assert not BR_BANK.is_business_day(date(2028, 12, 29))


def test_each_year_closes_one_date_more_at_the_counter_and_one_more_since_2024() -> None:
    assert len(national_closures(2023, "br_bank")) == 13
    assert len(national_closures(2026, "br_bank")) == 14
    assert len(national_closures(2026, "br_fin")) == 13
    assert national_closures(2026, "br_bank")[date(2026, 6, 4)] == "Corpus Christi"


def test_changing_the_table_given_to_one_caller_does_not_change_the_calendar() -> None:
    national_closures(2026, "br_bank").clear()

    assert not BR_BANK.is_business_day(date(2026, 12, 25))


def test_an_organisation_may_close_days_of_its_own() -> None:
    local = Calendar("br_bank", frozenset({date(2026, 7, 9), date(2026, 7, 10)}))

    assert BR_BANK.is_business_day(date(2026, 7, 9))
    assert not local.is_business_day(date(2026, 7, 9))
    assert local.next_business_day(date(2026, 7, 9)) == date(2026, 7, 13)
    assert local.previous_business_day(date(2026, 7, 12)) == date(2026, 7, 8)
    assert local.add_business_days(date(2026, 7, 8), 1) == date(2026, 7, 13)


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="br_banc"):
        Calendar("br_banc")
    with pytest.raises(ValueError, match="br_banc"):
        national_closures(2026, "br_banc")


def test_next_and_previous_keep_a_business_day_and_cross_the_year() -> None:
    wednesday = date(2026, 8, 12)

    assert BR_BANK.next_business_day(wednesday) == wednesday
    assert BR_BANK.previous_business_day(wednesday) == wednesday
    assert BR_BANK.next_business_day(date(2026, 12, 31)) == date(2027, 1, 4)
    assert BR_BANK.previous_business_day(date(2027, 1, 3)) == date(2026, 12, 30)


def test_adding_business_days_counts_those_after_the_date() -> None:
    friday, saturday = date(2016, 9, 2), date(2016, 9, 3)

    assert BR_BANK.add_business_days(friday, 2) == date(2016, 9, 6)
    assert BR_BANK.add_business_days(saturday, 1) == date(2016, 9, 5)
    assert BR_BANK.add_business_days(friday, 0) == friday
    assert BR_BANK.add_business_days(saturday, 0) == date(2016, 9, 5)
    assert BR_BANK.add_business_days(saturday, -1) == friday
    assert BR_BANK.add_business_days(friday, -1) == date(2016, 9, 1)


def _walk(calendar: Calendar, d: date, n: int) -> date:
    step = timedelta(days=1 if n > 0 else -1)
    while n:
        d += step
        if calendar.is_business_day(d):
            n -= 1 if n > 0 else -1
    return d


@given(CALENDARS, DATES, st.integers(-400, 400).filter(bool))
@settings(max_examples=100, deadline=None)
def test_adding_business_days_is_the_same_as_walking(calendar: Calendar, d: date, n: int) -> None:
    assert calendar.add_business_days(d, n) == _walk(calendar, d, n)


@given(CALENDARS, DATES)
@settings(max_examples=100, deadline=None)
def test_next_and_previous_are_the_nearest_business_days(calendar: Calendar, d: date) -> None:
    following, before = calendar.next_business_day(d), calendar.previous_business_day(d)

    assert before <= d <= following
    assert calendar.is_business_day(before)
    assert calendar.is_business_day(following)
    gap = ((before + timedelta(days=n)) for n in range(1, (following - before).days))
    assert not any(calendar.is_business_day(between) for between in gap)
    assert following == calendar.add_business_days(d, 0)


def test_ten_thousand_due_dates_take_less_than_a_second() -> None:
    started = time.perf_counter()

    for n in range(10_000):
        BR_BANK.add_business_days(date(2026, 1, 1) + timedelta(days=n % 365), 250)

    assert time.perf_counter() - started < 1
