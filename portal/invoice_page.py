"""Everything that the page of one invoice shows (P07)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.urls import reverse

from accounts.access import Capability
from billing.engine.local_days import calendar_with
from billing.models import Dispute, Invoice, InvoiceLine, InvoiceLink, Receivable
from billing.selectors.customer_notes import CustomerNote, customer_notes
from billing.selectors.customer_standing import month_of
from billing.selectors.invoice_story import Event, Receipt, receipts_of, timeline
from billing.selectors.payment_offers import Offers, offers_of
from billing.selectors.situations import (
    UNPAID,
    Action,
    Listed,
    Parcel,
    Situation,
    parcels_of,
    situations,
)
from billing.services import links
from lib.br import cep_mask, date_br
from lib.money import brl
from portal import paying
from portal.access import Portal
from portal.states import allowed

WHATSAPP = "https://wa.me/?text="
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Side:
    """Issuer or payer as the invoice has them frozen."""

    name: str
    document: str
    address: str


@dataclass(frozen=True)
class Instalment:
    """A line of the instalments: `pay` are ways to pay it, where it may be paid."""

    receivable: Receivable | Listed
    estado: str
    texto: str
    received: Decimal
    method: str
    pay: paying.Parcel | None


@dataclass(frozen=True)
class Tax:
    """A line under the items: what it is called, BRL."""

    name: str
    value: Decimal


@dataclass(frozen=True)
class InvoicePage:
    """The page's data; what is dear is read once, when it is asked for."""

    portal: Portal
    found: Situation
    bill: paying.ToPay | None
    receipts: Sequence[Receipt]
    notes: Sequence[CustomerNote]
    disputes: Sequence[Dispute]

    @property
    def invoice(self) -> Invoice:
        return self.found.invoice

    @cached_property
    def actions(self) -> frozenset[Action]:
        return allowed(self.portal, self.found)

    @property
    def month(self) -> date:
        return month_of(self.invoice)

    @cached_property
    def issuer(self) -> Side:
        frozen = self.invoice.organization_snapshot
        return _side(frozen.data if frozen else {}, self.invoice.organization)

    @cached_property
    def payer(self) -> Side:
        frozen = self.invoice.customer_snapshot
        return _side(frozen.data if frozen else {}, self.invoice.customer)

    @cached_property
    def lines(self) -> list[InvoiceLine]:
        return list(self.invoice.lines.order_by("position"))

    @cached_property
    def withheld(self) -> list[Tax]:
        """What the customer keeps back, tax by tax; where only the sum is known, the sum (M-6)."""
        kept = self.invoice.gross_value - self.invoice.payment_value
        if not kept:
            return []
        rows = self.invoice.withholdings.filter(withheld__gt=0).order_by("pk")
        taxes = [Tax(f"{row.tax} retido", row.withheld) for row in rows]
        told = sum((tax.value for tax in taxes), ZERO) == kept
        return taxes if told else [Tax("Retenções na fonte", kept)]

    @cached_property
    def instalments(self) -> list[Instalment]:
        payable = {one.receivable.pk: one for one in self.payable}
        return [
            _instalment(parcel, self.receipts, payable.get(parcel.receivable.pk), self.found)
            for parcel in self.found.parcels
        ]

    @cached_property
    def payable(self) -> list[paying.Parcel]:
        """What this person may pay now; nothing that is under way."""
        if self.bill is None or not self.found.can_pay or Action.PAY not in self.actions:
            return []
        return [one for one in self.bill.open_parcels if not one.is_in_flight]

    @cached_property
    def offers(self) -> Offers:
        return offers_of(self.invoice)

    @property
    def shown_boletos(self) -> list[paying.Parcel]:
        """Parcels with a boleto that is still paid at its own value, for everybody to see."""
        if self.bill is None or not self.found.can_pay:
            return []
        return [one for one in self.bill.open_parcels if one.boleto and one.is_current]

    @property
    def in_flight_since(self) -> datetime | None:
        return self.found.in_flight_since

    @cached_property
    def events(self) -> list[Event]:
        return timeline(
            self.invoice,
            receipts=self.receipts,
            notes=self.notes,
            disputes=self.disputes,
            charges=self.bill.charges if self.bill is not None else None,
        )

    @property
    def can_send(self) -> bool:
        """May it be sent and shared by this person, now?"""
        return self.found.estado in (*UNPAID, "paga") and self.portal.can(Capability.SEND_INVOICE)

    @property
    def can_share(self) -> bool:
        return self.can_send and self.found.can_pay


