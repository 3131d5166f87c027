"""How staff end a dispute: kept, credited, corrected or paid back (P-9, B12).

Whatever asks somebody else (the authority of a note, the bank of a payment) is done first and
outside of any transaction; cut off in between, the same decision made again goes on from there.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import CannotRefund, fault
from billing.models import Dispute, Invoice, InvoiceLine, Payment, Receivable, Refund
from billing.models.rule import BillingOptions
from billing.selectors.disputes import contested_amount
from billing.services import ledger
from billing.services.disputes import collecting, letters, words
from billing.services.disputes.faults import CreditTooHigh, DisputeClosed
from billing.services.disputes.terms import settings_of
from billing.services.disputes.thread import add_of_staff, held
from billing.services.drafts import InvoiceDraft, LineDraft
from billing.services.invoices import create_invoice, void_invoice
from billing.services.payments.card_refunds import refund_payment
from billing.services.payments.credits import grant_credit, use_credit
from billing.services.payments.manual import amount_owed
from billing.services.pix.refunding import refund_pix
from lib import clock
from lib.money import half_up

ZERO = Decimal("0.00")
_VOID = "Anulado:"


@transaction.atomic
def keep(dispute_id: int, text: str, *, account: Account, actor: Actor) -> Dispute:
    """The charge is right. What is open may be paid without fine and interest for some days.

    Raises NotFound, InvalidInput without a text, DisputeClosed.
    """
    said = words.message(text, missing=words.NO_ANSWER)
    dispute = held(dispute_id, account)
    until = collecting.forgive_lateness(dispute, today=clock.today(account.time_zone))
    dispute.reject(at=clock.now(), grace_until=until)
    return _end(dispute, said, actor=actor, told={})


@transaction.atomic
def credit(
    dispute_id: int, text: str, *, account: Account, actor: Actor, amount: Decimal
) -> Dispute:
    """The charge was wrong by `amount` (BRL, at most what is contested): the customer gets credit.

    It pays what is open of the very invoice, oldest first; the rest stays in the wallet. Less than
    what is contested accepts the dispute in part. Raises NotFound, InvalidInput, CreditTooHigh,
    DisputeClosed.
    """
    said, value = words.message(text, missing=words.NO_ANSWER), half_up(amount)
    known: Dispute = Dispute.objects.get_of(account, pk=dispute_id)
    ledger.hold_wallet([known.customer_id])  # before all else that is held
    dispute = held(dispute_id, account)
    contested = contested_amount(dispute)
    if value > contested:
        raise CreditTooHigh()
    grant_credit(
        dispute.customer_id, account=account, actor=actor, amount=value, reason=_why(dispute)
    )
    today = clock.today(account.time_zone)
    until = collecting.forgive_lateness(dispute, today=today)
    _pay_with(dispute, value, actor=actor, today=today)
    _accept(dispute, is_whole=value == contested, until=until if _is_open(dispute) else None)
    return _end(dispute, said, actor=actor, told={"credito": value})


def correct(dispute_id: int, text: str, *, account: Account, actor: Actor) -> Dispute:
    """The invoice should not have been: void it, and prepare another for staff to correct.

    The new one is blocked until somebody approves it; transactions of the old one wait to be billed
    again instead. Not inside a transaction. Raises NotFound, InvalidInput, DisputeClosed and as
    `void_invoice`.
    """
    said = words.message(text, missing=words.NO_ANSWER)
    known = _live(dispute_id, account)
    if not known.invoice.void:
        void_invoice(known.invoice_id, account=account, actor=actor, reason=_why(known))
    with transaction.atomic():
        dispute = held(dispute_id, account)
        redone = _draft_again(dispute.invoice, account=account, actor=actor)
        _accept(dispute, is_whole=True, until=None)
        told = {"anulada": dispute.invoice.label, "nova": redone.pk if redone else None}
        return _end(dispute, said, actor=actor, told=told)


def pay_back(
    dispute_id: int,
    text: str,
    *,
    account: Account,
    actor: Actor,
    payment_id: int,
    amount: Decimal | None = None,
) -> Dispute:
    """Give `amount` (BRL; default: all that is left) of a card or Pix payment back.

    Not inside a transaction: the bank is asked. Raises NotFound, InvalidInput, DisputeClosed and
    as the refund of that method.
    """
    said = words.message(text, missing=words.NO_ANSWER)
    known = _live(dispute_id, account)
    payment: Payment = Payment.objects.get_of(account, pk=payment_id, invoice=known.invoice_id)
    refund = _asked(known, payment) or _ask_back(known, payment, amount, actor=actor)
    with transaction.atomic():
        dispute = held(dispute_id, account)
        until = collecting.forgive_lateness(dispute, today=clock.today(account.time_zone))
        _accept(dispute, is_whole=refund.amount >= contested_amount(dispute), until=until)
        return _end(dispute, said, actor=actor, told={"reembolso": refund.amount})


# --- details ------------------------------------------------------------------------------------


def _live(dispute_id: int, account: Account) -> Dispute:
    rows = Dispute.objects.select_related("invoice__series", "account")
    found: Dispute = rows.get_of(account, pk=dispute_id)
    if not found.is_live:
        raise DisputeClosed()
    return found


def _why(dispute: Dispute) -> str:
    return f"Contestação {dispute.protocol}"


def _accept(dispute: Dispute, *, is_whole: bool, until: date | None) -> None:
    if is_whole:
        dispute.accept(at=clock.now())
        dispute.grace_until = until
    else:
        dispute.accept_in_part(at=clock.now(), grace_until=until)


def _end(dispute: Dispute, said: str, *, actor: Actor, told: dict[str, Any]) -> Dispute:
    """The last message, collecting again, the letter and the trail."""
    if dispute.answered_at is None:
        dispute.answered_at = dispute.closed_at
    dispute.save(update_fields=["state", "closed_at", "grace_until", "answered_at"])
    collecting.go_on(dispute, actor=actor)
    message = add_of_staff(dispute, said, actor=actor)
    letters.tell_outcome(message)
    after = {"situacao": dispute.state, "carencia": dispute.grace_until, **told}
    record(
        dispute.account, actor=actor, action="contestacao.resolvida", target=dispute, after=after
    )
    return dispute


def _is_open(dispute: Dispute) -> bool:
    rows = dispute.invoice.receivables.filter(state=Receivable.State.TO_RECEIVE)
    return bool(rows.exists())


def _pay_with(dispute: Dispute, value: Decimal, *, actor: Actor, today: date) -> None:
    """Use new credit for the invoice that it is of; a parcel with a payment under way is left."""
    rows = dispute.invoice.receivables.filter(state=Receivable.State.TO_RECEIVE)
    free = rows.exclude(payments__state__in=Payment.IN_FLIGHT).order_by("due_date", "position")
    left = min(value, ledger.credit_balance(dispute.customer_id))
    for receivable_id in list(free.values_list("pk", flat=True)):
        owed = amount_owed(receivable_id, account=dispute.account, on=today).paid
        part = min(left, owed)
        if part > 0:
            use_credit(receivable_id, account=dispute.account, actor=actor, amount=part, on=today)
            left -= part


def _draft_again(invoice: Invoice, *, account: Account, actor: Actor) -> Invoice | None:
    """The void invoice's lines as a new one, blocked; the one that there is; None without lines."""
    known: Invoice | None = Invoice.objects.of(account).filter(replaces=invoice).first()
    if known is not None:
        return known
    rows = invoice.lines.filter(transaction=None).order_by("position")
    lines = [_line(row) for row in rows]
    if not lines:
        return None
    today = clock.today(account.time_zone)
    soonest = today + timedelta(days=settings_of(invoice).min_payment_days)
    parcels = list(invoice.receivables.order_by("position"))
    draft = InvoiceDraft(
        organization_id=invoice.organization_id,
        customer_id=invoice.customer_id,
        contract_id=invoice.contract_id,
        title=invoice.title.removeprefix(_VOID).strip(),
        issue_date=today,
        accrual_date=invoice.accrual_date,
        start_date=invoice.start_date,
        end_date=invoice.end_date,
        due_dates=[max(one.due_date, soonest) for one in parcels],
        lines=lines,
        replaces_id=invoice.pk,
        approval_status=Invoice.Approval.BLOCKED,
        notes=invoice.notes,
        options={name: getattr(invoice, name) for name in BillingOptions.OPTION_FIELDS},
    )
    return create_invoice(draft, account=account, actor=actor)


def _line(row: InvoiceLine) -> LineDraft:
    return LineDraft(
        title=row.title,
        description=row.description,
        units=row.units,
        unit_value=row.unit_value,
        service_item_id=row.service_item_id,
        tax_percentage=row.tax_percentage,
        tax_amount=row.tax_amount,
        occurred_at=row.occurred_at,
        period_start=row.period_start,
        period_end=row.period_end,
    )


def _asked(dispute: Dispute, payment: Payment) -> Refund | None:
    """The refund that was asked for when this decision was cut off."""
    live = (Refund.State.PENDING, Refund.State.SUCCEEDED)
    return payment.refunds.filter(reason=_why(dispute), state__in=live).first()


def _ask_back(
    dispute: Dispute, payment: Payment, amount: Decimal | None, *, actor: Actor
) -> Refund:
    ask: Any = {Payment.Method.CARD: refund_payment, Payment.Method.PIX: refund_pix}.get(
        Payment.Method(payment.method)
    )
    if ask is None:
        raise fault("pagamento", CannotRefund.mensagem)
    found: Refund = ask(
        payment.pk, account=dispute.account, actor=actor, reason=_why(dispute), amount=amount
    )
    return found
