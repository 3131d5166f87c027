"""What the page of a public link shows: nothing that the payer would not show the cashier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.models import Invoice, InvoiceLink
from billing.selectors.situations import UNPAID, Estado
from lib import clock
from portal.masking import masked_document, masked_name
from portal.paying import Parcel, ToPay, to_pay

MESSAGES = {
    "paga": "Esta fatura está paga. Obrigado.",
    "anulada": "Esta fatura foi anulada e não deve ser paga.",
    "cancelada": "Esta fatura foi cancelada e não deve ser paga.",
}


@dataclass(frozen=True)
class PublicInvoice:
    """The page: issuer, masked payer, and what there is to pay."""

    bill: ToPay
    issuer_name: str
    issuer_document: str
    payer_name: str
    payer_document: str

    @property
    def invoice(self) -> Invoice:
        return self.bill.invoice

    @property
    def estado(self) -> Estado:
        return self.bill.estado

    @property
    def message(self) -> str:
        return MESSAGES.get(self.bill.estado, "")

    @property
    def parcels(self) -> Sequence[Parcel]:
        return self.bill.parcels

    @property
    def can_pay(self) -> bool:
        return self.bill.estado in UNPAID

    @property
    def due_date(self) -> date | None:
        return self.bill.due_date

    @property
    def open_total(self) -> Decimal:
        return self.bill.open_total


def public_invoice(link: InvoiceLink) -> PublicInvoice:
    """The invoice of a link that works; its account and parties are loaded."""
    invoice = link.invoice
    payer, issuer = invoice.customer, invoice.organization
    frozen = invoice.customer_snapshot.data if invoice.customer_snapshot else {}
    name = str(frozen.get("name") or payer.name)
    return PublicInvoice(
        bill=to_pay(invoice, today=clock.today(link.account.time_zone)),
        issuer_name=issuer.company_name or issuer.name,
        issuer_document=issuer.document,
        payer_name=masked_name(name, payer.document),
        payer_document=masked_document(payer.document),
    )
