"""Another due date or value for a registered boleto: the bank first, then the boleto (BO-7)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import BoletoNotChangeable, fault
from billing.models import Charge
from billing.services.boletos.draft import check_amount
from billing.services.boletos.held import check_payable, hold_boletos
from billing.services.boletos.nudge import nudge
from billing.services.boletos.quotes import Quote, Quoting
from lib import clock

CHANGE = "change"  # Charge.instruction
_ZERO = Decimal("0.00")


@transaction.atomic
def change_boleto(
    receivable_id: int,
    *,
    account: Account,
    actor: Actor,
    due: date | None = None,
    today: date | None = None,
) -> Charge:
    """Ask the bank to bring the open boleto to what is open now, and to `due` when given.

    The boleto shows it once the bank has confirmed; the receivable then falls due with it. Without
    a difference nothing is asked. Raises NotFound, NoOpenAmount, PaymentInProgress, InvalidInput,
    or BoletoNotChangeable: an overdue one is reissued instead, and so is a reissue.
    """
    held = hold_boletos(account, receivable_id)
    check_payable(held)
    today = today or clock.today(account.time_zone)
    charge = held.of_state(Charge.State.OPEN)
    quoting = Quoting.of(held.receivable, held.invoice)
    if charge is None or charge.fine or charge.interest or quoting.is_overdue(today):
        raise BoletoNotChangeable()
    if due is not None and due < today:
        raise fault("due_date", "a data não pode ser anterior a hoje")
    wanted_due = due or charge.due_date
    open_principal = held.receivable.open_principal
    check_amount(Quote(wanted_due, 0, open_principal, _ZERO, _ZERO))
    if (wanted_due, open_principal) == (charge.due_date, charge.amount):
        return charge
    charge.change = {"due_date": wanted_due.isoformat(), "amount": str(open_principal)}
    charge.instruction, charge.attempts = CHANGE, 0
    charge.next_attempt_at = clock.now() if charge.gateway_id else None
    charge.save()
    record(
        account, actor=actor, action="boleto.alteracao_pedida", target=charge, after=charge.change
    )
    nudge(charge)
    return charge
