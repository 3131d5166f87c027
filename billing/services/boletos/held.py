"""A receivable with its invoice and its boletos, locked in the order that everyone locks in."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Account
from billing.errors import InvoiceBlocked, NoOpenAmount, PaymentInProgress
from billing.models import Charge, Invoice, Payment, Receivable
from billing.services import ledger


@dataclass(frozen=True)
class HeldBoletos:
    """`boletos` are those that are not over, oldest first; locked until the commit."""

    account: Account
    invoice: Invoice
    receivable: Receivable
    boletos: list[Charge]

    def of_state(self, *states: str) -> Charge | None:
        """The newest one in one of these states."""
        found = [one for one in self.boletos if one.state in states]
        return found[-1] if found else None

    def charge(self, pk: int) -> Charge:
        """Raises Charge.DoesNotExist for one that is not of this receivable."""
        for one in self.boletos:
            if one.pk == pk:
                return one
        raise Charge.DoesNotExist(pk)


def hold_boletos(account: Account, receivable_id: int) -> HeldBoletos:
    """Lock contract, invoice, receivables and the receivable's boletos. Raises NotFound."""
    held, receivable = ledger.hold_receivable(account, receivable_id)
    boletos = Charge.objects.select_for_update().filter(
        receivable=receivable, kind=Charge.Kind.BOLETO
    )
    return HeldBoletos(account, held.invoice, receivable, list(boletos.order_by("id")))


def check_payable(held: HeldBoletos) -> None:
    """Raises NoOpenAmount, InvoiceBlocked or PaymentInProgress (P-6, P08, PAY-1)."""
    check_open(held.invoice, held.receivable)
    if held.receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()


def check_open(invoice: Invoice, receivable: Receivable) -> None:
    """Raises NoOpenAmount or InvoiceBlocked."""
    if receivable.state != Receivable.State.TO_RECEIVE or not receivable.open_principal:
        raise NoOpenAmount()
    if invoice.approval_status == Invoice.Approval.BLOCKED:
        raise InvoiceBlocked()
