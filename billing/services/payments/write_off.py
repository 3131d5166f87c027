"""Giving a parcel up as a loss (MN-4)."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor
from billing.errors import CannotWriteOff, PaymentInProgress, fault
from billing.models import Payment, Receivable
from billing.services import ledger
from billing.services.books import Books
from lib import clock


@transaction.atomic
def write_off(receivable_id: int, *, account: Account, actor: Actor, reason: str) -> Receivable:
    """Ask for nothing more of a parcel: what is open is lost, what was paid stays paid.

    The invoice keeps its revenue. `undo_receipt` takes it back. Raises InvalidInput without a
    reason, CannotWriteOff, PaymentInProgress or NotFound.
    """
    if not reason.strip():
        raise fault("reason", "não pode ficar em branco")
    held, receivable = ledger.hold_receivable(account, receivable_id)
    if receivable.state != Receivable.State.TO_RECEIVE:
        raise CannotWriteOff()
    if receivable.payments.filter(state__in=Payment.IN_FLIGHT).exists():
        raise PaymentInProgress()
    lost = receivable.open_principal
    books = Books(account, actor=actor)
    books.let_off(held, receivable, on=clock.today(account.time_zone))
    after = {"lost": lost, "reason": reason.strip()}
    books.audit("recebimento.baixado_como_perda", receivable, after=after)
    books.write()
    return receivable
