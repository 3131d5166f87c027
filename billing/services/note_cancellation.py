"""Keeping notes in step with their invoices: taken back, cancelled, replaced (issue of notes).

The authority is asked outside of transactions; afterwards the invoice's own service locks and
checks again, so an invoice is never void while its note stands.
"""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from accounts.services.calls import call_after_commit
from billing.errors import CannotReplaceNote, CannotVoidWithNote, fault
from billing.models import Invoice, InvoiceNote, Nfse
from billing.models.invoice_note import NoteStage
from billing.services.issuers import issuers_of
from billing.services.note_emission import text_of
from billing.services.note_known import GOODS_REFUSED, known
from billing.services.note_outcome import follow
from billing.services.note_reasons import cancellation_reasons
from billing.services.note_schedule import TASK
from fiscal.errors import AlreadyCancelled
from fiscal.models import NoteState, OrderState, State
from fiscal.services.event_orders import cancel as cancel_document
from fiscal.services.nfse.cancel import cancel_note
from lib import clock
from lib.errors import DomainError, GatewayUnavailable, NotFound

SHORTEST, LONGEST = 15, 255
IN_PROCESS = "A nota está em processamento. Aguarde a resposta e tente de novo."
IN_CONFLICT = "A nota está em conflito na autoridade; resolva-a na página da nota: {}"
REPLACING = "A nota substituta está em processamento. Aguarde a resposta e tente de novo."
IN_ANALYSIS = "A prefeitura analisa o cancelamento da nota {}. Tente de novo quando ela responder."
NO_ANSWER = "O cancelamento da nota {} ainda não teve resposta. Tente de novo em alguns minutos."
REFUSED = "A nota {} não pôde ser cancelada: {}"
_WAITING = (NoteStage.SCHEDULED, NoteStage.QUEUED, NoteStage.REFUSED)


def current_note(invoice: Invoice | int) -> InvoiceNote | None:
    """The one live or coming note of an invoice."""
    pk = invoice if isinstance(invoice, int) else invoice.pk
    found: InvoiceNote | None = (
        InvoiceNote.objects.filter(invoice_id=pk, slot=InvoiceNote.CURRENT)
        .select_related("service_note__company", "document", "nfse")
        .first()
    )
    return found


def withdraw(invoice: Invoice, *, actor: Actor, reason: str) -> None:
    """See to it that no note stands on an invoice that is to be void or cancelled.

    A note that waits is left to `drop_waiting`. Raises CannotVoidWithNote with the reason: in
    process, refused, in analysis, without an answer. Not inside a transaction.
    """
    _stop_substitute(invoice)
    if (note := current_note(invoice)) is None:
        return
    if note.state not in (NoteStage.SCHEDULED, NoteStage.QUEUED):
        follow([note.pk])  # what was decided meanwhile
        note = current_note(invoice)
    if note is None or (note.state in _WAITING and not _stands_at_fiscal(note)):
        return
    if note.state in (NoteStage.SENT, *_WAITING):
        is_disputed = note.state == NoteStage.SENT and note.error
        raise CannotVoidWithNote(IN_CONFLICT.format(note.error) if is_disputed else IN_PROCESS)
    _cancel(note, actor=actor, reason=reason)


@transaction.atomic
def _stop_substitute(invoice: Invoice) -> None:
    """A note that is to take the place of the current one would outlive it."""
    rows = InvoiceNote.objects.filter(invoice=invoice, slot=InvoiceNote.SUBSTITUTE)
    note = rows.select_for_update(of=("self",)).select_related("service_note").first()
    if note is None:
        return
    if _stands(note):
        raise CannotVoidWithNote(REPLACING)
    note.drop()
    note.save()


def _cancel(note: InvoiceNote, *, actor: Actor, reason: str) -> None:
    begin_cancellation(note, actor=actor, reason=reason)
    try:
        outcome = _asked(note, _statement(note.invoice, reason))
    except AlreadyCancelled:
        outcome = ""
    except DomainError as error:
        outcome = REFUSED.format(note.number, text_of(error))
        _put_back(note, text_of(error))
    except GatewayUnavailable:
        outcome = NO_ANSWER.format(note.number)
    if outcome and note.document is not None:
        _put_back(note, outcome)
    follow([note.pk])
    if outcome:
        raise CannotVoidWithNote(outcome)


def _statement(invoice: Invoice, reason: str) -> str:
    """What the authority is told, 15 to 255 characters."""
    return " ".join(f"Fatura {invoice.label} anulada: {reason}".split())[:LONGEST]


def _asked(note: InvoiceNote, statement: str) -> str:
    """Ask the authority; "" when it is cancelled, else why it is not (yet)."""
    if note.document is not None:
        event = cancel_document(note.document, {"justificativa": statement})
        document = type(note.document).objects.get(pk=note.document.pk)
        if document.state == State.CANCELADO:
            return ""
        return REFUSED.format(note.number, f"{event.c_stat} – {event.x_motivo}".strip(" –"))
    service = note.service_note
    if service is None:
        raise NotFound()
    order = cancel_note(service, justificativa=statement)
    if order.state == OrderState.REGISTRADO:
        return ""
    if order.state == OrderState.REJEITADO:
        return REFUSED.format(note.number, cancellation_reasons(note))
    text = IN_ANALYSIS if order.state == OrderState.EM_ANALISE else NO_ANSWER
    return text.format(note.number)


