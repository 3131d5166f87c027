"""The request fields of the national services invoice and their places in the DPS (NAC-4).

`fiscal/tables/fields/nfsen.yaml` says what each is called and where it goes; the schema says what
it may hold, because Sefin judges by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import Any

from fiscal.documents.nfe import catalogue as rows
from fiscal.documents.nfe.catalogue import Catalogue, DecimalType, Field
from fiscal.documents.nfe.groups import Places
from fiscal.documents.nfe.layout import Node, Simple, tree
from fiscal.tables.loaders import yaml_table

NATIONAL = 0  # no model number: these notes have none

# Values that the engine decides; serie and nDPS come from the series of the company (NUM-2).
ENGINE = frozenset(("tpAmb", "verAplic", "serie", "nDPS"))

_HUNDRED = Decimal(100)
_DECIMALS = {
    "TSDec15V2": DecimalType(15, (2, 2)),
    "TSDec3V2": DecimalType(3, (2, 2), maximum=_HUNDRED),  # E0705 to E0708: percentages
    "TSDec2V2": DecimalType(2, (2, 2)),
    "TSDec1V2": DecimalType(1, (2, 2)),
}


@cache
def layout() -> Node:
    """The element infDPS, read once per process."""
    return tree("DPS", type_name="TCDPS", element="infDPS")


@cache
def nodes() -> dict[str, Node]:
    """Every element of infDPS by its path, as in `serv/cServ/cTribNac`."""
    return dict(layout().walk())


def type_of(field: Field) -> Simple | None:
    """What the schema says of a value; None for lists and for fields without a place."""
    node = nodes().get(field.xml[0]) if field.xml else None
    return node.type if node else None


@cache
def catalogue() -> Catalogue:
    """The catalogue, read once per process."""
    source = yaml_table("fields/nfsen.yaml")
    fields = tuple(_field(row) for row in [*source["fields"], *source["inferred_fields"]])
    levels: dict[tuple[str, ...], dict[str, Field]] = {}
    for field in fields:
        levels.setdefault(field.parents, {})[field.name] = field
    return Catalogue(
        modelo=NATIONAL,
        fields=fields,
        by_path=MappingProxyType({field.path: field for field in fields}),
        levels=MappingProxyType({key: MappingProxyType(level) for key, level in levels.items()}),
        aliases=MappingProxyType({}),
        forbidden=MappingProxyType({}),
        removed=(),
        generated=MappingProxyType({row["xml"]: row["value"] for row in source["generated_tags"]}),
        response_only=MappingProxyType({}),
        tax_groups=MappingProxyType({}),
        totals=MappingProxyType({}),
    )


def _field(row: dict[str, Any]) -> Field:
    field = rows.field_of(row, NATIONAL)
    kind = type_of(field)
    if kind is None:
        return _list(field) if field.kind == "array" else field
    if kind.name in _DECIMALS:
        known = _DECIMALS[kind.name]
        field = replace(
            field,
            integer_digits=known.integer_digits,
            scale=known.scale,
            maximum=known.maximum,
        )
    return replace(field, enum=kind.enum or field.enum)


def _list(field: Field) -> Field:
    """As many entries as the element, or the only one inside of it, may repeat."""
    node = nodes()[field.xml[0]]
    inner = list(node.elements())
    most = node.most if node.most != 1 or len(inner) != 1 else inner[0].most
    return replace(field, max_items=most)


@cache
def places() -> Places:
    """Which field fills each element, made once per process."""
    every = catalogue().fields
    return Places(
        fields=dict(_by_place(field for field in every if field.kind != "array")),
        lists=dict(_by_place(field for field in every if field.kind == "array")),
        choices={},
        situations=frozenset(),
    )


_PARTIES = {
    "prestador": "prest/",
    "tomador": "toma/",
    "intermediario": "interm/",
    "destinatario": "IBSCBS/dest/",
}


@cache
def party_fields() -> Mapping[str, frozenset[str]]:
    """The fields of each party of the note, by the word at the end of their names.

    Others end in the same words: the mechanism of foreign trade of the taker is none of its data.
    """
    fields = places().fields.items()
    return {
        party: frozenset(field.name for place, field in fields if place.startswith(prefix))
        for party, prefix in _PARTIES.items()
    }


def _by_place(fields: Iterator[Field]) -> Iterator[tuple[str, Field]]:
    for field in fields:
        yield from ((place, field) for place in field.xml if place in nodes())
