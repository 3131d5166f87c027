"""Invoices worth printing, templates to print them with, and what a PDF says."""

from __future__ import annotations

import io
import zlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from factories import CompanyFactory, ContractFactory, OrganizationFactory
from pypdf import PdfReader
from support.invoices import TODAY, new_invoice

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import DocumentTemplate, DocumentTemplateVersion, Invoice, Party
from billing.services.drafts import LineDraft
from billing.services.invoices import emit_invoice
from billing.services.templates import activate_version, digest, publish_version
from lib import clock

LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 60" width="240" height="60">'
    b'<rect width="60" height="60" rx="12" fill="#0b7285"/>'
    b'<path d="M14 40h32M14 30h32M14 20h32" stroke="#fff" stroke-width="5"/>'
    b'<text x="76" y="40" font-size="28" font-weight="700" fill="#0b7285">Horizonte</text></svg>'
)
PLAIN = "<html lang='pt-BR'><title>Fatura</title><p>{{ invoice_number }} {{ title }}</p></html>"
SERVICES = (
    ("Link dedicado 200 Mbps", "Acesso corporativo com IP fixo, matriz", "899.90", "1", "10"),
    ("Link dedicado 100 Mbps", "Filial Campinas", "549.90", "2", "10"),
    ("Telefonia fixa", "Tronco SIP com 10 canais", "249.90", "1", "10"),
    ("Ligações para celular", "Minutos excedentes do plano", "0.3875", "112", "0"),
    ("Hospedagem gerenciada", "Servidor virtual, cópia diária", "320.00", "1", "5"),
    ("Suporte avançado", "Atendimento 24 horas", "150.00", "1", "0"),
    ("Cópia de segurança", "2 TB em outra região", "89.90", "2", "5"),
    ("Endereço IP adicional", "", "25.00", "4", "0"),
    ("Roteador em comodato", "Cisco C1111", "45.00", "3", "0"),
    ("Crédito por indisponibilidade", "Protocolo 2026/0731", "-60.00", "1", "0"),
)


def horizonte(account: Account, **profile: Any) -> Party:
    """An organization with everything a document can show, numbering from 1001."""
    look = {
        "logo": LOGO,
        "logo_type": "image/svg+xml",
        "color_primary": "#0b7285",
        "color_accent": "#d9480f",
        "invoice_notes": "Dúvidas? Ligue (11) 3210-1234.",
    }
    organization: Party = OrganizationFactory(
        account=account,
        name="Horizonte Telecom",
        company_name="Horizonte Telecomunicações Ltda",
        document="12ABC34501DE35",
        address="Av. Paulista",
        number="1000",
        complement="Conjunto 101",
        district="Bela Vista",
        zipcode="01310100",
        email="financeiro@horizonte.test",
        phone="1132101234",
        **{f"profile__{name}": value for name, value in (look | profile).items()},
    )
    organization.series.update(prefix="INV-", first_number=1001, next_number=1001)
    return organization


def padaria(account: Account) -> Party:
    customer: Party = CompanyFactory(
        account=account,
        name="Padaria Aurora",
        company_name="Padaria Aurora Ltda",
        document="11222333000181",
        address="Rua das Flores",
        number="123",
        complement="Sala 4",
        district="Centro",
        city="Campinas",
        zipcode="13010000",
    )
    return customer


def service_lines(n: int) -> list[LineDraft]:
    return [_line(at) for at in range(n)]


def _line(at: int) -> LineDraft:
    title, description, unit_value, units, tax = SERVICES[at % len(SERVICES)]
    value = (Decimal(units) * Decimal(unit_value)).quantize(Decimal("0.01"))
    return LineDraft(
        title=title,
        description=description,
        units=Decimal(units),
        unit_value=Decimal(unit_value),
        tax_percentage=Decimal(tax),
        tax_amount=(value * Decimal(tax) / 100).quantize(Decimal("0.01")),
        occurred_at=datetime(2026, 7, 1 + at % 28, 12, 30, tzinfo=UTC),
        period_start=date(2026, 7, 1),
        period_end=date(2026, 7, 31),
    )


def july_draft(organization: Party, customer: Party, n_lines: int = 10, **fields: Any) -> Invoice:
    """July's services of a contract, two instalments; not emitted."""
    contract = ContractFactory(
        account=customer.account,
        organization=organization,
        party=customer,
        name=f"CT-{customer.pk:05d}",
        title="Internet e telefonia",
    )
    given = {
        "title": "Serviços de julho de 2026",
        "lines": service_lines(n_lines),
        "due_dates": [date(2026, 8, 20), date(2026, 9, 20)],
        "start_date": date(2026, 7, 1),
        "end_date": date(2026, 7, 31),
        "accrual_date": date(2026, 7, 1),
        "contract_id": contract.pk,
        "notes": "Após o vencimento: multa de 2% e juros de 1% ao mês.",
    }
    return new_invoice(organization, customer, **(given | fields))


def july_invoice(organization: Party, customer: Party, n_lines: int = 10, **fields: Any) -> Invoice:
    """The same, emitted."""
    invoice = july_draft(organization, customer, n_lines, **fields)
    return emit_invoice(invoice.pk, account=customer.account, actor=SYSTEM, today=TODAY)


def use_template(
    organization: Party, html: str, css: str = "", *, language: str = "pt-BR"
) -> DocumentTemplateVersion:
    """Make `html` the active version of the organization's default template."""
    template, _ = DocumentTemplate.objects.get_or_create(
        account=organization.account,
        organization=organization,
        is_default=True,
        language=language,
        defaults={"name": f"Padrão {language}"},
    )
    published = publish_version(template.pk, account=organization.account, html=html, css=css)
    activate_version(published.version.pk, account=organization.account)
    return published.version


def use_unscreened(organization: Party, html: str) -> DocumentTemplateVersion:
    """The same for HTML that publish_version would clean: as if screening had been fooled."""
    version = use_template(organization, PLAIN)
    template = version.template
    hostile = DocumentTemplateVersion.objects.create(
        template=template,
        number=version.number + 1,
        html=html,
        sha256=digest(html, ""),
        created_at=clock.now(),
    )
    activate_version(hostile.pk, account=organization.account)
    return hostile


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def holds(pdf: bytes, needle: bytes) -> bool:
    """Whether `needle` is anywhere in the file, compressed streams included."""
    if needle in pdf:
        return True
    for part in pdf.split(b"stream\n")[1:]:
        try:
            if needle in zlib.decompressobj().decompress(part):
                return True
        except zlib.error:
            continue
    return False
