"""The twelve months of a customer's invoices, as its chart and its table tell them (P05, P06)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.selectors.customer_standing import Standing, Standings
from billing.selectors.situations import ZERO, Estado

N_MONTHS = 12


@dataclass(frozen=True)
class Month:
    """Invoices of a month (its first day), BRL; each whole under the state that its row shows.

    Refunded, void and cancelled ones count nowhere.
    """

    month: date
    paid: Decimal = ZERO
    open: Decimal = ZERO
    late: Decimal = ZERO
    count: int = 0

    @property
    def total(self) -> Decimal:
        return self.paid + self.open + self.late


def twelve_months(standings: Standings) -> list[Month]:
    """The twelve months up to this one, or up to the newest invoice's where that is later."""
    shown = standings.shown()
    this = standings.today.replace(day=1)
    newest = max([this, *(row.month for row in shown)])
    by_month: dict[date, list[Standing]] = {}
    for row in shown:
        by_month.setdefault(row.month, []).append(row)
    months = [_back(newest, n) for n in range(N_MONTHS - 1, -1, -1)]
    return [_summed(standings, month, by_month.get(month, ())) for month in months]


def _back(month: date, n: int) -> date:
    years, zero_based = divmod(month.year * 12 + month.month - 1 - n, 12)
    return date(years, zero_based + 1, 1)


def _summed(standings: Standings, month: date, rows: Sequence[Standing]) -> Month:
    def total(*estados: Estado) -> Decimal:
        return _sum(row for row in rows if standings.estados[row.pk] in estados)

    return Month(
        month,
        paid=total(Estado.PAGA),
        open=total(Estado.ABERTA, Estado.PROCESSANDO),
        late=total(Estado.VENCIDA),
        count=len(rows),
    )


def _sum(rows: Iterable[Standing]) -> Decimal:
    return sum((row.value for row in rows), ZERO)
