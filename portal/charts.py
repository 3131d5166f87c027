"""Bars of twelve months, drawn on the server as SVG, with the same numbers in a table (§1.4).

The drawing is an image for readers of screens; what leads to a month are links that lie over it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.selectors.customer_charts import Month
from lib.br import date_br
from lib.money import brl, decimal_br

WIDTH, HEIGHT = 960, 240  # user units; the page scales them
_TOP, _BOTTOM = 28, 26  # room for the value above a bar and the month under it
_BAR = 44
_NAMES = ("jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez")
# From the bottom: the class that colours it, the pattern over it, what it is called.
SERIES = (("paga", "Pagas"), ("aberta", "Em aberto"), ("vencida", "Vencidas"))


@dataclass(frozen=True)
class Block:
    """A part of a bar, in user units."""

    serie: str
    x: int
    y: str
    width: int
    height: str


@dataclass(frozen=True)
class Column:
    """A month: its blocks, the value over them and where its link leads."""

    month: Month
    name: str
    middle: int
    label_y: str
    label: str
    url: str
    blocks: tuple[Block, ...]

    @property
    def words(self) -> str:
        """What the link says to who does not see the bar: `07/2026: 2 faturas, R$ 780,00`."""
        plural = "fatura" if self.month.count == 1 else "faturas"
        return f"{date_br(self.month.month)[3:]}: {self.month.count} {plural}, {self._total}"

    @property
    def _total(self) -> str:
        return brl(self.month.total)


@dataclass(frozen=True)
class Chart:
    """What templates/portal/_grafico.html draws."""

    columns: tuple[Column, ...]
    summary: str

    width = WIDTH
    height = HEIGHT
    baseline = HEIGHT - _BOTTOM
    names_y = HEIGHT - 8
    series = SERIES


def month_chart(months: Sequence[Month], url: Callable[[Month], str]) -> Chart | None:
    """The chart of these months; None when there is nothing in them to be drawn."""
    highest = max((month.total for month in months), default=Decimal(0))
    if not any(month.count for month in months):
        return None
    step = WIDTH // len(months)
    columns = tuple(
        _column(month, step * i + step // 2, highest, url(month)) for i, month in enumerate(months)
    )
    return Chart(columns, summary_of(months))


def summary_of(months: Sequence[Month]) -> str:
    """The chart in one sentence."""
    first, last = (date_br(month.month)[3:] for month in (months[0], months[-1]))
    paid, still, late = (
        brl(sum((getattr(month, name) for month in months), Decimal("0.00")))
        for name in ("paid", "open", "late")
    )
    return f"De {first} a {last}: {paid} em faturas pagas, {still} em aberto e {late} vencidas."


def _column(month: Month, middle: int, highest: Decimal, url: str) -> Column:
    room = HEIGHT - _TOP - _BOTTOM
    top = Decimal(HEIGHT - _BOTTOM)
    blocks = []
    for (serie, _), value in zip(SERIES, (month.paid, month.open, month.late), strict=True):
        if not value:
            continue
        height = max(Decimal(2), (value * room / highest).quantize(Decimal("0.1")))
        top -= height
        blocks.append(Block(serie, middle - _BAR // 2, str(top), _BAR, str(height)))
    return Column(
        month=month,
        name=f"{_NAMES[month.month.month - 1]}/{month.month.year % 100:02d}",
        middle=middle,
        label_y=str(top - 6),
        label=decimal_br(month.total, 0) if month.total else "",
        url=url,
        blocks=tuple(blocks),
    )
