"""What the national system says with each code (sefin_erros.csv, from Anexo I)."""

from __future__ import annotations

import csv
import functools
from importlib.resources import files


@functools.cache
def _all() -> dict[str, str]:
    raw = (files("fiscal") / "sandbox" / "sefin_erros.csv").read_text(encoding="utf-8")
    lines = [line for line in raw.splitlines() if not line.startswith("#")]
    return {row["codigo"]: row["texto"] for row in csv.DictReader(lines, delimiter=";")}


def text(code: str) -> str:
    """The official words, or the code where none are published."""
    return _all().get(code, f"Rejeição {code}.")
