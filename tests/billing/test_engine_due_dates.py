from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.due_dates import DueTerms, due_dates, postpone, validate
from lib.calendars import BR_BANK, Calendar

ISSUES = st.dates(date(2005, 1, 1), date(2060, 12, 31))
DAYS = st.one_of(st.none(), st.integers(1, 31))


def terms(charge_type: str | None, **fields: Any) -> DueTerms:
    return DueTerms(
        **(
            {
                "charge_type": charge_type,
                "day_number": None,
                "day_quantity": None,
                "month_quantity": None,
                "only_business_days": False,
                "parcel_number": None,
            }
            | fields
        )
    )


def due(found: DueTerms, issue: date, preferred_day: int | None = None) -> list[date]:
    return due_dates(found, issue=issue, calendar=BR_BANK, preferred_day=preferred_day)


@pytest.mark.parametrize(
    ("issue", "day", "expected"),
    [
        (date(2016, 9, 2), 23, date(2016, 9, 23)),
        (date(2017, 4, 10), 1, date(2017, 5, 1)),
        (date(2018, 12, 10), 3, date(2019, 1, 3)),
        (date(2026, 8, 10), 10, date(2026, 9, 10)),
        (date(2026, 1, 31), 31, date(2026, 2, 28)),
        (date(2026, 2, 27), 31, date(2026, 2, 28)),
        (date(2026, 2, 28), 31, date(2026, 3, 31)),
        (date(2026, 8, 3), 8, date(2026, 8, 8)),
        (date(2026, 1, 31), None, date(2026, 2, 28)),
        (date(2026, 8, 12), None, date(2026, 9, 12)),
    ],
)
def test_fixed_day_is_the_next_such_day_strictly_after_issue(
    issue: date, day: int | None, expected: date
) -> None:
    assert due(terms("fixed_day", day_number=day), issue) == [expected]


@pytest.mark.parametrize(
    ("issue", "business", "expected"),
    [
        (date(2016, 9, 2), False, date(2016, 9, 30)),
        (date(2026, 8, 31), False, date(2026, 9, 30)),
        (date(2026, 5, 4), False, date(2026, 5, 31)),
        (date(2026, 5, 4), True, date(2026, 5, 29)),
        (date(2026, 5, 29), True, date(2026, 6, 30)),
        (date(2026, 5, 30), True, date(2026, 6, 30)),
        (date(2026, 5, 30), False, date(2026, 5, 31)),
        (date(2026, 12, 30), True, date(2027, 1, 29)),
        (date(2026, 12, 1), True, date(2026, 12, 30)),
    ],
)
def test_last_day_of_month_is_strictly_after_issue(
    issue: date, business: bool, expected: date
) -> None:
    assert due(terms("last_day_of_month", only_business_days=business), issue) == [expected]


@pytest.mark.parametrize(
    ("issue", "days", "business", "expected"),
    [
        (date(2016, 9, 2), 3, False, date(2016, 9, 5)),
        (date(2016, 9, 2), 2, True, date(2016, 9, 6)),
        (date(2016, 9, 2), 0, False, date(2016, 9, 2)),
        (date(2016, 9, 2), 0, True, date(2016, 9, 2)),
        (date(2016, 9, 3), 0, True, date(2016, 9, 5)),
        (date(2016, 9, 3), 0, False, date(2016, 9, 3)),
        (date(2026, 12, 30), 1, True, date(2027, 1, 4)),
        (date(2026, 2, 13), 1, True, date(2026, 2, 18)),
        (date(2026, 2, 13), None, False, date(2026, 2, 13)),
    ],
)
def test_day_quantity_counts_from_issue(
    issue: date, days: int | None, business: bool, expected: date
) -> None:
    found = terms("day_quantity", day_quantity=days, only_business_days=business)

    assert due(found, issue) == [expected]


@pytest.mark.parametrize(
    ("issue", "day", "months", "expected"),
    [
        (date(2016, 9, 2), 3, 2, date(2016, 11, 3)),
        (date(2026, 1, 31), 31, 1, date(2026, 2, 28)),
        (date(2026, 11, 30), 15, 2, date(2027, 1, 15)),
        (date(2026, 1, 31), None, 1, date(2026, 2, 28)),
    ],
)
def test_fixed_day_of_a_later_month(
    issue: date, day: int | None, months: int, expected: date
) -> None:
    found = terms("fixed_day_and_month_quantity", day_number=day, month_quantity=months)

    assert due(found, issue) == [expected]


