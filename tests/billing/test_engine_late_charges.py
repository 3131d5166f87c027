from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.late_charges import (
    DEFAULT_TERMS,
    Allocation,
    ItemAllocation,
    LateCharges,
    LateTerms,
    OpenItem,
    allocate,
    late_charges,
    warnings_for,
)
from lib.calendars import BR_BANK, BR_FIN

CENTS = st.decimals(min_value=0, max_value=10**7, places=2)
NOTHING_DUE = LateTerms("without", Decimal(0), "without", Decimal(0), None)


def D(text: str) -> Decimal:
    return Decimal(text)


def terms(
    fine: str = "2",
    interest: str = "1",
    *,
    fine_type: str = "percentage",
    interest_type: str = "percentage",
    daily: str | None = None,
) -> LateTerms:
    registered = D(daily) if daily is not None else None
    return LateTerms(fine_type, D(fine), interest_type, D(interest), registered)


def charge(
    principal: str, due: date, paid_on: date, found: LateTerms = DEFAULT_TERMS
) -> LateCharges:
    return late_charges(D(principal), due=due, paid_on=paid_on, terms=found, calendar=BR_BANK)


@pytest.mark.parametrize(
    ("principal", "due", "paid_on", "days", "fine", "interest", "total"),
    [
        ("150.00", date(2026, 5, 8), date(2026, 5, 18), 10, "3.00", "0.50", "153.50"),
        ("150.00", date(2026, 5, 9), date(2026, 5, 11), 0, "0.00", "0.00", "150.00"),
        ("100.00", date(2026, 3, 10), date(2026, 3, 15), 5, "2.00", "0.17", "102.17"),
        ("150.00", date(2026, 5, 9), date(2026, 5, 12), 3, "3.00", "0.15", "153.15"),
        ("100.00", date(2026, 3, 10), date(2026, 3, 10), 0, "0.00", "0.00", "100.00"),
        ("100.00", date(2026, 3, 10), date(2026, 3, 1), 0, "0.00", "0.00", "100.00"),
        ("100.00", date(2026, 3, 10), date(2026, 3, 11), 1, "2.00", "0.03", "102.03"),
        ("500.00", date(2026, 7, 10), date(2026, 8, 12), 33, "10.00", "5.50", "515.50"),
    ],
)
def test_the_public_vectors(
    principal: str, due: date, paid_on: date, days: int, fine: str, interest: str, total: str
) -> None:
    found = charge(principal, due, paid_on)

    assert found == LateCharges(days, D(fine), D(interest), D(total))


def test_a_due_date_on_the_last_weekday_of_the_year_waits_for_the_bank() -> None:
    due, paid_on = date(2026, 12, 31), date(2027, 1, 4)

    assert charge("100.00", due, paid_on).total == D("100.00")
    late = late_charges(D("100.00"), due=due, paid_on=paid_on, terms=DEFAULT_TERMS, calendar=BR_FIN)
    assert (late.days, late.total) == (4, D("102.13"))


def test_the_daily_value_registered_at_the_bank_takes_the_place_of_the_rate() -> None:
    found = charge("100.00", date(2026, 3, 10), date(2026, 3, 15), terms(daily="0.03"))

    assert found == LateCharges(5, D("2.00"), D("0.15"), D("102.15"))


def test_fixed_fine_and_fixed_interest() -> None:
    fixed = terms("7.50", "0.40", fine_type="fixed", interest_type="fixed")

    found = charge("100.00", date(2026, 3, 10), date(2026, 3, 15), fixed)

    assert found == LateCharges(5, D("7.50"), D("2.00"), D("109.50"))


def test_terms_without_fine_and_interest_charge_nothing() -> None:
    found = charge("100.00", date(2026, 3, 10), date(2026, 3, 15), NOTHING_DUE)

    assert found == LateCharges(5, D("0.00"), D("0.00"), D("100.00"))


def test_after_a_late_partial_payment_only_new_interest_runs() -> None:
    found = late_charges(
        D("60.00"),
        due=date(2026, 3, 10),
        paid_on=date(2026, 3, 25),
        terms=DEFAULT_TERMS,
        calendar=BR_BANK,
        charged_until=date(2026, 3, 15),
    )

    assert found == LateCharges(10, D("0.00"), D("0.20"), D("60.20"))


def test_a_partial_payment_in_time_does_not_forgive_the_rest() -> None:
    found = late_charges(
        D("60.00"),
        due=date(2026, 5, 9),
        paid_on=date(2026, 5, 12),
        terms=DEFAULT_TERMS,
        calendar=BR_BANK,
        charged_until=date(2026, 5, 11),
    )

    assert found == LateCharges(3, D("1.20"), D("0.06"), D("61.26"))


@given(
    st.decimals(min_value="0.01", max_value=10**9, places=2),
    st.dates(date(2010, 1, 1), date(2050, 1, 1)),
    st.integers(-30, 900),
    st.decimals(min_value=0, max_value=10, places=4),
)
@settings(max_examples=150, deadline=None)
def test_charges_are_simple_once_and_only_after_the_grace_day(
    principal: Decimal, due: date, days: int, rate: Decimal
) -> None:
    paid_on = due + timedelta(days=days)
    found = late_charges(
        principal,
        due=due,
        paid_on=paid_on,
        terms=LateTerms("percentage", Decimal(2), "percentage", rate, None),
        calendar=BR_BANK,
    )

    assert found.total == principal + found.fine + found.interest
    if paid_on <= BR_BANK.next_business_day(due):
        assert (found.days, found.fine, found.interest) == (0, 0, 0)
    else:
        exact = Fraction(principal) * Fraction(rate) * days / 3000
        assert found.days == days
        assert abs(Fraction(found.interest) - exact) <= Fraction(1, 200)


