"""How an invoice stands for its customer: the one derivation of ux §1.2.

Portal, public link and exports ask here, so that no two pages say different things.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from django.db.models import OuterRef, Q, QuerySet, Subquery

from billing.engine.local_days import calendar_with
from billing.models import Charge, Dispute, Invoice, OrganizationProfile, Payment, Receivable
from lib.br import date_br
from lib.calendars import Calendar

ZERO = Decimal("0.00")
DISPUTE_PAID_FOR = timedelta(days=90)  # §1.2: so long a paid invoice may be disputed


class Estado(StrEnum):
    """Values of `data-estado`."""

    ABERTA = "aberta"
    VENCIDA = "vencida"
    PROCESSANDO = "processando"
    PAGA = "paga"
    REEMBOLSADA = "reembolsada"
    ANULADA = "anulada"
    CANCELADA = "cancelada"


UNPAID = (Estado.ABERTA, Estado.VENCIDA, Estado.PROCESSANDO)
PAYABLE = (Estado.ABERTA, Estado.VENCIDA)

# Without days and dates: as a public page, a filter and an export say it.
WORDS = {
    Estado.ABERTA: "Em aberto",
    Estado.VENCIDA: "Vencida",
    Estado.PROCESSANDO: "Pagamento em processamento",
    Estado.PAGA: "Paga",
    Estado.REEMBOLSADA: "Reembolsada",
    Estado.ANULADA: "Anulada – não pague",
    Estado.CANCELADA: "Cancelada – não pague",
}


class Action(StrEnum):
    """What §1.2 offers for an invoice; what the person's role may do of it the portal knows."""

    DETAILS = "detalhes"
    SECOND_COPY = "2via"
    PIX = "pix"
    PAY = "pagar"
    RECEIPT = "recibo"
    DISPUTE = "contestar"
    SEE_DISPUTE = "contestacao"


_PAYING = (Action.SECOND_COPY, Action.PIX, Action.PAY)


class Billed(Protocol):
    """An emitted invoice, or what a list has read of one."""

    @property
    def pk(self) -> int: ...

    @property
    def organization_id(self) -> int: ...

    @property
    def void(self) -> bool: ...

    @property
    def state(self) -> str: ...

    @property
    def payment_status(self) -> str: ...


class Unpaid(Protocol):
    """An instalment that is still to be received."""

    @property
    def is_late(self) -> bool: ...

    @property
    def is_in_flight(self) -> bool: ...


def is_late(due: date, *, today: date, calendar: Calendar) -> bool:
    """A day without banks is payable on the next one, and late only after that (§1.2)."""
    return today > calendar.next_business_day(due)


def estado_of(invoice: Billed, unpaid: Collection[Unpaid]) -> Estado:
    """The word of an emitted invoice; `unpaid` are its instalments that are to be received."""
    if invoice.void:
        return Estado.ANULADA
    if invoice.state == Invoice.State.CANCELLED:
        return Estado.CANCELADA
    if invoice.state == Invoice.State.RECEIVED:
        is_refunded = invoice.payment_status == Invoice.PaymentStatus.REFUNDED
        return Estado.REEMBOLSADA if is_refunded else Estado.PAGA
    if unpaid and all(one.is_in_flight for one in unpaid):
        return Estado.PROCESSANDO
    return Estado.VENCIDA if any(one.is_late for one in unpaid) else Estado.ABERTA


class Listed(NamedTuple):
    """What lists read of a receivable: the model's own names, at a tenth of its price."""

    pk: int
    invoice_id: int
    position: int
    due_date: date
    state: str
    payment_value: Decimal
    open_principal: Decimal
    paid_principal: Decimal
    received_at: date | None
    paid_fine: Decimal
    paid_interest: Decimal
    charged_until: date | None
    grace_until: date | None


@dataclass(frozen=True)
class Parcel:
    """An instalment in a list of invoices; `in_flight_since` while a payment of it is under way.

    Of `receivable` only what lists need is loaded.
    """

    receivable: Receivable | Listed
    is_late: bool
    in_flight_since: datetime | None
    reissued_to: date | None = None  # the day that a boleto of its updated value falls due (P08)

    @property
    def due_date(self) -> date:
        return self.receivable.due_date

    @property
    def is_open(self) -> bool:
        return self.receivable.state == Receivable.State.TO_RECEIVE

    @property
    def is_in_flight(self) -> bool:
        return self.in_flight_since is not None


