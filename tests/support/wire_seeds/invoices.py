"""Invoices and receivables that contract fixtures require, as they are before the call."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from support.moments import moment
from support.wire import SEEDERS, Fixture, fixtures, seeds

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.api.v1.fields import parse_date
from billing.models import Attachment, Contract, Invoice, InvoiceLine, Receivable, ServiceItem
from billing.services.invoices import block_invoice, emit_invoice
from billing.services.option_values import KEPT, KEPT_PAYMENT, OPTION_COLUMNS, OPTIONS
from billing.services.receivables import receive

_CATALOGUE = (71, 72)
_PLAIN: dict[str, Any] = {
    "issue_date": "01/02/2025",
    "description": "Suporte",
    "nfe_body": "$DESCRICAO",
    "gross_value": "100.0",
    "payment_value": "100.0",
    "created_at": "17/02/2025 10:55:10 -03:00",
    "state": "to_emit",
    "approval_status": "approved",
    "receivables": [],
    "services": [],
    "attachments": [],
    "payment_information": {},
}


@seeds("invoice")
def invoice(pk: int, fixture: Fixture, account: Account) -> None:
    """An invoice with the values that the answer shows, less what the call is about to do."""
    if Invoice.objects.filter(pk=pk).exists():
        return
    shown = _PLAIN | _before(pk, fixture)
    contract_id = shown.get("contract_id") or fixture.data["requires"][0]["id"]
    SEEDERS["contract"](contract_id, fixture, account)
    row = _invoice(pk, shown, Contract.objects.select_related("party").get(pk=contract_id))
    row.save(force_insert=True)
    _lines(row, shown, fixture, account)
    for one in shown["receivables"]:
        _receivable(row, one)
    for one in shown["attachments"]:
        Attachment.objects.create(
            pk=one["id"], account=account, invoice=row, filename=one["filename"], size=1,
            content_type="application/pdf", storage_key="chave", sha256="0" * 64,
        )  # fmt: skip
    if shown["approval_status"] == "blocked":
        block_invoice(pk, account=account, actor=SYSTEM)
    _advance(row, shown["state"], shown["receivables"])


@seeds("receivable")
def receivable(pk: int, fixture: Fixture, account: Account) -> None:
    """A receivable, with an invoice of its value when the fixture does not describe one."""
    if Receivable.objects.filter(pk=pk).exists():
        return
    shown = fixture.shown("receivable", pk)
    state = {"receive": "to_receive", "undo_receipt": "received"}.get(_verb(fixture))
    if not Invoice.objects.filter(pk=shown["invoice_id"]).exists():
        plain = _PLAIN | {name: shown[name] for name in ("gross_value", "payment_value")}
        contract = Contract.objects.get(pk=fixture.data["requires"][0]["id"])
        _invoice(shown["invoice_id"], plain, contract).save(force_insert=True)
    row = Invoice.objects.get(pk=shown["invoice_id"])
    _receivable(row, shown)
    if state is not None:
        _advance(row, state, [shown])


def _verb(fixture: Fixture) -> str:
    return str(fixture.request["path"]).rsplit("/", 1)[-1]


def _before(pk: int, fixture: Fixture) -> dict[str, Any]:
    """The invoice before the call: an update starts from what the reading fixture shows."""
    shown = fixture.shown("invoice", pk)
    if fixture.request["method"] == "PATCH" and fixture.request["json"]:
        reading = next(one for one in fixtures() if one.name == "invoices_show")
        kept = {name: shown[name] for name in KEPT if name in shown}
        return reading.shown("invoice", pk) | kept
    before = {"approve": "blocked", "block": "approved"}.get(_verb(fixture))
    return shown | ({"approval_status": before} if before else {})


def _invoice(pk: int, shown: dict[str, Any], contract: Contract) -> Invoice:
    issue, gross = parse_date(shown["issue_date"]), Decimal(shown["gross_value"])
    row = Invoice(
        pk=pk,
        account_id=contract.account_id,
        contract=contract,
        organization_id=contract.organization_id,
        customer_id=contract.party_id,
        title=shown["description"],
        issue_date=issue,
        estimated_issue_date=parse_date(shown.get("estimated_issue_date")) or issue,
        accrual_date=parse_date(shown.get("accrual_date")),
        due_date=issue,
        total_amount=gross,
        total_tax=Decimal(0),
        gross_value=gross,
        payment_value=Decimal(shown["payment_value"]),
        created_at=moment(shown["created_at"]),
        nfe={n: shown[n] for n in ("nfe_service", "nfe_verification") if shown.get(n) is not None},
        fold="",
    )
    _options(row, shown)
    return row


def _options(row: Invoice, shown: dict[str, Any]) -> None:
    for name, column in {"number": "client_number", "comments": "comments"}.items():
        row.keep_text(column, shown.get(name))
    for name in ("description", "nfe_body"):
        row.keep_text(name, shown[name])
    for name in OPTIONS:
        if shown.get(name) is not None:
            setattr(row, name, shown[name])
    for name, column in OPTION_COLUMNS.items():
        setattr(row, column, shown.get(name))
    payment = shown["payment_information"]
    row.payment_method = payment.get("payment_method", row.payment_method)
    row.installments = payment.get("installments")
    row.integration |= {name: shown[name] for name in KEPT if name in shown}
    row.integration |= {name: payment[name] for name in KEPT_PAYMENT if name in payment}


def _lines(row: Invoice, shown: dict[str, Any], fixture: Fixture, account: Account) -> None:
    for pk in _CATALOGUE if shown["services"] else ():
        SEEDERS["service_item"](pk, fixture, account)
    for position, one in enumerate(shown["services"], start=1):
        InvoiceLine.objects.create(
            pk=one["id"], invoice=row, position=position, description=one["description"],
            service_item=ServiceItem.objects.of(account).get(name=one["name"]),
            units=Decimal(one["units"]), unit_value=Decimal(one["unit_value"]),
            value=Decimal(one["value"]),
        )  # fmt: skip


def _receivable(row: Invoice, shown: dict[str, Any]) -> None:
    due, payment = parse_date(shown["due_date"]), Decimal(shown["payment_value"])
    made = Receivable(
        pk=shown["id"], account_id=row.account_id, invoice=row,
        position=row.receivables.count() + 1, due_date=due, original_due_date=due,
        value=Decimal(shown["value"]), gross_value=Decimal(shown["gross_value"]),
        payment_value=payment, open_principal=payment, created_at=moment(shown["created_at"]),
        integration={n: shown[n] for n in ("cobrato_charge_id",) if shown.get(n) is not None},
    )  # fmt: skip
    made.save(force_insert=True)


def _advance(row: Invoice, state: str, receivables: list[dict[str, Any]]) -> None:
    """Take the invoice through its services to the state shown."""
    if state in ("to_receive", "received"):
        emit_invoice(row.pk, account=row.account, actor=SYSTEM)
    for one in receivables if state == "received" else ():
        value = Decimal(one["received_value"])
        on = parse_date(one["received_at"])
        receive(one["id"], account=row.account, actor=SYSTEM, value=value, on=on)
