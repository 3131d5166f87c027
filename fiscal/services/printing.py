"""Prints of documents, from the archive alone: made once, then answered from a cache (PDF-1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

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
from fiscal.errors import DocumentNotFound
from fiscal.models import Archive, Company, EventState, FiscalDocument, PrintCache, State
from fiscal.selectors.documents import shown_xml
from fiscal.services import archive
from fiscal.services.companies import option
from fiscal.services.print_cache import Source, printed
from fiscal.services.signing_step import local_time
from lib.pdf import ENGINE_VERSION

_NFCE = 65


def danfe(document: FiscalDocument) -> bytes:
    """The DANFE (DANFE NFC-e for model 65) as PDF. Never call it inside a transaction.

    Raises DocumentNotFound when there is nothing to print, PrintFailed.
    """
    return printed(_danfe_source(document, "danfe"))


def etiqueta(document: FiscalDocument) -> bytes:
    """The DANFE Simplificado – Etiqueta of an NF-e as PDF (NT 2020.004). Raises as `danfe`."""
    return printed(_danfe_source(document, "etiqueta"))


def carta_correcao(document: FiscalDocument, n_seq: int) -> bytes:
    """The registered carta de correção number `n_seq` as PDF. Raises as `danfe`."""
    return printed(_correction_source(document, n_seq))


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


def _danfe_source(document: FiscalDocument, name: str) -> Source:
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
    return Source(PrintCache, "document", document.pk, name, digest, render)


def _correction_source(document: FiscalDocument, n_seq: int) -> Source:
    xml, _ = _files(document)
    name = f"{document.chave}-cce-{n_seq:02d}.xml"
    event = archive.find(document, Archive.Kind.EVENT, name=name)
    if event is None:
        raise DocumentNotFound()
    options = options_of(document.company_id)

    def render() -> bytes:
        return cce_pdf(archive.read(event), xml=archive.read(xml), options=options)

    return Source(
        PrintCache, "document", document.pk, f"cce-{n_seq}", _digest((xml, event), options), render
    )


def _digest(
    files: Iterable[Archive], options: DanfeOptions, cancellation: Cancellation | None = None
) -> str:
    logo = hashlib.sha256(options.logo or b"").hexdigest()
    parts = [*(one.sha256 for one in files), repr(cancellation)]
    # repr of the options leaves the logo out; its digest stands for it.
    text = "\n".join((*parts, repr(options), logo, str(LAYOUT_VERSION), ENGINE_VERSION))
    return hashlib.sha256(text.encode()).hexdigest()
