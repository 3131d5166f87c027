"""Prints of service notes, from the archive: DANFSe, municipal note, RPS (§15, PDF-1, PDF-7)."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable

from django.core.serializers.json import DjangoJSONEncoder

from fiscal.authorities.providers import NATIONAL
from fiscal.documents.nfse import paper
from fiscal.documents.nfsen import danfse
from fiscal.documents.service import NFSE, Declared, RpsIdentity
from fiscal.errors import DocumentNotFound, PrintFailed
from fiscal.models import Archive, NoteState, ServiceNote, ServicePrint
from fiscal.services import archive
from fiscal.services.companies import option
from fiscal.services.nfse import files
from fiscal.services.nfse.choice import read
from fiscal.services.print_cache import Source, printed
from fiscal.services.signing_step import local_time
from fiscal.xml import BadXml
from lib import clock
from lib.errors import DomainError
from lib.pdf import ENGINE_VERSION

log = logging.getLogger(__name__)

NAME = "nota"
_MARKS = {
    NoteState.CANCELADO: (danfse.CANCELLED, paper.CANCELLED),
    NoteState.SUBSTITUIDO: (danfse.REPLACED, paper.REPLACED),
}
_VERSION = f"{danfse.LAYOUT_VERSION}.{paper.LAYOUT_VERSION}"


def note_pdf(note: ServiceNote) -> bytes:
    """The print of an issued note, or of the RPS of one that waits in a batch, as PDF.

    Never call it inside a transaction. Raises DocumentNotFound when there is nothing to print,
    PrintFailed.
    """
    return printed(_source(note))


def is_printable(note: ServiceNote) -> bool:
    """Is there something to print: an issued note, or an RPS that a city is to convert?"""
    return bool(note.number) or (note.state == NoteState.EM_LOTE and note.tipo == NFSE)


def pdf_name(note: ServiceNote) -> str:
    """Published name of the print (fiscal-api §1.10)."""
    return f"{files.stem(note)}.pdf"


def _source(note: ServiceNote) -> Source:
    if not is_printable(note):
        raise DocumentNotFound("Nota fiscal não encontrada")
    xml = _last(note, Archive.Kind.NOTE)
    if xml is None:
        return _declared_source(note)
    return _national(note, xml) if note.provider == NATIONAL else _municipal(note, xml)


def _last(note: ServiceNote, kind: str) -> Archive | None:
    found: Archive | None = (
        Archive.objects.filter(service_note=note, kind=kind).order_by("-id").first()
    )
    return found


def _national(note: ServiceNote, xml: Archive) -> Source:
    rows = Archive.objects.filter(service_note=note, kind=Archive.Kind.EVENT).order_by("id")
    events = list(rows)
    mark = _MARKS.get(NoteState(note.state), ("", ""))[0]
    with_receipt = bool(option(note.company, "recibo_danfe"))

    def render() -> bytes:
        return danfse.danfse_pdf(
            archive.read(xml),
            events=[archive.read(one) for one in events],
            mark=mark,
            with_receipt=with_receipt,
        )

    parts = [xml.sha256, *(one.sha256 for one in events), mark, str(with_receipt)]
    return _made(note, parts, render)


def _municipal(note: ServiceNote, xml: Archive) -> Source:
    """From the city's answer; one of a form that nobody knows is printed as it was declared."""
    facts, logo = _facts(note), _logo(note)
    declared = _declared_source(note)

    def render() -> bytes:
        try:
            return paper.note_pdf(archive.read(xml), facts=facts, logo=logo)
        except BadXml:
            log.warning("print.unknown_form", extra={"nota_id": note.pk})
            return declared.render()

    return _made(note, [xml.sha256, repr(facts), _sum(logo or b""), declared.digest], render)


def _declared_source(note: ServiceNote) -> Source:
    """Of a note without XML: what we declared, with the number that the city answered."""
    facts, logo = _facts(note), _logo(note)
    told = (note.number, note.verification_code, _issued(note))

    def render() -> bytes:
        view = paper.read_declared(
            _declared(note), _identity(note), numero=told[0], codigo=told[1], issued=told[2]
        )
        return paper.paper_pdf(view, facts=facts, logo=logo)

    company = (note.company.nome, note.company.inscricao_municipal, note.company.logradouro)
    payload = json.dumps(note.payload, cls=DjangoJSONEncoder, sort_keys=True)
    identity = (note.series, note.rps_number, note.rps_kind)
    parts = [payload, repr(told), repr(identity), repr(company), repr(facts), _sum(logo or b"")]
    return _made(note, parts, render)


def _made(note: ServiceNote, parts: list[str], render: Callable[[], bytes]) -> Source:
    text = "\n".join((*parts, _VERSION, ENGINE_VERSION))
    return Source(ServicePrint, "note", note.pk, NAME, _sum(text.encode()), _told(render))


def _told(render: Callable[[], bytes]) -> Callable[[], bytes]:
    """What a city or a payload holds may not be readable: told as any failing print is."""

    def rendered() -> bytes:
        try:
            return render()
        except (BadXml, DomainError) as error:
            raise PrintFailed() from error

    return rendered


def _facts(note: ServiceNote) -> paper.Facts:
    mark = _MARKS.get(NoteState(note.state), ("", ""))[1]
    return paper.Facts(url=note.url, mark=mark, is_test=note.ambiente == "homologacao")


def _logo(note: ServiceNote) -> bytes | None:
    """The company's logo, read apart: the rows on a note's way leave it out."""
    rows = type(note.company).objects.filter(pk=note.company_id)
    found = rows.values_list("logo", flat=True).first()
    return bytes(found) if found else None


def _issued(note: ServiceNote) -> str:
    at = note.issued_at or note.dh_emi
    return f"{local_time(note.company, at):%d/%m/%Y %H:%M:%S}" if at else ""


def _declared(note: ServiceNote) -> Declared:
    """The payload as it was read when it was taken: its moment is that of the note."""
    now = note.dh_emi or note.created_at or clock.now()
    return read(note.company, note.payload, tipo=note.tipo, ambiente=note.ambiente, now=now)


def _identity(note: ServiceNote) -> RpsIdentity:
    return RpsIdentity(note.ambiente, note.series, note.rps_number or 0, note.rps_kind)


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
