"""Invoices through their states (billing-engine §3.1): each service locks, checks, moves, tells.

A refusal leaves everything as it was. Whoever also changes receivables locks the invoice first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django_fsm import TransitionNotAllowed, can_proceed

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import (
    CannotApprove,
    CannotBlock,
    CannotCancel,
    CannotEmit,
    CannotUndoCancellation,
    CannotUndoEmission,
    CannotVoid,
    CannotVoidPaid,
    CannotVoidVoided,
    CannotVoidWithNote,
    PaymentInProgress,
    fault,
)
from billing.models import FollowUp, Invoice, PartySnapshot, Payment, Receivable, Transaction
from billing.selectors.templates import default_template_versions, version_for
from billing.services import note_cancellation
from billing.services.charge_closing import close_charges
from billing.services.drafts import InvoiceDraft, LineDraft, write_invoice
from billing.services.invoice_parcels import follow_invoice
from billing.services.note_schedule import plan_notes
from billing.services.numbering import take_numbers
from billing.services.outbox import Event, announce
from billing.services.owed_work import EVERYTHING, owe_again
from billing.services.snapshots import snapshots_for
from billing.services.withholdings import forget, withhold_from
from lib import clock
from lib.errors import DomainError

__all__ = ["InvoiceDraft", "LineDraft"]  # what create_invoice takes

_RECEIVABLE_STATE = (
    "state", "state_before_cancel", "received_value", "received_at", "open_principal",
    "paid_principal", "written_off", "paid_fine", "paid_interest", "charged_until",
)  # fmt: skip


@transaction.atomic
def create_invoice(draft: InvoiceDraft, *, account: Account, actor: Actor) -> Invoice:
    """Write an invoice to be emitted. Integrators are told nothing yet (§3.1).

    Raises NotFound, NegativeTotal or InvalidInput.
    """
    invoice = write_invoice(draft, account=account, at=clock.now())
    after = {"title": invoice.title, "total": invoice.gross_value, "due_date": invoice.due_date}
    record(account, actor=actor, action="fatura.criada", target=invoice, after=after)
    return invoice


@transaction.atomic
def emit_invoice(
    invoice_id: int, *, account: Account, actor: Actor, today: date | None = None
) -> Invoice:
    """Number the invoice, freeze what it prints and start collecting; dates stay (DECISIONS 3).

    `today` is a date in the account's zone. Raises CannotEmit when it is not to be emitted or not
    approved.
    """
    invoice = lock_invoice(invoice_id, account=account)
    if invoice.approval_status != Invoice.Approval.APPROVED or not can_proceed(invoice.emit):
        raise CannotEmit()
    put_in_force(invoice, today=today or clock.today(account.time_zone))
    _record(invoice, account, actor, "fatura.emitida", before=Invoice.State.TO_EMIT)
    return invoice


@transaction.atomic
def undo_emission(invoice_id: int, *, account: Account, actor: Actor) -> Invoice:
    """Take the invoice back to be billed. Its number waits for the next emission.

    Raises CannotUndoEmission once something is received or a fiscal document stands.
    """
    invoice = lock_invoice(invoice_id, account=account)
    receivables = lock_receivables(invoice)
    if _is_paid(invoice, receivables) or _has_note(invoice):
        raise CannotUndoEmission()
    _refuse_in_flight(receivables)
    with refusing(CannotUndoEmission):
        invoice.undo_emission()
    # The next emission freezes the party and the template anew.
    invoice.customer_snapshot = invoice.organization_snapshot = invoice.template_version = None
    _move(receivables, lambda receivable: receivable.undo_emission())
    close_charges(receivables, at=clock.now())
    note_cancellation.drop_waiting(invoice)
    forget(invoice)
    _drop_follow_ups(invoice)
    invoice.save()
    announce(invoice, Event.UNDO_EMISSION)
    _record(invoice, account, actor, "fatura.emissao_desfeita", before=Invoice.State.TO_RECEIVE)
    return invoice


def cancel_invoice(
    invoice_id: int, *, account: Account, actor: Actor, automatically: bool = False
) -> Invoice:
    """Stop collecting; lines and number stay. Raises CannotCancel once something is received.

    Its note is cancelled first, or CannotCancel says why it stands. Not inside a transaction where
    there may be a note: its authority is asked.
    """
    invoice: Invoice = Invoice.objects.get_of(account, pk=invoice_id)
    if can_proceed(invoice.cancel) and not invoice.paid_total:
        try:
            note_cancellation.withdraw(invoice, actor=actor, reason="cobrança cancelada")
        except CannotVoidWithNote as standing:
            raise CannotCancel(standing.mensagem) from standing
    return _cancel(invoice_id, account=account, actor=actor, automatically=automatically)


@transaction.atomic
def _cancel(invoice_id: int, *, account: Account, actor: Actor, automatically: bool) -> Invoice:
    invoice = lock_invoice(invoice_id, account=account)
    receivables = lock_receivables(invoice)
    before = invoice.state
    if _is_paid(invoice, receivables):
        raise CannotCancel()
    _refuse_in_flight(receivables)
    if note_cancellation.standing_note(invoice) is not None:
        raise CannotCancel(note_cancellation.IN_PROCESS)
    with refusing(CannotCancel):
        invoice.cancel(at=clock.now(), automatically=automatically)
    _close(invoice, receivables)
    _record(invoice, account, actor, "fatura.cancelada", before=before)
    return invoice


@transaction.atomic
def undo_cancellation(invoice_id: int, *, account: Account, actor: Actor) -> Invoice:
    """Put the invoice back where it was. Raises CannotUndoCancellation; a void is for ever."""
    invoice = lock_invoice(invoice_id, account=account)
    if invoice.void:
        raise CannotUndoCancellation()
    was_emitted = invoice.state_before_cancel == Invoice.State.TO_RECEIVE
    with refusing(CannotUndoCancellation):
        if was_emitted:
            invoice.restore_to_receive()
        else:
            invoice.restore_to_emit()
    _move(lock_receivables(invoice), _restore)
    invoice.save()
    if was_emitted:
        owe_again(invoice, at=clock.now(), kinds=(FollowUp.Kind.PDF, FollowUp.Kind.CHARGES))
        plan_notes([invoice.pk], at=clock.now())
    announce(invoice, Event.UNDO_CANCELLATION)
    _record(invoice, account, actor, "fatura.cancelamento_desfeito", before=Invoice.State.CANCELLED)
    return invoice


def void_invoice(invoice_id: int, *, account: Account, actor: Actor, reason: str) -> Invoice:
    """Declare that the invoice should not have existed: its transactions can be billed again.

    VOID-1: final, and only while nothing is paid. Its note is cancelled first. Raises InvalidInput
    without a reason, CannotVoidVoided, CannotVoidPaid, CannotVoid, or CannotVoidWithNote, which
    says why the note stands. Not inside a transaction where there may be a note.
    """
    if not reason.strip():
        raise fault("motivo", "Informe o motivo.")
    invoice: Invoice = Invoice.objects.get_of(account, pk=invoice_id)
    if note_cancellation.has_notes(invoice):
        _check_voidable(invoice, list(invoice.receivables.all()))
        note_cancellation.withdraw(invoice, actor=actor, reason=reason.strip())
    return _void(invoice_id, account=account, actor=actor, reason=reason)


@transaction.atomic
def _void(invoice_id: int, *, account: Account, actor: Actor, reason: str) -> Invoice:
    invoice = lock_invoice(invoice_id, account=account)
    receivables = lock_receivables(invoice)
    before = invoice.state
    _check_voidable(invoice, receivables)
    _refuse_in_flight(receivables)
    _refuse_standing(invoice)
    with refusing(CannotVoid):
        invoice.annul(at=clock.now(), reason=reason.strip())
    _take_back_credit(invoice)
    released = _release_transactions(invoice)
    invoice.pdfs.all().delete()
    _close(invoice, receivables)
    after = {"state": invoice.state, "motivo": invoice.void_reason, "transactions": released}
    record(
        account,
        actor=actor,
        action="fatura.anulada",
        target=invoice,
        before={"state": before},
        after=after,
    )
    return invoice


def _take_back_credit(invoice: Invoice) -> None:
    """What a cancellation credited of this invoice (PRO-3) is owed no more once it is void."""
    credits = Transaction.objects.filter(
        customer_id=invoice.customer_id, source=f"cancelamento:{invoice.pk}"
    )
    if credits.filter(invoice__isnull=False).exists():
        raise CannotVoid("O crédito dado por esta fatura já foi usado em outra.")
    credits.delete()


@transaction.atomic
def block_invoice(invoice_id: int, *, account: Account, actor: Actor) -> Invoice:
    """Keep the invoice from being emitted. Raises CannotBlock unless to be emitted and approved."""
    invoice = lock_invoice(invoice_id, account=account)
    if invoice.state != Invoice.State.TO_EMIT:
        raise CannotBlock()
    with refusing(CannotBlock):
        invoice.block()
    invoice.save()
    announce(invoice, Event.UPDATE)
    record(account, actor=actor, action="fatura.bloqueada", target=invoice)
    return invoice


@transaction.atomic
def approve_invoice(
    invoice_id: int, *, account: Account, actor: Actor, today: date | None = None
) -> Invoice:
    """Free the invoice for emission; a past issue date becomes `today`, due dates stay.

    Raises CannotApprove unless it is to be emitted and blocked.
    """
    invoice = lock_invoice(invoice_id, account=account)
    before = {"issue_date": invoice.issue_date}
    if invoice.state != Invoice.State.TO_EMIT:
        raise CannotApprove()
    with refusing(CannotApprove):
        invoice.approve(today=today or clock.today(account.time_zone))
    invoice.save()
    follow_invoice(invoice)
    announce(invoice, Event.UPDATE)
    after = {"issue_date": invoice.issue_date}
    record(
        account, actor=actor, action="fatura.aprovada", target=invoice, before=before, after=after
    )
    return invoice


# --- pieces shared with the other services of invoices -----------------------------------------


def lock_invoice(invoice_id: int, *, account: Account) -> Invoice:
    """The account's invoice, locked until the commit. Raises NotFound."""
    invoice: Invoice = Invoice.objects.select_for_update().get_of(account, pk=invoice_id)
    return invoice


