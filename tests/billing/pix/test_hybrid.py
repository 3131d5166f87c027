"""Boleto and Pix of one receivable: on one page, and paying one ends the other (PX-6, INV-9)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from support.boletos import agreement_with

from accounts.services.audit import SYSTEM
from billing.models import Charge, CustomerCredit, Payment
from billing.selectors.invariants import violations
from billing.services.boletos.issue import issue_boleto
from billing.services.boletos.printing import slips_of
from billing.services.payments.arrivals import arrived
from billing.services.pix.looking import look_now
from billing.services.pix.sweep import sweep_pix
from lib import clock

pytestmark = pytest.mark.django_db

State = Charge.State


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


@pytest.fixture
def boleto(bank, receivable, organization):
    """Registered, and of the receivable's value."""
    agreement_with(organization, limit_days=30)
    made = issue_boleto(receivable.pk, account=receivable.account)
    Charge.objects.filter(pk=made.pk).update(instruction="")
    made = Charge.objects.get(pk=made.pk)
    made.confirm(at=clock.now())
    made.save()
    return made


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def codes(boleto):
    return [one.pix_code for one in slips_of([fresh(boleto)], boleto.account, at=clock.now())]


def test_the_boleto_shows_the_pix_that_can_be_paid(bank, receivable, boleto):
    assert codes(boleto) == [""]
    pix = bank.issue(receivable)

    assert codes(boleto) == [pix.brcode]

    assert pix.limit_date == date(2026, 9, 19)  # as many days as the boleto has
    assert bank.of_bank(pix)["calendario"]["validadeAposVencimento"] == 30
    Charge.objects.filter(pk=pix.pk).update(expires_at=clock.now())
    assert codes(boleto) == [""]


def test_paying_the_pix_ends_the_boleto_in_the_same_transaction(bank, receivable, boleto):
    pix = bank.issue(receivable)
    bank.pay(pix)

    assert look_now(pix.pk)

    assert fresh(pix).state == State.PAID
    assert (fresh(boleto).state, fresh(boleto).instruction) == (State.CANCELLING, "write_off")
    assert codes(boleto) == [""]
    assert not look_now(pix.pk)  # asked again at once, the bank is left alone


def test_paying_the_boleto_ends_the_pix_in_the_same_transaction(bank, receivable, boleto):
    pix = bank.issue(receivable)
    arrived(
        receivable.account, receivable_id=receivable.pk, method=Payment.Method.BOLETO,
        amount=Decimal("100.00"), received_on=date(2026, 8, 12), external_id="retorno:1",
        charge_id=boleto.pk, actor=SYSTEM,
    )  # fmt: skip

    assert fresh(boleto).state == State.PAID
    assert (fresh(pix).state, fresh(pix).instruction) == (State.CANCELLING, "write_off")
    assert sweep_pix() == 1
    assert bank.of_bank(pix)["status"] == "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    assert fresh(pix).state == State.CANCELLED


def test_both_paid_at_the_same_time_leave_credit_and_no_loss(bank, receivable, boleto):
    pix = bank.issue(receivable)
    bank.pay(pix)
    arrived(
        receivable.account, receivable_id=receivable.pk, method=Payment.Method.BOLETO,
        amount=Decimal("100.00"), received_on=date(2026, 8, 12), external_id="retorno:1",
        charge_id=boleto.pk, actor=SYSTEM,
    )  # fmt: skip

    bank.deliver()

    assert fresh(pix).state == State.PAID_AFTER_CANCEL
    assert CustomerCredit.objects.get().amount == Decimal("100.00")
    assert Payment.objects.count() == 2
