"""What the page of a public link shows: nothing that the payer would not show the cashier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Q

from billing.engine.late_charges import LateTerms
from billing.models import Charge, Invoice, InvoiceLink, Payment, Receivable
from billing.selectors.late_terms import invoice_calendar, receivable_terms
from billing.services.ledger import owed
from billing.services.payments.card_answers import action_url
from billing.services.payments.card_texts import outcome_text
from lib import clock
from lib.calendars import Calendar
from lib.drawing import qr_svg
from portal.masking import masked_document, masked_name

REMEMBERED = timedelta(hours=1)  # for so long a refusal is shown
MESSAGES = {
    "paga": "Esta fatura está paga. Obrigado.",
    "anulada": "Esta fatura foi anulada e não deve ser paga.",
    "cancelada": "Esta fatura foi cancelada e não deve ser paga.",
}


@dataclass(frozen=True)
class Parcel:
    """A receivable as its payer sees it. `total` is what it costs today, late charges included."""

    receivable: Receivable
    days_late: int
    fine: Decimal
    interest: Decimal
    total: Decimal
    boleto: Charge | None
    boleto_in_registration: bool
    pix: Charge | None
    pix_svg: str
    is_open: bool
    attempt: Payment | None  # the last one by card: under way, or refused today

    @property
    def is_in_flight(self) -> bool:
        return self.attempt is not None and self.attempt.is_in_flight

    @property
    def attempt_text(self) -> str:
        """How the last attempt stands, in the words of P10; "" without one."""
        return outcome_text(self.attempt) if self.attempt else ""

    @property
    def bank_page(self) -> str:
        """Where an attempt that the bank wants confirmed goes on; "" when none does."""
        if self.attempt is None or self.attempt.state != Payment.State.REQUIRES_ACTION:
            return ""
        # The provider's own page takes a new card; a saved one goes on from ours.
        return action_url(self.attempt) if self.attempt.saved_method_id else self.attempt.action_url

    @property
    def is_late(self) -> bool:
        return self.days_late > 0

    @property
    def linha(self) -> str:
        """`00000.00000 00000.000000 00000.000000 0 00000000000000`."""
        digits = self.boleto.linha_digitavel if self.boleto else ""
        if len(digits) != 47:
            return digits
        one, two, three = digits[:10], digits[10:21], digits[21:32]
        fields = [f"{part[:5]}.{part[5:]}" for part in (one, two, three)]
        return " ".join([*fields, digits[32], digits[33:]])


@dataclass(frozen=True)
class PublicInvoice:
    """The page: issuer, masked payer, amounts, parcels and the one word for its state."""

    invoice: Invoice
    issuer_name: str
    issuer_document: str
    payer_name: str
    payer_document: str
    estado: str
    message: str
    parcels: list[Parcel]

    @property
    def can_pay(self) -> bool:
        return self.estado in ("aberta", "vencida", "processando")

    @property
    def due_date(self) -> date | None:
        """Of the first parcel that is open, else of the invoice."""
        days = [p.receivable.due_date for p in self.parcels if p.is_open]
        return min(days, default=self.invoice.due_date)

    @property
    def open_total(self) -> Decimal:
        return sum((p.total for p in self.parcels if p.is_open), Decimal("0.00"))


def public_invoice(link: InvoiceLink) -> PublicInvoice:
    """The invoice of a link that works; its account and parties are loaded."""
    invoice = link.invoice
    today = clock.today(link.account.time_zone)
    receivables = list(invoice.receivables.order_by("position"))
    parcels = _parcels(invoice, receivables, today)
    estado = _estado(invoice, parcels)
    payer, issuer = invoice.customer, invoice.organization
    frozen = invoice.customer_snapshot.data if invoice.customer_snapshot else {}
    name = str(frozen.get("name") or payer.name)
    return PublicInvoice(
        invoice=invoice,
        issuer_name=issuer.company_name or issuer.name,
        issuer_document=issuer.document,
        payer_name=masked_name(name, payer.document),
        payer_document=masked_document(payer.document),
        estado=estado,
        message=MESSAGES.get(estado, ""),
        parcels=parcels,
    )


def _estado(invoice: Invoice, parcels: list[Parcel]) -> str:
    if invoice.void:
        return "anulada"
    if invoice.state == Invoice.State.CANCELLED:
        return "cancelada"
    if invoice.state == Invoice.State.RECEIVED:
        is_refunded = invoice.payment_status == Invoice.PaymentStatus.REFUNDED
        return "reembolsada" if is_refunded else "paga"
    unpaid = [p for p in parcels if p.is_open]
    if unpaid and all(p.is_in_flight for p in unpaid):
        return "processando"
    return "vencida" if any(p.is_late for p in unpaid) else "aberta"


def _parcels(invoice: Invoice, receivables: list[Receivable], today: date) -> list[Parcel]:
    calendar = invoice_calendar(invoice)
    charges: dict[int, list[Charge]] = {}
    shown = (Charge.State.OPEN, Charge.State.REGISTERING, Charge.State.DRAFT)
    for charge in Charge.objects.filter(receivable__in=receivables, state__in=shown):
        charges.setdefault(charge.receivable_id, []).append(charge)
    attempts = _attempts(receivables)
    return [
        _parcel(
            one,
            charges.get(one.pk, []),
            attempts.get(one.pk),
            today,
            receivable_terms(one, invoice),
            calendar,
        )
        for one in receivables
    ]


def _attempts(receivables: list[Receivable]) -> dict[int, Payment]:
    """The last attempt by card of each receivable, while there is something to say about it."""
    said = Q(state__in=Payment.IN_FLIGHT) | Q(
        state=Payment.State.FAILED, created_at__gt=clock.now() - REMEMBERED
    )
    found = Payment.objects.filter(said, receivable__in=receivables, method=Payment.Method.CARD)
    return {one.receivable_id: one for one in found.order_by("id") if one.receivable_id}


def _parcel(
    receivable: Receivable,
    charges: list[Charge],
    attempt: Payment | None,
    today: date,
    terms: LateTerms,
    calendar: Calendar,
) -> Parcel:
    is_open = receivable.state == Receivable.State.TO_RECEIVE
    due = owed(receivable, on=today, terms=terms, calendar=calendar)
    is_late = is_open and today > calendar.next_business_day(receivable.due_date)
    # Part of it may have been paid since they were made: their value is wrong then.
    right = [c for c in charges if c.principal == receivable.open_principal]
    boleto, pix = _open(right, Charge.Kind.BOLETO), _open(right, Charge.Kind.PIX)
    if pix is not None and pix.expires_at is not None and pix.expires_at <= clock.now():
        pix = None
    is_registering = any(c.kind == Charge.Kind.BOLETO for c in right) and boleto is None
    return Parcel(
        receivable=receivable,
        days_late=(today - receivable.due_date).days if is_late else 0,
        fine=due.fine,
        interest=due.interest,
        total=due.paid,
        boleto=boleto if is_open else None,
        boleto_in_registration=is_open and is_registering,
        pix=pix if is_open else None,
        pix_svg=qr_svg(pix.brcode) if is_open and pix is not None else "",
        is_open=is_open,
        attempt=attempt if is_open else None,
    )


def _open(charges: list[Charge], kind: str) -> Charge | None:
    return next((c for c in charges if c.kind == kind and c.state == Charge.State.OPEN), None)
