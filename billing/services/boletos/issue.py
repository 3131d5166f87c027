"""The first boleto of a receivable."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM, Actor, record
from billing.models import Charge
from billing.services.boletos.draft import basis_of, write_boleto
from billing.services.boletos.held import check_open, hold_boletos
from billing.services.boletos.nudge import nudge
from billing.services.boletos.quotes import Quote, Quoting
from lib import clock


@transaction.atomic
def issue_boleto(
    receivable_id: int, *, account: Account, actor: Actor = SYSTEM, today: date | None = None
) -> Charge:
    """The live boleto of a receivable, written now when there is none; safe to repeat.

    Due as the receivable is; one that is overdue already gets the value of the next business day.
    The bank is told afterwards: by its API at once, or by the next remessa. Raises NotFound,
    NoOpenAmount, InvoiceBlocked, NoAgreement, NumbersExhausted or InvalidInput (BO-6, LATE-4).
    """
    held = hold_boletos(account, receivable_id)
    live = held.of_state(*Charge.LIVE)
    if live is not None:
        return live
    check_open(held.invoice, held.receivable)
    today = today or clock.today(account.time_zone)
    basis = basis_of(held.invoice)
    quoting = Quoting.of(held.receivable, held.invoice)
    charge = write_boleto(held, basis, quoting, _quote(quoting, today), today=today, at=clock.now())
    after = {"nosso_numero": charge.nosso_numero, "amount": charge.amount, "due": charge.due_date}
    record(account, actor=actor, action="boleto.emitido", target=charge, after=after)
    nudge(charge)
    return charge


def _quote(quoting: Quoting, today: date) -> Quote:
    """No bank takes a due date that has passed, not even over a weekend."""
    if quoting.is_overdue(today):
        return quoting.choices(today)[0]
    due = quoting.receivable.due_date
    return quoting.at(due if due >= today else quoting.calendar.next_business_day(today))
