"""An invoice's parcels as whoever pays them sees them (P08, P10, P17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Q

from billing.models import Charge, Invoice, Payment, Receivable
from billing.selectors.situations import Estado, estado_of, is_late
from billing.services.boletos.quotes import Quote, Quoting, quotings
from billing.services.ledger import owed
from billing.services.payments.card_answers import action_url
from billing.services.payments.card_texts import outcome_text
from lib import clock
from lib.drawing import qr_svg

REMEMBERED = timedelta(hours=1)  # for so long a refusal is shown
_SHOWN = (Charge.State.OPEN, Charge.State.REGISTERING, Charge.State.DRAFT)


@dataclass(frozen=True)
class Parcel:
    """A receivable as its payer sees it. `total` is what it costs today, late charges included.

    `choices` are the days that an updated boleto may fall due on, empty while nothing is late;
    `is_current`: the boleto is paid at its own value. `attempt` is the last one by card: under
    way, or refused within the hour.
    """

    receivable: Receivable
    days_late: int
    fine: Decimal
    interest: Decimal
    total: Decimal
    choices: Sequence[Quote]
    boleto: Charge | None
    boleto_in_registration: bool
    is_current: bool
    pix: Charge | None
    is_open: bool
    in_flight: Payment | None
    attempt: Payment | None

    @property
    def is_in_flight(self) -> bool:
        return self.in_flight is not None

    @property
    def pix_svg(self) -> str:
        return qr_svg(self.pix.brcode) if self.pix is not None else ""

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
class ToPay:
    """An emitted invoice and its parcels, in order of position; all charges and payments of it."""

    invoice: Invoice
    estado: Estado
    parcels: Sequence[Parcel]
    charges: Sequence[Charge]
    payments: Sequence[Payment]

    @property
    def open_parcels(self) -> Sequence[Parcel]:
        return [one for one in self.parcels if one.is_open]

    @property
    def due_date(self) -> date | None:
        """Of the first parcel that is open, else of the invoice."""
        days = [one.receivable.due_date for one in self.open_parcels]
        return min(days, default=self.invoice.due_date)

    @property
    def open_total(self) -> Decimal:
        return sum((one.total for one in self.open_parcels), Decimal("0.00"))


def to_pay(invoice: Invoice, *, today: date) -> ToPay:
    """What may be paid of an emitted invoice; few queries, however many parcels it has."""
    receivables = list(invoice.receivables.order_by("position"))
    every = list(Charge.objects.filter(receivable__in=receivables).order_by("id"))
    pricing = quotings(invoice, receivables, every)
    charges: dict[int, list[Charge]] = {}
    for charge in every:
        if charge.state in _SHOWN:
            charges.setdefault(charge.receivable_id, []).append(charge)
    paid = Payment.objects.filter(Q(invoice=invoice) | Q(receivable__in=receivables))
    payments = list(paid.order_by("id"))
    last = _last(payments)
    parcels = [
        _parcel(pricing[one.pk], charges.get(one.pk, []), last.get(one.pk), today)
        for one in receivables
    ]
    estado = estado_of(invoice, [one for one in parcels if one.is_open])
    return ToPay(invoice, estado, parcels, every, payments)


def _last(payments: Sequence[Payment]) -> dict[int, Payment]:
    """The last attempt of each receivable, while there is something to say about it."""
    since = clock.now() - REMEMBERED
    return {
        one.receivable_id: one for one in payments if one.receivable_id and _is_told(one, since)
    }


def _is_told(payment: Payment, since: datetime) -> bool:
    refused = payment.state == Payment.State.FAILED and _is_card(payment)
    return payment.is_in_flight or (refused and payment.created_at > since)


def _parcel(
    pricing: Quoting, charges: Sequence[Charge], payment: Payment | None, today: date
) -> Parcel:
    receivable = pricing.receivable
    is_open = receivable.state == Receivable.State.TO_RECEIVE
    due = owed(receivable, on=today, terms=pricing.terms, calendar=pricing.calendar)
    late = is_open and is_late(receivable.due_date, today=today, calendar=pricing.calendar)
    boleto, registering, pix = _charges(receivable, charges, today, late=late)
    return Parcel(
        receivable=receivable,
        days_late=(today - receivable.due_date).days if late else 0,
        fine=due.fine,
        interest=due.interest,
        total=due.paid,
        choices=pricing.choices(today) if late else (),
        boleto=boleto,
        boleto_in_registration=registering,
        is_current=boleto is not None
        and not is_late(boleto.due_date, today=today, calendar=pricing.calendar),
        pix=pix,
        is_open=is_open,
        in_flight=payment if is_open and payment is not None and payment.is_in_flight else None,
        attempt=payment if is_open and payment is not None and _is_card(payment) else None,
    )


def _is_card(payment: Payment) -> bool:
    return payment.method == Payment.Method.CARD


def _charges(
    receivable: Receivable, charges: Sequence[Charge], today: date, *, late: bool
) -> tuple[Charge | None, bool, Charge | None]:
    """The boleto and the Pix that can be paid, and whether a boleto is being registered."""
    if receivable.state != Receivable.State.TO_RECEIVE:
        return None, False, None
    # Part of it may have been paid since they were made: their value is wrong then.
    right = [one for one in charges if one.principal == receivable.open_principal]
    boleto, pix = _open(right, Charge.Kind.BOLETO), _open(right, Charge.Kind.PIX)
    registering = any(
        one.kind == Charge.Kind.BOLETO and one.state != Charge.State.OPEN for one in right
    )
    if boleto is not None and boleto.limit_date is not None and boleto.limit_date < today:
        boleto = None
    if pix is not None and not _is_good(pix, today, late=late):
        pix = None
    return boleto, registering, pix


def _is_good(pix: Charge, today: date, *, late: bool) -> bool:
    """It can be paid now; of a late parcel only one that was made with the late charges (P08)."""
    if pix.expires_at is not None and pix.expires_at <= clock.now():
        return False
    return not late or pix.due_date >= today


def _open(charges: Sequence[Charge], kind: str) -> Charge | None:
    return next((c for c in charges if c.kind == kind and c.state == Charge.State.OPEN), None)
