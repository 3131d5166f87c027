"""Prints of documents, from the archive alone: made once, then answered from a cache (PDF-1).

A cached print counts only if it was made from the very same source: the XML, the events, the
options, the logo and the layout. So a cancellation or a delivered contingency needs no clearing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, Error, transaction

from fiscal.documents.nfe.danfe import (
    LAYOUT_VERSION,
    Cancellation,
    DanfeOptions,
    cce_pdf,
    danfce_html,
    danfce_pdf,
    danfe_pdf,
    label_pdf,
)
from fiscal.documents.nfe.danfe.standing import CANCELLING
from fiscal.errors import DocumentNotFound, PrintFailed
from fiscal.models import Archive, Company, EventState, FiscalDocument, PrintCache, State
from fiscal.selectors.documents import shown_xml
from fiscal.services import archive
from fiscal.services.companies import option
from fiscal.services.signing_step import local_time
from lib import clock, pruning
from lib.locks import exclusive
from lib.pdf import ENGINE_VERSION, RenderFailed

log = logging.getLogger(__name__)

TOUCH_EVERY = timedelta(hours=1)
WAIT_SECONDS = 60.0
_NFCE = 65


@dataclass(frozen=True)
class _Source:
    """What a print is made from; `digest` names it, `render` makes it."""

    document_id: int
    name: str
    digest: str
    render: Callable[[], bytes]


def danfe(document: FiscalDocument) -> bytes:
    """The DANFE (DANFE NFC-e for model 65) as PDF. Never call it inside a transaction.

    Raises DocumentNotFound when there is nothing to print, PrintFailed.
    """
    return _print(_danfe_source(document, "danfe"))


def etiqueta(document: FiscalDocument) -> bytes:
    """The DANFE Simplificado – Etiqueta of an NF-e as PDF (NT 2020.004). Raises as `danfe`."""
    return _print(_danfe_source(document, "etiqueta"))


def carta_correcao(document: FiscalDocument, n_seq: int) -> bytes:
    """The registered carta de correção number `n_seq` as PDF. Raises as `danfe`."""
    return _print(_correction_source(document, n_seq))


def consumer_page(document: FiscalDocument) -> str:
    """The DANFE NFC-e as a page of HTML, made anew: it takes milliseconds. Raises as `danfe`."""
    xml, events = _files(document)
    return danfce_html(
        archive.read(xml),
        events=_contents(events),
        cancellation=_cancellation(document),
        options=options_of(document.company_id),
    )


def options_of(company_id: int, *, preview: bool = False) -> DanfeOptions:
    """What the company chose about its prints, with its logo."""
    company = Company.objects.get(pk=company_id)

    def flag(name: str) -> bool:
        return bool(option(company, name))

    is_landscape = option(company, "orientacao_danfe") == "landscape"
    return DanfeOptions(
        logo=bytes(company.logo) if company.logo else None,
        orientacao="landscape" if is_landscape else "portrait",
        recibo_danfe=flag("recibo_danfe"),
        exibe_sempre_ipi=flag("exibe_sempre_ipi_danfe"),
        exibe_issqn=flag("exibe_issqn_danfe"),
        exibe_impostos_adicionais=flag("exibe_impostos_adicionais_danfe"),
        exibe_unidade_tributaria=flag("exibe_unidade_tributaria_danfe"),
        exibe_sempre_volumes=flag("exibe_sempre_volumes_danfe"),
        previa=preview,
    )


# --- sources -----------------------------------------------------------------------------------


def _files(document: FiscalDocument) -> tuple[Archive, list[Archive]]:
    """The XML that stands for the document, and its events in their order."""
    xml = shown_xml(document)
    if xml is None:
        raise DocumentNotFound()
    events = Archive.objects.filter(document=document, kind=Archive.Kind.EVENT).order_by("id")
    return xml, list(events)


def _contents(files: Iterable[Archive]) -> list[bytes]:
    return [archive.read(one) for one in files]


def _cancellation(document: FiscalDocument) -> Cancellation | None:
    """The cancellation of a document as its rows know it: one that a query told of has no event.

    An event in the archive says more, and counts first.
    """
    if document.state != State.CANCELADO:
        return None
    registered = document.events.filter(tp_evento__in=CANCELLING, state=EventState.REGISTRADO)
    found = registered.order_by("-id").first()
    if found is None:
        return Cancellation()
    at = found.registered_at and local_time(document.company, found.registered_at)
    return Cancellation(found.protocolo, f"{at:%d/%m/%Y %H:%M:%S}" if at else "")


def _danfe_source(document: FiscalDocument, name: str) -> _Source:
    xml, events = _files(document)
    cancellation = _cancellation(document)
    options = options_of(document.company_id)
    draw = danfce_pdf if document.modelo == _NFCE else danfe_pdf
    if name == "etiqueta":
        draw = label_pdf

    def render() -> bytes:
        return draw(
            archive.read(xml), events=_contents(events), cancellation=cancellation, options=options
        )

    digest = _digest((xml, *events), options, cancellation)
    return _Source(document.pk, name, digest, render)


def _correction_source(document: FiscalDocument, n_seq: int) -> _Source:
    xml, _ = _files(document)
    name = f"{document.chave}-cce-{n_seq:02d}.xml"
    event = archive.find(document, Archive.Kind.EVENT, name=name)
    if event is None:
        raise DocumentNotFound()
    options = options_of(document.company_id)

    def render() -> bytes:
        return cce_pdf(archive.read(event), xml=archive.read(xml), options=options)

    return _Source(document.pk, f"cce-{n_seq}", _digest((xml, event), options), render)


def _digest(
    files: Iterable[Archive], options: DanfeOptions, cancellation: Cancellation | None = None
) -> str:
    logo = hashlib.sha256(options.logo or b"").hexdigest()
    parts = [*(one.sha256 for one in files), repr(cancellation)]
    # repr of the options leaves the logo out; its digest stands for it.
    text = "\n".join((*parts, repr(options), logo, str(LAYOUT_VERSION), ENGINE_VERSION))
    return hashlib.sha256(text.encode()).hexdigest()


# --- the cache ---------------------------------------------------------------------------------


def _print(source: _Source) -> bytes:
    """From the cache, or made now; simultaneous first requests make it once."""
    found = _stored(source)
    if found is not None:
        return found
    with exclusive("danfe", source.document_id, wait_seconds=WAIT_SECONDS) as ours:
        if not ours:
            raise PrintFailed("O PDF ainda está sendo gerado. Tente de novo em instantes.")
        return _stored(source) or _make(source)


def _stored(source: _Source) -> bytes | None:
    row = PrintCache.objects.filter(
        document_id=source.document_id, name=source.name, source_hash=source.digest
    ).first()
    if row is None:
        return None
    data = bytes(row.data)
    if hashlib.sha256(data).hexdigest() != row.content_hash:
        log.warning("print_cache.corrupt", extra={"nota_id": source.document_id})
        return None
    _touch(row, clock.now())
    return data


def _touch(row: PrintCache, now: datetime) -> None:
    """Note the access, now and then. It must not spoil the answer."""
    if now - row.last_accessed < TOUCH_EVERY:
        return
    with suppress(DatabaseError), transaction.atomic():
        PrintCache.objects.filter(pk=row.pk).update(last_accessed=now)


def _make(source: _Source) -> bytes:
    """Render and keep. The answer counts more than the cache."""
    try:
        data = source.render()
    except (RenderFailed, OSError) as error:
        log.warning("print.failed", extra={"nota_id": source.document_id, "error": str(error)})
        raise PrintFailed() from error
    try:
        _store(source, data, clock.now())
    except Error as error:
        name = type(error).__name__
        log.warning("print_cache.store_failed", extra={"error": name})
    return data


@transaction.atomic
def _store(source: _Source, data: bytes, now: datetime) -> None:
    values = {
        "source_hash": source.digest,
        "content_hash": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "created_at": now,
        "last_accessed": now,
        "data": data,
    }
    PrintCache.objects.bulk_create(
        [PrintCache(document_id=source.document_id, name=source.name, **values)],
        update_conflicts=True,
        unique_fields=["document", "name"],
        update_fields=list(values),
    )


def purge(*, now: datetime) -> int:
    """Delete old and unread prints, then the least recently read beyond the size limit.

    Answers how many. Each batch commits by itself; safe to run twice and to be cut.
    """
    count = pruning.prune(PrintCache, now=now)
    log.info("print_cache.purged", extra={"n_rows": count})
    return count
