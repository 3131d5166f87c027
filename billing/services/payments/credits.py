"""The customer's wallet: granting credit, using it, and using it by itself (MN-3)."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from accounts.models import Account
from accounts.services import idempotency
from accounts.services.audit import SYSTEM, Actor
from billing.errors import InsufficientCredit, fault
from billing.models import CustomerCredit, Party, Payment, Receivable
from billing.services import ledger
from billing.services.books import Books
from billing.services.drafts import MAX_TOTAL
from billing.services.dunning.pauses import disputed
from billing.services.ledger import ZERO
from billing.services.payments.manual import CREDIT, amount_owed, pay_manually
from lib import clock
from lib.errors import DomainError, NotFound
from lib.money import half_up

log = logging.getLogger(__name__)


def credit_balance(customer_id: int, *, account: Account) -> Decimal:
    """What the wallet of a customer has (BRL); below zero after a chargeback of what was used."""
    customer: Party = Party.objects.get_of(account, pk=customer_id)
    return ledger.credit_balance(customer.pk)


def grant_credit(
    customer_id: int,
    *,
    account: Account,
    actor: Actor,
    amount: Decimal,
    reason: str,
    key: str = "",
) -> CustomerCredit:
    """Credit given by hand (REF-3); with a `key`, given once however often it is sent.

    Raises NotFound, InvalidInput without a reason or a positive amount, KeyUsed when the key gave
    another credit.
    """
    value, why = half_up(amount), reason.strip()
    if not 0 < value < MAX_TOTAL:
        raise fault("amount", "o valor deve ser maior do que zero")
    if not why:
        raise fault("reason", "não pode ficar em branco")
    customer: Party = Party.objects.get_of(account, pk=customer_id)

    def run() -> tuple[int, Any]:
        return 201, {"credit_id": _grant(customer, account, actor, value, why).pk}

    if not key:
        return _grant(customer, account, actor, value, why)
    request = idempotency.fingerprint("POST", f"credits/{customer.pk}", [value, why])
    answer = idempotency.once(account, key=f"credit:{key}", fingerprint=request, run=run)
    credit: CustomerCredit = CustomerCredit.objects.get_of(account, pk=answer.body["credit_id"])
    return credit


@transaction.atomic
def _grant(
    customer: Party, account: Account, actor: Actor, amount: Decimal, reason: str
) -> CustomerCredit:
    if customer.kind == Party.Kind.ORGANIZATION:
        raise NotFound()
    books = Books(account, actor=actor)
    origin = CustomerCredit.Origin.MANUAL
    credit = books.credit(
        None, customer_id=customer.pk, amount=amount, origin=origin, reason=reason
    )
    books.write()
    return credit


@transaction.atomic
def use_credit(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    amount: Decimal | None = None,
    on: date | None = None,
    key: str = "",
) -> Payment:
    """Pay a parcel out of its customer's wallet; `amount` by default what both have.

    Raises as pay_manually; InsufficientCredit also for an empty wallet.
    """
    day = on or clock.today(account.time_zone)
    if amount is None:
        row = Receivable.objects.select_related("invoice").get_of(account, pk=receivable_id)
        ledger.hold_wallet([row.invoice.customer_id])
        owed = amount_owed(receivable_id, account=account, on=day).paid
        amount = min(owed, ledger.credit_balance(row.invoice.customer_id))
        if amount <= 0:
            raise InsufficientCredit(ZERO, owed)
    return pay_manually(
        receivable_id, account=account, actor=actor, method=CREDIT, amount=amount, on=day,
        reference="Crédito do cliente", key=key,
    )  # fmt: skip


def use_by_itself(customer_id: int) -> int:
    """Pay a customer's oldest open parcels with its credit, where the organization wants that.

    Each in a transaction of its own; answers how many. Safe to run again.
    """
    customer = Party.objects.select_related("account").filter(pk=customer_id).first()
    if customer is None:
        return 0
    n = 0
    for receivable_id in _oldest(customer):
        with transaction.atomic():
            ledger.hold_wallet([customer.pk])
            if ledger.credit_balance(customer.pk) <= 0:
                break
            n += receivable_id in _oldest(customer) and _used(
                receivable_id, customer
            )  # as it is now
    return n


def _used(receivable_id: int, customer: Party) -> bool:
    """Whether the credit could be used; not while a card is being charged at this moment."""
    try:
        use_credit(receivable_id, account=customer.account, actor=SYSTEM)
    except DomainError as error:
        log.info("credit.not_used", extra={"receivable_id": receivable_id, "why": error.mensagem})
        return False
    return True


def sweep() -> int:
    """Use the credit of every customer that has some, where that is wanted; answers how many."""
    wanted = Q(customer__account__in=_accounts())
    balances = (
        CustomerCredit.objects.filter(wanted)
        .values("customer")
        .annotate(balance=Sum("amount"))
        .filter(balance__gt=0)
        .values_list("customer", flat=True)
    )
    return sum(use_by_itself(customer_id) for customer_id in sorted(balances))


def _accounts() -> list[int]:
    profiles = Party.objects.filter(profile__credit_use="oldest")
    return list(profiles.values_list("account", flat=True).distinct())


def _oldest(customer: Party) -> list[int]:
    """Open parcels that credit may pay by itself: no payment is under way, no dispute open."""
    rows = Receivable.objects.of(customer.account).filter(
        invoice__customer=customer,
        invoice__organization__profile__credit_use="oldest",
        state=Receivable.State.TO_RECEIVE,
        open_principal__gt=0,
    )
    today = clock.today(customer.account.time_zone)
    rows = rows.exclude(payments__state__in=Payment.IN_FLIGHT).exclude(
        disputed(customer.account, today=today)
    )
    return list(rows.order_by("due_date", "id").values_list("pk", flat=True))