@dataclass(frozen=True)
class Situation:
    """How one invoice stands on `today`, and what may be done about it (§1.2).

    `address` is what its pages are addressed by. Totals are principal, BRL; `paid_on` is the day of
    the last receipt of a paid invoice.
    """

    invoice: Invoice
    today: date
    estado: Estado
    parcels: tuple[Parcel, ...]
    dispute: Dispute | None = None
    address: str = ""
    open_parcels: tuple[Parcel, ...] = field(default=())

    @property
    def days_late(self) -> int:
        """Calendar days since the oldest instalment that is late fell due; 0 when none is."""
        late = [p.due_date for p in self.open_parcels if p.is_late]
        return (self.today - min(late)).days if late else 0

    @property
    def due_date(self) -> date | None:
        """Of the first instalment that is open, or of its reissued boleto; else of the invoice."""
        first = min(self.open_parcels, key=lambda p: p.due_date, default=None)
        return self.invoice.due_date if first is None else first.reissued_to or first.due_date

    @property
    def paid_on(self) -> date | None:
        if self.estado not in (Estado.PAGA, Estado.REEMBOLSADA):
            return None
        days = (p.receivable.received_at for p in self.parcels)
        return max((day for day in days if day is not None), default=None)

    @property
    def in_flight_since(self) -> datetime | None:
        return min((p.in_flight_since for p in self.parcels if p.in_flight_since), default=None)

    @property
    def open_principal(self) -> Decimal:
        if self.estado not in UNPAID:
            return ZERO
        return sum((p.receivable.open_principal for p in self.open_parcels), ZERO)

    @property
    def late_principal(self) -> Decimal:
        if self.estado not in UNPAID:
            return ZERO
        late = (p.receivable for p in self.open_parcels if p.is_late)
        return sum((receivable.open_principal for receivable in late), ZERO)

    @property
    def is_blocked(self) -> bool:
        return self.invoice.approval_status == Invoice.Approval.BLOCKED

    @property
    def partial(self) -> str:
        """“Parcial (1 de 2)” of an invoice that is paid in part; "" of others."""
        if self.estado not in UNPAID:
            return ""
        states = [p.receivable.state for p in self.parcels]
        n_received = states.count(Receivable.State.RECEIVED)
        if n_received:
            return f"Parcial ({n_received} de {n_received + len(self.open_parcels)})"
        is_partial = self.invoice.payment_status == Invoice.PaymentStatus.PARTIALLY_PAID
        return "Parcial" if is_partial else ""

    @property
    def texto(self) -> str:
        """The chip's words."""
        if self.estado == Estado.VENCIDA:
            return f"Vencida há {self.days_late} dia{'' if self.days_late == 1 else 's'}"
        if self.estado == Estado.PAGA and self.paid_on is not None:
            return f"Paga em {date_br(self.paid_on)}"
        return WORDS[self.estado]

    @property
    def can_pay(self) -> bool:
        """Is there an instalment that may be paid now, by whoever may pay?"""
        return self.estado in PAYABLE and not self.is_blocked

    @property
    def actions(self) -> frozenset[Action]:
        """The state's actions, whoever asks."""
        if self.estado == Estado.ANULADA:
            return frozenset([Action.DETAILS])
        found = {Action.DETAILS}
        if self.can_pay:
            found.update(_PAYING)
        if self.estado == Estado.PAGA:
            found.add(Action.RECEIPT)
        if self.dispute is not None:
            found.add(Action.SEE_DISPUTE)
        elif self._may_dispute():
            found.add(Action.DISPUTE)
        return frozenset(found)

    def _may_dispute(self) -> bool:
        if self.estado == Estado.PAGA:
            return self.paid_on is None or self.today - self.paid_on <= DISPUTE_PAID_FOR
        return self.estado in PAYABLE


def situations(
    invoices: Iterable[Invoice],
    *,
    today: date,
    parcels: Mapping[int, tuple[Parcel, ...]] | None = None,
    namesakes: Collection[int] | None = None,
    disputes: Mapping[int, Dispute] | None = None,
) -> dict[int, Situation]:
    """How each of these emitted invoices stands, by id; four queries, however many they are.

    They are of one account, their series loaded. What the caller has read already it passes on:
    `parcels` of `parcels_of`, `namesakes` (ids) of `namesakes_of`, `disputes` of `live_disputes`.
    """
    rows = list(invoices)
    known = parcels_of(rows, today=today) if parcels is None else parcels
    ambiguous = _namesakes(rows) if namesakes is None else namesakes
    live = live_disputes(rows) if disputes is None else disputes
    return {
        invoice.pk: _situation(
            invoice,
            today,
            known.get(invoice.pk, ()),
            live,
            is_alone=invoice.pk not in ambiguous,
        )
        for invoice in rows
    }


