"""Every field and enumerated value of the catalogue, in a DPS of its own.

Each document is signed, held against the official schema and read by nfelib, whose bindings know
nothing of ours: what was put in must come out at the same place.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nfelib.nfse.bindings.v1_0.dps_v1_01 import Dps
from support import a1, nfelib_reading
from support.national_notes import IDENTITY, NationalSample, read
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser

from fiscal.documents.nfsen import keys, make
from fiscal.documents.nfsen.catalogue import ENGINE, catalogue, nodes, places, type_of
from fiscal.documents.nfsen.readers import reader_of
from fiscal.errors import SchemaInvalid
from fiscal.signing import CLASSIC

ID = keys.dps_id(city="4204608", document=a1.CNPJ, series="1", number=7)
PARSER = XmlParser(context=XmlContext())
BASE = read().data
PLACES = [place for place in places().fields if place not in ENGINE]
# Not in layout 1.01: read, and left out with a note.
WITHOUT_PLACE = {"indicador_operacao_zfm_alc"}


def _difference(place: str, value: Any = None) -> str:
    """Make a DPS with `value` at `place`; empty when nfelib reads the same there."""
    sample = NationalSample(BASE)
    put = sample.put(place, value)
    signer = a1.signer()
    try:
        raw, _ = make.sealed(sample.data, IDENTITY, element_id=ID, signer=signer, profile=CLASSIC)
    except SchemaInvalid as refused:
        return f"{place}: {put!r} {refused.erros}"
    found = nfelib_reading.value_at(PARSER.from_bytes(raw, Dps).infDPS, place)
    is_same = Decimal(found or "NaN") == put if isinstance(put, Decimal) else found == put
    if is_same and isinstance(put, str) and place != "dhEmi":
        # What the layout takes, the reader of the field takes as well.
        reader = reader_of(places().fields[place])
        is_same = reader is None or reader(put) == put
    return "" if is_same else f"{place}: wrote {put!r}, nfelib reads {found!r}"


def test_every_field_is_valid_where_the_layout_has_it_and_reads_back_equal() -> None:
    assert [said for place in PLACES if (said := _difference(place))] == []


def test_every_enumerated_value_reads_back_equal() -> None:
    pairs = [
        (place, value)
        for place in PLACES
        for value in (nodes()[place].type or type_of(places().fields[place])).enum  # type: ignore[union-attr]
    ]

    assert [said for place, value in pairs if (said := _difference(place, value))] == []
    assert len(pairs) > 150


def test_only_the_listed_field_has_no_place() -> None:
    filled = {field.path for field in [*places().fields.values(), *places().lists.values()]}

    assert {field.path for field in catalogue().fields} - filled == WITHOUT_PLACE


def test_every_value_of_the_layout_has_a_field() -> None:
    values = {place for place, node in nodes().items() if node.is_leaf}

    assert values - set(places().fields) == {"@Id", "tpAmb", "verAplic"}


def test_lists_take_as_many_entries_as_the_layout() -> None:
    most = {field.name: field.max_items for field in places().lists.values()}

    assert most == {
        "itens_pedido_compra": 99,
        "documentos": 1000,
        "chaves_nfse_referenciadas": 99,
        "documentos_referenciados": 1000,
    }
