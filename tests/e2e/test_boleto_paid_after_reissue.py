"""Boleto issued → overdue → reissued with fine by the payer → the old one is paid at the bank."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from support.boletos import agreement_with
from support.invoices import emitted_invoice
from support.retornos import fact_of, received

from accounts.services.audit import SYSTEM
from billing.models import Charge, CnabRecord, CustomerCredit, Invoice, PaymentAllocation
from billing.selectors.invariants import violations
from billing.services import follow_ups
from billing.services.bank_files import applying, remessa
from billing.services.links import make_link, token_of

pytestmark = pytest.mark.django_db

BOLETO = Charge.Kind.BOLETO


def sent(agreement):
    """A remessa of everything that waits, taken to the bank."""
    file = remessa.generate(agreement.pk, account=agreement.account, actor=SYSTEM)
    return remessa.mark_sent(file.pk, account=agreement.account, actor=SYSTEM)


def returned(agreement, *facts, number):
    """A retorno, looked at and applied; how each line came out."""
    file = received(agreement, facts, number=number, name=f"RET{number}.TXT")
    applying.take(file.pk, account=agreement.account, confirmed=False)
    applying.apply_file(file.pk, actor=SYSTEM)
    return list(CnabRecord.objects.filter(file=file).order_by("line"))


def boleto(invoice, state):
    return Charge.objects.get(receivable__invoice=invoice, kind=BOLETO, state=state)


@pytest.mark.parametrize(
    ("paid", "left", "credit"),
    [
        ("100.00", "2.96", "0.00"),  # its face value: interest and fine come first (ALLOC-1)
        ("102.96", "0.00", "0.00"),
        ("110.00", "0.00", "7.04"),
    ],
)
def test_from_issue_to_a_settlement_nobody_expected(
    organization, customer, today, paid, left, credit
):
    today("2026-08-12")
    agreement = agreement_with(organization)
    invoice = emitted_invoice(organization, customer)
    follow_ups.work_off()
    old = boleto(invoice, Charge.State.REGISTERING)
    sent(agreement)
    [entry] = returned(agreement, fact_of(old, "02"), number=1)
    assert entry.result == CnabRecord.Result.REGISTERED

    today("2026-09-21")  # a Monday, a month late
    browser = Client()
    url = f"/p/f/{token_of(make_link(invoice, recipient='ana@aurora.test'))}/"
    offered = browser.get(f"{url}2via/1/").content.decode()
    assert "R$\xa0102,99" in offered  # the bank counts R$ 0,03 a day (LATE-3)
    answer = browser.post(f"{url}2via/1/", {"vencimento": "22/09/2026"}, follow=True)
    assert "em registro no banco" in answer.content.decode()
    new = boleto(invoice, Charge.State.REGISTERING)
    assert (new.amount, new.replaces_id) == (Decimal("102.99"), old.pk)
    assert boleto(invoice, Charge.State.CANCELLING).pk == old.pk
    sent(agreement)

    paid_on = {"paid": Decimal(paid), "occurred_on": date(2026, 9, 21)}
    lines = returned(agreement, fact_of(new, "02"), fact_of(old, "06", **paid_on), number=2)

    assert lines[-1].result in (CnabRecord.Result.REPLACED, CnabRecord.Result.DIVERGENT)
    invoice = Invoice.objects.get(pk=invoice.pk)
    receivable = invoice.receivables.get()
    assert receivable.open_principal == Decimal(left)
    assert invoice.state == ("received" if left == "0.00" else "to_receive")
    given = CustomerCredit.objects.filter(customer=customer).values_list("amount", flat=True)
    assert sum(given, Decimal("0.00")) == Decimal(credit)
    allocation = PaymentAllocation.objects.get(receivable=receivable)
    assert (allocation.fine, allocation.interest) == (Decimal("2.00"), Decimal("0.96"))
    assert Charge.objects.get(pk=old.pk).state == Charge.State.PAID_AFTER_CANCEL
    if left == "0.00":  # nobody is asked to pay again
        assert Charge.objects.get(pk=new.pk).state == Charge.State.CANCELLING
        assert "Esta fatura está paga." in browser.get(url).content.decode()
    assert list(violations(invoice.account)) == []
