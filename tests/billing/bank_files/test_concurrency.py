"""The same money told by several files and workers at one instant, while staff click."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial

import pytest
from support.boletos import agreement_with
from support.invoices import in_threads
from support.retornos import content_of, fact_of, new_boleto, open_boleto, received

from accounts.services.audit import SYSTEM
from billing.models import Charge, CnabFile, CnabRecord, CustomerCredit, Payment, Receivable
from billing.selectors.invariants import violations
from billing.services.bank_files import applying, remessa
from billing.services.bank_files.retorno import receive
from billing.services.payments.manual import pay_manually
from lib.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _invariants_hold(account):
    yield
    assert list(violations(account)) == []


def test_a_fact_is_applied_once_by_whoever_is_first(account, organization, monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 2)  # so that workers meet half way
    agreement = agreement_with(organization)
    charges = [open_boleto(organization) for _ in range(5)]
    alone = open_boleto(organization)
    files = [
        received(agreement, [fact_of(one) for one in charges]),
        received(agreement, [fact_of(one) for one in reversed(charges)], number=2),
        received(agreement, [fact_of(alone)], number=3),
        received(agreement, [fact_of(alone)], number=4),
    ]
    for file in files:
        applying.take(file.pk, account=account, confirmed=True)
    content = content_of(agreement, [], number=9)
    failed = []

    def counter():
        try:
            pay_manually(
                charges[2].receivable_id, account=account, actor=SYSTEM, method="cash",
                amount=Decimal("100.00"), on=date(2026, 8, 20), reference="balcão",
            )  # fmt: skip
        except DomainError:
            failed.append("the bank was first")

    def upload():
        return receive(content, filename="R", account=account, actor=SYSTEM)

    in_threads(
        [
            *(partial(applying.apply_file, one.pk) for one in (*files, files[0])),
            counter,
            upload,
            upload,
        ]
    )

    assert Payment.objects.filter(method="boleto").count() == 6
    told = CnabRecord.objects.filter(applied_at__isnull=False)
    assert told.count() == 6
    assert {one.state for one in Receivable.objects.all()} == {"received"}
    paid_at_counter = Payment.objects.filter(method="cash").count()
    assert paid_at_counter + len(failed) == 1
    credit = sum((one.amount for one in CustomerCredit.objects.all()), Decimal(0))
    assert credit == 100 * paid_at_counter  # the surplus is the customer's, never lost
    assert set(CnabFile.objects.exclude(sequence=9).values_list("state", flat=True)) == {"applied"}
    assert CnabFile.objects.filter(sequence=9).count() == 1


def test_one_boleto_goes_with_one_remessa(account, organization):
    agreement = agreement_with(organization)
    charges = [new_boleto(organization) for _ in range(3)]
    made = []

    def make():
        try:
            made.append(remessa.generate(agreement.pk, account=account, actor=SYSTEM).pk)
        except DomainError:
            made.append(None)

    in_threads([make, make, make])

    assert sorted(made, key=bool)[:2] == [None, None]
    assert CnabRecord.objects.filter(charge__in=[one.pk for one in charges]).count() == 3
    [file] = CnabFile.objects.all()
    send = partial(remessa.mark_sent, file.pk, account=account, actor=SYSTEM)
    in_threads([send, send])
    assert set(Charge.objects.values_list("state", "instruction")) == {("registering", "")}
