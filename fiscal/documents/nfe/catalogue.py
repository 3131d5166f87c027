"""The request fields of NF-e and NFC-e: what each is called, holds, and where the layout keeps it.

The facts live in `fiscal/tables/fields/*.yaml`; this module turns them into values that are read
once per process and never change. The decimal types of the layout (tiposBasico_v4.00.xsd and
DFeTiposBasicos_v1.00.xsd) win over the digits written in the catalogue, because the authority
judges by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "tables" / "fields"
_FILES = {55: "nfe.yaml", 65: "nfce.yaml"}
_HUNDRED = Decimal(100)

# Where the catalogue and the layout disagree on the form of a value, the layout's word.
_CORRECTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "pais_destinatario": {"type": "string", "length": "2-60"},  # xPais is a name
        "cana_deducoes[].valor": {"type": "decimal"},
        "items[].icms_aliquota_interestadual": {"enum": ("4.00", "7.00", "12.00")},
        "items[].issqn_indicador_incentivo": {"type": "enum", "enum": ("1", "2")},
        "items[].cbs_zfm_tipo_aliquota_zero": {"enum": ("1", "2")},
        "veiculo_uf": {"type": "string", "length": "2"},
    }
)


@dataclass(frozen=True)
class DecimalType:
    """A decimal type of the layout: what fits, and how many decimals are written."""

    integer_digits: int
    scale: tuple[int, int]  # fewest and most decimals the schema admits when there are any
    zero: bool = True  # False: the tag is left out when the value is zero (XML-4)
    maximum: Decimal | None = None


# Source: the patterns of the XSD types (XML-5); test_catalogue.py holds each against its pattern.
DECIMAL_TYPES: Mapping[str, DecimalType] = MappingProxyType(
    {
        "TDec_1302": DecimalType(13, (2, 2)),
        "TDec_1302Opc": DecimalType(13, (2, 2), zero=False),
        "TDec1302RTC": DecimalType(13, (2, 2)),
        "TDec_1104": DecimalType(11, (4, 4)),
        "TDec_1104v": DecimalType(11, (0, 4)),
        "TDec_1104OpRTC": DecimalType(11, (4, 4), zero=False),
        "TDec1104RTC": DecimalType(11, (4, 4)),
        "TDec_1110v": DecimalType(11, (0, 10)),
        "TDec_1203": DecimalType(12, (3, 3)),
        "TDec_1204": DecimalType(12, (4, 4)),
        "TDec_1204v": DecimalType(12, (0, 4)),
        "TDec_1204temperatura": DecimalType(12, (4, 4), zero=False),
        "TDec_0803v": DecimalType(8, (3, 3)),
        "TDec_0302a04": DecimalType(3, (2, 4)),
        "TDec_0302a04Opc": DecimalType(3, (2, 4), zero=False),
        "TDec_0302_04RTC": DecimalType(3, (2, 4)),
        "TDec_0302Max100": DecimalType(3, (2, 2), maximum=_HUNDRED),
        "TDec_0302a04Max100": DecimalType(3, (2, 4), maximum=_HUNDRED),
        "TDec_03v00a04Max100Opc": DecimalType(3, (2, 4), zero=False, maximum=_HUNDRED),
    }
)


@dataclass(frozen=True)
class Field:
    """One field of the request body and its place in the layout."""

    path: str  # as in the catalogue: items[].lotes[].numero
    name: str
    parents: tuple[str, ...]  # names of the lists it sits in, outermost first
    xml: tuple[str, ...]  # paths below infNFe; * stands for the tax group chosen by the CST
    kind: str  # string, digits, decimal, date, datetime, boolean, enum, array
    min_length: int
    max_length: int  # 0: not limited
    lengths: tuple[int, ...]  # the only lengths admitted; empty: min_length to max_length
    integer_digits: int  # decimal
    scale: tuple[int, int]  # decimal: fewest and most decimals
    zero: bool  # decimal: False leaves the tag out when zero
    maximum: Decimal | None
    min_items: int  # array
    max_items: int  # array; 0: not limited
    required: str  # yes, no, conditional
    condition: str
    enum: tuple[str, ...]
    allowed: tuple[str, ...]  # NFC-e: what the authority takes of the enumeration; empty: all
    models: tuple[int, ...]
    xsd: str
    pattern: str  # regular expression of the layout; empty: none
    groups: tuple[str, ...]  # tax groups that have the tag
    default: str
    auto: bool
    reject: str  # authority's rejection codes when the rule of the field is broken
    inferred: bool
    description: str


@dataclass(frozen=True)
class Catalogue:
    """The fields of one model. `by_path` by YAML path; `levels` by the lists that hold them."""

    modelo: int
    fields: tuple[Field, ...]
    by_path: Mapping[str, Field]
    levels: Mapping[tuple[str, ...], Mapping[str, Field]]
    aliases: Mapping[str, str]  # YAML path of the old name → path of the field
    forbidden: Mapping[str, str]  # NFC-e: YAML path → rejection code of the authority
    removed: tuple[str, ...]
    generated: Mapping[str, str]  # tags the server writes → what it writes
    response_only: Mapping[str, str]  # names of answers → tag
    tax_groups: Mapping[str, Any]
    totals: Mapping[str, Any]

    @property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by YAML path (`items[].cfop`); a bare name is a field of the header."""
        return self.by_path

    def level(self, *parents: str) -> Mapping[str, Field]:
        """Fields that sit directly in the given lists: `level("items", "rastros")`."""
        return self.levels.get(parents, {})


