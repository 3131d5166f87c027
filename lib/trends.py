"""How a figure moved against the period before (ux B01)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from lib.money import decimal_br, half_up


class Direction(StrEnum):
    """The value is the arrow."""

    UP = "↑"
    DOWN = "↓"
    SAME = "→"


@dataclass(frozen=True)
class Trend:
    """`percent` as shown, without sign ("" where there is no base); `spoken` for screen readers."""

    direction: Direction
    percent: str
    spoken: str

    @property
    def text(self) -> str:
        return self.percent or "sem base anterior"


def trend(before: Decimal, now: Decimal) -> Trend:
    """The change from `before` to `now` in percent with one decimal, half-up.

    What rounds to 0,0% is no change; nothing before and something now has no base.
    """
    if not before:
        if not now:
            return Trend(Direction.SAME, "0,0%", "sem alteração")
        return Trend(Direction.UP, "", "aumento, sem base anterior")
    change = half_up((now - before) * 100 / abs(before), 1)
    if not change:
        return Trend(Direction.SAME, "0,0%", "sem alteração")
    percent = f"{decimal_br(abs(change), 1)}%"
    word, arrow = ("aumento", Direction.UP) if change > 0 else ("diminuição", Direction.DOWN)
    return Trend(arrow, percent, f"{word} de {percent} em relação ao período anterior")
