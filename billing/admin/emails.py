"""E-mails to customers."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import ValidationError

from billing.admin.owned import OwnedAdmin, OwnedForm
from billing.admin.sections import PRINTING
from billing.models import EmailTemplate
from billing.services.emails.rendering import unknown_variables
from billing.services.emails.variables import NAMES

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

# EM-2, EM-3 and billing-api §6.12.
TAGS = " ".join(f"${name}" if name.isupper() else f"{{{{ var:{name} }}}}" for name in NAMES)


class EmailTemplateForm(OwnedForm):
    class Meta:
        help_texts = {"body": f"No assunto e na mensagem são trocados no envio: {TAGS}"}

    def clean_subject(self) -> str:
        return self._known("subject")

    def clean_body(self) -> str:
        return self._known("body")

    def _known(self, name: str) -> str:
        """The text, if there is every variable that it names (ux B11)."""
        text = str(self.cleaned_data[name])
        faults = unknown_variables(text, dict.fromkeys(NAMES))
        if faults:
            raise ValidationError(faults)
        return text


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
