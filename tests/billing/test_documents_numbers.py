"""The number of the templates (TPL-1)."""

from decimal import Decimal

import pytest

from billing.documents.numbers import TemplateDecimal, for_template

N = TemplateDecimal("1234.50")


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (N * 0.10, "123.450"),
        (0.10 * N, "123.450"),
        (N + 0.1, "1234.60"),
        (0.1 + N, "1234.60"),
        (N - 0.1, "1234.40"),
        (2000 - N, "765.50"),
        (2000.5 - N, "766.00"),
        (N / 2, "617.25"),
        (2469.0 / N, "2"),
        (N // 7, "176"),
        (N % 7, "2.50"),
        (10.5 % TemplateDecimal("4"), "2.5"),
        (TemplateDecimal("1.5") ** 2, "2.25"),
        (2 ** TemplateDecimal("3"), "8"),
        (-N, "-1234.50"),
        (abs(-N), "1234.50"),
        (N + Decimal("0.50"), "1235.00"),
        (Decimal("0.50") + N, "1235.00"),
        (sum([N, N]), "2469.00"),
    ],
)
def test_arithmetic_takes_ints_and_floats_by_their_text(computed, expected):
    assert str(computed) == expected
    assert type(computed) is TemplateDecimal


@pytest.mark.parametrize(
    "statement",
    [
        N > 1000,
        N > 1234.4,
        N >= 1234.5,
        N < 1234.6,
        Decimal("1234.5") >= N,
        N <= 1234.5,
        N == 1234.5,
        TemplateDecimal("0.1") == 0.1,
        TemplateDecimal("0.1") <= 0.1,
        1000 < N,  # noqa: SIM300 - the other side of the operator
        1234.5 == N,  # noqa: SIM300
        N != 0,
        N not in ("1234.50", None),
    ],
)
def test_comparisons_take_ints_and_floats_by_their_text(statement):
    assert statement is True


def test_text_in_arithmetic_is_a_type_error():
    with pytest.raises(TypeError):
        N + "1"


@pytest.mark.parametrize(
    ("value", "spec", "expected"),
    [
        ("0.125", ".2f", "0.13"),
        ("14.375", ".2f", "14.38"),
        ("-0.125", ".2f", "-0.13"),
        ("1234.5", ",.2f", "1,234.50"),
        ("2.5", ".0f", "3"),
        ("7", "", "7"),
    ],
)
def test_formats_round_half_up(value, spec, expected):
    assert format(TemplateDecimal(value), spec) == expected


def test_round_is_half_up_and_stays_a_template_number():
    assert str(round(TemplateDecimal("0.125"), 2)) == "0.13"
    assert type(round(N, 1)) is TemplateDecimal
    assert round(TemplateDecimal("2.5")) == 3


def test_text_never_has_an_exponent():
    assert str(TemplateDecimal("1E+3")) == "1000"
    assert str(TemplateDecimal("1E-7")) == "0.0000001"


def test_equal_numbers_hash_alike():
    assert len({TemplateDecimal("1.50"), Decimal("1.5"), 1.5}) == 1


def test_plain_data_is_copied_with_its_decimals_replaced():
    data = {"a": [Decimal("1.10"), {"b": Decimal("2")}], "c": "x", "d": None, "e": 1}

    copy = for_template(data)

    assert copy == data
    assert type(copy["a"][0]) is TemplateDecimal
    assert type(copy["a"][1]["b"]) is TemplateDecimal
    assert type(data["a"][0]) is Decimal
