"""The list of invoices: its filters, its rows and its pages (P05, P06)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from urllib.parse import urlencode

from django.urls import reverse

from billing.selectors.customer_charts import Month, twelve_months
from billing.selectors.customer_notes import CustomerNote, customer_notes
from billing.selectors.customer_standing import HIDDEN, Standing, Standings
from billing.selectors.situations import Action, Estado, Situation
from portal.access import Portal
from portal.charts import Chart, month_chart
from portal.states import allowed

PAGE_SIZE = 25
# The filter's choices; “Anuladas” brings along what was cancelled without being void.
SITUATIONS = {
    Estado.ABERTA: "Em aberto",
    Estado.VENCIDA: "Vencidas",
    Estado.PROCESSANDO: "Em processamento",
    Estado.PAGA: "Pagas",
    Estado.REEMBOLSADA: "Reembolsadas",
    Estado.ANULADA: "Anuladas",
}


@dataclass(frozen=True)
class Filters:
    """What the address asks for; what it cannot mean is left out. `month` is a first day."""

    year: int | None = None
    estado: Estado | None = None
    number: str = ""
    month: date | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        estado = query.get("situacao", "")
        return cls(
            year=_year(query.get("ano", "")),
            estado=Estado(estado) if estado in SITUATIONS else None,
            number=query.get("numero", "").strip()[:60],
            month=_month(query.get("mes", "")),
        )

    @property
    def is_any(self) -> bool:
        return self != Filters()

    def rows(self, standings: Standings) -> list[Standing]:
        """What they let through, newest month first."""
        return [row for row in self._in_state(standings) if self._lets(row)]

    def _in_state(self, standings: Standings) -> list[Standing]:
        if self.estado is None:
            return standings.shown()
        return standings.in_state(*(HIDDEN if self.estado in HIDDEN else (self.estado,)))

    def _lets(self, row: Standing) -> bool:
        return (
            (self.year is None or row.month.year == self.year)
            and (self.month is None or row.month == self.month)
            and (not self.number or is_number(row.label, self.number))
        )

    def query(self, **changes: str) -> str:
        """The part of the address after the path, "" for no filter at all."""
        given = {
            "ano": str(self.year or ""),
            "situacao": str(self.estado or ""),
            "numero": self.number,
            "mes": f"{self.month:%Y-%m}" if self.month else "",
            **changes,
        }
        kept = {name: value for name, value in given.items() if value}
        return f"?{urlencode(kept)}" if kept else "?"


def is_number(label: str, typed: str) -> bool:
    """Does `1234`, `01234` or a part of a typed number mean the invoice that shows `label`?"""
    wanted = typed.casefold()
    return wanted.lstrip("0") == label.casefold().lstrip("0") or wanted in label.casefold()


def _year(text: str) -> int | None:
    return int(text) if len(text) == 4 and text.isascii() and text.isdecimal() else None


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text}-01") if len(text) == 7 else None
    except ValueError:
        return None


@dataclass(frozen=True)
class Row:
    """A line of the list; `note` is the one that counts, issued or on its way."""

    found: Situation
    month: date
    note: CustomerNote | None
    actions: frozenset[Action]


def rows_of(
    portal: Portal, standings: Standings, some: Sequence[Standing], *, notes: bool = True
) -> list[Row]:
    """These lines with all that is shown of them; two queries, one without `notes`."""
    found_notes = customer_notes([one.pk for one in some]) if notes else {}
    months = {one.pk: one.month for one in some}
    return [
        Row(
            found,
            months[found.invoice.pk],
            _note(found_notes.get(found.invoice.pk, ())),
            allowed(portal, found),
        )
        for found in standings.situations(some)
    ]


def _note(notes: Sequence[CustomerNote]) -> CustomerNote | None:
    live = [note for note in notes if note.is_live]
    issued = (note for note in live if note.is_issued)
    return next(issued, None) or next((note for note in live if note.is_on_its_way), None)


def by_year(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows under the year of their month; as text, which no page groups in thousands."""
    for year, group in groupby(rows, key=lambda row: row.month.year):
        yield str(year), list(group)


@dataclass(frozen=True)
class Page:
    """A page of rows out of `count`; `number` counts from 1 and is never past the last."""

    rows: Sequence[Standing]
    number: int
    n_pages: int
    count: int

    @classmethod
    def of(cls, rows: Sequence[Standing], asked: str) -> Page:
        n_pages = max(1, -(-len(rows) // PAGE_SIZE))
        wanted = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 1
        number = min(max(wanted, 1), n_pages)
        start = (number - 1) * PAGE_SIZE
        return cls(rows[start : start + PAGE_SIZE], number, n_pages, len(rows))


def chart_of(standings: Standings) -> Chart | None:
    """The chart of the last twelve months; each bar leads to its month in the list."""
    page = reverse("portal-faturas")

    def url(month: Month) -> str:
        return page + replace(Filters(), month=month.month).query()

    return month_chart(twelve_months(standings), url)
