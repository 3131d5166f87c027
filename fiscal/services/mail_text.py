"""What the buyer reads and gets: text, page, XML and print (KEEP-3)."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from fiscal.models import Archive, FiscalDocument, MailMessage
from fiscal.selectors.documents import last_carta_correcao, shown_xml
from fiscal.services import archive, printing
from fiscal.services.mail_delivery import reply_to

_NAMES = {55: "NF-e", 65: "NFC-e"}
_SUBJECTS = {
    MailMessage.Kind.AUTORIZADO: "{nome} nº {numero} de {emitente}",
    MailMessage.Kind.CANCELADO: "{nome} nº {numero} de {emitente} cancelada",
    MailMessage.Kind.CARTA_CORRECAO: "Carta de correção da {nome} nº {numero} de {emitente}",
}
_XML, _PDF = "application/xml", "application/pdf"


def compose(message: MailMessage) -> EmailMultiAlternatives:
    """The message, with its attachments; prints are made if need be.

    Never inside a transaction. Raises fiscal.errors.PrintFailed.
    """
    document = FiscalDocument.objects.select_related("company").get(pk=message.document_id)
    context = _context(document, message)
    mail = EmailMultiAlternatives(
        subject=_subject(document, message.kind, context),
        body=render_to_string(f"email/fiscal_{message.kind}.txt", context),
        to=[message.recipient],
        reply_to=[address] if (address := reply_to(document.company)) else None,
        headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(
        render_to_string(f"email/fiscal_{message.kind}.html", context), "text/html"
    )
    for name, content, kind in _files(document, message):
        mail.attach(name, content, kind)
    return mail


def _context(document: FiscalDocument, message: MailMessage) -> dict[str, Any]:
    company = document.company
    return {
        "documento": document,
        "nome": _NAMES[document.modelo],
        "numero": document.numero,
        "emitente": company.nome_fantasia or company.nome,
        "empresa": company,
        "is_homologacao": document.ambiente == "homologacao",
        "n_seq": message.n_seq,
    }


def _subject(document: FiscalDocument, kind: str, context: dict[str, Any]) -> str:
    text = _SUBJECTS[MailMessage.Kind(kind)].format(**context)
    if context["is_homologacao"]:
        text = f"[SEM VALOR FISCAL] {text}"
    return " ".join(text.split())


def _files(document: FiscalDocument, message: MailMessage) -> list[tuple[str, bytes, str]]:
    """XML and print of the document, and of the event that is told of."""
    chave = document.chave
    found = shown_xml(document)
    files = [(f"{chave}-nfe.xml", archive.read(found), _XML)] if found else []
    files.append((f"{chave}.pdf", printing.danfe(document), _PDF))
    if message.kind == MailMessage.Kind.CANCELADO:
        return files + _event(document, f"{chave}-can.xml")
    n_seq = message.n_seq or _standing_correction(document)
    if not n_seq:
        return files
    files += _event(document, f"{chave}-cce-{n_seq:02d}.xml")
    return [
        *files,
        (f"{chave}-cce-{n_seq}.pdf", printing.carta_correcao(document, n_seq), _PDF),
    ]


def _standing_correction(document: FiscalDocument) -> int:
    """Whoever asks for the document again gets what was corrected since."""
    event = last_carta_correcao(document)
    return event.n_seq if event else 0


def _event(document: FiscalDocument, name: str) -> list[tuple[str, bytes, str]]:
    found = archive.find(document, Archive.Kind.EVENT, name=name)
    return [(name, archive.read(found), _XML)] if found else []
