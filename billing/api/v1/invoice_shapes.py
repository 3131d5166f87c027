"""Bodies of invoices and receivables (billing-api §2.8, §2.11)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from billing.api.v1.attachments import AttachmentIn, AttachmentOut
from billing.api.v1.fields import (
    BoolIn,
    BoolOut,
    ChoiceIn,
    DateIn,
    DateOut,
    DecimalIn,
    DecimalOut,
    IdIn,
    IntegerOut,
    IsoDateOut,
    KeptIntegerOut,
    KeptTextOut,
    LongTextIn,
    MomentOut,
    MonthIn,
    QuotedIdIn,
    TextIn,
    TextOut,
    is_blank,
    parse_bool,
    parse_decimal,
    wire_date,
)
from billing.api.v1.nodes import (
    OptionsIn,
    OptionsOut,
    PaymentInformationOut,
    ServiceIn,
    ServiceOut,
)
from billing.api.v1.shapes import In, Out, Sent
from billing.models import Contract, Invoice, Party
from billing.selectors import boleto_links
from billing.selectors.invoice_links import invoice_url
from billing.selectors.invoices_shown import note_date
from billing.services.rule_templates import SERVICE_KEY

_NESTED = ("receivables", "services", "attachments")


# --- in ----------------------------------------------------------------------------------------


class PaymentValueIn(DecimalIn):
    """What is to be received. Text that is no number counts as 0 (§1.7), blank as not sent."""

    def read(self, value: Any) -> Decimal | None:
        if isinstance(value, str) and not is_blank(value) and parse_decimal(value) is None:
            return Decimal(0)
        return super().read(value)


class InvoiceServiceIn(ServiceIn):
    """A service; what is missing of it may come from the preset."""

    invoice_template_service_item_id = IdIn(help_text="De um serviço do modelo de faturamento")
    units = DecimalIn()
    unit_value = DecimalIn()


class ReceivableIn(In):
    id = IdIn()
    due_date = DateIn(required=True)
    value = DecimalIn(max_digits=9, help_text="Percentual do valor bruto, até 4 decimais")
    _destroy = BoolIn()


class InvoiceChangesIn(OptionsIn):
    """What an update may send; `approval_status` has actions of its own."""

    issue_date = DateIn(required=True)
    estimated_issue_date = DateIn()
    description = LongTextIn(required=True)
    nfe_body = LongTextIn(required=True)
    gross_value = DecimalIn(decimal_places=2)
    payment_value = PaymentValueIn(decimal_places=2)
    number = TextIn(max_length=60)
    accrual_date = MonthIn()
    nfse_service = TextIn()
    nfse_verification = TextIn()
    nfe_issued = BoolIn()
    nfe_issue_date = DateIn()
    comments = LongTextIn()
    receivables = ReceivableIn(many=True, required=False)
    services = InvoiceServiceIn(many=True, required=False)
    attachments = AttachmentIn(many=True, required=False)

    @classmethod
    def take(cls, data: Mapping[str, Any], *, partial: bool, path: str = "") -> Sent:
        return super().take(_without_ghosts(data), partial=partial, path=path)


class InvoiceIn(InvoiceChangesIn):
    approval_status = ChoiceIn(Invoice.Approval.values)
    invoice_template_id = QuotedIdIn(help_text="De um modelo de uso único")

    @classmethod
    def take(cls, data: Mapping[str, Any], *, partial: bool, path: str = "") -> Sent:
        """With a preset, what is missing may come from it: the service judges the result."""
        has_preset = not is_blank(data.get("invoice_template_id"))
        return super().take(data, partial=partial or has_preset, path=path)


def _without_ghosts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Without elements to be destroyed that were never there: they ask for nothing (§6.11)."""
    lists = {name: data[name] for name in _NESTED if isinstance(data.get(name), list)}
    return {**data, **{name: [e for e in lists[name] if not _is_ghost(e)] for name in lists}}


def _is_ghost(element: Any) -> bool:
    return (
        isinstance(element, dict)
        and is_blank(element.get("id"))
        and is_blank(element.get(SERVICE_KEY))
        and bool(parse_bool(element.get("_destroy")))
    )


