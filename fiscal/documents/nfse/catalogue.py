"""The fields of a municipal services invoice (fiscal-api §4.2).

tables/fields/nfse.yaml is the published catalogue; tables/nfse/fields.yaml what it cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from fiscal.tables.loaders import yaml_table


@dataclass(frozen=True)
class Field:
    """One field of the body; `path` has dots for objects: servico.valor_servicos."""

    path: str
    kind: str  # string, digits, decimal, date, datetime, boolean, enum, array, object
    max_length: int  # 0: not limited
    exact_length: int  # 0: not fixed
    integer_digits: int  # decimal
    scale: int  # decimal: most decimals
    required: bool
    enum: tuple[str, ...]
    default: str
    is_special: bool  # of the tax reform, or of some cities only


# What the catalogue leaves open: percentages have four decimals (received_fields: 3.4).
_MONEY, _PERCENT = (13, 2), (3, 4)
_PERCENTAGES = ("aliquota", "percentual")


@cache
def catalogue() -> Mapping[str, Field]:
    """The fields by path, read once per process."""
    tables = ("fields/nfse.yaml", "nfse/fields.yaml")
    rows = (row for name in tables for row in yaml_table(name)["fields"])
    return MappingProxyType({row["path"]: _field(row) for row in rows})


@cache
def groups() -> frozenset[str]:
    """The paths that hold fields: tomador, tomador.endereco."""
    steps = (path.split(".") for path in catalogue() if "[]" not in path)
    return frozenset(".".join(each[:n]) for each in steps for n in range(1, len(each)))


def _field(row: Mapping[str, Any]) -> Field:
    low, _, high = str(row.get("length") or "").partition("-")
    digits, scale = _decimals(row)
    return Field(
        path=row["path"],
        kind=row["type"],
        max_length=int(high or low or 0),
        exact_length=int(low) if low and not high else 0,
        integer_digits=digits,
        scale=scale,
        required=row["required"] == "yes",
        enum=tuple(str(value) for value in row.get("enum") or ()),
        default="" if row.get("default") is None else str(row["default"]),
        is_special=bool(row.get("tax_reform") or row.get("provider_specific")),
    )


def _decimals(row: Mapping[str, Any]) -> tuple[int, int]:
    if row.get("digits"):
        return int(row["digits"]), int(row["scale"])
    is_percent = any(word in row["path"] for word in _PERCENTAGES)
    return _PERCENT if is_percent else _MONEY
