"""Acts on the ledger of a few invoices in any order, for tests and for the soak `ledger`."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any, Self

from django.db import transaction
from factories import CompanyFactory, OrganizationFactory
from support.invoices import emitted_invoice

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import Chargeback, Party, Payment, Receivable, Refund
from billing.selectors.invariants import violations
from billing.services import ledger
from billing.services.payments.arrivals import Money, arrived_many, confirm
from billing.services.payments.chargebacks import (
    chargeback_lost,
    chargeback_opened,
    chargeback_won,
)
from billing.services.payments.credits import grant_credit, use_by_itself, use_credit
from billing.services.payments.manual import pay_manually
from billing.services.payments.refunds import open_refund, refund_failed, refund_succeeded
from billing.services.payments.undoing import undo_payment
from billing.services.payments.write_off import write_off
from billing.services.receivables import receive, undo_receipt
from lib.errors import DomainError

TODAY = "2026-09-01"  # the acts are of days before it
DAY = date(2026, 8, 20)
CHECK_EVERY = 5
D = Decimal


@transaction.atomic
def attempt(parcel: Receivable) -> Payment:
    """A card's charge of R$ 100,00 whose outcome is not known yet."""
    held = ledger.hold(parcel.account, invoice_id=parcel.invoice_id)
    payment = ledger.new_payment(
        held, held.receivable(parcel.pk), method="card", amount=D("100.00")
    )
    payment.process()
    payment.save()
    return payment


class Story:
    """Acts on a few invoices in any order; what the state does not allow is refused, no more."""

    def __init__(self, parcels: list[int], customer: Party, rng: random.Random) -> None:
        self.parcels, self.customer, self.rng = parcels, customer, rng
        self.given = {"account": customer.account, "actor": SYSTEM}
        self.n = self.done = 0

    @classmethod
    def begin(cls, account: Account, seed: int) -> Self:
        """Three parcels of two invoices of a new organization, which uses credit by itself."""
        organization = OrganizationFactory(account=account)
        organization.profile.credit_use = "oldest"
        organization.profile.save()
        customer = CompanyFactory(account=account)
        parcels = [
            pk
            for dues in ([DAY], [DAY, date(2026, 8, 31)])
            for pk in emitted_invoice(
                organization, customer, due_dates=dues
            ).receivables.values_list("pk", flat=True)
        ]
        return cls(parcels, customer, random.Random(seed))

    def go_on(self, steps: int) -> None:
        """So many acts; AssertionError, naming the act, as soon as the books are out of balance."""
        for number in range(steps):
            with suppress(DomainError):
                self.step()
                self.done += 1
            if number % CHECK_EVERY == 0 or number == steps - 1:
                found = [str(one) for one in violations(self.customer.account)]
                assert not found, f"ato {number}: {found}"

    def step(self) -> None:
        act = self.rng.choice([
            self.by_hand, self.by_hand, self.came, self.came, self.attempt, self.confirm,
            self.receive, self.undo_receipt, self.undo_payment, self.refund, self.answer_refund,
            self.contest, self.close, self.grant, self.use, self.lose, self.by_itself,
        ])  # fmt: skip
        act()

    def amount(self) -> Decimal:
        return D(self.rng.choice(["10.00", "33.33", "100.00", "102.17", "130.00"]))

    def day(self) -> date:
        return date(2026, 8, self.rng.choice([18, 20, 25, 31]))

    def parcel(self) -> int:
        return self.rng.choice(self.parcels)

    def some(self, model: Any, **wanted: Any) -> Any:
        found = list(model.objects.filter(**wanted).order_by("id"))
        return self.rng.choice(found) if found else None

    def by_hand(self) -> None:
        pay_manually(
            self.parcel(), method=self.rng.choice(["cash", "pos", "credit"]), on=self.day(),
            amount=self.rng.choice([None, self.amount()]), take_surplus=True,
            reason=self.rng.choice(["", "Acordo"]), **self.given,
        )  # fmt: skip

    def came(self) -> None:
        self.n += self.rng.choice([0, 1, 1, 1])
        moneys = [
            Money(
                self.parcel(), self.rng.choice(["pix", "boleto"]), self.amount(), self.day(),
                f"E{self.n}", discount=D(self.rng.choice(["0.00", "5.00"])),
            )
            for _ in range(self.rng.choice([1, 3]))
        ]  # fmt: skip
        arrived_many(self.customer.account, moneys, actor=SYSTEM)

    def attempt(self) -> None:
        parcel = Receivable.objects.get(pk=self.parcel())
        if not parcel.payments.filter(state="processing").exists():
            attempt(parcel)

    def confirm(self) -> None:
        if one := self.some(Payment, method="card"):
            confirm(one.pk, received_on=self.day(), **self.given)

    def receive(self) -> None:
        receive(self.parcel(), value=self.amount(), on=self.day(), **self.given)

    def undo_receipt(self) -> None:
        undo_receipt(self.parcel(), **self.given)

    def undo_payment(self) -> None:
        if one := self.some(Payment):
            undo_payment(one.pk, **self.given)

    def refund(self) -> None:
        if one := self.some(Payment):
            amount = self.rng.choice([None, self.amount()])
            to = self.rng.choice(["provider", "credit"])
            open_refund(one.pk, amount=amount, reason="x", to=to, **self.given)

    def answer_refund(self) -> None:
        if one := self.some(Refund):
            if self.rng.random() < 0.7:
                refund_succeeded(one.pk, external_id=f"re_{one.pk}", **self.given)
            else:
                refund_failed(one.pk, failure="não", **self.given)

    def contest(self) -> None:
        self.n += 1
        if one := self.some(Payment, state__in=("succeeded", "partially_refunded"), method="card"):
            amount = min(self.amount(), one.amount)
            chargeback_opened(one.pk, amount=amount, external_id=f"dp{self.n}", **self.given)

    def close(self) -> None:
        if one := self.some(Chargeback):
            self.rng.choice([chargeback_lost, chargeback_won])(one.pk, **self.given)

    def grant(self) -> None:
        grant_credit(self.customer.pk, amount=self.amount(), reason="x", **self.given)

    def use(self) -> None:
        use_credit(self.parcel(), on=self.day(), **self.given)

    def lose(self) -> None:
        write_off(self.parcel(), reason="x", **self.given)

    def by_itself(self) -> None:
        use_by_itself(self.customer.pk)
