"""What became of the notes of invoices: number and links on the invoice, reasons for staff.

Billing reads the notes that fiscal decided (docs/decisions/0027); it is called after decisions and
by the schedule, in batches that commit whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.services.audit import SYSTEM, record_many
from billing.models import Invoice, InvoiceNote, Nfse
from billing.models.invoice_note import NoteStage
from billing.services import outbox
from billing.services.nfse_rows import write_nfses
from billing.services.note_reasons import cancellation_reasons, reasons, shown
from fiscal.models import NoteState, State
from lib import clock
from lib.bulk import update_rows

BATCH = 200
_DECIDED = (
    NoteState.AUTORIZADO,
    NoteState.CANCELAMENTO_EM_ANALISE,
    NoteState.REJEITADO,
    NoteState.CANCELADO,
    NoteState.SUBSTITUIDO,
)
_DECIDED_GOODS = (State.AUTORIZADO, State.REJEITADO, State.CANCELADO, State.DENEGADO)
_ISSUED_GOODS = (State.AUTORIZADO, State.CANCELADO)
_OVER = (NoteState.CANCELADO, NoteState.SUBSTITUIDO)
_ISSUED = (NoteState.AUTORIZADO, NoteState.CANCELAMENTO_EM_ANALISE, *_OVER)
_OVER_THERE = Q(service_note__state__in=_OVER) | Q(document__state=State.CANCELADO)


def follow(only: Sequence[int] | None = None) -> int:
    """Take in up to a batch of decisions (of `only`: ids of notes). Answers how many there were.

    Safe to repeat and to run together: rows that somebody works on are left to them.
    """
    for wanted in (_decided(), _moved_on()):
        rows = InvoiceNote.objects.filter(wanted)
        if only is not None:
            rows = rows.filter(pk__in=only)
        ids = list(rows.order_by("id").values_list("pk", flat=True).distinct()[:BATCH])
        if ids:
            return _settle(ids)
    return 0


def _decided() -> Q:
    """Those that something is awaited of, and it came; few, by an index of their own.

    Also refused ones, issued all the same by whoever sent them again from fiscal's own pages.
    """
    sent = Q(state=NoteStage.SENT) & (
        Q(service_note__state__in=_DECIDED)
        | Q(service_note__state=NoteState.CONFLITO, error="")
        | Q(document__state__in=_DECIDED_GOODS)
    )
    again = Q(state=NoteStage.REFUSED) & (
        Q(service_note__state__in=_ISSUED) | Q(document__state__in=_ISSUED_GOODS)
    )
    kept = Q(
        state=NoteStage.CANCELLING,
        service_note__state=NoteState.AUTORIZADO,
        service_note__orders__state="rejeitado",
    ) & ~Q(service_note__orders__state__in=["assinado", "transmitindo", "em_analise", "indefinido"])
    over = Q(state=NoteStage.CANCELLING) & _OVER_THERE
    return Q(state__in=InvoiceNote.AWAITED) & (sent | again | kept | over)


def _moved_on() -> Q:
    """Issued ones that are over, or to be, at the authority; nobody here asked for that."""
    asked = Q(service_note__state=NoteState.CANCELAMENTO_EM_ANALISE)
    return Q(state=NoteStage.ISSUED) & (_OVER_THERE | asked)


@transaction.atomic
def _settle(note_ids: Sequence[int]) -> int:
    """Invoices are locked before their notes, as everywhere."""
    held = Invoice.objects.filter(notes_of__pk__in=list(note_ids)).order_by("id")
    invoices = {row.pk: row for row in held.select_for_update(of=("self",), skip_locked=True)}
    notes = list(
        InvoiceNote.objects.filter(pk__in=list(note_ids), invoice_id__in=invoices)
        .select_for_update(of=("self",))
        .select_related("account", "service_note", "document", "nfse", "replaces__nfse")
        .order_by("id")
    )
    for note in notes:
        note.invoice = invoices[note.invoice_id]
    now = clock.now()
    done = 0
    for wanted, act in _ACTS:
        chosen = [note for note in notes if wanted(note)]
        if chosen:
            act(chosen, now)
            done += len(chosen)
    return done


def _fiscal_state(note: InvoiceNote) -> str:
    if note.service_note is not None:
        return str(note.service_note.state)
    return str(note.document.state) if note.document is not None else ""


# --- what may have happened ---------------------------------------------------------------------


def _is_refused(note: InvoiceNote) -> bool:
    return note.state == NoteStage.SENT and _fiscal_state(note) in ("rejeitado", "denegado")


def _is_issued(note: InvoiceNote) -> bool:
    was = note.state in (NoteStage.SENT, NoteStage.REFUSED)
    return was and _fiscal_state(note) in (*_ISSUED, *_ISSUED_GOODS)


def _is_disputed(note: InvoiceNote) -> bool:
    """The authority has another note under its number; a person settles that at fiscal's page."""
    return note.state == NoteStage.SENT and _fiscal_state(note) == NoteState.CONFLITO


def _is_asked(note: InvoiceNote) -> bool:
    asked = _fiscal_state(note) == NoteState.CANCELAMENTO_EM_ANALISE
    return note.state == NoteStage.ISSUED and asked