def lock_receivables(invoice: Invoice) -> list[Receivable]:
    """All receivables of a locked invoice, in order, locked too."""
    return list(invoice.receivables.select_for_update().order_by("position"))


@contextmanager
def refusing(error: type[DomainError]) -> Iterator[None]:
    """Turn a transition that the state does not allow into the domain's refusal."""
    try:
        yield
    except TransitionNotAllowed as refused:
        raise error() from refused


def save_receivables(receivables: Sequence[Receivable]) -> None:
    """Save the states and amounts of many receivables in one statement."""
    if receivables:
        Receivable.objects.bulk_update(receivables, _RECEIVABLE_STATE)


def put_in_force(invoice: Invoice, *, today: date) -> None:
    """Emit a locked invoice that may be emitted: all the effects, no check and no audit.

    One with nothing to receive is received at once (PF-10), with R$ 0,00 on `today`.
    """
    at = clock.now()
    net = withhold_from([invoice.pk])
    invoice.payment_value = net.get(invoice.pk, invoice.payment_value)
    customer, organization = _freeze(invoice, at=at)
    receivables = lock_receivables(invoice)
    _move(receivables, lambda receivable: receivable.emit())
    if invoice.number is None:
        invoice.series, invoice.number = take_numbers(invoice.organization_id, 1)
    invoice.emit(at=at, customer=customer, organization=organization)
    events = [Event.EMIT]
    if not invoice.payment_value:
        _move(receivables, lambda receivable: receivable.settle(value=Decimal("0.00"), on=today))
        invoice.confirm_receival(at=at)
        events.append(Event.CONFIRM_RECEIVAL)
    invoice.save()
    owe_again(invoice, at=at, kinds=EVERYTHING)
    plan_notes([invoice.pk], at=at)
    for event in events:
        announce(invoice, event)


