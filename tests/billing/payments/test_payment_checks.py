"""Each check of the ledger finds the fault that it is there for, and nothing in a healthy one."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from support.invoices import emitted_invoice

from accounts.services.audit import SYSTEM
from billing.models import (
    BankAgreement,
    Charge,
    Chargeback,
    CustomerCredit,
    FinancialAccount,
    GatewayAccount,
    Invoice,
    Payment,
    PaymentAllocation,
    Receivable,
    Refund,
    Transaction,
)
from billing.selectors.invariants import violations
from billing.services.payments.arrivals import arrived
from billing.services.payments.chargebacks import chargeback_lost, chargeback_opened
from billing.services.payments.credits import use_credit
from billing.services.payments.manual import pay_manually
from billing.services.payments.refunds import open_refund, refund_succeeded
from billing.services.payments.undoing import undo_payment
from lib import clock

pytestmark = pytest.mark.django_db
DAY = date(2026, 8, 20)
D = Decimal


@pytest.fixture
def busy(organization, customer, today):
    """An account in which everything has happened once."""
    today("2026-09-10")
    account = customer.account
    given = {"account": account, "actor": SYSTEM}
    parcels = [emitted_invoice(organization, customer).receivables.get() for _ in range(8)]
    cash = pay_manually(parcels[0].pk, method="cash", amount=D(40), on=DAY, **given)
    pay_manually(parcels[1].pk, method="pos", on=DAY, **given)
    undo_payment(pay_manually(parcels[2].pk, method="transfer", on=DAY, **given).pk, **given)
    for n, amount in ((3, "130.00"), (4, "100.00"), (5, "100.00")):
        arrived(
            account, receivable_id=parcels[n].pk, method="card", amount=D(amount),
            received_on=DAY, external_id=f"pi_{n}", actor=SYSTEM,
        )  # fmt: skip
    use_credit(parcels[6].pk, on=DAY, **given)
    part = open_refund(
        Payment.objects.get(external_id="pi_4").pk, reason="x", amount=D(40), **given
    )
    refund_succeeded(part.pk, external_id="re_1", **given)
    case = chargeback_opened(
        Payment.objects.get(external_id="pi_5").pk, amount=D(100), external_id="dp", **given
    )
    chargeback_lost(case.pk, **given)
    Charge.objects.create(
        account=account, receivable=parcels[7], kind="boleto", state="open", amount=D(100),
        principal=D(100), issued_on=DAY, due_date=DAY, created_at=clock.now(),
    )  # fmt: skip
    assert cash.state == "succeeded"
    return account


def one(method):
    return Payment.objects.filter(method=method).order_by("id")


def copy(row, **change):
    fields = {f.name: getattr(row, f.name) for f in row._meta.concrete_fields if not f.primary_key}
    type(row).objects.create(**(fields | change))


def without_index(name, plant):
    """A fault that a constraint keeps out, with the constraint out of the way."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {name}")
    plant()


def again_by_card(**change):
    copy(one("card").first(), key=uuid.uuid4(), **change)


def chargeless(**change):
    """The open boleto once more."""
    copy(Charge.objects.get(), **change)


