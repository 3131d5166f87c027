"""Short ways to invoices with notes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from support.invoices import emitted_invoice, line, new_invoice

from billing.models import Invoice, InvoiceNote, NfseTemplate, Party
from billing.services import note_emission
from fiscal.services.nfse import dispatch


def make_template(organization: Party, **fields: Any) -> NfseTemplate:
    given = {
        "name": "Consultoria",
        "item_lista_servico": "17.01",
        "codigo_tributacao_nacional": "170101",
        "aliquota_iss": Decimal(5),
        "aliquota_ir": Decimal("1.5"),
        "aliquota_pis": Decimal("0.65"),
        "aliquota_cofins": Decimal(3),
        "aliquota_csll": Decimal(1),
        "retencoes_destacadas_nota": ["IR", "PIS", "COFINS", "CSLL"],
        "percentual_carga_tributaria": Decimal("13.45"),
        "fonte_carga_tributaria": "IBPT",
    }
    return NfseTemplate.objects.create(
        account=organization.account, organization=organization, **(given | fields)
    )


def noted(organization: Any, customer: Any, template: NfseTemplate, **fields: Any) -> Invoice:
    """An emitted invoice of R$ 10.000,00 that asks for its note."""
    return emitted_invoice(organization, customer, **given(template, fields))


def to_be_noted(organization: Any, customer: Any, template: NfseTemplate, **fields: Any) -> Invoice:
    return new_invoice(organization, customer, **given(template, fields))


def given(template: NfseTemplate, fields: dict[str, Any]) -> dict[str, Any]:
    value = fields.pop("value", "10000.00")
    days = fields.pop("days", 0)
    options = {
        "issue_nfse": True,
        "nfse_template_ref": template.pk,
        "days_until_automatic_nfe_emission": days,
        "description": "Consultoria de novembro",
    }
    usual = {
        "issue_date": date(2026, 11, 20),
        "due_dates": [date(2026, 12, 10)],
        "lines": [line(value)],
        "options": options | fields.pop("options", {}),
    }
    return usual | fields


def issue_all() -> None:
    """Hand over, send, take in: as the queue does."""
    note_emission.work_off()
    dispatch.work()
    note_emission.work_off()


def the_note(invoice: Invoice) -> InvoiceNote:
    return (
        InvoiceNote.objects.select_related("service_note", "document", "nfse", "invoice")
        .filter(invoice=invoice, slot=InvoiceNote.CURRENT)
        .get()
    )


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)
