"""What a taker withholds of a service (TAX-12), and where its ISS is due."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fiscal.taxes.service_iss import Service, is_due_at_place, iss, item_code, taker_answers
from fiscal.taxes.withholding import USUAL, Before, Group, Rounding, in_cents, withhold

D = Decimal
PCC_RATES = {tax: USUAL[tax] for tax in ("PIS", "COFINS", "CSLL")}
IR = Group("IR", {"IR": USUAL["IR"]})
PCC = Group("PCC", PCC_RATES)
INSS = Group("INSS", {"INSS": USUAL["INSS"]}, waived_is_included=False)
amounts = st.decimals("0.00", "100000.00", places=2)


def held(amount: str, *groups: Group, **options: object) -> dict[str, Decimal]:
    parts = withhold(D(amount), groups, **options)  # type: ignore[arg-type]
    return {part.tax: part.withheld for part in parts}


def test_the_usual_withholdings_of_ten_thousand():
    assert held("10000.00", IR, PCC, INSS) == {
        "IR": D("150.00"),
        "PIS": D("65.00"),
        "COFINS": D("300.00"),
        "CSLL": D("100.00"),
        "INSS": D("1100.00"),
    }


@pytest.mark.parametrize(
    ("group", "amount", "expected"),
    [
        (IR, "666.67", "0.00"),  # 10.00005 rounds to ten, which is waived (art. 67: up to)
        (IR, "667.00", "10.01"),
        (PCC, "215.05", "0.00"),  # 1,40 + 6,45 + 2,15 = 10,00
        (PCC, "215.06", "0.00"),
        (PCC, "216.00", "10.04"),
        (INSS, "90.90", "10.00"),  # below ten is free, ten itself is not
        (INSS, "90.85", "0.00"),
        (Group("PCC", PCC_RATES, free_up_to=D("5000.00")), "5000.00", "0.00"),
        (Group("PCC", PCC_RATES, free_up_to=D("5000.00")), "5000.01", "232.50"),
        (Group("INSS", {"INSS": D(11)}, base_share=D(50)), "1000.00", "55.00"),
        (Group("INSS", {"INSS": D(11)}, ceiling=D("8475.55")), "20000.00", "932.31"),
    ],
)
def test_limits(group, amount, expected):
    assert sum(held(amount, group).values(), D(0)) == D(expected)


def test_alone_a_small_payment_is_never_made_up_for():
    before = {"IR": Before(amount=D("600.00"), base=D("600.00"))}

    assert held("600.00", IR, before=before) == {"IR": D("0.00")}


def test_what_stayed_below_the_limit_is_withheld_with_the_payment_that_passes_it():
    summed = Group("PCC", PCC_RATES, free_up_to=D("5000.00"), accumulates=True)
    first = withhold(D("3000.00"), [summed])
    second = withhold(
        D("3000.00"), [summed], before={"PCC": Before(D("3000.00"), D("3000.00"), {})}
    )

    assert [part.withheld for part in first] == [D("0.00")] * 3
    assert [part.withheld for part in second] == [D("39.00"), D("180.00"), D("60.00")]
    assert "R$\u00a06.000,00" in second[0].line.text
    assert "com R$\u00a03.000,00 de base anterior no mês" in second[0].line.text
    assert "não passa do limite de R$\u00a05.000,00" in first[0].line.text
    assert second[0].base == D("3000.00")  # its own, for the sum of the month


def test_no_more_is_withheld_than_there_is():
    summed = Group("INSS", {"INSS": D(11)}, free_up_to=D("5000.00"), accumulates=True)
    before = {"INSS": Before(D("5000.00"), D("5000.00"), {})}

    (part,) = withhold(D("10.00"), [summed], before=before)

    assert part.withheld == D("10.00")
    assert "limitado a" in part.line.text


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(Rounding.HALF_UP, "0.13"), (Rounding.HALF_EVEN, "0.12"), (Rounding.TRUNCATE, "0.12")],
)
def test_rounding_is_the_template_s(mode, expected):
    assert in_cents(D("0.125"), mode) == D(expected)


@given(prices=st.lists(amounts, min_size=1, max_size=6), limit=amounts)
def test_adding_up_a_month_withholds_what_its_sum_would(prices, limit):
    """Unless one payment is too small for what is due: then that is carried on."""
    group = Group("IR", {"IR": D("1.5")}, free_up_to=limit, accumulates=True)
    amount = base = taken = D("0.00")
    for price in prices:
        before = {"IR": Before(amount, base, {"IR": taken})}
        (part,) = withhold(price, [group], before=before)
        assert D(0) <= part.withheld <= price
        amount, base, taken = amount + price, base + part.base, taken + part.withheld
    (whole,) = withhold(amount, [group])
    assert taken <= whole.withheld or whole.withheld == 0
    if prices[-1] >= whole.withheld:
        assert taken == whole.withheld


@given(amount=amounts, mode=st.sampled_from(Rounding))
def test_alone_each_tax_is_its_rate_or_nothing_and_every_line_explains_itself(amount, mode):
    parts = withhold(amount, [IR, PCC, INSS], mode=mode)

    assert sum((part.withheld for part in parts), D(0)) <= amount
    for part in parts:
        exact = amount * part.rate / 100
        assert part.withheld == 0 or abs(part.withheld - exact) < D("0.01")
        line = part.line.as_dict()
        assert line["tributo"] == part.tax
        assert line["resultado"] == str(part.withheld)
        assert line["explicacao"].endswith(".")
        assert "Lei" in line["regra"]


@given(amount=amounts)
def test_truncation_is_never_above_and_half_even_never_off_by_more_than_half_a_cent(amount):
    exact = amount * D("4.65") / 100
    assert in_cents(exact, Rounding.TRUNCATE) <= exact
    assert abs(in_cents(exact, Rounding.HALF_EVEN) - exact) <= D("0.005")


# --- ISS -----------------------------------------------------------------------------------------


def service(**changed: object) -> Service:
    given = {
        "item": "1.07",
        "amount": D("1000.00"),
        "provider_city": "3550308",
        "service_city": "3304557",
        "rate": D("5"),
    }
    return Service(**(given | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("item", ["1.07", "01.07", "0107", "010701", "1.7"])
def test_items_of_the_list_in_all_their_writings(item):
    assert item_code(item) == "0107"


def test_where_it_is_due():
    assert iss(service()).city == "3550308"
    assert iss(service(item="7.02")).city == "3304557"
    assert iss(service(item="12.13")).city == "3550308"
    assert [is_due_at_place(item) for item in ("16.01", "20.01", "11.03", "4.22", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_deductions_and_discount_lower_the_base_but_not_below_zero():
    found = iss(service(deduction_share=D(40), discount=D("100.00")))

    assert (found.base, found.value, found.deductions) == (D("500.00"), D("25.00"), D("400.00"))
    assert iss(service(deductions=D("2000.00"))).base == D("0.00")


def test_withheld_by_the_taker_at_its_own_rate():
    found = iss(service(is_withheld=True, withheld_rate=D("2.5")))

    assert (found.value, found.withheld) == (D("50.00"), D("25.00"))
    assert found.lines[1].text.startswith("Retido pelo tomador")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"taker_is_legal": False}, "pessoa física"),
        ({"free_up_to": D("1000.00")}, "não passa do limite"),
        ({"is_withheld": False}, "o prestador recolhe"),
    ],
)
def test_not_withheld(changed, told):
    found = iss(service(**{"is_withheld": True} | changed))

    assert found.withheld == D("0.00")
    assert told in found.lines[1].text


def test_the_memory_tells_of_the_substitute_and_of_a_rate_out_of_bounds():
    found = iss(service(item="17.05", rate=D("6")))

    assert taker_answers("17.05")
    assert "art. 6º, § 2º, II" in found.lines[1].text
    assert "de 2% a 5%" in found.lines[0].text
