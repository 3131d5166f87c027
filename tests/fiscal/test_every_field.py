"""Every field, CST and enumerated value of both catalogues, in a document of its own.

Each document is made and signed under a throw-away certificate, held against the official schema,
and read by nfelib, whose bindings know nothing of ours: what was put in must come out at the same
place. The documents are grown from the layout, so a field of a next technical note is tested the
day it enters the catalogue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from support import nfelib_reading
from support.layout_samples import Sample
from support.nfe_documents import signed

from fiscal.documents.nfe.catalogue import catalogue
from fiscal.documents.nfe.groups import ENGINE, places, situation
from fiscal.documents.nfe.layout import layout
from fiscal.xml import faults

MODELS = (55, 65)
NODES = dict(layout().walk())

# Fields that the current schema has no place for, and why they are in the catalogue all the same.
GONE = "absent from the current XSD; present in schema package PL_010 v1.30"
WITHOUT_PLACE = {
    "items[].mono_base_calculo_quantidade_retida_anteriormente": GONE,
    "items[].mono_ibs_aliquota_retida_anteriormente": GONE,
    "items[].mono_cbs_aliquota_retida_anteriormente": GONE,
    "items[].mono_ibs_percentual_diferido": GONE,
    "items[].mono_ibs_valor_diferido": GONE,
    "items[].mono_cbs_percentual_diferido": GONE,
    "items[].mono_cbs_valor_diferido": GONE,
    "formas_pagamento[].nome_credenciadora": "asked by Ceará, has no tag",
    "forma_pagamento": "older header field, has no tag",
}
# Groups that a model cannot have, because their mandatory values are refused in it.
IMPOSSIBLE = {(65, "ICMSPart"): "pBCOp and UFST are refused in NFC-e (rejection 741)"}


def _section(place: str) -> str:
    """The group that a place is tested with: a tax group, or the first two levels."""
    steps = place.split("/")
    if place.startswith("det/imposto"):
        return "/".join(steps[:4] if "ICMS" in steps else steps[:3])
    return "/".join(steps[:2])


def _places(modelo: int) -> Iterator[str]:
    """Places that a request field fills; those that the engine decides are not asked for."""
    for place in places(modelo).fields:
        group = next((name for name in place.split("/") if (modelo, name) in IMPOSSIBLE), None)
        if place in NODES and place not in ENGINE and group is None:
            yield place


def _sections() -> list[Any]:
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for modelo in MODELS:
        for place in _places(modelo):
            found[modelo, _section(place)].append(place)
    return [
        pytest.param(modelo, group, id=f"{modelo}-{section.replace('/', '-')}")
        for (modelo, section), group in found.items()
    ]


def _values(modelo: int, place: str) -> list[str]:
    """What the catalogue or the type enumerates for a place, as far as the type admits it there."""
    field, kind = places(modelo).fields[place], NODES[place].type
    assert kind is not None
    listed = field.enum or kind.enum
    if place in places(modelo).situations:
        return []  # by test_every_cst
    return [value for value in listed if kind.admits(value)]


def _difference(modelo: int, place: str, value: Any = None) -> str:
    """Make a document with `value` at `place`; empty when nfelib reads the same there."""
    sample = Sample(modelo)
    put = sample.put(place, value)
    found = nfelib_reading.value_at(
        nfelib_reading.read(signed(sample.data, modelo=modelo).xml), place
    )
    expected = situation(put) if place in places(modelo).situations else put
    is_same = Decimal(found or "NaN") == put if isinstance(put, Decimal) else found == expected
    return "" if is_same else f"{place}: wrote {put!r}, nfelib reads {found!r}"


@pytest.mark.parametrize(("modelo", "group"), _sections())
def test_every_field_is_valid_where_the_layout_has_it_and_reads_back_equal(
    modelo: int, group: list[str]
) -> None:
    assert [said for place in group if (said := _difference(modelo, place))] == []


@pytest.mark.parametrize(("modelo", "group"), _sections())
def test_every_enumerated_value_reads_back_equal(modelo: int, group: list[str]) -> None:
    pairs = [(place, value) for place in group for value in _values(modelo, place)]

    assert [said for place, value in pairs if (said := _difference(modelo, place, value))] == []


@pytest.mark.parametrize("modelo", MODELS)
@pytest.mark.parametrize("tax", ["ICMS", "IPI", "PIS", "COFINS"])
def test_every_cst_writes_its_group(modelo: int, tax: str) -> None:
    choice = places(modelo).choices.get(f"det/imposto/{tax}")
    if choice is None:
        assert (modelo, tax) == (65, "IPI")  # refused in NFC-e, rejection 742
        return
    for cst, group in choice.group_of.items():
        if (modelo, group) in IMPOSSIBLE:
            continue
        path = f"det/imposto/{tax}/{group}"
        tag = "CSOSN" if f"{path}/CSOSN" in NODES else "CST"
        sample = Sample(modelo)
        sample.put(f"{path}/{tag}", cst)

        made = signed(sample.data, modelo=modelo)

        assert faults(made.xml, "nfe") == []
        read = nfelib_reading.read(made.xml)
        assert nfelib_reading.value_at(read, f"{path}/{tag}") == situation(cst), cst


@pytest.mark.parametrize("modelo", MODELS)
def test_every_cst_of_the_catalogue_has_a_group(modelo: int) -> None:
    for choice in places(modelo).choices.values():
        field = catalogue(modelo).by_path[f"items[].{choice.selector}"]

        assert set(field.enum) == set(choice.group_of)


@pytest.mark.parametrize("modelo", MODELS)
def test_only_the_listed_fields_have_no_place_in_the_layout(modelo: int) -> None:
    known = places(modelo)
    filled = {field.path for place, field in known.fields.items() if place in NODES}
    filled |= {field.path for place, field in known.lists.items() if place in NODES}

    missing = {field.path for field in catalogue(modelo).fields} - filled

    assert missing == set(WITHOUT_PLACE) & {field.path for field in catalogue(modelo).fields}


@pytest.mark.parametrize("modelo", MODELS)
def test_every_enumerated_value_of_the_catalogue_is_admitted_somewhere(modelo: int) -> None:
    """A value may belong to some groups only (motDesICMS), but to one at least."""
    admitted: dict[str, set[str]] = defaultdict(set)
    for place in _places(modelo):
        admitted[places(modelo).fields[place].path].update(_values(modelo, place))

    refused = {
        field.path: sorted(set(field.enum) - admitted[field.path])
        for field in catalogue(modelo).fields
        if field.path in admitted and set(field.enum) - admitted[field.path]
    }

    selectors = {f"items[].{choice.selector}" for choice in places(modelo).choices.values()}
    assert {path: values for path, values in refused.items() if path not in selectors} == {}