class ReceiptIn(In):
    received_value = DecimalIn(decimal_places=2)
    received_at = DateIn()


# --- out ---------------------------------------------------------------------------------------


class ReceivableOut(Out):
    """An instalment; `value` is its percent of the gross value."""

    id = IntegerOut()
    invoice_id = IntegerOut()
    due_date = DateOut()
    value = DecimalOut()
    gross_value = DecimalOut()
    payment_value = DecimalOut()
    received_value = DecimalOut()
    received_at = DateOut()
    created_at = MomentOut()
    state = TextOut()
    payment_gateway_status = TextOut(of="gateway_status")
    cobrato_charge_id = KeptIntegerOut()
    cobrato_errors = KeptTextOut()
    finance_receivable_id = KeptIntegerOut()
    myfinance_sale_id = KeptIntegerOut()
    finance_entity_id = KeptIntegerOut()
    myfinance_errors = KeptTextOut()
    myfinance_receivable_account_id = KeptIntegerOut()


def _nfe(name: str) -> Any:
    return staticmethod(lambda invoice: invoice.nfe.get(name))


class ReceivableInvoiceOut(OptionsOut):
    """The invoice of a receivable, without receivables of its own (§1.11)."""

    id = IntegerOut()
    contract_id = IntegerOut()
    issue_date = DateOut()
    estimated_issue_date = DateOut()
    gross_value = DecimalOut()
    payment_value = DecimalOut()
    description = TextOut()
    state = TextOut()
    cancelled_automatically = BoolOut()
    nfe_service = TextOut()
    nfe_verification = TextOut()
    nfe_issue_date = TextOut(help_text="dd/mm/aaaa")
    nfe_body = TextOut()
    nfe_issued = BoolOut()
    number = TextOut(of="client_number")
    created_at = MomentOut()
    accrual_date = IsoDateOut()
    comments = TextOut()
    customer_id = IntegerOut()
    customer_type = TextOut()
    automatic_nfe_issue_date = DateOut()
    approval_status = TextOut()
    services = ServiceOut(many=True)
    attachments = AttachmentOut(many=True)
    payment_information = PaymentInformationOut()
    fatura_url = TextOut()
    nfse_url = TextOut()

    get_nfe_service = _nfe("nfe_service")
    get_nfe_verification = _nfe("nfe_verification")
    get_nfse_url = _nfe("nfse_url")
    get_automatic_nfe_issue_date = staticmethod(note_date)
    get_fatura_url = staticmethod(invoice_url)

    @staticmethod
    def get_nfe_issued(invoice: Invoice) -> bool:
        return bool(invoice.nfe.get("nfe_issued"))

    @staticmethod
    def get_nfe_issue_date(invoice: Invoice) -> str | None:
        kept: str | None = invoice.nfe.get("nfe_issue_date")
        return wire_date(date.fromisoformat(kept)) if kept else None

    @staticmethod
    def get_customer_id(invoice: Invoice) -> int:
        return invoice.organization_id if _is_purchase(invoice) else invoice.customer_id

    @staticmethod
    def get_customer_type(invoice: Invoice) -> str:
        """Organizations are companies on the wire (§2.1)."""
        is_person = invoice.customer.kind == Party.Kind.PERSON and not _is_purchase(invoice)
        return "Person" if is_person else "Company"

    @staticmethod
    def get_payment_information(invoice: Invoice) -> Invoice:
        return invoice


def _is_purchase(invoice: Invoice) -> bool:
    return invoice.contract is not None and invoice.contract.kind == Contract.Kind.PURCHASE


class InvoiceOut(ReceivableInvoiceOut):
    """An invoice as `billing.selectors.invoice_rows` reads it."""

    receivables = ReceivableOut(many=True)


class FoundReceivableOut(ReceivableOut):
    """A receivable as the search answers it."""

    boleto_url = TextOut()
    invoice = ReceivableInvoiceOut()

    get_boleto_url = staticmethod(boleto_links.boleto_url)