# --- details -----------------------------------------------------------------------------------


def _freeze(invoice: Invoice, *, at: datetime) -> tuple[PartySnapshot, PartySnapshot]:
    """Pin the template (TPL-3); answers the snapshots of customer and organization."""
    versions = default_template_versions([invoice.organization_id])
    invoice.template_version_id = version_for(
        versions.get(invoice.organization_id, {}), invoice.customer.language
    )
    ids = snapshots_for([invoice.customer, invoice.organization], at=at)
    found = PartySnapshot.objects.in_bulk(list(ids.values()))
    return found[ids[invoice.customer_id]], found[ids[invoice.organization_id]]


def _is_paid(invoice: Invoice, receivables: Sequence[Receivable]) -> bool:
    """Something was received, even if with a discount of the whole."""
    return (
        invoice.state == Invoice.State.RECEIVED
        or invoice.paid_total > 0
        or any(r.state == Receivable.State.RECEIVED or r.paid_principal for r in receivables)
    )


def _refuse_in_flight(receivables: Sequence[Receivable]) -> None:
    """Money may be on its way (VOID-1)."""
    under_way = Payment.objects.filter(
        receivable__in=[r.pk for r in receivables], state__in=Payment.IN_FLIGHT
    )
    if under_way.exists():
        raise PaymentInProgress()


