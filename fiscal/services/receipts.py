"""What became of a batch that the authority took to process later (103, REC-7)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from fiscal.authorities.base import Lost, Misconfigured, NotSent
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import FiscalDocument, State
from fiscal.services import notices, recovery, transmit, verdicts
from fiscal.services.consumption import Service
from lib import clock

_POLLS = ((1, 1), (3, 2), (7, 4), (15, 8), (30, 15), (60, 30))
_LAST_POLL = 60


def poll(document_id: int) -> None:
    """Ask for the result of a batch (REC-7). Safe to run again."""
    document = _claim_receipt(document_id, now=clock.now())
    if document is None:
        return
    try:
        to = transmit.authority_of(document)
        answer = to.receipt(document.recibo)
    except (NotSent, Lost, Misconfigured):
        return  # asking changes nothing: the next time is set already
    except (CertificateExpired, NoCertificate):
        notices.alarm(document, "certificado")  # nobody answers without one; asked again later
        return
    with transaction.atomic():
        row = FiscalDocument.objects.select_for_update().get(pk=document_id)
        if row.state == State.EM_LOTE:
            again_at = row.next_attempt_at or clock.now()
            verdicts.apply_receipt(row, answer, route=to.route, again_at=again_at, now=clock.now())


@transaction.atomic
def _claim_receipt(document_id: int, *, now: datetime) -> FiscalDocument | None:
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if document.state != State.EM_LOTE:
        return None
    until = recovery.spend(document, Service.RECEIPT, document.recibo, now)
    last = document.attempts.order_by("-id").first()
    since = (now - last.started_at).total_seconds() if last else 0.0
    document.next_attempt_at = until or now + recovery.from_table(_POLLS, _LAST_POLL, since)
    document.save()
    return None if until else document
