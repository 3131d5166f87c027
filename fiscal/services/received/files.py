"""The files of a received NF-e, byte for byte as they came, and its print (§8.1)."""

from __future__ import annotations

from dataclasses import replace

from django.db.models import QuerySet

from fiscal.documents.nfe.danfe import Cancellation, danfe_pdf
from fiscal.errors import PrintFailed
from fiscal.models import ReceivedDocument, ReceivedNfe, ReceivedNfse, Source
from fiscal.services import archive
from fiscal.services.printing import options_of
from fiscal.services.received import reading
from fiscal.services.received.reading import Event
from lib.pdf import RenderFailed

CARTA_CORRECAO = "110110"
CANCELLATIONS = ("110111", "110112")


def documents_of(row: ReceivedNfe) -> QuerySet[ReceivedDocument]:
    """Everything that was delivered about the note, in its order; what came by key, last."""
    rows: QuerySet[ReceivedDocument] = ReceivedDocument.objects.filter(
        company_id=row.company_id, ambiente=row.ambiente, source=Source.NFE, chave=row.chave
    )
    return rows.order_by("id")


def whole(row: ReceivedNfe) -> ReceivedDocument | None:
    """The nfeProc of a complete note."""
    if not row.is_complete:
        return None
    found: ReceivedDocument | None = (
        documents_of(row).filter(schema__startswith=reading.WHOLE, error="").last()
    )
    return found


def cancellation(row: ReceivedNfe) -> ReceivedDocument | None:
    """The procEventoNFe of its cancellation."""
    found = _events(row, CANCELLATIONS)
    return found[-1][1] if found else None


def correction(row: ReceivedNfe) -> ReceivedDocument | None:
    """The procEventoNFe of its last carta de correção."""
    found = _events(row, (CARTA_CORRECAO,))
    return max(found, key=lambda pair: pair[0].n_seq)[1] if found else None


def danfe(row: ReceivedNfe) -> bytes | None:
    """Its DANFE as PDF, from the XML alone; None before the whole of it is here.

    Never call it inside a transaction. Raises PrintFailed.
    """
    xml = whole(row)
    if xml is None:
        return None
    found = _events(row, (*CANCELLATIONS, CARTA_CORRECAO))
    events = [archive.unpacked(kept.content) for _, kept in found]
    is_cancelled = row.situacao == ReceivedNfe.Situacao.CANCELADA
    try:
        return danfe_pdf(
            archive.unpacked(xml.content),
            events=events,
            cancellation=Cancellation() if is_cancelled else None,
            # The logo is of whoever received the note, not of whoever issued it.
            options=replace(options_of(row.company_id), logo=None),
        )
    except (RenderFailed, OSError) as error:
        raise PrintFailed() from error


def _events(row: ReceivedNfe, types: tuple[str, ...]) -> list[tuple[Event, ReceivedDocument]]:
    """The believed events of those types, in the order in which they came."""
    found = []
    for kept in documents_of(row).filter(schema__startswith=reading.EVENT, error=""):
        said = reading.read(kept.schema, archive.unpacked(kept.content))
        if isinstance(said, Event) and said.tp_evento in types and not said.faults:
            found.append((said, kept))
    return found


def service_note(row: ReceivedNfse) -> ReceivedDocument | None:
    """The XML of a service note, as it came last."""
    rows = ReceivedDocument.objects.filter(
        company_id=row.company_id, ambiente=row.ambiente, source=row.source, chave=row.chave
    )
    found: ReceivedDocument | None = (
        rows.filter(schema__istartswith="nfse", error="").order_by("nsu", "id").last()
    )
    return found
