"""What a benchmark says: rows with value, baseline and target, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

HEADER = ("medida", "valor", "unidade", "base", "razão", "alvo", "ok")


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is against `baseline`, measured in the same run; `ok` None: no target."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str = ""
    ok: bool | None = None


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2)


def as_table(rows: Sequence[Row]) -> str:
    """Columns aligned, text to the left and numbers to the right."""
    lines = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "sim", False: "NÃO", None: ""}[row.ok]
    figures = (number(row.value), row.unit, number(row.baseline), number(row.ratio))
    return (row.name, *figures, row.target, verdict)


def _aligned(line: tuple[str, ...], widths: Sequence[int]) -> str:
    right = {1, 3, 4}
    cells = [
        text.rjust(width) if i in right else text.ljust(width)
        for i, (text, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def number(value: float | None) -> str:
    """pt-BR, three figures or whole: 12.345, 98,7, 1,23."""
    if value is None:
        return ""
    places = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))