def _is_kept(note: InvoiceNote) -> bool:
    """The city refused to cancel it."""
    return note.state == NoteStage.CANCELLING and _fiscal_state(note) == NoteState.AUTORIZADO


def _is_over(note: InvoiceNote) -> bool:
    was = note.state in (NoteStage.ISSUED, NoteStage.CANCELLING)
    return was and _fiscal_state(note) in _OVER


# --- what follows of it -------------------------------------------------------------------------


def _refuse(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for note in notes:
        note.refuse(error=reasons(note))
        if note.replaces is not None and note.replaces.slot is None:
            note.drop()  # there is nothing left to be replaced
    _save(notes)
    _audit(notes, "nota.recusada", lambda note: {"motivo": note.error})


def _dispute(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for note in notes:
        note.error = reasons(note) or NoteState.CONFLITO.label
    _save(notes)
    _audit(notes, "nota.em_conflito", lambda note: {"motivo": note.error})


def _issue(notes: Sequence[InvoiceNote], now: datetime) -> None:
    """First what it replaces is over, so that no invoice has two live notes at any moment."""
    old = [note.replaces for note in notes if note.replaces is not None]
    _retire([one for one in old if one.slot is not None], now)
    write_nfses(notes)
    for note in notes:
        note.issue()
        note.slot, note.error = InvoiceNote.CURRENT, ""
        note.invoice.nfe = {**note.invoice.nfe, **shown(note)}
    _save(notes)
    _tell(notes, "nota.emitida", lambda note: {"numero": note.number})


def _retire(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for old in notes:
        old.replace()
    _save(notes)
    _close_nfses(notes, now)


def _ask(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for note in notes:
        note.ask_cancellation(reason=note.reason)
    _save(notes)
    ids = [note.nfse_id for note in notes if note.nfse_id]
    Nfse.objects.filter(pk__in=ids).update(
        status=Nfse.Status.CANCELLING, cancellation_requested_at=now, updated_at=now
    )


def _keep(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for note in notes:
        note.issue()
        note.error = cancellation_reasons(note)
    _save(notes)
    for note in notes:
        Nfse.objects.filter(pk__in=[note.nfse_id] if note.nfse_id else []).update(
            status=Nfse.Status.CANCELLATION_ERROR, integration_errors=note.error, updated_at=now
        )
    _audit(notes, "nota.cancelamento_recusado", lambda note: {"motivo": note.error})


def _end(notes: Sequence[InvoiceNote], now: datetime) -> None:
    for note in notes:
        if _fiscal_state(note) == NoteState.SUBSTITUIDO:
            note.replace()
        else:
            note.cancel()
        note.invoice.nfe = {**note.invoice.nfe, "nfe_issued": False}
    _save(notes)
    _close_nfses(notes, now)
    _tell(notes, "nota.cancelada", lambda note: {"numero": note.number})


_ACTS: tuple[
    tuple[Callable[[InvoiceNote], bool], Callable[[Sequence[InvoiceNote], datetime], None]], ...
] = (
    (_is_refused, _refuse),
    (_is_disputed, _dispute),
    (_is_issued, _issue),
    (_is_asked, _ask),
    (_is_over, _end),
    (_is_kept, _keep),
)


# --- writing ------------------------------------------------------------------------------------


def _save(notes: Sequence[InvoiceNote]) -> None:
    now = clock.now()
    update_rows(
        InvoiceNote,
        ("id", "state", "slot", "error", "reason", "next_attempt_at", "nfse", "updated_at"),
        [
            (
                note.pk, note.state, note.slot, note.error, note.reason, note.next_attempt_at,
                note.nfse_id, now,
            )
            for note in notes
        ],
    )  # fmt: skip


def _close_nfses(notes: Sequence[InvoiceNote], now: datetime) -> None:
    ids = [note.nfse_id for note in notes if note.nfse_id]
    rows: QuerySet[Nfse] = Nfse.objects.filter(pk__in=ids)
    rows.update(
        status=Nfse.Status.CANCELLED, cancelled_at=now, integration_errors="", updated_at=now
    )


def _tell(
    notes: Sequence[InvoiceNote], action: str, after: Callable[[InvoiceNote], dict[str, Any]]
) -> None:
    """The invoice shows it; integrators and the audit are told."""
    update_rows(Invoice, ("id", "nfe"), [(note.invoice_id, note.invoice.nfe) for note in notes])
    for account_id in sorted({note.account_id for note in notes}):
        mine = [note.invoice for note in notes if note.account_id == account_id]
        tokens = dict(
            Invoice.objects.filter(pk__in=[one.pk for one in mine]).values_list(
                "pk", "contract__token"
            )
        )
        outbox.announce_many(
            account_id,
            outbox.Event.UPDATE,
            invoices=[(one.pk, one.contract_id, tokens[one.pk]) for one in mine],
            at=clock.now(),
        )
    _audit(notes, action, after)


def _audit(
    notes: Sequence[InvoiceNote], action: str, after: Callable[[InvoiceNote], dict[str, Any]]
) -> None:
    by_account: dict[int, list[InvoiceNote]] = {}
    for note in notes:
        by_account.setdefault(note.account_id, []).append(note)
    for mine in by_account.values():
        record_many(
            mine[0].account,
            actor=SYSTEM,
            action=action,
            object_type="invoice",
            entries=((note.invoice_id, after(note)) for note in mine),
        )
