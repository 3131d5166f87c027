from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.readjustment import (
    Decision,
    accumulated_percent,
    decide,
    execution_date,
    factor,
    is_short_period,
    readjusted,
    remind_date,
    window,
)

PERCENTS = st.decimals(min_value=-10, max_value=50, places=6)
# fmt: off
A_YEAR = [
    "0.16", "1.31", "0.56", "0.43", "0.26", "0.24", "0.26", "-0.11", "0.48", "0.09", "0.18", "0.33",
]
# fmt: on


def D(text: str) -> Decimal:
    return Decimal(text)


def months_of_2025(values: list[str]) -> dict[date, Decimal | None]:
    return {date(2025, n, 1): D(value) for n, value in enumerate(values, start=1)}


def run(
    percents: dict[date, Decimal | None], values: list[str], *, apply_negative: bool = False
) -> Decision:
    return decide(
        [D(value) for value in values],
        percents=percents,
        execution=date(2026, 1, 15),
        month_quantity=12,
        apply_negative=apply_negative,
    )


def test_executions_are_counted_from_init_date_and_clamped() -> None:
    init = date(2026, 1, 31)

    found = [execution_date(init, month_quantity=1, n=n) for n in range(3)]

    assert found == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    assert execution_date(init, month_quantity=12, n=2) == date(2028, 1, 31)


@pytest.mark.parametrize(
    ("execution", "days", "expected"),
    [
        (date(2018, 12, 12), 10, date(2018, 12, 2)),
        (date(2016, 10, 2), 5, date(2016, 9, 27)),
        (date(2016, 10, 2), 2, date(2016, 9, 30)),
        (date(2016, 10, 2), 0, date(2016, 10, 2)),
    ],
)
def test_the_reminder_comes_some_days_before(execution: date, days: int, expected: date) -> None:
    assert remind_date(execution, days_until_update=days) == expected


def test_the_window_ends_at_the_month_before_execution() -> None:
    assert window(date(2026, 1, 15), month_quantity=12) == [date(2025, n, 1) for n in range(1, 13)]
    assert window(date(2026, 3, 31), month_quantity=1) == [date(2026, 2, 1)]


def test_the_factor_compounds_the_months_without_rounding() -> None:
    found = factor([D("1"), D("-0.5"), D("0.333333")])

    assert found == D("1.01") * D("0.995") * D("1.00333333")
    assert factor([]) == 1


def test_a_year_with_a_fall_in_it_accumulates_4_2644_percent() -> None:
    found = factor([D(value) for value in A_YEAR])

    oracle = Fraction(1)
    for value in A_YEAR:
        oracle *= 1 + Fraction(value) / 100
    assert Fraction(found) == oracle
    assert accumulated_percent(found) == D("4.2644")


@given(st.lists(PERCENTS, max_size=24), st.integers(0, 24))
@settings(max_examples=100, deadline=None)
def test_a_factor_is_exact_and_so_associative(percents: list[Decimal], cut: int) -> None:
    oracle = Fraction(1)
    for percent in percents:
        oracle *= 1 + Fraction(percent) / 100

    first, second = factor(percents[:cut]), factor(percents[cut:])

    assert Fraction(factor(percents)) == oracle
    assert Fraction(first) * Fraction(second) == oracle


@given(
    st.lists(PERCENTS, min_size=1, max_size=24),
    st.decimals(min_value=0, max_value=10**9, places=4),
)
@settings(max_examples=100, deadline=None)
def test_a_new_value_is_rounded_half_up_once(percents: list[Decimal], value: Decimal) -> None:
    found = readjusted(value, factor=factor(percents))

    exact = Fraction(value)
    for percent in percents:
        exact *= 1 + Fraction(percent) / 100
    cents = exact * 100
    assert found * 100 == (2 * cents.numerator + cents.denominator) // (2 * cents.denominator)
    assert found.as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("value", "by", "places", "expected"),
    [
        ("100.00", "1.042644", 2, "104.26"),
        ("100.00", "1.00005", 2, "100.01"),
        ("100.00", "1.0000499999999999999999999999999999999", 2, "100.00"),
        ("5.7512", "1.1", 4, "6.3263"),
    ],
)
def test_readjusted_values(value: str, by: str, places: int, expected: str) -> None:
    assert str(readjusted(D(value), factor=D(by), places=places)) == expected


def test_the_result_does_not_depend_on_the_context_of_the_caller() -> None:
    with localcontext(prec=5, rounding=ROUND_HALF_UP):
        by = factor([D("0.123456")] * 12)
        found = readjusted(D("1234567.89"), factor=by)
        shown = accumulated_percent(by)

    assert found == D("1252982.37")
    assert shown == D("1.4916")


@pytest.mark.parametrize(("months", "short"), [(1, True), (11, True), (12, False), (20, False)])
def test_less_than_twelve_months_is_a_short_period(months: int, short: bool) -> None:
    assert is_short_period(months) is short


def test_a_published_window_executes() -> None:
    found = run(months_of_2025(A_YEAR), ["100.00", "49.90"])

    assert found.outcome == "executed"
    assert found.missing == ()
    assert found.factor is not None
    assert accumulated_percent(found.factor) == D("4.2644")
    assert found.new_values == (D("104.26"), D("52.03"))


@pytest.mark.parametrize("as_none", [True, False])
def test_an_unpublished_last_month_waits(as_none: bool) -> None:
    percents = months_of_2025(A_YEAR[:-1])
    if as_none:
        percents[date(2025, 12, 1)] = None

    found = run(percents, ["100.00"])

    assert found == Decision("waiting_index", None, (date(2025, 12, 1),), (D("100.00"),))


def test_a_hole_in_the_series_waits_too() -> None:
    percents = months_of_2025(A_YEAR)
    del percents[date(2025, 3, 1)]

    assert run(percents, ["100.00"]).missing == (date(2025, 3, 1),)


def test_months_outside_the_window_do_not_count() -> None:
    percents = months_of_2025(["1"] * 12) | {date(2026, 1, 1): D("50"), date(2024, 12, 1): None}

    assert run(percents, ["100.00"]).new_values == (D("112.68"),)


def test_a_fall_is_skipped_unless_negative_updates_apply() -> None:
    percents = months_of_2025(["0"] * 11 + ["-2"])

    skipped = run(percents, ["100.00", "5.7512"])
    applied = run(percents, ["100.00"], apply_negative=True)

    assert skipped == Decision("skipped", D("0.98"), (), (D("100.00"), D("5.7512")))
    assert applied == Decision("executed", D("0.98"), (), (D("98.00"),))


def test_no_variation_at_all_is_executed() -> None:
    found = run(months_of_2025(["0.00"] * 12), ["100.00"])

    assert found == Decision("executed", D("1"), (), (D("100.00"),))
