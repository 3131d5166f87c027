"""What the bodies of all notes are made of, and how values are written there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from billing.models import Invoice, InvoiceLine, NfseTemplate, Party
from billing.services.note_taxes import Case, Taxed
from fiscal.models import Company
from fiscal.tables.places import zone

Body = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """An invoice with all that its note is made of, already loaded."""

    invoice: Invoice
    case: Case
    taxed: Taxed
    company: Company
    lines: Sequence[InvoiceLine] = ()
    due_dates: Sequence[date] = field(default=())
    replaces: str = ""  # key of the national note, or number of the RPS
    replaces_series: str = ""
    reason: str = ""
    is_told: bool = True  # its customer wants to be written to about notes (P18)

    @property
    def template(self) -> NfseTemplate:
        return self.case.template

    @property
    def customer(self) -> Party:
        return self.invoice.customer


def local_moment(source: Source, now: datetime) -> datetime:
    """`now` on the clock of the issuer's place, whole seconds."""
    company = source.company
    local = now.astimezone(zone(company.uf, company.codigo_municipio))
    return local.replace(microsecond=0)


def filled(body: Body) -> Body:
    """Without empty fields, and without objects that have none."""
    found = {
        name: filled(value) if isinstance(value, dict) else value for name, value in body.items()
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def money(value: Decimal) -> str:
    return f"{value:.2f}"


def some(value: Decimal) -> str:
    """Nothing where nothing is withheld."""
    return money(value) if value else ""


def rate_text(value: Decimal | None) -> str:
    return f"{value.normalize():f}" if value else ""


def competence(invoice: Invoice, on: date) -> date:
    """Month of the service: what the invoice says, but never after the note (E0015)."""
    return min(invoice.accrual_date or invoice.issue_date, on)


def email_of(source: Source) -> str:
    """Where the note is sent: a company's own address for notes, a person's if it agreed.

    "" for a customer who turned these notices off (P18).
    """
    customer = source.customer
    if not source.is_told:
        return ""
    if customer.kind == Party.Kind.PERSON:
        return customer.email if customer.allow_email_on_nfse else ""
    return customer.nfse_email or customer.email


def name_of(customer: Party, longest: int) -> str:
    return (customer.company_name or customer.name)[:longest]


def nature(template: NfseTemplate) -> Body:
    """What the nature of the operation wants to know besides; of another nature it has no place."""
    kind, own = NfseTemplate.Natureza, template.natureza_operacao
    if own == kind.ISENCAO:
        return {"numero_beneficio_municipal": template.numero_beneficio_municipal}
    if own == kind.IMUNE:
        return {"tipo_imunidade": template.tipo_imunidade}
    if own in (kind.SUSPENSA_JUDICIAL, kind.SUSPENSA_ADMINISTRATIVA):
        return {"numero_processo_suspensao": template.numero_processo_suspensao}
    return {}


def situation(template: NfseTemplate) -> str:
    """CST; it is also how the classification begins."""
    return template.ibs_cbs_situacao_tributaria or template.ibs_cbs_classificacao_tributaria[:3]