@pytest.mark.parametrize(
    ("fine", "is_consumer", "errors", "warnings"),
    [
        ("2", True, [], []),
        ("2.01", True, ["fine_value"], []),
        ("2", False, [], []),
        ("2.01", False, [], ["fine_value"]),
        ("10", False, [], ["fine_value"]),
        ("10.01", False, ["fine_value"], []),
        ("-1", False, ["fine_value"], []),
    ],
)
def test_limits_of_the_fine(
    fine: str, is_consumer: bool, errors: list[str], warnings: list[str]
) -> None:
    found = warnings_for(terms(fine), is_consumer=is_consumer)

    assert [field for field, _ in found.errors] == errors
    assert [field for field, _ in found.warnings] == warnings


def test_a_refused_fine_cites_the_law() -> None:
    ((field, message),) = warnings_for(terms("3"), is_consumer=True).errors

    assert field == "fine_value"
    assert message == (
        "A multa não pode passar de 2% do valor da parcela para consumidores "
        "(Lei 8.078/1990, art. 52, § 1º)."
    )


@pytest.mark.parametrize(("interest", "n_warnings"), [("1", 0), ("1.0001", 1)])
def test_interest_above_one_percent_a_month_warns(interest: str, n_warnings: int) -> None:
    found = warnings_for(terms(interest=interest), is_consumer=True)

    assert found.errors == ()
    assert len(found.warnings) == n_warnings


def test_fixed_amounts_are_compared_with_the_instalment() -> None:
    fixed = terms("2.00", "0.04", fine_type="fixed", interest_type="fixed")

    enough = warnings_for(fixed, is_consumer=True, principal=D("120.00"))
    too_small = warnings_for(fixed, is_consumer=True, principal=D("99.99"))
    unknown = warnings_for(fixed, is_consumer=True)

    assert (enough.errors, enough.warnings) == ((), ())
    assert [field for field, _ in too_small.errors] == ["fine_value"]
    assert [field for field, _ in too_small.warnings] == ["interest_value"]
    assert unknown.errors == ()
    assert [field for field, _ in unknown.warnings] == ["fine_value"]


def test_terms_that_charge_nothing_need_no_warning() -> None:
    found = warnings_for(NOTHING_DUE, is_consumer=True)

    assert (found.errors, found.warnings) == ((), ())


JULY = OpenItem(1, date(2026, 7, 10), D("5.50"), D("10.00"), D("500.00"))
AUGUST = OpenItem(2, date(2026, 8, 10), D("0.00"), D("0.00"), D("80.00"))


def test_a_payment_settles_the_oldest_first_and_the_rest_is_credit() -> None:
    found = allocate(D("600.00"), open_items=[AUGUST, JULY])

    assert found == Allocation(
        (
            ItemAllocation(1, D("5.50"), D("10.00"), D("500.00")),
            ItemAllocation(2, D("0.00"), D("0.00"), D("80.00")),
        ),
        D("4.50"),
    )
    assert found.items[0].total == D("515.50")


@pytest.mark.parametrize(
    ("amount", "interest", "fine", "principal"),
    [
        ("0.00", "0.00", "0.00", "0.00"),
        ("3.00", "3.00", "0.00", "0.00"),
        ("10.00", "5.50", "4.50", "0.00"),
        ("100.00", "5.50", "10.00", "84.50"),
    ],
)
def test_interest_comes_before_fine_and_fine_before_principal(
    amount: str, interest: str, fine: str, principal: str
) -> None:
    found = allocate(D(amount), open_items=[JULY, AUGUST])

    assert found.items[0] == ItemAllocation(1, D(interest), D(fine), D(principal))
    assert found.items[1].total == 0
    assert found.surplus == 0


def test_a_payment_with_nothing_open_is_all_credit() -> None:
    assert allocate(D("10.00"), open_items=[]) == Allocation((), D("10.00"))


def test_a_negative_payment_or_debt_is_refused() -> None:
    with pytest.raises(ValueError):
        allocate(D("-0.01"), open_items=[JULY])
    with pytest.raises(ValueError):
        allocate(D("1"), open_items=[OpenItem(1, date(2026, 7, 10), D("0"), D("-1"), D("5"))])


@given(
    CENTS,
    st.lists(
        st.tuples(st.dates(date(2026, 1, 1), date(2026, 3, 1)), CENTS, CENTS, CENTS), max_size=8
    ),
)
@settings(max_examples=150, deadline=None)
def test_allocation_conserves_the_amount_and_never_overpays(
    amount: Decimal, debts: list[tuple[date, Decimal, Decimal, Decimal]]
) -> None:
    items = [OpenItem(key, *debt) for key, debt in enumerate(debts)]

    found = allocate(amount, open_items=items)

    assert sum((item.total for item in found.items), found.surplus) == amount
    owed = {item.key: item for item in items}
    assert [(owed[i.key].due, i.key) for i in found.items] == sorted(
        (item.due, item.key) for item in items
    )
    exhausted = False
    for item in found.items:
        for part in ("interest", "fine", "principal"):
            paid, debt = getattr(item, part), getattr(owed[item.key], part)
            assert 0 <= paid <= debt
            assert paid == 0 or not exhausted
            exhausted = exhausted or paid < debt
    assert found.surplus == 0 or not exhausted