def invoice_page(portal: Portal, invoice: Invoice, *, address: str, today: date) -> InvoicePage:
    """The page of an emitted invoice, as `get_invoice` answers it."""
    disputes = list(invoice.disputes.order_by("pk"))
    bill = paying.to_pay(invoice, today=today) if _may_be_paid(invoice) else None
    found = situations(
        [invoice],
        today=today,
        parcels=_known(invoice, bill, today),
        namesakes={invoice.pk} if address.endswith(f"@{invoice.pk}") else (),
        disputes={one.invoice_id: one for one in disputes if one.is_live},
    )[invoice.pk]
    return InvoicePage(
        portal=portal,
        found=found,
        bill=bill,
        receipts=_receipts(invoice, found, bill),
        notes=customer_notes([invoice.pk]).get(invoice.pk, []),
        disputes=disputes,
    )


def _may_be_paid(invoice: Invoice) -> bool:
    return bool(invoice.state == Invoice.State.TO_RECEIVE and not invoice.void)


def _known(invoice: Invoice, bill: paying.ToPay | None, today: date) -> dict[int, Any]:
    """The instalments, from what has been read of the invoice."""
    if bill is not None:
        return {invoice.pk: _parcels(bill)}
    profile = getattr(invoice.organization, "profile", None)
    calendar = calendar_with(tuple(profile.extra_holidays or ()) if profile else ())
    return parcels_of([invoice], today=today, calendars={invoice.organization_id: calendar})


def _parcels(bill: paying.ToPay) -> tuple[Parcel, ...]:
    """The same instalments as lists know them."""
    return tuple(
        Parcel(
            one.receivable,
            one.is_late,
            one.in_flight.created_at if one.in_flight else None,
            _reissued_to(one),
        )
        for one in bill.parcels
    )


def _reissued_to(parcel: paying.Parcel) -> date | None:
    """The day that its boleto falls due, where that is later than the parcel itself (P08)."""
    boleto = parcel.boleto
    is_later = boleto is not None and boleto.due_date > parcel.receivable.due_date
    return boleto.due_date if boleto is not None and is_later else None


def _receipts(invoice: Invoice, found: Situation, bill: paying.ToPay | None) -> list[Receipt]:
    """Nothing is asked of an invoice that nobody has begun to pay."""
    is_touched = invoice.paid_total or found.in_flight_since or found.estado not in UNPAID
    payments = bill.payments if bill is not None else None
    return receipts_of(invoice, payments) if is_touched else []


def _side(data: dict[str, Any], party: Any) -> Side:
    def told(name: str) -> str:
        return str(data.get(name) or ("" if data else getattr(party, name)) or "")

    street = ", ".join(filter(None, (told("address"), told("number"))))
    city = "/".join(filter(None, (told("city"), told("state"))))
    zipcode = told("zipcode")
    places = (street, told("complement"), told("district"), city)
    code = f"CEP {cep_mask(zipcode)}" if zipcode else ""
    return Side(
        name=told("company_name") or told("name"),
        document=told("document"),
        address=" – ".join(filter(None, (*places, code))),
    )


def _instalment(
    parcel: Parcel, receipts: Sequence[Receipt], pay: paying.Parcel | None, found: Situation
) -> Instalment:
    receivable = parcel.receivable
    mine = [one for one in receipts if receivable.position in one.positions]
    estado, texto = _estado(parcel, found)
    received = receivable.paid_principal + receivable.paid_fine + receivable.paid_interest
    methods = ", ".join(dict.fromkeys(one.method for one in mine))
    return Instalment(receivable, estado, texto, received, methods, pay)


def _estado(parcel: Parcel, found: Situation) -> tuple[str, str]:
    """The chip of an instalment: its `data-estado` and words."""
    state = parcel.receivable.state
    if state == Receivable.State.RECEIVED:
        return ("reembolsada", "Reembolsada") if found.estado == "reembolsada" else ("paga", "Paga")
    if state == Receivable.State.RENEGOTIATED:
        return "cancelada", "Renegociada"
    if not parcel.is_open:
        return "cancelada", "Cancelada"
    if parcel.is_in_flight:
        return "processando", "Em processamento"
    return ("vencida", "Vencida") if parcel.is_late else ("aberta", "Em aberto")


def whatsapp_url(found: Situation, link: InvoiceLink) -> str:
    """The address that opens WhatsApp with a message about the invoice (P07)."""
    invoice = found.invoice
    due = f", vencimento {date_br(found.due_date)}" if found.due_date else ""
    name = invoice.organization.company_name or invoice.organization.name
    amount = brl(found.open_principal or invoice.payment_value).replace("\u00a0", " ")
    text = f"Fatura {invoice.label} de {name}: {amount}{due}. Veja e pague: {links.address(link)}"
    return WHATSAPP + quote(text, safe="")


def page_url(found: Situation) -> str:
    return reverse("portal-fatura", args=[found.address])
