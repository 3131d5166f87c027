"""A company whose documents all fail for the same reason is stopped until somebody acts (§8.4)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from fiscal.models import (
    Company,
    Consumption,
    EventState,
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    NoteState,
    OrderState,
    ServiceNote,
    ServiceOrder,
    State,
    VoidState,
)
from fiscal.services.consumption import caller

SERVICE = "fila"
# Not those on their way: their time is the claim of whoever sends them.
_UNSENT = (State.RECEBIDO, State.ASSINADO, State.CONTINGENCIA, State.EPEC)


def stop(company: Company, *, ambiente: str, until: datetime, now: datetime) -> None:
    """CONFIG_ERROR: nothing of this company is sent before `until`, when one document tries."""
    Consumption.objects.update_or_create(
        base=caller(company.document, ambiente).base,
        ambiente=ambiente,
        service=SERVICE,
        subject=str(company.pk),
        defaults={"blocked_until": until, "window_start": now},
    )


@transaction.atomic
def resume(company: Company, *, at: datetime) -> int:
    """What was wrong was changed (certificate, CSC, record): the queue goes on at once.

    Whatever waits to be sent is due at `at`, for the next sweep; nothing is sent twice by that.
    Answers how many documents are.
    """
    documents = FiscalDocument.objects.filter(
        company=company, state__in=_UNSENT, superseded_by=None
    )
    events = FiscalEvent.objects.filter(document__company=company, state=EventState.ASSINADO)
    voids = Inutilizacao.objects.filter(company=company, state=VoidState.SOLICITADA)
    unsent = (NoteState.RECEBIDO, NoteState.ASSINADO)
    notes = ServiceNote.objects.filter(company=company, state__in=unsent)
    orders = ServiceOrder.objects.filter(note__company=company, state=OrderState.ASSINADO)
    n_documents, *_ = (
        those.filter(next_attempt_at__gt=at).update(next_attempt_at=at)
        for those in (documents, events, voids, notes, orders)
    )
    # After the documents, as `stop` does, which holds one: otherwise the two wait for each other.
    rows = Consumption.objects.filter(service=SERVICE, subject=str(company.pk))
    rows.update(blocked_until=None)
    return n_documents


def stopped_until(company: Company, *, ambiente: str, now: datetime) -> datetime | None:
    return (
        Consumption.objects.filter(
            base=caller(company.document, ambiente).base,
            ambiente=ambiente,
            service=SERVICE,
            subject=str(company.pk),
            blocked_until__gt=now,
        )
        .values_list("blocked_until", flat=True)
        .first()
    )
