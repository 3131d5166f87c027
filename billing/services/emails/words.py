"""Which text is sent: the organization's own, or one of ours (EM-2)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from billing.errors import EmailNoTemplate
from billing.models import EmailTemplate, Invoice
from billing.services.emails.files import Kind

INVOICE = "api_crmCommunicationCustomerInvoice"
# Ours: name → file of templates/email, and what goes along.
_SHIPPED: dict[str, tuple[str, tuple[Kind, ...]]] = {
    INVOICE: ("fatura.txt", (Kind.INVOICE, Kind.BOLETO)),
    "lembrete": ("fatura_lembrete.txt", (Kind.BOLETO,)),
    "cobranca": ("fatura_cobranca.txt", ()),
    "reemissao": ("fatura_reemissao.txt", (Kind.BOLETO,)),
    "autenticacao": ("fatura_autenticacao.txt", ()),
    "recibo": ("fatura_recibo.txt", ()),
    "reembolso": ("fatura_reembolso.txt", ()),
    "link": ("fatura_link.txt", ()),
}
_SUBJECT = "Assunto: "


@dataclass(frozen=True)
class Words:
    """A text to be sent. `key` is the id of its template, or the name of one of ours."""

    key: str
    subject: str
    body: str
    sender: str = ""
    cc: str = ""
    include: frozenset[Kind] = frozenset()
    template: EmailTemplate | None = None


def words_of(invoice: Invoice, template_id: int | None = None) -> Words:
    """The text for an invoice: the one asked for, its own, its organization's default, or ours.

    The invoice's own may be a row of an outside service (billing-api §2.8) and counts only when
    it is here. Raises EmailNoTemplate for one that was asked for and is not the organization's.
    """
    rows = EmailTemplate.objects.of(invoice.account).filter(organization=invoice.organization_id)
    if template_id is not None:
        asked = rows.filter(pk=template_id).first()
        if asked is None:
            raise EmailNoTemplate()
        return own(asked)
    named = invoice.automatic_email_template_ref
    found = rows.filter(pk=named).first() if named is not None else None
    found = found or rows.filter(default_template=True).first()
    return own(found) if found is not None else shipped(INVOICE)


def own(template: EmailTemplate) -> Words:
    """What staff wrote."""
    flags = {
        Kind.INVOICE: template.include_invoice_pdf,
        Kind.BOLETO: template.include_billet,
        Kind.NFSE_PDF: template.include_nfse_pdf,
        Kind.NFSE_XML: template.include_nfse_xml,
        Kind.ATTACHMENT: template.include_attachments,
    }
    return Words(
        key=str(template.pk),
        subject=template.subject,
        body=template.body,
        sender=template.sender,
        cc=template.cc,
        include=frozenset(kind for kind, is_wanted in flags.items() if is_wanted),
        template=template,
    )


@lru_cache(maxsize=32)
def shipped(name: str) -> Words:
    """One of ours."""
    file, include = _SHIPPED[name]
    text = (Path(settings.BASE_DIR) / "templates" / "email" / file).read_text(encoding="utf-8")
    subject, _, body = text.partition("\n")
    return Words(
        name, subject.removeprefix(_SUBJECT), body.lstrip("\n"), include=frozenset(include)
    )


def shipped_names() -> Collection[str]:
    return _SHIPPED.keys()
