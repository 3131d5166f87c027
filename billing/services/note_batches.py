"""Many notes at once: asked for by staff, done by a job that tells how far it is (issue of notes).

A job may be cut and done again: a note that was handed over is not handed over twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account, Job, User
from accounts.services.audit import Actor, record
from accounts.services.calls import call_after_commit
from accounts.services.jobs import Progress, create_job
from billing.errors import CannotIssueNote
from billing.models import Invoice, InvoiceNote, NfseTemplate
from billing.models.invoice_note import NoteStage
from billing.services.note_emission import hand_over
from billing.services.note_schedule import TASK, plan_notes
from lib import clock

KIND = "billing.notes"
CHUNK = 50
_EMITTED = (Invoice.State.TO_RECEIVE, Invoice.State.RECEIVED)
_MAY_QUEUE = (NoteStage.SCHEDULED, NoteStage.REFUSED)


def issuable(account: Account, invoice_ids: Collection[int]) -> QuerySet[Invoice]:
    """Emitted invoices of the account whose note may be issued now: none, waiting or refused."""
    live = InvoiceNote.objects.filter(invoice=OuterRef("pk"), slot=InvoiceNote.CURRENT)
    rows: QuerySet[Invoice] = Invoice.objects.of(account).filter(
        ~Exists(live.exclude(state__in=[*_MAY_QUEUE, NoteStage.QUEUED])),
        pk__in=list(invoice_ids),
        state__in=_EMITTED,
        gross_value__gt=0,
    )
    return rows


@transaction.atomic
def start_batch(
    account: Account,
    invoice_ids: Collection[int],
    *,
    user: User | None,
    template: NfseTemplate | None = None,
) -> Job:
    """A job that issues the notes of these invoices. Raises CannotIssueNote when there is none.

    `template` becomes that of those invoices of its organization which have none.
    """
    found = sorted(issuable(account, invoice_ids).values_list("pk", flat=True))
    if not found:
        raise CannotIssueNote("Nenhuma das faturas tem nota a emitir.")
    if template is not None:
        _give_template(found, template)
    return create_job(account, kind=KIND, params={"invoices": found}, user=user)


def _give_template(invoice_ids: Sequence[int], template: NfseTemplate) -> None:
    """To invoices without one, or with one that is there no more."""
    there = NfseTemplate.objects.filter(pk=OuterRef("nfse_template_ref"))
    bare = Invoice.objects.filter(
        ~Exists(there), id__among=list(invoice_ids), organization=template.organization_id
    )
    bare.update(nfse_template_ref=template.pk)


def issue_batch(job: Job, progress: Progress) -> dict[str, Any]:
    """Hand over every note, a chunk at a time; the report counts them by what became of them."""
    ids: list[int] = job.params["invoices"]
    progress.set_total(len(ids))
    done: Counter[str] = Counter()
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        note_ids = queue_notes(job.account, chunk)
        while hand_over(note_ids, limit=CHUNK):
            pass
        done.update(_told(chunk, progress))
    return {"notas": dict(done)}


@transaction.atomic
def queue_notes(account: Account, invoice_ids: Sequence[int]) -> list[int]:
    """Queue the notes of these invoices now, also those that were scheduled or refused.

    An invoice that asked for none gets one. Answers the ids of the queued notes; four statements,
    however many.
    """
    now = clock.now()
    ids = sorted(issuable(account, invoice_ids).values_list("pk", flat=True))
    Invoice.objects.filter(pk__in=ids, issue_nfse=False).update(issue_nfse=True)
    plan_notes(ids, at=now)
    notes = InvoiceNote.objects.filter(invoice_id__in=ids, slot=InvoiceNote.CURRENT)
    notes.filter(state__in=_MAY_QUEUE).update(
        state=NoteStage.QUEUED, next_attempt_at=now, attempts=0, error="", updated_at=now
    )
    call_after_commit(TASK)
    return list(notes.filter(state=NoteStage.QUEUED).values_list("pk", flat=True))


def _told(invoice_ids: Sequence[int], progress: Progress) -> Counter[str]:
    """How the chunk ended, told to whoever watches."""
    counted: Counter[str] = Counter()
    rows = InvoiceNote.objects.filter(invoice_id__in=invoice_ids, slot=InvoiceNote.CURRENT)
    for note in rows.select_related("invoice__series").order_by("id"):
        counted[note.state] += 1
        if note.state == NoteStage.REFUSED:
            progress.failed(f"Fatura {note.invoice.label}", note.error)
    progress.ok(len(invoice_ids) - counted[NoteStage.REFUSED])
    return counted


@transaction.atomic
def issue_one(invoice_id: int, *, account: Account, actor: Actor) -> InvoiceNote:
    """Have the note of an invoice issued now, also again after a refusal.

    Raises NotFound, or CannotIssueNote when the invoice is not emitted or its note is on its way.
    """
    invoice: Invoice = Invoice.objects.select_for_update().get_of(account, pk=invoice_id)
    found = queue_notes(account, [invoice.pk])
    if not found:
        raise CannotIssueNote()
    record(account, actor=actor, action="nota.emissao_pedida", target=invoice)
    note: InvoiceNote = InvoiceNote.objects.get(pk=found[0])
    return note
