"""email_templates (billing-api §2.12): read-only; staff write them."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.v1.docs import documented, listed
from billing.api.v1.fields import BoolOut, IntegerOut, MomentOut, TextOut
from billing.api.v1.of_organization import OfOrganizationView
from billing.api.v1.shapes import Out
from billing.models import EmailTemplate


# Tags in subject and body are shown unexpanded (§6.12).
class EmailTemplateOut(Out):
    id = IntegerOut()
    company_id = IntegerOut(of="organization_id")
    name = TextOut()
    cc = TextOut()
    vars()["from"] = TextOut(of="sender")  # a word of the language cannot stand on the left
    body = TextOut()
    subject = TextOut()
    description = TextOut()
    include_billet = BoolOut()
    include_nfse_pdf = BoolOut()
    include_nfse_xml = BoolOut()
    include_attachments = BoolOut()
    include_invoice_pdf = BoolOut()
    default_template = BoolOut()
    subscription_default_template = BoolOut()
    created_at = MomentOut()


class EmailTemplatesView(OfOrganizationView):
    model, shape = EmailTemplate, EmailTemplateOut
    envelope, plural = "email_template", "email_templates"

    @documented(
        "Lista os modelos de e-mail da organização",
        answer=listed("email_templates", EmailTemplateOut),
    )
    def get(self, request: Request, organization_id: int) -> Response:
        return self.list_all(organization_id, "name")


routes = [
    path("organizations/<organization_id>/email_templates", EmailTemplatesView.as_view()),
]
