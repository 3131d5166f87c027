"""The same parcel by card, by file and by hand at one instant; and anything in any order."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from support.invoices import emitted_invoice, in_threads
from support.ledger_story import DAY, TODAY, Story, attempt

from accounts.services.audit import SYSTEM
from billing.models import (
    CustomerCredit,
    Payment,
    PaymentAllocation,
    Receivable,
)
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.payments.arrivals import Money, arrived, arrived_many, confirm
from billing.services.payments.credits import grant_credit, use_credit
from billing.services.payments.manual import pay_manually
from lib.errors import DomainError

D = Decimal


@pytest.mark.django_db(transaction=True)
def test_card_file_and_staff_at_once_settle_one_and_lose_nothing(organization, customer, today):
    today("2026-08-20")
    account = customer.account
    given = {"account": account, "actor": SYSTEM}
    parcels = [emitted_invoice(organization, customer).receivables.get() for _ in range(4)]
    file = [Money(r.pk, "boleto", D("100.00"), DAY, f"linha {r.pk}") for r in parcels]
    for n, parcel in enumerate(parcels):
        payment = attempt(parcel)
        told = partial(confirm, payment.pk, received_on=DAY, **given)
        pix = partial(
            arrived, receivable_id=parcel.pk, method="pix", amount=D("100.00"), received_on=DAY,
            external_id=f"E{n}", **given,
        )  # fmt: skip
        click = partial(pay_manually, parcel.pk, method="cash", on=DAY, **given)
        # One parcel by one, then the whole file at once, each of them told twice.
        batch = partial(arrived_many, account, file if n == 3 else [file[n]], actor=SYSTEM)

        answers = in_threads([told, told, pix, pix, click, batch, batch])

        refused = isinstance(answers[4], DomainError)  # the card is under way, or it is paid
        arrivals = [one for one in answers[:4] if one.is_new]
        assert len(arrivals) == 2
        came = Payment.objects.filter(receivable=parcel, undone_at=None, state="succeeded")
        assert came.count() == (3 if refused else 4)
        assert PaymentAllocation.objects.filter(receivable=parcel).count() == 1
        credited = sum(
            CustomerCredit.objects.filter(payment__receivable=parcel).values_list(
                "amount", flat=True
            ),
            D(0),
        )
        assert credited == 100 * (came.count() - 1)
        assert Receivable.objects.get(pk=parcel.pk).state == "received"
    assert list(violations(account)) == []


@pytest.mark.django_db(transaction=True)
def test_one_wallet_is_not_spent_twice(organization, customer, today):
    today("2026-08-20")
    given = {"account": customer.account, "actor": SYSTEM}
    parcels = [emitted_invoice(organization, customer).receivables.get() for _ in range(3)]
    grant_credit(customer.pk, amount=D("150.00"), reason="Brinde", **given)

    answers = in_threads([partial(use_credit, one.pk, **given) for one in parcels])

    assert sorted(one.amount for one in answers if isinstance(one, Payment)) == [50, 100]
    assert ledger.credit_balance(customer.pk) == 0
    assert list(violations(customer.account)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_anything_in_any_order_keeps_the_books_in_balance(account, today, seed):
    today(TODAY)

    story = Story.begin(account, seed)
    story.go_on(75)

    assert story.done > 25
