"""The receipt of a payment (P-16): what staff and customers download as its comprovante."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.documents import receipt as paper
from billing.documents.receipt import Receipt
from billing.errors import NoReceipt
from billing.models import Payment, Refund
from billing.services import ledger
from billing.services.ledger import ZERO
from billing.services.snapshots import party_data
from lib.br import cep_mask, date_br, document_kind, document_mask, extenso
from lib.money import brl


def receipt_of(payment: Payment) -> Receipt:
    """What the receipt of a payment says, as it stands now.

    Raises NoReceipt for one that was not confirmed or was undone.
    """
    if payment.state not in Payment.SETTLED or payment.undone_at is not None:
        raise NoReceipt()
    assert payment.received_on is not None
    payer, beneficiary = _parties(payment)
    return Receipt(
        number=f"{payment.pk:06d}",
        amount=brl(payment.amount),
        amount_in_words=extenso(payment.amount),
        payer=_name(payer),
        payer_document=_document(payer),
        beneficiary=_name(beneficiary),
        beneficiary_document=_document(beneficiary),
        beneficiary_address=_address(beneficiary),
        invoice=payment.invoice.label if payment.invoice else "",
        paid_on=date_br(payment.received_on),
        rows=_rows(payment),
        settled=_settled(payment),
        mark=_mark(payment),
    )


def receipt_pdf(payment: Payment) -> bytes:
    """The receipt as PDF, never inside a transaction.

    Raises NoReceipt, lib.pdf.RenderFailed, or OSError when no renderer can be started.
    """
    return paper.receipt_pdf(receipt_of(payment))


def _parties(payment: Payment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Payer and beneficiary as the invoice has them frozen."""
    invoice = payment.invoice
    if invoice is None:
        return party_data(payment.customer), {}
    customer, organization = invoice.customer_snapshot, invoice.organization_snapshot
    return (
        customer.data if customer else party_data(payment.customer),
        organization.data if organization else party_data(invoice.organization),
    )


def _name(data: dict[str, Any]) -> str:
    return str(data.get("company_name") or data.get("name") or "")


def _document(data: dict[str, Any]) -> str:
    text = data.get("document") or ""
    kind = document_kind(text)
    return f"{kind.upper()} {document_mask(text)}" if kind else str(text)


def _address(data: dict[str, Any]) -> str:
    street = ", ".join(filter(None, (data.get("address"), data.get("number"))))
    zipcode = data.get("zipcode") or ""
    places = (
        street,
        data.get("complement"),
        data.get("district"),
        "/".join(filter(None, (data.get("city"), data.get("state")))),
        f"CEP {cep_mask(zipcode)}" if zipcode else "",
    )
    return " – ".join(str(place) for place in places if place)


def _rows(payment: Payment) -> tuple[tuple[str, str], ...]:
    sums = ledger.standing_allocations(payment)
    late = sum((one.fine + one.interest for one in sums), ZERO)
    card = f" {payment.saved_method}" if payment.saved_method else ""
    surplus = payment.amount - sum((a.principal + a.fine + a.interest for a in sums), ZERO)
    shown: list[tuple[str, str | Decimal]] = [
        ("Forma de pagamento", payment.method_said + card),
        ("Referência", payment.reference),
        ("Identificador", payment.external_id),
        ("Multa e juros incluídos", late),
        ("Desconto concedido", sum((one.discount for one in sums), ZERO)),
        ("Lançado como crédito", surplus if payment.state != Payment.State.DISPUTED else ZERO),
        ("Reembolsado", _refunded(payment)),
    ]
    return tuple(
        (label, brl(value) if isinstance(value, Decimal) else value)
        for label, value in shown
        if value
    )


def _refunded(payment: Payment) -> Decimal:
    done = payment.refunds.filter(state=Refund.State.SUCCEEDED).values_list("amount", flat=True)
    return sum(done, ZERO)


def _settled(payment: Payment) -> tuple[tuple[str, str, str], ...]:
    found = payment.allocations.filter(reversed_at=None).select_related("receivable")
    return tuple(
        (
            str(one.receivable.position),
            date_br(one.receivable.due_date),
            brl(one.principal + one.fine + one.interest),
        )
        for one in found.order_by("id")
    )


def _mark(payment: Payment) -> str:
    if payment.state == Payment.State.REFUNDED:
        return "REEMBOLSADO"
    return "CONTESTADO" if payment.state == Payment.State.DISPUTED else ""
