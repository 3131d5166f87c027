from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import money

CENTS = st.decimals(min_value=-(10**13) + 1, max_value=10**13 - 1, places=2)


def D(text: str) -> Decimal:
    return Decimal(text)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("14.375", "14.38"),
        ("14.3749", "14.37"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("-14.375", "-14.38"),
        ("2", "2.00"),
    ],
)
def test_half_up_rounds_ties_away_from_zero(value: str, rounded: str) -> None:
    assert str(money.half_up(D(value))) == rounded


def test_half_up_keeps_as_many_places_as_asked() -> None:
    assert str(money.half_up(D("1.23456"), 4)) == "1.2346"
    assert str(money.half_up(D("1.5"), 0)) == "2"


def test_half_up_rounds_a_number_of_sixty_digits_once() -> None:
    assert money.half_up(D("0.00499999999999999999999999999999999999999999999999999")) == 0


@pytest.mark.parametrize(("value", "cut"), [("29.1699", "29.16"), ("-29.1699", "-29.16")])
def test_truncate_cuts_towards_zero(value: str, cut: str) -> None:
    assert money.truncate(D(value)) == D(cut)


def test_a_rounded_zero_has_no_minus_sign() -> None:
    assert str(money.half_up(D("-0.001"))) == "0.00"
    assert str(money.truncate(D("-0.009"))) == "0.00"


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "function", [money.half_up, money.truncate, money.brl, money.brl_compact, money.api_decimal]
)
def test_a_number_that_is_not_finite_is_refused(function: Any, value: str) -> None:
    with pytest.raises(ValueError):
        function(D(value))


@pytest.mark.parametrize(
    "function", [money.half_up, money.truncate, money.brl, money.brl_compact, money.api_decimal]
)
def test_a_float_is_refused(function: Any) -> None:
    with pytest.raises(TypeError):
        function(0.1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234.56", "R$\u00a01.234,56"),
        ("-10", "-R$\u00a010,00"),
        ("0", "R$\u00a00,00"),
        ("999.99", "R$\u00a0999,99"),
        ("1234567890123.45", "R$\u00a01.234.567.890.123,45"),
        ("-0.001", "R$\u00a00,00"),
    ],
)
def test_brl_writes_reais(value: str, text: str) -> None:
    assert money.brl(D(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("999.99", "R$\u00a0999,99"),
        ("1000.00", "R$\u00a01.000,00"),
        ("1000.01", "R$\u00a01,0k"),
        ("1500", "R$\u00a01,5k"),
        ("1550", "R$\u00a01,6k"),
        ("999949", "R$\u00a0999,9k"),
        ("999950", "R$\u00a01,0M"),
        ("1000000", "R$\u00a01,0M"),
        ("2300000", "R$\u00a02,3M"),
        ("999949999.99", "R$\u00a0999,9M"),
        ("999950000", "R$\u00a01,0B"),
        ("1100000000", "R$\u00a01,1B"),
        ("1234567890123", "R$\u00a01.234,6B"),
        ("-1500", "-R$\u00a01,5k"),
    ],
)
def test_brl_compact_follows_the_vectors(value: str, text: str) -> None:
    assert money.brl_compact(D(value)) == text


def test_decimal_br_has_no_symbol_and_the_places_asked() -> None:
    assert money.decimal_br(D("1234.5"), 2) == "1.234,50"
    assert money.decimal_br(D("-2.00005"), 4) == "-2,0001"
    assert money.decimal_br(1234567, 0) == "1.234.567"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234,56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1234.56", "1234.56"),
        ("R$ 1.234,56", "1234.56"),
        ("R$\u00a01.234,56", "1234.56"),
        ("r$10", "10.00"),
        ("  10,5 ", "10.50"),
        ("0,01", "0.01"),
        ("007,10", "7.10"),
        ("1.234", "1234.00"),
        ("1.234.567", "1234567.00"),
        ("12.3", "12.30"),
        ("-R$\u00a010,00", "-10.00"),
        ("R$ -10,00", "-10.00"),
        ("9999999999999,99", "9999999999999.99"),
    ],
)
def test_parse_brl_reads_what_people_type(text: str, value: str) -> None:
    assert str(money.parse_brl(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "R$",
        "abc",
        "1,234.56",
        "1.23.456,00",
        "12.34,56",
        "1234.567",
        "0.123",
        "1,234",
        "1,",
        ",50",
        "1 234,56",
        "--1",
        "-R$ -1",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "-inf",
        "١٢٣",
        "１２,00",
        "10000000000000,00",
        "10.000.000.000.000",
        "0x10",
        "1_000",
    ],
)
def test_parse_brl_refuses_the_rest_with_the_text_for_people(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        money.parse_brl(text)

    assert str(refusal.value) == "Valor inválido. Use o formato 1.234,56."


def test_parse_brl_can_take_unit_values_of_four_places() -> None:
    assert str(money.parse_brl("5,7512", places=4)) == "5.7512"
    assert str(money.parse_brl("1234.567", places=4)) == "1234.5670"
    assert str(money.parse_brl("1.234", places=4)) == "1234.0000"


@given(CENTS)
@settings(max_examples=100, deadline=None)
def test_parse_brl_reads_back_what_brl_wrote(value: Decimal) -> None:
    assert money.parse_brl(money.brl(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100", "100.0"),
        ("100.00", "100.0"),
        ("1E+2", "100.0"),
        ("14.38", "14.38"),
        ("14.380000", "14.38"),
        ("33.3333", "33.3333"),
        ("0", "0.0"),
        ("-0.00", "0.0"),
        ("0.10", "0.1"),
        ("-2.50", "-2.5"),
        ("1E-7", "0.0000001"),
    ],
)
def test_api_decimal_has_no_useless_zeros_but_one_decimal(value: str, text: str) -> None:
    assert money.api_decimal(D(value)) == text
