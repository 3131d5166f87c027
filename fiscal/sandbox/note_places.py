"""Municipalities by IBGE code, read from the published table (data, no rules)."""

from __future__ import annotations

import csv
import functools
from importlib.resources import files


@functools.cache
def _all() -> dict[str, tuple[str, str]]:
    path = files("fiscal") / "tables" / "municipios.csv"
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return {row["codigo"]: (row["nome"], row["uf"]) for row in rows}


def exists(code: str) -> bool:
    """Whether the IBGE has that code."""
    return code in _all()


def name(code: str) -> str:
    """Name of the municipality; the code itself for an unknown one."""
    return _all().get(code, (code, ""))[0]


def uf(code: str) -> str:
    """Two letters of the municipality's unit."""
    return _all().get(code, ("", "DF"))[1]
