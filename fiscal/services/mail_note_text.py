"""What the taker of a service note reads and gets: XML, print and proof of cancellation (§4.6)."""

from __future__ import annotations

from typing import Any

from fiscal.documents.service import NFSEN
from fiscal.models import MailMessage, NoteState, ServiceNote
from fiscal.services import nfse_printing
from fiscal.services.nfse import files

_SUBJECTS = {
    MailMessage.Kind.AUTORIZADO: "NFS-e nº {numero} de {emitente}",
    MailMessage.Kind.CANCELADO: "NFS-e nº {numero} de {emitente} {fim}",
}
_XML, _PDF = "application/xml", "application/pdf"


def context_of(note: ServiceNote) -> dict[str, Any]:
    """What the templates are filled with."""
    company = note.company
    return {
        "nota": note,
        "numero": note.number,
        "emitente": company.nome_fantasia or company.nome,
        "empresa": company,
        "is_homologacao": note.ambiente == "homologacao",
        "is_nacional": note.tipo == NFSEN or bool(note.key),
        "fim": "substituída" if note.state == NoteState.SUBSTITUIDO else "cancelada",
        "tem_xml": files.note_xml(note) is not None,
    }


def subject_of(kind: str, context: dict[str, Any]) -> str:
    text = _SUBJECTS[MailMessage.Kind(kind)]
    return f"[SEM VALOR FISCAL] {text}" if context["is_homologacao"] else text


def files_of(note: ServiceNote, kind: str) -> list[tuple[str, bytes, str]]:
    """XML, print and, of a cancelled note, the proof: what there is. Raises PrintFailed."""
    xml, proof = files.note_xml(note), files.cancellation_xml(note)
    found = [(files.note_name(note), xml, _XML)] if xml else []
    found.append((nfse_printing.pdf_name(note), nfse_printing.note_pdf(note), _PDF))
    if kind == MailMessage.Kind.CANCELADO and proof:
        found.append((files.cancellation_name(note), proof, _XML))
    return found
