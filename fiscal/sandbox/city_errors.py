"""Words of the error codes of cities: the published lists, as data."""

from __future__ import annotations

import csv
import functools
from importlib.resources import files


@functools.cache
def _listed(name: str) -> dict[str, tuple[str, str]]:
    raw = (files("fiscal") / "tables" / "nfse" / name).read_text(encoding="utf-8")
    lines = [line for line in raw.splitlines() if not line.startswith("#")]
    return {row["codigo"]: (row["mensagem"], row["correcao"]) for row in csv.DictReader(lines)}


def abrasf(code: str) -> tuple[str, str]:
    """Message and correction of a code of the ABRASF list."""
    return _listed("abrasf_erros.csv").get(code, (f"Erro {code}.", ""))


def sao_paulo(code: str) -> str:
    """Message of a code of São Paulo."""
    return _listed("sao_paulo_erros.csv").get(code, (f"Erro {code}.", ""))[0]
