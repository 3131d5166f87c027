"""The customer's unbilled transactions: add, edit, delete (TAX-1). Billed ones are history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import AlreadyBilled
from billing.models import Contract, Invoice, InvoiceLine, Party, ServiceItem, Transaction
from billing.services.drafts import MAX_FACTOR
from lib import clock
from lib.errors import FieldError, InvalidInput
from lib.money import half_up


@dataclass(frozen=True)
class TransactionData:
    """What people give of a transaction.

    `retail_cost` is in BRL and may be negative; a negative one is a credit. `tax_percentage` None
    takes the service's, else 0.
    """

    title: str
    retail_cost: Decimal
    tax_percentage: Decimal | None = None
    description: str = ""
    service_item_id: int | None = None
    contract_id: int | None = None
    created_at: datetime | None = None
    source: str = ""


@transaction.atomic
def add_transaction(
    data: TransactionData, *, customer_id: int, account: Account, actor: Actor
) -> Transaction:
    """Write an unbilled transaction of the customer. Raises NotFound or InvalidInput."""
    customer = Party.objects.get_of(account, pk=customer_id)
    row = Transaction(account=account, customer=customer, created_at=clock.now())
    _fill(row, data, account)
    row.save()
    record(account, actor=actor, action="transacao.criada", target=row, after=_shown(row))
    return row


@transaction.atomic
def edit_transaction(
    transaction_id: int, data: TransactionData, *, account: Account, actor: Actor
) -> Transaction:
    """Replace what an unbilled transaction says. Raises NotFound, AlreadyBilled, InvalidInput."""
    row = _unbilled(transaction_id, account)
    before = _shown(row)
    _fill(row, data, account)
    row.save()
    record(
        account,
        actor=actor,
        action="transacao.alterada",
        target=row,
        before=before,
        after=_shown(row),
    )
    return row


@transaction.atomic
def delete_transaction(transaction_id: int, *, account: Account, actor: Actor) -> None:
    """Delete an unbilled transaction; lines of voided invoices keep what they say.

    Raises NotFound or AlreadyBilled.
    """
    row = _unbilled(transaction_id, account)
    record(account, actor=actor, action="transacao.excluida", target=row, before=_shown(row))
    InvoiceLine.objects.filter(transaction=row, is_released=True).update(transaction=None)
    row.delete()


def _unbilled(transaction_id: int, account: Account) -> Transaction:
    row: Transaction = Transaction.objects.select_for_update().get_of(account, pk=transaction_id)
    if row.invoice_id is not None:
        invoice = Invoice.objects.select_related("series").get(pk=row.invoice_id)
        raise AlreadyBilled(row.pk, invoice.label)
    return row


def _fill(row: Transaction, data: TransactionData, account: Account) -> None:
    item = None
    if data.service_item_id is not None:
        item = ServiceItem.objects.get_of(account, pk=data.service_item_id)
    if data.contract_id is not None:
        Contract.objects.get_of(account, pk=data.contract_id, party_id=row.customer_id)
    percent = data.tax_percentage
    if percent is None:
        percent = item.tax_percentage if item else Decimal(0)
    _check(data, percent)
    row.title = data.title.strip()
    row.description = data.description
    row.retail_cost = half_up(data.retail_cost)
    row.tax_percentage = half_up(percent, 6)
    row.tax_amount = half_up(row.retail_cost * row.tax_percentage / 100)
    row.kind = Transaction.Kind.CREDIT if row.retail_cost < 0 else Transaction.Kind.CHARGE
    row.service_item = item
    row.contract_id = data.contract_id
    row.source = data.source
    row.created_at = data.created_at or row.created_at


def _check(data: TransactionData, percent: Decimal) -> None:
    erros = []
    if not data.title.strip():
        erros.append(FieldError("title", "Informe o título."))
    if len(data.title.strip()) > 200:
        erros.append(FieldError("title", "O título deve ter até 200 caracteres."))
    if not abs(data.retail_cost) < MAX_FACTOR:
        erros.append(FieldError("retail_cost", "Valor inválido. Use o formato 1.234,56."))
    if not 0 <= percent <= 100:
        erros.append(FieldError("tax_percentage", "O imposto deve estar entre 0% e 100%."))
    if erros:
        raise InvalidInput(" ".join(e.mensagem for e in erros), erros=erros)


def _shown(row: Transaction) -> dict[str, object]:
    return {
        "title": row.title,
        "retail_cost": row.retail_cost,
        "tax_percentage": row.tax_percentage,
        "tax_amount": row.tax_amount,
        "created_at": row.created_at,
    }
