"""A second document for the same sale, when nobody knows what became of the first (CON-3).

The first keeps its number and is asked about until the authority answers: authorized, it is
cancelled; absent, its number is voided a day later.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from fiscal.models import FiscalDocument, State
from fiscal.services import contingency, signing_step
from fiscal.services.signing_step import Mode

JUSTIFICATION = "Documento substituido por outro emitido em contingencia"


@transaction.atomic
def replace(document_id: int, *, mode: Mode, now: datetime) -> FiscalDocument | None:
    """A signed document with the next number in the place of an `indefinido` one.

    Both have the same `ref`, and only the new one answers to it. None when the first was decided,
    or replaced, meanwhile.
    """
    first = FiscalDocument.objects.select_for_update().get(pk=document_id)
    if first.state != State.INDEFINIDO or first.superseded_by_id:
        return None
    data = signing_step.data_of(first, now=now, mode=mode)
    second = take_over(first, payload=first.payload, now=now)
    return signing_step.sign_document(second.pk, data=data, now=now, mode=mode)


def take_over(
    first: FiscalDocument, *, payload: dict[str, object], now: datetime
) -> FiscalDocument:
    """A new row under the `ref` of the locked `first`, which answers to it no more."""
    # One row answers to a ref at a time: the first steps back before the second is there.
    first.superseded_by = first
    first.save()
    second = FiscalDocument.objects.create(
        account_id=first.account_id,
        company_id=first.company_id,
        ambiente=first.ambiente,
        modelo=first.modelo,
        ref=first.ref,
        payload=payload,
        next_attempt_at=now + signing_step.LEASE,
        created_at=now,
    )
    first.superseded_by = second
    first.save()
    return second


@transaction.atomic
def go_offline(document_id: int, *, now: datetime) -> FiscalDocument | None:
    """Issue an NFC-e offline, at once (§3.4): `contingencia`, to be delivered within 24 hours.

    What provably never left keeps its number; what may have arrived gets a successor with the
    next one. None when it was decided meanwhile.
    """
    document = FiscalDocument.objects.select_for_update().get(pk=document_id)
    mode = contingency.offline_mode(now)
    if document.state == State.INDEFINIDO:
        found = replace(document_id, mode=mode, now=now)
        if found is None:
            return None
        document = found
    elif document.state in (State.ASSINADO, State.RECEBIDO):
        data = signing_step.data_of(document, now=now, mode=mode)
        document = signing_step.sign_document(document.pk, data=data, now=now, mode=mode)
    else:
        return None
    document.enter_offline(again_at=now + signing_step.LEASE)
    document.save()
    return document