def _has_note(invoice: Invoice) -> bool:
    """A fiscal document was issued for the invoice, by us or elsewhere, and not cancelled."""
    if note_cancellation.standing_note(invoice) is not None:
        return True
    return bool(invoice.nfe.get("nfe_issued"))


def _refuse_standing(invoice: Invoice) -> None:
    """A note that was issued, or sent, since it was looked for."""
    if (note := note_cancellation.standing_note(invoice)) is not None:
        text = f"Cancele a NF {note.number} antes." if note.number else ""
        raise CannotVoidWithNote(text or note_cancellation.IN_PROCESS)


def _check_voidable(invoice: Invoice, receivables: Sequence[Receivable]) -> None:
    if invoice.void:
        raise CannotVoidVoided()
    if _is_paid(invoice, receivables):
        raise CannotVoidPaid()
    # A note of ours is cancelled with the invoice; of one issued elsewhere we only know.
    if invoice.nfe.get("nfe_issued") and note_cancellation.current_note(invoice) is None:
        number = invoice.client_number
        raise CannotVoidWithNote(f"Cancele a NF {number} antes de anular." if number else "")


def _release_transactions(invoice: Invoice) -> int:
    """Make the invoice's transactions unbilled; lines stay as history. Answers how many."""
    invoice.lines.update(is_released=True)
    billed = invoice.transactions.exclude(kind=Transaction.Kind.PAYMENT)
    return billed.update(invoice=None)


def _close(invoice: Invoice, receivables: Sequence[Receivable]) -> None:
    """What cancelling and voiding have in common, once the invoice has moved."""
    _move([r for r in receivables if can_proceed(r.cancel)], lambda receivable: receivable.cancel())
    close_charges(receivables, at=clock.now())
    note_cancellation.drop_waiting(invoice)
    _drop_follow_ups(invoice)
    invoice.save()
    announce(invoice, Event.CANCEL)


def _restore(receivable: Receivable) -> None:
    if receivable.state != Receivable.State.CANCELLED:
        return
    if receivable.state_before_cancel == Receivable.State.TO_RECEIVE:
        receivable.restore_to_receive()
    else:
        receivable.restore_to_emit()


def _move(receivables: Sequence[Receivable], change: Callable[[Receivable], None]) -> None:
    for receivable in receivables:
        change(receivable)
    save_receivables(receivables)


def _drop_follow_ups(invoice: Invoice) -> None:
    invoice.follow_ups.all().delete()


def _record(invoice: Invoice, account: Account, actor: Actor, action: str, *, before: str) -> None:
    record(
        account,
        actor=actor,
        action=action,
        target=invoice,
        before={"state": before},
        after={"state": invoice.state, "number": invoice.label},
    )
