from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.splitting import (
    check_minimum,
    complete_percents,
    equal_percent,
    split_equal,
    split_percent,
)

CENT = Decimal("0.01")
TOTALS = st.decimals(min_value=0, max_value=10**13 - 1, places=2)


def D(text: str) -> Decimal:
    return Decimal(text)


def test_350_in_12_leaves_the_rest_on_the_last_parcel() -> None:
    assert split_equal(D("350.00"), 12) == [D("29.16")] * 11 + [D("29.24")]


def test_three_thirds_of_150_are_50_each() -> None:
    assert split_equal(D("150"), 3) == [D("50.00")] * 3
    assert split_percent(D("150"), [D("33.3333")] * 3) == [D("50.00")] * 3


def test_one_parcel_is_the_whole() -> None:
    assert split_equal(D("64.28"), 1) == [D("64.28")]
    assert split_percent(D("64.28"), [D("100")]) == [D("64.28")]


def test_a_parcel_below_one_cent_is_refused() -> None:
    assert split_equal(D("0.12"), 12) == [CENT] * 12

    with pytest.raises(ValueError) as refusal:
        split_equal(D("0.11"), 12)

    assert str(refusal.value) == "Valor das parcelas não pode ser menor do que R$ 0,01"


def test_an_invoice_without_value_has_receivables_without_value() -> None:
    assert [str(part) for part in split_equal(D("0"), 3)] == ["0.00"] * 3
    assert split_percent(D("0"), [D("50"), D("50")]) == [0, 0]


@pytest.mark.parametrize("total", ["-0.01", "10.005"])
def test_only_whole_non_negative_cents_can_be_split(total: str) -> None:
    with pytest.raises(ValueError):
        split_equal(D(total), 2)
    with pytest.raises(ValueError):
        split_percent(D(total), [D("50"), D("50")])


@pytest.mark.parametrize("parts", [0, -1])
def test_there_is_at_least_one_part(parts: int) -> None:
    with pytest.raises(ValueError, match="parts"):
        split_equal(D("10"), parts)


def test_explicit_percentages_round_half_up_and_the_last_takes_the_rest() -> None:
    assert split_percent(D("0.05"), [D("50"), D("50")]) == [D("0.03"), D("0.02")]
    assert split_percent(D("100"), [D("33.3333")] * 3) == [D("33.33"), D("33.33"), D("33.34")]
    assert split_percent(D("1000.01"), [D("30"), D("70")]) == [D("300.00"), D("700.01")]


@pytest.mark.parametrize(
    "percents",
    [["50", "49.98"], ["99.9899"], ["100.0101"], ["60", "60"], [], ["33.32"] * 3, ["150", "-50"]],
)
def test_percentages_that_do_not_total_100_are_refused(percents: list[str]) -> None:
    with pytest.raises(ValueError) as refusal:
        split_percent(D("100"), [D(percent) for percent in percents])

    assert str(refusal.value) == "Os vencimentos não totalizam 100%."


@pytest.mark.parametrize(
    "percents",
    [["99.99"], ["100.01"], ["33.33"] * 3, ["33.3333"] * 3, ["100", "0.0"], ["0", "100"]],
)
def test_the_sum_may_be_a_hundredth_away_from_100(percents: list[str]) -> None:
    parts = split_percent(D("10"), [D(percent) for percent in percents])

    assert sum(parts) == 10


def test_rounding_never_leaves_a_negative_last_parcel() -> None:
    with pytest.raises(ValueError, match=r"R\$ 0,01"):
        split_percent(D("0.02"), [D("25")] * 4)
    with pytest.raises(ValueError, match=r"R\$ 0,01"):
        split_percent(D("1000000"), [D("100.004"), D("0")])


@pytest.mark.parametrize(
    ("parts", "percent"),
    [(1, "100.0000"), (3, "33.3333"), (6, "16.6666"), (7, "14.2857"), (12, "8.3333")],
)
def test_the_percent_shown_is_cut_to_four_places(parts: int, percent: str) -> None:
    assert str(equal_percent(parts)) == percent


def test_a_boleto_has_a_minimum_of_its_own() -> None:
    check_minimum([D("5.00"), D("7.00")], minimum=D("5"))

    with pytest.raises(ValueError) as refusal:
        check_minimum([D("5.00"), D("4.99")], minimum=D("5"))

    assert str(refusal.value) == "Valor das parcelas não pode ser menor do que R$ 5,00"


@given(TOTALS, st.integers(1, 360))
@settings(max_examples=150, deadline=None)
def test_equal_parts_add_up_and_differ_only_in_the_last(total: Decimal, parts: int) -> None:
    if 0 < total < parts * CENT:
        with pytest.raises(ValueError):
            split_equal(total, parts)
        return

    found = split_equal(total, parts)

    assert len(found) == parts
    assert sum(found) == total
    assert len(set(found[:-1])) <= 1
    assert 0 <= found[-1] - found[0] < parts * CENT


@given(TOTALS, st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_percentages_add_up_to_the_total(total: Decimal, cuts: list[int]) -> None:
    marks = [0, *sorted(cuts), 10**6]
    percents = [Decimal(b - a) / 10**4 for a, b in pairwise(marks)]

    try:
        found = split_percent(total, percents)
    except ValueError:
        assert total * percents[-1] / 100 < D("0.005") * (len(percents) - 1)
        return

    assert sum(found) == total
    assert min(found) >= 0
    for part, percent in zip(found[:-1], percents, strict=False):
        assert abs(part - total * percent / 100) <= D("0.005")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None], ["100.0000"]),
        (["100", None], ["100", "0.0000"]),
        (["40", None, None], ["40", "30.0000", "30.0000"]),
        ([None, None, None], ["33.3333"] * 3),
        ([None, "10", None, None], ["30.0000", "10", "30.0000", "30.0000"]),
        (["120", None], ["120", "0.0000"]),
        (["60", "40"], ["60", "40"]),
        ([], []),
    ],
)
def test_percents_that_are_missing_share_what_is_left(
    given: list[str | None], expected: list[str]
) -> None:
    found = complete_percents([D(percent) if percent else None for percent in given])

    assert found == [D(percent) for percent in expected]


def test_many_equal_shares_still_total_100() -> None:
    found = complete_percents([None] * 360)

    assert found[:359] == [D("0.2777")] * 359
    assert sum(found) == 100