@transaction.atomic
def begin_cancellation(note: InvoiceNote, *, actor: Actor, reason: str) -> None:
    """Staff and the API see that it was asked for (status 4)."""
    row = InvoiceNote.objects.select_for_update().get(pk=note.pk)
    row.ask_cancellation(reason=reason[:255])
    row.save()
    if row.nfse_id:
        Nfse.objects.filter(pk=row.nfse_id).update(
            status=Nfse.Status.CANCELLING,
            cancellation_requested_at=clock.now(),
            integration_errors="",
            updated_at=clock.now(),
        )
    record(
        note.account,
        actor=actor,
        action="nota.cancelamento_pedido",
        target=note.invoice,
        after={"numero": note.number, "motivo": reason},
    )


@transaction.atomic
def _put_back(note: InvoiceNote, error: str) -> None:
    """It was refused before the authority was asked: the note stands."""
    row = InvoiceNote.objects.select_for_update().get(pk=note.pk)
    if row.state != NoteStage.CANCELLING:
        return
    row.issue()
    row.error = error
    row.save()
    if row.nfse_id:
        Nfse.objects.filter(pk=row.nfse_id).update(
            status=Nfse.Status.CANCELLATION_ERROR,
            integration_errors=error,
            updated_at=clock.now(),
        )


# --- inside the transaction of the invoice ------------------------------------------------------


def has_notes(invoice: Invoice) -> bool:
    """Is there a live or coming note, or one that is to replace it?"""
    return InvoiceNote.objects.filter(invoice=invoice, slot__isnull=False).exists()


def standing_note(invoice: Invoice) -> InvoiceNote | None:
    """A note that keeps a locked invoice from being void: issued, or perhaps on its way."""
    rows = (
        InvoiceNote.objects.filter(invoice=invoice, slot__isnull=False)
        .order_by("slot")
        .select_for_update(of=("self",))
        .select_related("service_note", "document")
    )
    return next((note for note in rows if _stands(note)), None)


def _stands(note: InvoiceNote) -> bool:
    if note.state == NoteStage.SCHEDULED:
        return False
    if note.state == NoteStage.REFUSED:
        return _stands_at_fiscal(note)
    return note.state != NoteStage.QUEUED or _may_be_out(note)


def _stands_at_fiscal(note: InvoiceNote) -> bool:
    """Refused, and yet sent again over there: by its own page, or under its reference."""
    if note.service_note is not None:
        return note.service_note.state != NoteState.REJEITADO
    if note.document is not None:
        return note.document.state not in GOODS_REFUSED
    return False


def _may_be_out(note: InvoiceNote) -> bool:
    """Somebody is handing it over, or was cut off after fiscal took it."""
    if not note.attempts:
        return False
    if note.next_attempt_at is not None and note.next_attempt_at > clock.now() and not note.error:
        return True
    organization = note.invoice.organization
    company = issuers_of([organization]).get(organization.pk)
    return company is not None and bool(known([(company.pk, note.ref)]))


def drop_waiting(invoice: Invoice) -> None:
    """The invoice wants no note any more; one that nobody issued is given up."""
    rows = InvoiceNote.objects.filter(invoice=invoice, state__in=_WAITING, slot__isnull=False)
    for note in rows.select_for_update():
        note.drop()
        note.save()


# --- what staff ask for -------------------------------------------------------------------------


@transaction.atomic
def replace_note(invoice_id: int, *, account: Account, actor: Actor, reason: str) -> InvoiceNote:
    """Put a new note, made of the invoice as it is now, in the place of the issued one.

    The old one stands until the new one is authorized. `reason`: 15 to 255 characters. Raises
    InvalidInput for it, NotFound, or CannotReplaceNote when there is none to replace or one is on
    its way.
    """
    text = " ".join(reason.split())
    if not SHORTEST <= len(text) <= LONGEST:
        raise fault("motivo", f"O motivo deve ter entre {SHORTEST} e {LONGEST} caracteres.")
    invoice: Invoice = Invoice.objects.select_for_update().get_of(account, pk=invoice_id)
    rows = InvoiceNote.objects.filter(invoice=invoice, slot__isnull=False)
    live = {note.slot: note for note in rows.select_for_update(of=("self",))}
    old, coming = live.get(InvoiceNote.CURRENT), live.get(InvoiceNote.SUBSTITUTE)
    if old is None or old.state != NoteStage.ISSUED or old.service_note_id is None:
        raise CannotReplaceNote()
    if coming is not None and coming.state != NoteStage.REFUSED:
        raise CannotReplaceNote(IN_PROCESS)
    note = coming or _substitute(invoice, old)
    note.reason = text
    note.queue(at=clock.now())
    note.save()
    record(account, actor=actor, action="nota.substituicao_pedida", target=invoice,
           after={"numero": old.number, "motivo": text})  # fmt: skip
    call_after_commit(TASK)
    return note


def _substitute(invoice: Invoice, old: InvoiceNote) -> InvoiceNote:
    before = InvoiceNote.objects.filter(invoice=invoice).order_by("-generation")
    last = before.values_list("generation", flat=True).first()
    return InvoiceNote(
        account_id=invoice.account_id,
        invoice=invoice,
        kind=old.kind,
        generation=(last or 0) + 1,
        slot=InvoiceNote.SUBSTITUTE,
        replaces=old,
        created_at=clock.now(),
    )
