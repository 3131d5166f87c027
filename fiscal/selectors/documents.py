"""Reading documents: by ref, and the files that belong to them."""

from __future__ import annotations

from django.db.models import QuerySet

from fiscal.errors import DocumentNotFound, NfceNotFound
from fiscal.models import Archive, Company, EventState, FiscalDocument, FiscalEvent, State
from fiscal.selectors import hot_rows

CCE = "110110"
CANCELLATIONS = ("110111", "110112")


def get_document(company: Company, *, ambiente: str, modelo: int, ref: str) -> FiscalDocument:
    """The document that answers to `ref` now. Raises DocumentNotFound (NfceNotFound for 65)."""
    found = hot_rows.document_of_ref(company, ambiente, modelo, ref)
    if found is None:
        raise NfceNotFound() if modelo == 65 else DocumentNotFound()
    return found


def earlier_attempts(document: FiscalDocument) -> list[FiscalDocument]:
    """The documents that this one took the place of, the first one first."""
    found: list[FiscalDocument] = []
    row: FiscalDocument | None = document if hot_rows.took_a_place(document) else None
    while row is not None:
        row = FiscalDocument.objects.filter(superseded_by=row).exclude(pk=row.pk).first()
        if row is not None:
            found.insert(0, row)
    return found


def last_event(document: FiscalDocument) -> FiscalEvent | None:
    """The last registered cancellation or carta de correção."""
    if not hot_rows.has_events(document):
        return None
    found: FiscalEvent | None = (
        document.events.filter(state=EventState.REGISTRADO, tp_evento__in=(CCE, *CANCELLATIONS))
        .order_by("-registered_at", "-id")
        .first()
    )
    return found


def last_carta_correcao(document: FiscalDocument) -> FiscalEvent | None:
    if not hot_rows.has_events(document):
        return None
    found: FiscalEvent | None = (
        document.events.filter(state=EventState.REGISTRADO, tp_evento=CCE)
        .order_by("-n_seq")
        .first()
    )
    return found


def shown_xml(document: FiscalDocument) -> Archive | None:
    """The XML that is published: the authorized one; the signed one of an offline or announced
    document, which is out in the world without it."""
    found = hot_rows.published_xml(document)
    is_out = document.is_offline or document.is_announced or document.state == State.DENEGADO
    if found is None and is_out:
        rows = Archive.objects.filter(document=document, kind=Archive.Kind.SIGNED)
        found = rows.order_by("-id").first()
    return found


def file_of(company: Company, *, ambiente: str, month: str, name: str) -> Archive | None:
    """A published file by its name; signed XML that is not authorized only where it is valid."""
    rows: QuerySet[Archive] = Archive.objects.filter(
        company=company, ambiente=ambiente, month=month, name=name
    ).order_by("-id")
    # A declaration (RPS, DPS) is no file of ours to publish: the note that comes of it is.
    unpublished = (Archive.Kind.SIGNED, Archive.Kind.DECLARED)
    found: Archive | None = rows.exclude(kind__in=unpublished).first()
    if found is not None:
        return found
    signed = rows.select_related("document").first()
    if signed is None or signed.document is None:
        return None
    return shown_xml(signed.document)


def published_document(
    company: Company, *, ambiente: str, modelo: int, chave: str
) -> FiscalDocument | None:
    """The document of that key, whatever `ref` it has or had."""
    found: FiscalDocument | None = FiscalDocument.objects.filter(
        company=company, ambiente=ambiente, modelo=modelo, chave=chave
    ).first()
    return found
