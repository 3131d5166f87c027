"""A Pix as a row, before the bank is told: kind, value, dates and terms (PX-1, PX-2, P08)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.engine.late_charges import FIXED, PERCENTAGE, WITHOUT, LateTerms
from billing.errors import fault
from billing.gateways.pix import brcode
from billing.gateways.pix.provider import Debtor, Kind, Lateness, Order
from billing.models import Charge, GatewayAccount, Invoice, Receivable
from billing.selectors.late_terms import charge_template_of, charge_terms
from billing.services.boletos import wording
from billing.services.boletos.choice import agreement_of
from billing.services.boletos.draft import document_number
from billing.services.boletos.quotes import Quote, Quoting
from billing.services.ledger import Held
from billing.services.pix.wiring import Receiver, has_provider
from lib.money import half_up

LIMIT_DAYS = 59  # after the due date, where no agreement says another number (BO-6)
LATEST = time(23, 59, 59)
_MAX_AMOUNT = 10**10  # ten digits before the point
TOO_MUCH = "O valor de um Pix vai de R$ 0,01 a R$ 9.999.999.999,99."
NOT_ON = "escolha uma data entre hoje e {last}"


@dataclass(frozen=True)
class Wanted:
    """The Pix that a receivable needs now.

    `limit` is set for one with due date (cobv): the last day that the bank takes it on. `ends_at`
    is None only for a static code.
    """

    quote: Quote
    terms: LateTerms
    limit: date | None
    ends_at: datetime | None

    def is_met_by(self, charge: Charge, *, at: datetime) -> bool:
        """Whether the charge collects the very same."""
        is_current = charge.expires_at is None or charge.expires_at > at
        parts = (charge.principal, charge.fine, charge.interest, charge.due_date)
        quote = self.quote
        return is_current and parts == (quote.principal, quote.fine, quote.interest, quote.due)


def wanted(
    held: Held,
    receivable: Receivable,
    gateway: GatewayAccount,
    *,
    today: date,
    on: date | None,
) -> Wanted:
    """Due as the receivable is, with late charges told to the bank; for a late one the value of
    `on` (default: today), payable until its last second. Raises InvalidInput for another day.
    """
    quoting = Quoting.of(receivable, held.invoice)
    zone = held.account.time_zone
    if quoting.is_overdue(today):
        quote = quoting.at(_chosen(quoting, on, today=today))
        return _checked(Wanted(quote, _rounded(quoting.terms), None, last_moment(quote.due, zone)))
    quote = quoting.at(receivable.due_date)
    if not has_provider(gateway):
        return _checked(Wanted(quote, _rounded(quoting.terms), None, None))
    return _checked(_in_time(held.invoice, quoting, quote, today=today, zone=zone))


def _in_time(invoice: Invoice, quoting: Quoting, quote: Quote, *, today: date, zone: str) -> Wanted:
    """With due date, unless its day is over (a holiday's parcel) or nobody can be named in it."""
    terms = _rounded(quoting.terms)
    if quote.due < today or not _debtor(invoice):
        last = quoting.calendar.next_business_day(quote.due)
        return Wanted(quote, terms, None, last_moment(last, zone))
    agreement = agreement_of(invoice, charge_template_of(invoice))
    days = agreement.limit_days if agreement is not None else LIMIT_DAYS
    limit = wording.limit_date(quote.due, days, calendar=quoting.calendar)
    return Wanted(quote, terms, limit, last_moment(limit, zone))


def _chosen(quoting: Quoting, on: date | None, *, today: date) -> date:
    """A day of SV-1; Pix are paid on any of the week."""
    last = quoting.calendar.add_business_days(today, quoting.n_days)
    chosen = on or today
    if not today <= chosen <= last:
        raise fault("on", NOT_ON.format(last=last.strftime("%d/%m/%Y")))
    return chosen


def last_moment(day: date, zone: str) -> datetime:
    """23:59:59 of `day` there."""
    return datetime.combine(day, LATEST, tzinfo=ZoneInfo(zone))


def _checked(given: Wanted) -> Wanted:
    if not 0 < given.quote.total < _MAX_AMOUNT:
        raise fault("amount", TOO_MUCH)
    return given


def _rounded(terms: LateTerms) -> LateTerms:
    """As the bank takes them, with two decimals; those count for us, too (LATE-3)."""
    return LateTerms(
        terms.fine_type,
        half_up(terms.fine_value),
        terms.interest_type,
        half_up(terms.interest_value),
        terms.daily_registered,
    )


def write_pix(
    held: Held,
    receivable: Receivable,
    gateway: GatewayAccount,
    given: Wanted,
    *,
    today: date,
    at: datetime,
) -> Charge:
    """An unsaved charge in draft; of a static code the gateway is left out, its bank knows none."""
    limit_days = (given.limit - given.quote.due).days if given.limit else 0
    is_dynamic = has_provider(gateway)
    return Charge(
        account=held.account,
        receivable=receivable,
        kind=Charge.Kind.PIX,
        gateway=gateway if is_dynamic else None,
        amount=given.quote.total,
        principal=given.quote.principal,
        fine=given.quote.fine,
        interest=given.quote.interest,
        issued_on=today,
        due_date=given.quote.due,
        limit_date=given.limit,
        expires_at=given.ends_at,
        terms=wording.as_stored(given.terms, limit_days=limit_days),
        document_number=document_number(held.invoice, receivable),
        # Kept before the bank is asked: whatever happens, a repetition is the same charge there.
        txid=uuid.uuid4().hex if is_dynamic else static_txid(receivable),
        created_at=at,
    )


def static_txid(receivable: Receivable) -> str:
    """PX-1."""
    return f"FAT{receivable.pk}"


def static_code(charge: Charge, receiver: Receiver) -> str:
    """The code of a charge without provider. Raises brcode.InvalidBrCode."""
    return brcode.static(
        key=receiver.key,
        name=receiver.name,
        city=receiver.city,
        amount=charge.amount,
        txid=charge.txid,
    )


def kind_of(charge: Charge) -> Kind:
    return Kind.DUE if charge.limit_date else Kind.IMMEDIATE


def order_of(charge: Charge, invoice: Invoice, key: str, *, at: datetime) -> Order | None:
    """What the bank is asked for; None when the time to pay it is over already."""
    assert charge.expires_at is not None
    seconds = int((charge.expires_at - at).total_seconds())
    if seconds <= 0:
        return None
    limit_days = (charge.limit_date - charge.due_date).days if charge.limit_date else 0
    return Order(
        txid=charge.txid,
        key=key,
        amount=charge.amount,
        debtor=_debtor(invoice),
        text=f"Fatura {charge.document_number}",
        due_on=charge.due_date if charge.limit_date else None,
        valid_days=limit_days,
        seconds=0 if charge.limit_date else seconds,
        lateness=_lateness(charge_terms(charge)) if limit_days else Lateness(),
    )


def _lateness(terms: LateTerms | None) -> Lateness:
    if terms is None:
        return Lateness()
    fixed = terms.interest_value if terms.interest_type == FIXED else None
    return Lateness(
        fine_percent=terms.fine_value if terms.fine_type == PERCENTAGE else None,
        fine_value=terms.fine_value if terms.fine_type == FIXED else None,
        monthly_percent=_monthly(terms),
        daily_value=fixed if terms.daily_registered is None else terms.daily_registered,
    )


def _monthly(terms: LateTerms) -> Decimal | None:
    if terms.daily_registered is not None or terms.interest_type in (FIXED, WITHOUT):
        return None
    return terms.interest_value


def _debtor(invoice: Invoice) -> Debtor | None:
    """The customer as the invoice froze it; None without a document."""
    snapshot = invoice.customer_snapshot
    data = snapshot.data if snapshot is not None else {}
    if not data.get("document"):
        return None
    return Debtor(
        document=data["document"],
        name=data.get("company_name") or data.get("name") or "",
        street=" ".join(part for part in (data.get("address"), data.get("number")) if part),
        city=data.get("city") or "",
        state=data.get("state") or "",
        zipcode=data.get("zipcode") or "",
    )
