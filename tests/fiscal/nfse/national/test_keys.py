"""Ids and keys of the national system, with letters in the CNPJ (NAC-2, NAC-3, NAC-11)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from fiscal import xml
from fiscal.documents.nfsen import keys

REAL = (
    "42046082212942976000162000000000558126108153219373",
    "29136062250031609000104000000000002526082451455765",
)
INSCRIPTION = st.from_regex(r"\A[0-9A-Z]{12}[0-9]{2}\Z") | st.from_regex(r"\A[0-9]{11}\Z")
CITY = st.from_regex(r"\A[0-9]{7}\Z")
_XS = "{http://www.w3.org/2001/XMLSchema}"


def _patterns() -> dict[str, Any]:
    """Patterns of the schema in force, by type."""
    root = etree.fromstring(xml.xsd.source("DPS")), etree.fromstring(xml.xsd.source("pedRegEvento"))
    found = {}
    for schema in root:
        for kind in schema.iterchildren(f"{_XS}simpleType"):
            if (pattern := kind.find(f".//{_XS}pattern")) is not None:
                found[kind.get("name")] = re.compile(pattern.get("value", ""))
    return found


PATTERNS = _patterns()


@given(CITY, INSCRIPTION, st.integers(0, 99999), st.integers(1, 10**15 - 1))
def test_the_id_of_a_dps_says_its_parts_again(
    city: str, document: str, series: int, number: int
) -> None:
    made = keys.dps_id(city=city, document=document, series=str(series), number=number)

    assert PATTERNS["TSIdDPS"].fullmatch(made)
    assert keys.parse_dps_id(made) == keys.DpsId(city, document, f"{series:05d}", number)


@given(CITY, INSCRIPTION, st.integers(1, 10**13 - 1), st.from_regex(r"\A[0-9]{13}\Z"))
def test_a_key_has_one_digit_and_says_its_parts_again(
    city: str, document: str, number: int, tail: str
) -> None:
    kind = "1" if len(document) == 11 else "2"
    body = f"{city}2{kind}{document.rjust(14, '0')}{number:013d}{tail}"[:49]
    key = body + keys.check_digit(body)

    assert keys.is_key(key)
    assert PATTERNS["TSChaveNFSe"].fullmatch(key)
    assert not any(keys.is_key(body + digit) for digit in "0123456789" if digit != key[49])
    assert keys.parse_key(key) == keys.NfseKey(city, "2", document, number, body[36:40])
    assert PATTERNS["TSIdPedRegEvt"].fullmatch(keys.event_request_id(key, "101101"))


def test_the_digit_is_that_of_keys_in_use() -> None:
    assert [keys.is_key(key) for key in REAL] == [True, True]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("city", "123"),
        ("document", "1122233300018"),
        ("document", "11.222.333/0001-81"),
        ("document", "11222333000l81"),
        ("series", "A1"),
        ("series", "123456"),
        ("number", 10**15),
    ],
)
def test_a_part_that_does_not_fit_is_told(part: str, value: Any) -> None:
    parts: dict[str, Any] = {
        "city": "4204608",
        "document": "11222333000181",
        "series": "1",
        "number": 1,
    }

    with pytest.raises(ValueError, match="does not fit"):
        keys.dps_id(**{**parts, part: value})


def test_what_is_no_key_has_no_parts_and_no_events() -> None:
    for text in ("", "1" * 49, "ABC" + "1" * 47):
        assert not keys.is_key(text)
        with pytest.raises(ValueError, match="key"):
            keys.parse_key(text)
        with pytest.raises(ValueError, match="does not fit"):
            keys.event_request_id(text, "101101")
    with pytest.raises(ValueError, match="DPS"):
        keys.parse_dps_id("DPS" + "1" * 41)
