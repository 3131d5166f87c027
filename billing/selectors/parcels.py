"""What a person means who says which parcel or customer some money is of."""

from __future__ import annotations

from decimal import Decimal

from accounts.models import Account
from billing.errors import fault
from billing.models import Invoice, Party, Receivable
from billing.selectors.customer_invoices import invoices_numbered
from lib.br import date_br, document_mask, normalise_document
from lib.money import brl

FIELD, CUSTOMER_FIELD = "fatura", "documento"
UNKNOWN = "Nenhuma fatura emitida tem este número."
SEVERAL = "Mais de uma fatura tem este número: escreva-o como aparece na lista."
WHICH = "A fatura tem {n} parcelas: escreva também qual, como em {example}."
NOBODY = "Nenhum cliente tem este CPF ou CNPJ."


def parcel_named(account: Account, text: str) -> Receivable:
    """The parcel of an invoice's number, `01234`, or of one parcel's, `01234-2`.

    Without a parcel the only open one is meant. Raises InvalidInput.
    """
    invoice, position = _invoice_named(account, text.strip())
    parcels = list(invoice.receivables.order_by("position"))
    if position is not None:
        found = [one for one in parcels if one.position == position]
        if not found:
            raise fault(FIELD, UNKNOWN)
        return found[0]
    opened = [one for one in parcels if one.state == Receivable.State.TO_RECEIVE] or parcels
    if len(opened) > 1:
        raise fault(FIELD, WHICH.format(n=len(parcels), example=f"{invoice.label}-2"))
    return opened[0]


def _invoice_named(account: Account, text: str) -> tuple[Invoice, int | None]:
    """A number may have a hyphen of its own: as a whole it goes first."""
    if found := _numbered(account, text):
        return found, None
    number, _, position = text.rpartition("-")
    found = _numbered(account, number) if position.isascii() and position.isdecimal() else None
    if not found:
        raise fault(FIELD, UNKNOWN)
    return found, int(position[:6])


def _numbered(account: Account, text: str) -> Invoice | None:
    rows = Invoice.objects.of(account).filter(emitted_at__isnull=False).select_related("series")
    found = invoices_numbered(rows, text)
    exact = [one for one in found if one.label == text] or found
    if len(exact) > 1:
        raise fault(FIELD, SEVERAL)
    return exact[0] if exact else None


def customer_named(account: Account, text: str) -> Party:
    """The customer of a CPF or CNPJ, masked or not. Raises InvalidInput."""
    rows = Party.objects.of(account).exclude(kind=Party.Kind.ORGANIZATION)
    document = normalise_document(text)
    found: Party | None = rows.filter(document=document).first() if document else None
    if found is None:
        raise fault(CUSTOMER_FIELD, NOBODY)
    return found


def suggestions(account: Account, amount: Decimal, *, limit: int = 5) -> list[str]:
    """Open parcels of exactly that value (BRL), oldest due first, in words."""
    rows = (
        Receivable.objects.of(account)
        .filter(state=Receivable.State.TO_RECEIVE, open_principal=amount)
        .select_related("invoice__series", "invoice__customer")
        .order_by("due_date", "id")[:limit]
    )
    return [
        f"Em aberto com este valor: fatura {one.invoice.label}-{one.position}, {_who(one)}, "
        f"vencimento em {date_br(one.due_date)}, {brl(one.open_principal)}."
        for one in rows
    ]


def _who(receivable: Receivable) -> str:
    customer = receivable.invoice.customer
    shown = f" ({document_mask(customer.document)})" if customer.document else ""
    return f"{customer.name}{shown}"