def situation(invoice: Invoice, *, today: date) -> Situation:
    """How one emitted invoice stands."""
    return situations([invoice], today=today)[invoice.pk]


def _situation(
    invoice: Invoice,
    today: date,
    parcels: tuple[Parcel, ...],
    disputes: Mapping[int, Dispute],
    *,
    is_alone: bool,
) -> Situation:
    unpaid = tuple(p for p in parcels if p.is_open)
    label = invoice.label
    return Situation(
        invoice=invoice,
        today=today,
        estado=estado_of(invoice, unpaid),
        parcels=parcels,
        dispute=disputes.get(invoice.pk),
        address=label if is_alone else f"{label}@{invoice.pk}",
        open_parcels=unpaid,
    )


# --- what they are made of ----------------------------------------------------------------------


def parcels_of(
    invoices: Sequence[Billed], *, today: date, calendars: Mapping[int, Calendar] | None = None
) -> dict[int, tuple[Parcel, ...]]:
    """The instalments of each invoice in order of position; two queries.

    `calendars` are those of `calendars_of`, where the caller has read them.
    """
    if calendars is None:
        calendars = calendars_of({invoice.organization_id for invoice in invoices})
    of = {invoice.pk: calendars[invoice.organization_id] for invoice in invoices}
    found: dict[int, list[Parcel]] = {}
    for *columns, begun, reissued in _receivables(list(of)):
        row = Listed(*columns)
        late = row.state == Receivable.State.TO_RECEIVE and is_late(
            row.due_date, today=today, calendar=of[row.invoice_id]
        )
        found.setdefault(row.invoice_id, []).append(Parcel(row, late, begun, reissued))
    return {invoice_id: tuple(mine) for invoice_id, mine in found.items()}


def _receivables(invoice_ids: list[int]) -> QuerySet[Any]:
    """Columns of `Listed`, when the payment was begun that is under way, and `reissued_to`."""
    under_way = Payment.objects.filter(receivable=OuterRef("pk"), state__in=Payment.IN_FLIGHT)
    begun = Subquery(under_way.values("created_at")[:1])
    updated = Charge.objects.filter(
        receivable=OuterRef("pk"), kind=Charge.Kind.BOLETO, state__in=Charge.LIVE,
        due_date__gt=OuterRef("due_date"),
    ).order_by("-id")  # fmt: skip
    due = Subquery(updated.values("due_date")[:1])
    rows = Receivable.objects.filter(invoice__among=invoice_ids)
    columns = (*Listed._fields, begun, due)
    return rows.order_by("invoice_id", "position").values_list(*columns)


def calendars_of(organization_ids: Collection[int]) -> dict[int, Calendar]:
    """The bank calendar of each organization, with its own closed days; one query."""
    profiles = OrganizationProfile.objects.filter(party_id__in=organization_ids)
    holidays = dict(profiles.values_list("party_id", "extra_holidays"))
    return {pk: calendar_with(tuple(holidays.get(pk) or ())) for pk in organization_ids}


def live_disputes(invoices: Sequence[Invoice]) -> dict[int, Dispute]:
    """The dispute that is open of each invoice that has one."""
    found = Dispute.objects.filter(
        invoice__among=[invoice.pk for invoice in invoices], state__in=Dispute.LIVE
    )
    return {one.invoice_id: one for one in found}


def namesakes_of(labels: Iterable[tuple[int, str]]) -> set[int]:
    """Of (id, number shown), the ids whose number is not theirs alone.

    Two organizations of an account count for themselves, and a typed number is anybody's.
    """
    seen: dict[str, list[int]] = {}
    for pk, label in labels:
        seen.setdefault(label, []).append(pk)
    return {pk for group in seen.values() if len(group) > 1 for pk in group}


def _namesakes(invoices: Sequence[Invoice]) -> set[int]:
    """`namesakes_of` among all invoices of the customer."""
    if not invoices:
        return set()
    numbers = {invoice.number for invoice in invoices if invoice.number is not None}
    alike = Q(number__in=numbers) | Q(client_number__in={invoice.label for invoice in invoices})
    rows = Invoice.objects.filter(
        alike,
        account_id=invoices[0].account_id,
        customer__in={invoice.customer_id for invoice in invoices},
        emitted_at__isnull=False,
    ).select_related("series")
    few = rows.only("client_number", "number", "series__prefix")
    return namesakes_of((one.pk, one.label) for one in few)
