"""E-mails to customers."""

from __future__ import annotations

from django.contrib import admin

from billing.admin.owned import OwnedAdmin, OwnedForm
from billing.admin.sections import PRINTING
from billing.models import EmailTemplate

_WRITTEN = (
    "name",
    "description",
    "subject",
    "body",
    "sender",
    "cc",
    "include_billet",
    "include_invoice_pdf",
    "include_nfse_pdf",
    "include_nfse_xml",
    "include_attachments",
    "default_template",
    "subscription_default_template",
)

# billing-api §6.12.
TAGS = (
    "$DESCRICAO $NUMERO $DATA_EMISSAO $VALOR_BRUTO $DATAS_VENCIMENTO $PLANO $NOME_PRESTADOR "
    "$CNPJ_PRESTADOR $CODIGO_VERIFICACAO $NFSE_PDF_LINK"
)


class EmailTemplateForm(OwnedForm):
    class Meta:
        help_texts = {"body": f"No assunto e na mensagem são trocados no envio: {TAGS}"}


@admin.register(EmailTemplate)
class EmailTemplateAdmin(OwnedAdmin):
    """Texts that invoices are sent with; what was sent is not touched by a change."""

    section = PRINTING
    form = EmailTemplateForm
    list_display = (
        "name",
        "organization",
        "subject",
        "default_template",
        "subscription_default_template",
    )
    list_filter = ("default_template", "subscription_default_template")
    search_fields = ("name", "subject", "description")
    ordering = ("name", "pk")
    fields = ("organization", *_WRITTEN, "created_at")
    editable = _WRITTEN
