"""The boletos that the demonstration's open invoices were issued with, on their own days."""

from __future__ import annotations

from accounts.models import Account
from billing.models import BankAgreement, Charge, PaymentMethod, Receivable
from billing.services.boletos.issue import issue_boleto
from billing.services.demo.ledger import SOURCE


def load(account: Account) -> None:
    """Created where missing, and only where there is a bank to register them."""
    if not BankAgreement.objects.of(account).filter(is_active=True).exists():
        return
    boletos = Charge.objects.of(account).filter(kind=Charge.Kind.BOLETO)
    rows = (
        Receivable.objects.of(account)
        .filter(
            state=Receivable.State.TO_RECEIVE,
            invoice__idempotency_key__startswith=SOURCE,
            invoice__series__code="1",
            invoice__payment_method=PaymentMethod.BILLET,
        )
        .exclude(pk__in=boletos.values("receivable"))
        .order_by("id")
        .values_list("pk", "invoice__issue_date")
    )
    for pk, issued_on in rows:
        issue_boleto(pk, account=account, today=issued_on)
