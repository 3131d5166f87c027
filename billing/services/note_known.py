"""What fiscal has by the references of billing's notes, of whatever kind.

A note is handed over under one reference; the template may have become one of another kind since,
and fiscal keeps references apart by kind. Asking for all of them keeps an invoice at one note.
"""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings

from billing.models import NfseTemplate
from fiscal.models import FiscalDocument, NoteState, ServiceNote, State

MODELO = 55
_Issued = ServiceNote | FiscalDocument
# Under these the same reference takes another body: nothing was issued.
GOODS_REFUSED = (State.REJEITADO, State.DENEGADO, State.INUTILIZADO)


def known(pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], _Issued]:
    """(company id, ref) → the note that fiscal issued or is about to; two queries for all.

    What was refused is not there.
    """
    if not pairs:
        return {}
    named = {
        "company_id__in": {company_id for company_id, _ in pairs},
        "ambiente": settings.AMBIENTE,
        "ref__in": {ref for _, ref in pairs},
    }
    services = ServiceNote.objects.filter(**named, tipo__in=ServiceNote.Tipo.values)
    goods = FiscalDocument.objects.filter(**named, modelo=MODELO, superseded_by__isnull=True)
    rows: list[_Issued] = [
        *goods.exclude(state__in=GOODS_REFUSED).only("id", "company_id", "ref"),
        *services.exclude(state=NoteState.REJEITADO).only("id", "company_id", "ref", "tipo"),
    ]
    return {(row.company_id, row.ref): row for row in rows}


def kind_of(row: _Issued) -> str:
    """The kind of note, as templates and invoices name it."""
    return str(row.tipo) if isinstance(row, ServiceNote) else NfseTemplate.Tipo.NFE.value
