"""Records of fixed width: what is written is read back, and nothing moves its place."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.layout import DOC, DUE, D, Field, InvalidRecord, N, Record, V, X

RECORDS = [one for one in vars(febraban).values() if isinstance(one, Record)]
DAYS = (date(2099, 12, 31) - date(2001, 1, 1)).days


def _number(some: random.Random, one: Field) -> int:
    """The limits oftener than chance would have them."""
    most = 10**one.width - 1
    return some.choice((0, 1, most, some.randint(0, most)))


def _day(some: random.Random, one: Field) -> date:
    return date(2001, 1, 1) + timedelta(days=some.choice((0, DAYS, some.randint(0, DAYS))))


def _text(some: random.Random, one: Field) -> str:
    size = some.choice((0, one.width, some.randint(0, one.width)))
    return "".join(some.choices("ABCXYZ019 /-.", k=size)).rstrip()


VALUES = {
    N: _number,
    V: lambda some, one: Decimal(_number(some, one)) / 100,
    D: _day,
    DUE: _day,
    X: _text,
    DOC: lambda some, one: "12ABC34501DE35".zfill(one.width)[-one.width :],
}


@pytest.mark.parametrize("record", RECORDS, ids=lambda one: one.name)
def test_every_record_is_read_back_as_it_was_written(record: Record) -> None:
    named = [one for one in record.fields if not one.name.startswith("_")]
    for seed in range(100):
        some = random.Random(seed)
        values = {one.name: VALUES[one.kind](some, one) for one in named}
        line = record.write(values)
        assert len(line) == febraban.WIDTH
        assert record.read(line) == values


def test_values_stand_where_the_manual_says() -> None:
    line = febraban.P.write(
        {
            "bank": 341,
            "lot": 1,
            "sequence": 1,
            "movement": 1,
            "agency": 810,
            "account": 53678,
            "nosso_numero": "12345678",
            "document_number": "Fat ção 7",
            "due": date(2026, 8, 10),
            "amount": Decimal("500.00"),
            "interest_code": 2,
            "interest_on": date(2026, 8, 11),
            "interest": Decimal("1.00"),
        }
    )
    assert line[:17] == "34100013" + "00001" + "P" + " " + "01"
    assert line[17:36].strip() == "00810 000000053678"
    assert (line[37:57].rstrip(), line[62:77].rstrip()) == ("12345678", "FAT CAO 7")
    assert (line[77:85], line[85:100]) == ("10082026", "000000000050000")
    assert line[117:141] == "2" + "11082026" + "000000000000100"
    assert line[227:229] == "09"


def test_a_bank_changes_what_it_has_otherwise() -> None:
    own = febraban.P.changed(Field("nosso_numero", 41, 57, N), Field("carteira_itau", 38, 40, N))
    line = own.write({"carteira_itau": 175, "nosso_numero": 12345678})
    assert line[37:57] == "175" + "00000000012345678"
    assert len(line) == febraban.WIDTH


@pytest.mark.parametrize(
    "fields",
    [
        [Field("a", 1, 3), Field("b", 3, 4)],
        [Field("a", 8, 11)],
        [Field("a", 3, 2)],
    ],
)
def test_a_layout_with_overlaps_is_refused_at_once(fields: list[Field]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Record("teste", 10, fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Field("n", 1, 3, N), 1000),
        (Field("n", 1, 3, N), "1a"),
        (Field("n", 1, 3, N), "-1"),
        (Field("v", 1, 4, V), Decimal("100.00")),
        (Field("v", 1, 4, V), Decimal("-1")),
        (Field("v", 1, 4, V), Decimal("0.001")),
        (Field("d", 1, 4, DOC), "12345"),
    ],
)
def test_no_number_loses_a_digit(field: Field, value: object) -> None:
    with pytest.raises(InvalidRecord):
        field.write(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "line"),
    [
        (Field("n", 1, 3, N), "1a2"),
        (Field("n", 1, 3, N), "٣٣٣"),
        (Field("d", 1, 8, D), "31022026"),
        (Field("d", 1, 6, D), "1 0226"),
    ],
)
def test_what_is_no_value_is_named(field: Field, line: str) -> None:
    with pytest.raises(InvalidRecord, match=f"{field.name}: “{line}”"):
        Record("teste", len(line), [field]).read(line)


def test_a_line_of_another_width_and_an_unknown_field() -> None:
    with pytest.raises(InvalidRecord, match="linha de 239 posições, e não 240"):
        febraban.T.read(" " * 239)
    with pytest.raises(KeyError):
        febraban.T.write({"nada": 1})
    short = Record("teste", 6, [Field("d", 1, 6, D)])
    assert short.read("100826") == {"d": date(2026, 8, 10)}
    assert short.write({"d": date(2026, 8, 10)}) == "100826"
    assert short.read("000000") == {"d": None}
