"""Starting to collect an emitted invoice: boleto, Pix or card, as it says and as there are."""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import Account
from billing.errors import NoAgreement, NoOpenAmount, PixNotSetUp
from billing.models import (
    GatewayAccount,
    Invoice,
    PaymentMethod,
    Receivable,
    SavedMethod,
)
from billing.selectors.gateways import gateway_for
from billing.selectors.late_terms import charge_template_of
from billing.services.boletos.choice import agreement_of
from billing.services.boletos.issue import issue_boleto
from lib.errors import DomainError

_BY_BOLETO = (PaymentMethod.BILLET, PaymentMethod.PAYMENT_GATEWAY)
_BY_PIX = (*_BY_BOLETO, PaymentMethod.PIX, PaymentMethod.PIX_AUTOMATIC)


def start_collecting(invoice_id: int, account: Account) -> None:
    """Make the charges of an emitted invoice that it has not yet; safe to repeat.

    An invoice to be paid by card is charged to the customer's saved card; without one it is
    collected by boleto and Pix (P11). Each means is tried, whatever became of the others; the first
    refusal is raised in the end. Nothing to charge with is no error. Not inside a transaction.
    """
    invoice: Invoice = Invoice.objects.get_of(account, pk=invoice_id)
    if invoice.state != Invoice.State.TO_RECEIVE:
        return
    refusals: list[DomainError] = []
    for step in _steps(invoice, account):
        try:
            step()
        except (NoOpenAmount, NoAgreement, PixNotSetUp):
            continue  # paid or taken away meanwhile
        except DomainError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _steps(invoice: Invoice, account: Account) -> list[Callable[[], object]]:
    if _is_by_card(invoice, account):
        return [lambda: _charge_card(invoice.pk)]
    steps: list[Callable[[], object]] = []
    has_boleto = invoice.payment_method in _BY_BOLETO and _has_agreement(invoice)
    has_pix = invoice.payment_method in _BY_PIX and _gateway(
        invoice, account, GatewayAccount.Provider.PIX
    )
    for pk in _open_receivables(invoice):
        if has_boleto:
            steps.append(lambda pk=pk: issue_boleto(pk, account=account))  # type: ignore[misc]
        if has_pix:
            steps.append(lambda pk=pk: _issue_pix(pk, account))  # type: ignore[misc]
    return steps


def _open_receivables(invoice: Invoice) -> list[int]:
    found = invoice.receivables.filter(state=Receivable.State.TO_RECEIVE, open_principal__gt=0)
    return list(found.order_by("position").values_list("pk", flat=True))


def _is_by_card(invoice: Invoice, account: Account) -> bool:
    """To be paid by card, and there is one."""
    if invoice.payment_method != PaymentMethod.PAYMENT_GATEWAY:
        return False
    gateway = _gateway(invoice, account, GatewayAccount.Provider.STRIPE)
    return gateway is not None and bool(
        SavedMethod.objects.filter(
            gateway=gateway, customer_id=invoice.customer_id, state=SavedMethod.State.ACTIVE
        ).exists()
    )


def _gateway(invoice: Invoice, account: Account, provider: str) -> GatewayAccount | None:
    return gateway_for(account, provider=provider, organization_id=invoice.organization_id)


def _has_agreement(invoice: Invoice) -> bool:
    return agreement_of(invoice, charge_template_of(invoice)) is not None


def _issue_pix(receivable_id: int, account: Account) -> None:
    from billing.services.pix.issue import issue_pix

    issue_pix(receivable_id, account=account)


def _charge_card(invoice_id: int) -> None:
    from billing.services.payments.card_retries import charge_automatically

    charge_automatically(invoice_id)