@cache
def catalogue(modelo: int) -> Catalogue:
    """The catalogue of model 55 or 65, read once per process."""
    source = _load(_FILES[modelo])
    rows = [*source["fields"], *source["inferred_fields"]]
    fields = tuple(field_of(row, modelo) for row in rows)
    return Catalogue(
        modelo=modelo,
        fields=fields,
        by_path=MappingProxyType({field.path: field for field in fields}),
        levels=_levels(fields),
        aliases=_pairs(source["aliases"], "alias", "field"),
        forbidden=_pairs(source.get("forbidden_fields", ()), "path", "sefaz_reject"),
        removed=tuple(row["path"] for row in source["removed"]),
        generated=_pairs(source["generated_tags"], "xml", "value"),
        response_only=_pairs(source["response_only"], "name", "xml"),
        tax_groups=_frozen(source["tax_groups"]),
        totals=_frozen(source["totals"]),
    )


def _load(name: str) -> dict[str, Any]:
    # The C loader reads the quarter of a megabyte in about 0.2 s, the Python one in over two.
    with (FOLDER / name).open("rb") as stream:
        document: dict[str, Any] = yaml.load(stream, Loader=yaml.CSafeLoader)
    return document


def field_of(written: Mapping[str, Any], modelo: int) -> Field:
    """A row of a catalogue as a field; rows of all catalogues have one form."""
    path = str(written["path"])
    row = {**written, **_CORRECTIONS.get(path, {})}
    *parents, name = path.split("[].")
    xsd = str(row.get("xsd") or "")
    return Field(
        path=path,
        name=name,
        parents=tuple(parents),
        xml=_texts(row["xml"]),
        kind=str(row["type"]),
        **_lengths(str(row.get("length") or "")),
        **_decimals(row, xsd),
        **_items(str(row.get("items") or "")),
        required=str(row["required"]),
        condition=str(row.get("condition") or ""),
        enum=tuple(str(value) for value in row.get("enum") or ()),
        allowed=tuple(str(value) for value in row.get("allowed") or ()),
        models=tuple(row.get("models") or (modelo,)),
        xsd=xsd,
        pattern=xsd.removeprefix("pattern ") if xsd.startswith("pattern ") else "",
        groups=_texts(row.get("xml_groups")),
        default=str(row.get("default") or ""),
        auto=bool(row.get("auto")),
        reject=str(row.get("sefaz_reject") or ""),
        inferred=bool(row.get("inferred")),
        description=str(row["description"]),
    )


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(part) for part in value) if isinstance(value, list) else (str(value),)


def _lengths(text: str) -> dict[str, Any]:
    """`1-60` is a range, `0|8|12` the only lengths admitted, `44` exactly that."""
    if not text:
        return {"min_length": 0, "max_length": 0, "lengths": ()}
    if "-" in text:
        low, high = (int(part) for part in text.split("-"))
        return {"min_length": low, "max_length": high, "lengths": ()}
    exact = tuple(int(part) for part in text.split("|"))
    return {"min_length": min(exact), "max_length": max(exact), "lengths": exact}


def _decimals(row: Mapping[str, Any], xsd: str) -> dict[str, Any]:
    kind = DECIMAL_TYPES.get(xsd) or _written(row)
    return {
        "integer_digits": kind.integer_digits,
        "scale": kind.scale,
        "zero": kind.zero,
        "maximum": kind.maximum,
    }


def _written(row: Mapping[str, Any]) -> DecimalType:
    """The limits as the catalogue writes them, for fields without a type of the layout."""
    scale = [int(part) for part in re.findall(r"[0-9]+", str(row.get("scale") or "0"))]
    return DecimalType(int(row.get("digits") or 0), (scale[0], scale[-1]))


def _items(text: str) -> dict[str, Any]:
    low, _, high = text.partition("-")
    return {"min_items": int(low or 0), "max_items": int(high or low or 0)}


def _levels(fields: tuple[Field, ...]) -> Mapping[tuple[str, ...], Mapping[str, Field]]:
    levels: dict[tuple[str, ...], dict[str, Field]] = {}
    for field in fields:
        levels.setdefault(field.parents, {})[field.name] = field
    return MappingProxyType({key: MappingProxyType(level) for key, level in levels.items()})


def _pairs(rows: Any, key: str, value: str) -> Mapping[str, str]:
    return MappingProxyType({str(row[key]): str(row.get(value) or "") for row in rows})


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(part) for key, part in value.items()})
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value
