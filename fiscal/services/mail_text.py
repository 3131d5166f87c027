"""What the buyer reads and gets: text, page, XML and print (KEEP-3); warnings to the issuer."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from fiscal.models import (
    Archive,
    Certificate,
    Company,
    FiscalDocument,
    MailMessage,
    ServiceNote,
)
from fiscal.selectors.documents import last_carta_correcao, shown_xml
from fiscal.services import archive, mail_note_text, printing
from fiscal.services.mail_delivery import reply_to
from lib import clock

_NAMES = {55: "NF-e", 65: "NFC-e"}
_SUBJECTS = {
    MailMessage.Kind.AUTORIZADO: "{nome} nº {numero} de {emitente}",
    MailMessage.Kind.CANCELADO: "{nome} nº {numero} de {emitente} cancelada",
    MailMessage.Kind.CARTA_CORRECAO: "Carta de correção da {nome} nº {numero} de {emitente}",
}
_CERTIFICATE_SUBJECT = "Certificado digital de {emitente} a vencer: envie um novo"
_XML, _PDF = "application/xml", "application/pdf"


def compose(message: MailMessage) -> EmailMultiAlternatives:
    """The message, with its attachments; prints are made if need be.

    Never inside a transaction. Raises fiscal.errors.PrintFailed.
    """
    if message.kind == MailMessage.Kind.CERTIFICADO:
        return _mail(message, _CERTIFICATE_SUBJECT, _certificate_context(message))
    if message.service_note_id:
        return _of_note(message)
    document = FiscalDocument.objects.select_related("company").get(pk=message.document_id)
    context = _context(document, message)
    mail = _mail(message, _subject(message.kind, context), context)
    mail.reply_to = [address] if (address := reply_to(document.company)) else []
    for name, content, kind in _files(document, message):
        mail.attach(name, content, kind)
    return mail


def _of_note(message: MailMessage) -> EmailMultiAlternatives:
    note = ServiceNote.objects.select_related("company").get(pk=message.service_note_id)
    context = mail_note_text.context_of(note)
    subject = mail_note_text.subject_of(message.kind, context)
    mail = _mail(message, subject, context, template=f"nota_servico_{message.kind}")
    mail.reply_to = [address] if (address := reply_to(note.company)) else []
    for name, content, kind in mail_note_text.files_of(note, message.kind):
        mail.attach(name, content, kind)
    return mail


def _mail(
    message: MailMessage, subject: str, context: dict[str, Any], *, template: str = ""
) -> EmailMultiAlternatives:
    template = template or f"fiscal_{message.kind}"
    mail = EmailMultiAlternatives(
        subject=" ".join(subject.format(**context).split()),
        body=render_to_string(f"email/{template}.txt", context),
        to=[message.recipient],
        headers={"Message-ID": message.message_id, "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string(f"email/{template}.html", context), "text/html")
    return mail


def _certificate_context(message: MailMessage) -> dict[str, Any]:
    """The certificate, and all the companies of the account that sign with it."""
    row = Certificate.objects.defer("key", "pem").get(pk=message.certificate_id or 0)
    companies = Company.objects.filter(
        account=message.account_id, removed_at=None, certificates__thumbprint=row.thumbprint
    )
    days = ceil((row.not_after - clock.now()) / timedelta(days=1))
    return {
        "certificado": row,
        "prazo": "em 1 dia" if days == 1 else f"em {days} dias",
        "is_expired": days <= 0,
        "emitente": message.company.nome,
        "empresas": list(companies.order_by("nome", "pk").defer("logo")),
    }


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


def _subject(kind: str, context: dict[str, Any]) -> str:
    text = _SUBJECTS[MailMessage.Kind(kind)]
    return f"[SEM VALOR FISCAL] {text}" if context["is_homologacao"] else text


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
