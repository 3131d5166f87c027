"""What the tags of an e-mail stand for (EM-2, EM-3, billing-api §6.12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.gateways.boleto.codes import line
from billing.models import Charge, Invoice, Nfse, Receivable
from billing.services.note_texts import tags_of
from lib.br import date_br
from lib.money import NBSP, brl

# Every name that a text may use.
NAMES = (
    "customer_name", "invoice_number", "invoice_date", "due_date", "total_amount", "invoice_url",
    "pay_url", "linha_digitavel", "pix_code",
    "CLIENTE", "PLANO", "DESCRICAO", "VALOR", "VENCIMENTO", "NUMERO", "LINK",
    "DATA_EMISSAO", "VALOR_BRUTO", "DATAS_VENCIMENTO", "CNPJ_PRESTADOR", "NOME_PRESTADOR",
    "CODIGO_VERIFICACAO", "NFSE_PDF_LINK",
)  # fmt: skip


@dataclass(frozen=True)
class About:
    """What an e-mail is about: an invoice, or what is open of it and of others of its customer.

    With `receivables` the sum asked for is what is open of them; `extra` wins over everything.
    """

    invoice: Invoice
    receivables: tuple[Receivable, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def invoices(self) -> list[Invoice]:
        """Each once, that of the oldest receivable first."""
        found = {one.invoice_id: one.invoice for one in self.receivables}
        return list(found.values()) or [self.invoice]


def money(value: Decimal) -> str:
    """`R$ 1.234,56` with a plain space, as the other tags have it."""
    return brl(value).replace(NBSP, " ")


def values_of(about: About) -> dict[str, str]:
    """All but the links, which are each recipient's own (`with_links`)."""
    invoice = about.invoice
    parcels = about.receivables or tuple(invoice.receivables.order_by("position"))
    days = sorted({one.due_date for one in parcels})
    number = ", ".join(dict.fromkeys(one.label for one in about.invoices))
    due = _due(about, days)
    total = money(_total(about))
    customer = invoice.customer.name
    return {
        **tags_of(invoice, days, nfse=_nfse(invoice)),
        **_charge_codes(parcels),
        "customer_name": customer,
        "invoice_number": number,
        "invoice_date": date_br(invoice.issue_date),
        "due_date": due,
        "total_amount": total,
        "CLIENTE": customer,
        "NUMERO": number,
        "VALOR": total,
        "VENCIMENTO": due,
        **about.extra,
    }


def with_links(values: Mapping[str, str], page_url: str) -> dict[str, str]:
    """The values with the addresses of a recipient's page."""
    urls = {"invoice_url": page_url, "pay_url": f"{page_url}#pagar", "LINK": page_url}
    return {**values, **urls}


def _due(about: About, days: Sequence[date]) -> str:
    if about.receivables:
        return ", ".join(date_br(day) for day in days)
    due = about.invoice.due_date or (days[0] if days else None)
    return date_br(due) if due is not None else ""


def _total(about: About) -> Decimal:
    if not about.receivables:
        return about.invoice.payment_value
    return sum((one.open_principal for one in about.receivables), Decimal("0.00"))


def _nfse(invoice: Invoice) -> Nfse | None:
    rows = Nfse.objects.filter(invoice=invoice).exclude(status=Nfse.Status.CANCELLED)
    return rows.order_by("-id").first()


def _charge_codes(parcels: Sequence[Receivable]) -> dict[str, str]:
    """What pays the first instalment that is open; empty where it has no such charge."""
    first = next((one for one in parcels if one.state == Receivable.State.TO_RECEIVE), None)
    rows = Charge.objects.filter(receivable=first, state=Charge.State.OPEN) if first else ()
    charges = {charge.kind: charge for charge in rows}
    boleto, pix = charges.get(Charge.Kind.BOLETO), charges.get(Charge.Kind.PIX)
    return {
        "linha_digitavel": line(boleto.barcode) if boleto and boleto.barcode else "",
        "pix_code": pix.brcode if pix else (boleto.brcode if boleto else ""),
    }
