"""All invoices of one customer at a glance: what is open and late of them, month by month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import OuterRef, Subquery

from accounts.models import Account
from billing.engine.local_days import calendar_with
from billing.models import Dispute, Invoice, NumberSeries, Party
from billing.selectors.customer_invoices import customer_invoices
from billing.selectors.late_costs import Late, cost_of
from billing.selectors.situations import (
    UNPAID,
    ZERO,
    Estado,
    Parcel,
    Situation,
    estado_of,
    namesakes_of,
    parcels_of,
    situations,
)
from lib.calendars import Calendar

HIDDEN = (Estado.ANULADA, Estado.CANCELADA)  # listed only where they are asked for (§1.2)


@dataclass(frozen=True)
class Standing:
    """An invoice in the customer's list. `month` is the first day of its month; `value` BRL."""

    pk: int
    organization_id: int
    label: str
    month: date
    value: Decimal
    void: bool
    state: str
    payment_status: str
    integration: dict[str, Any]
    holidays: Sequence[str] | None


@dataclass(frozen=True)
class Standings:
    """Every emitted invoice of a customer, newest month first, and how each stands."""

    today: date
    rows: Sequence[Standing]
    parcels: dict[int, tuple[Parcel, ...]]
    estados: dict[int, Estado]
    calendars: dict[int, Calendar]

    def in_state(self, *estados: Estado) -> list[Standing]:
        return [row for row in self.rows if self.estados[row.pk] in estados]

    def shown(self) -> list[Standing]:
        """What the list shows unless void ones are asked for."""
        return [row for row in self.rows if self.estados[row.pk] not in HIDDEN]

    def open_total(self, rows: Iterable[Standing]) -> Decimal:
        """Principal still open of these, BRL."""
        return sum((p.receivable.open_principal for p in self._open(rows)), ZERO)

    def late_total(self, rows: Iterable[Standing]) -> Decimal:
        """Principal open of what is late of these, BRL, without fine and interest."""
        late = (p.receivable for p in self._open(rows) if p.is_late)
        return sum((receivable.open_principal for receivable in late), ZERO)

    def _open(self, rows: Iterable[Standing]) -> Iterable[Parcel]:
        for row in rows:
            if self.estados[row.pk] in UNPAID:
                yield from (p for p in self.parcels.get(row.pk, ()) if p.is_open)

    def late_today(self) -> Decimal:
        """What all that is late costs today, fine and interest included (P05); two queries."""
        late = [
            Late(p.receivable, row.organization_id, row.integration)
            for row in self.in_state(Estado.VENCIDA)
            for p in self.parcels[row.pk]
            if p.is_late
        ]
        return cost_of(late, on=self.today, calendars=self.calendars)

    def situations(self, rows: Sequence[Standing]) -> list[Situation]:
        """How each of these stands, in their order; one query."""
        wanted = [row.pk for row in rows]
        live = Dispute.objects.filter(invoice=OuterRef("pk"), state__in=Dispute.LIVE)
        invoices = list(
            Invoice.objects.filter(pk__in=wanted)
            .select_related("series")
            .annotate(live_dispute=Subquery(live.values("protocol")[:1]))
        )
        found = situations(
            invoices,
            disputes=_live(invoices),
            today=self.today,
            parcels=self.parcels,
            namesakes=namesakes_of((row.pk, row.label) for row in self.rows),
        )
        return [found[pk] for pk in wanted if pk in found]


def _live(invoices: Iterable[Any]) -> dict[int, Dispute]:
    """The disputes that are open, as far as a list tells of them."""
    return {
        one.pk: Dispute(invoice_id=one.pk, protocol=one.live_dispute)
        for one in invoices
        if one.live_dispute
    }


def customer_standings(account: Account, customer: Party, *, today: date) -> Standings:
    """Every emitted invoice of the customer; two queries, however many they are."""
    rows = sorted(_rows(account, customer), key=lambda row: (row.month, row.pk), reverse=True)
    calendars = {row.organization_id: calendar_with(tuple(row.holidays or ())) for row in rows}
    parcels = parcels_of(rows, today=today, calendars=calendars)
    estados = {
        row.pk: estado_of(row, [p for p in parcels.get(row.pk, ()) if p.is_open]) for row in rows
    }
    return Standings(today, rows, parcels, estados, calendars)


_COLUMNS = (
    "pk", "organization_id", "client_number", "number", "series__prefix", "accrual_date",
    "issue_date", "payment_value", "void", "state", "payment_status", "integration",
    "organization__profile__extra_holidays",
)  # fmt: skip


def _rows(account: Account, customer: Party) -> Iterable[Standing]:
    found = customer_invoices(account, customer).values_list(*_COLUMNS)
    for pk, organization, typed, number, prefix, accrual, issued, value, *rest in found:
        label = typed or NumberSeries(prefix=prefix or "").label(number or 0)
        month = (accrual or issued).replace(day=1)
        yield Standing(pk, organization, label, month, value, *rest)


def month_of(invoice: Invoice) -> date:
    """The month that an invoice is listed under: its competência, else that of its issue."""
    return (invoice.accrual_date or invoice.issue_date).replace(day=1)