@pytest.mark.parametrize("months", [None, 0, -1])
def test_a_later_month_that_was_not_said_cannot_be_computed(months: int | None) -> None:
    found = terms("fixed_day_and_month_quantity", day_number=3, month_quantity=months)

    with pytest.raises(ValueError, match="month_quantity"):
        due(found, date(2026, 8, 12))


def test_without_charge_type_an_invoice_is_due_when_issued() -> None:
    assert due(terms(None), date(2026, 8, 8)) == [date(2026, 8, 8)]
    assert due(terms(None, parcel_number=3), date(2026, 1, 31)) == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]


def test_an_unknown_charge_type_is_refused() -> None:
    with pytest.raises(ValueError, match="someday"):
        due(terms("someday"), date(2026, 8, 8))


def test_parcels_of_a_fixed_day_return_to_the_anchor_day() -> None:
    found = terms("fixed_day", day_number=31, parcel_number=4)

    assert due(found, date(2026, 1, 31)) == [
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
        date(2026, 5, 31),
    ]


def test_parcels_of_day_quantity_are_one_month_apart() -> None:
    found = terms("day_quantity", day_quantity=30, parcel_number=3)

    assert due(found, date(2026, 1, 1)) == [
        date(2026, 1, 31),
        date(2026, 2, 28),
        date(2026, 3, 31),
    ]


def test_parcels_in_business_days_move_off_holidays_without_drifting() -> None:
    found = terms("day_quantity", day_quantity=5, only_business_days=True, parcel_number=4)

    assert due(found, date(2026, 5, 29)) == [
        date(2026, 6, 8),  # Corpus Christi does not count
        date(2026, 7, 8),
        date(2026, 8, 10),  # the 8th is a Saturday
        date(2026, 9, 8),
    ]


@pytest.mark.parametrize(
    ("business", "expected"),
    [
        (False, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]),
        (True, [date(2026, 1, 30), date(2026, 2, 27), date(2026, 3, 31)]),
    ],
)
def test_parcels_of_the_last_day_stay_on_the_last_day(business: bool, expected: list[date]) -> None:
    found = terms("last_day_of_month", only_business_days=business, parcel_number=3)

    assert due(found, date(2026, 1, 15)) == expected


def test_the_preferred_day_replaces_only_a_fixed_day() -> None:
    issue = date(2026, 8, 12)

    assert due(terms("fixed_day", day_number=5), issue, 15) == [date(2026, 8, 15)]
    later = terms("fixed_day_and_month_quantity", day_number=5, month_quantity=1)
    assert due(later, issue, 15) == [date(2026, 9, 15)]
    assert due(terms("last_day_of_month"), issue, 15) == [date(2026, 8, 31)]
    assert due(terms("day_quantity", day_quantity=1), issue, 15) == [date(2026, 8, 13)]
    assert due(terms(None), issue, 15) == [issue]


def test_the_preferred_day_is_the_anchor_of_every_parcel() -> None:
    found = terms("fixed_day", day_number=31, parcel_number=2)

    assert due(found, date(2026, 1, 20), 10) == [date(2026, 2, 10), date(2026, 3, 10)]


def test_local_closures_count_as_closed() -> None:
    local = Calendar("br_bank", frozenset({date(2016, 9, 5)}))
    found = terms("day_quantity", day_quantity=2, only_business_days=True)

    assert due_dates(found, issue=date(2016, 9, 2), calendar=local) == [date(2016, 9, 8)]


@given(ISSUES, DAYS, st.integers(1, 24))
@settings(max_examples=100, deadline=None)
def test_a_fixed_day_is_never_on_the_issue_date_nor_over_a_month_away(
    issue: date, day: int | None, parcels: int
) -> None:
    dates = due(terms("fixed_day", day_number=day, parcel_number=parcels), issue)

    anchor = day or issue.day
    assert len(dates) == parcels
    assert issue < dates[0] <= issue + timedelta(days=31)
    for n, d in enumerate(dates):
        assert (d.year * 12 + d.month) == (dates[0].year * 12 + dates[0].month) + n
        assert d.day == anchor or (d.day < anchor and (d + timedelta(days=1)).day == 1)