FAULTS = {
    "a paid amount": (
        "INV-4",
        lambda: Receivable.objects.filter(state="received").update(paid_fine=D("0.01")),
    ),
    "an allocation": (
        "INV-4",
        lambda: PaymentAllocation.objects.filter(payment__method="pos").update(principal=D(99)),
    ),
    "one brought back": (
        "INV-4",
        lambda: PaymentAllocation.objects.filter(reversed_at__isnull=False).update(
            reversed_at=None
        ),
    ),
    "a parcel that nothing is open of": (
        "INV-4",
        lambda: Receivable.objects.filter(state="to_receive", paid_principal=0).update(
            open_principal=0, written_off=D(100)
        ),
    ),
    "a total": (
        "INV-4",
        lambda: Invoice.objects.filter(state="received").update(paid_total=D(500)),
    ),
    "a status": (
        "SM-1",
        lambda: Invoice.objects.filter(payment_status="partially_paid").update(
            payment_status="unpaid"
        ),
    ),
    "a refunded status": (
        "SM-1",
        lambda: Invoice.objects.filter(payment_status="partially_refunded").update(
            payment_status="refunded"
        ),
    ),
    "a payment": ("INV-5", lambda: one("card").filter(external_id="pi_3").update(amount=D(131))),
    "a surplus": ("INV-5", lambda: CustomerCredit.objects.filter(origin="overpayment").delete()),
    "a reopening": ("INV-5", lambda: Chargeback.objects.update(reopened=D(99))),
    "an undone one": ("INV-5", lambda: one("pos").update(undone_at=clock.now())),
    "one that never was": ("INV-5", lambda: one("pos").update(state="failed")),
    "a use": ("INV-5", lambda: CustomerCredit.objects.filter(origin="use").update(amount=D(-29))),
    "a wallet": (
        "INV-5",
        lambda: (
            Chargeback.objects.update(state="won"),
            CustomerCredit.objects.filter(origin="overpayment").update(amount=D(1)),
        ),
    ),
    "an entry": (
        "PAYM-3",
        lambda: Transaction.objects.filter(kind="payment", title="Pagamento - Dinheiro").update(
            retail_cost=D(-41)
        ),
    ),
    "an entry of an undone one": (
        "PAYM-3",
        lambda: Transaction.objects.filter(title__startswith="Pagamento desfeito").delete(),
    ),
    "refunds beyond the payment": ("INV-6", lambda: Refund.objects.update(amount=D(101))),
    "a refunded total": (
        "INV-6",
        lambda: one("card").filter(external_id="pi_4").update(refunded_total=D(39)),
    ),
    "a refunded state": (
        "INV-6",
        lambda: one("card").filter(external_id="pi_4").update(state="refunded"),
    ),
    "an invoice's refunds": (
        "INV-6",
        lambda: Invoice.objects.filter(refunded_total=D(40)).update(refunded_total=D(41)),
    ),
    "a live boleto of a received parcel": (
        "INV-9",
        lambda: Charge.objects.update(
            receivable=Receivable.objects.filter(state="received").first()
        ),
    ),
    "two open boletos": ("INV-9", lambda: without_index("charge_open_once", chargeless)),
    "two attempts": (
        "PAY-1",
        lambda: without_index(
            "payment_in_flight",
            lambda: [again_by_card(state="processing", external_id=f"x{n}") for n in range(2)],
        ),
    ),
    "one provider payment twice": (
        "INV-10",
        lambda: without_index("payment_external_id", again_by_card),
    ),
    "one provider refund twice": ("INV-10", lambda: copy(Refund.objects.get(), number=2)),
}


def rules_broken(account):
    return {violation.rule for violation in violations(account)}


def test_each_planted_fault_is_named(busy):
    assert rules_broken(busy) == set()

    for fault, (rule, plant) in FAULTS.items():
        with transaction.atomic():
            plant()
            assert rule in rules_broken(busy), fault
            transaction.set_rollback(True)

    assert rules_broken(busy) == set()


def test_numbers_and_txids_used_twice_are_named(busy, organization):
    bank = FinancialAccount.objects.create(account=busy, organization=organization, bank_code="341")
    agreement = BankAgreement.objects.create(account=busy, financial_account=bank, agency="1")
    gateway = GatewayAccount.objects.create(
        account=busy, organization=organization, provider="pix", hook=uuid.uuid4()
    )
    for state in ("cancelled", "rejected"):
        without_agreement = {"state": state, "closed_at": clock.now()}
        chargeless_ = Charge.objects.first()
        copy(chargeless_, agreement=agreement, nosso_numero=state, **without_agreement)
        copy(chargeless_, kind="pix", gateway=gateway, nosso_numero="", agreement=None,
             txid=state, **without_agreement)  # fmt: skip
    assert rules_broken(busy) == set()

    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX charge_nosso_numero")
        cursor.execute("DROP INDEX charge_txid")
    Charge.objects.filter(nosso_numero="rejected").update(nosso_numero="cancelled")
    Charge.objects.filter(txid="rejected").update(txid="cancelled")

    texts = [v.row for v in violations(busy) if v.rule == "INV-10"]
    assert len(texts) == 2
    assert "nosso número cancelled está em 2 boletos" in texts[0]
    assert "txid cancelled está em 2 cobranças" in texts[1]