@given(ISSUES, st.booleans(), st.integers(1, 24))
@settings(max_examples=100, deadline=None)
def test_month_ends_are_strictly_after_issue_and_consecutive(
    issue: date, business: bool, parcels: int
) -> None:
    found = terms("last_day_of_month", only_business_days=business, parcel_number=parcels)

    dates = due(found, issue)

    assert issue < dates[0]
    for n, d in enumerate(dates):
        assert (d.year * 12 + d.month) == (dates[0].year * 12 + dates[0].month) + n
        assert BR_BANK.is_business_day(d) or not business
        rest = (d + timedelta(days=k) for k in range(1, 8))
        later = [r for r in rest if r.month == d.month]
        assert not any(BR_BANK.is_business_day(r) for r in later) if business else later == []


@given(ISSUES, st.integers(0, 120), st.integers(1, 24))
@settings(max_examples=100, deadline=None)
def test_parcels_in_business_days_are_business_days_in_order(
    issue: date, days: int, parcels: int
) -> None:
    found = terms("day_quantity", day_quantity=days, only_business_days=True, parcel_number=parcels)

    dates = due(found, issue)

    assert dates[0] == BR_BANK.add_business_days(issue, days)
    assert all(BR_BANK.is_business_day(d) for d in dates)
    assert sorted(set(dates)) == dates


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (date(2026, 1, 10), date(2026, 8, 17)),
        (date(2026, 8, 16), date(2026, 8, 17)),
        (date(2026, 8, 17), date(2026, 8, 17)),
        (date(2026, 8, 22), date(2026, 8, 22)),
    ],
)
def test_a_due_date_too_near_moves_to_the_minimum(original: date, expected: date) -> None:
    moved = postpone(original, today=date(2026, 8, 12), min_payment_days=5, calendar=BR_BANK)

    assert moved == expected


def test_a_postponed_due_date_is_a_business_day() -> None:
    moved = postpone(
        date(2026, 8, 1), today=date(2026, 8, 10), min_payment_days=5, calendar=BR_BANK
    )

    assert moved == date(2026, 8, 17)  # the 15th is a Saturday


@given(ISSUES, ISSUES, st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_postponing_twice_changes_nothing(original: date, today: date, days: int) -> None:
    once = postpone(original, today=today, min_payment_days=days, calendar=BR_BANK)

    assert once >= today + timedelta(days=days)
    assert postpone(once, today=today, min_payment_days=days, calendar=BR_BANK) == once


@pytest.mark.parametrize("months", [None, 0, -1])
def test_a_month_quantity_not_above_zero_is_refused(months: int | None) -> None:
    found = terms("fixed_day_and_month_quantity", day_number=5, month_quantity=months)

    assert validate(found) == [("month_quantity", "o valor deve ser maior do que zero")]


@pytest.mark.parametrize(
    ("found", "faults"),
    [
        (terms("fixed_day", day_number=0), [("day_number", "deve estar entre 1 e 31")]),
        (terms("fixed_day", day_number=32), [("day_number", "deve estar entre 1 e 31")]),
        (terms("fixed_day", day_number=31), []),
        (terms("fixed_day"), []),
        (terms("last_day_of_month", day_number=99), []),
        (
            terms("day_quantity", day_quantity=-1),
            [("day_quantity", "deve estar entre 0 e 3650")],
        ),
        (terms("day_quantity", day_quantity=0), []),
        (terms("fixed_day", month_quantity=0), []),
        (terms(None, parcel_number=0), [("parcel_number", "deve estar entre 1 e 360")]),
        (terms(None, parcel_number=12), []),
        (terms("someday"), [("charge_type", "não está incluído na lista")]),
    ],
)
def test_terms_are_judged_by_the_fields_their_type_uses(
    found: DueTerms, faults: list[tuple[str, str]]
) -> None:
    assert validate(found) == faults
