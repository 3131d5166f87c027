"""The day after a contract's last day: it is cancelled, as its customer has asked (P13)."""

from __future__ import annotations

import logging
from datetime import date

from django.db import DatabaseError, OperationalError, transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.models import Contract, ScheduledCancellation
from billing.selectors.endings import due_endings, open_endings
from billing.services.contracts import cancel_contract
from billing.services.subscriptions import cancel_subscription
from lib import clock

log = logging.getLogger(__name__)


def carry_out_all() -> int:
    """Cancel, in every account, the contracts whose last day is over; answers how many."""
    accounts = Account.objects.filter(is_active=True).order_by("id")
    return sum(carry_out(one, today=clock.today(one.time_zone)) for one in accounts)


def carry_out(account: Account, *, today: date) -> int:
    """Cancel the account's contracts whose last day is over on `today`; answers how many.

    Each is a transaction of its own, so it may be cut off anywhere and run beside itself. One that
    cannot be cancelled is told and tried again the next time.
    """
    done = 0
    for pk, contract_id in list(due_endings(account, today=today).values_list("pk", "contract_id")):
        try:
            done += _carry_out(account, pk, contract_id)
        except (DatabaseError, ValueError, ArithmeticError) as error:
            if isinstance(error, OperationalError):
                raise
            extra = {"contract_id": contract_id, "error": type(error).__name__}
            log.warning("contract.cancellation_refused", extra=extra)
    return done


@transaction.atomic
def _carry_out(account: Account, pk: int, contract_id: int) -> int:
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account, pk=contract_id
    )
    row = locked_end(contract)
    if row is None or row.pk != pk:
        return 0  # another one was quicker, or the customer took it back
    request = row.request
    reason = " – ".join(
        part for part in (request.protocol, request.reason, request.comment) if part
    )
    if contract.registration_method == Contract.Registration.SUBSCRIPTION:
        values = {"cancel_date": row.effective_on, "cancel_reason": reason}
        cancel_subscription(contract.token, values, account=account, actor=SYSTEM)
    else:
        cancel_contract(
            contract.pk, account=account, on=row.effective_on, reason=reason, actor=SYSTEM
        )
    row.done_at = clock.now()
    row.save(update_fields=["done_at"])
    return 1


def locked_end(contract: Contract) -> ScheduledCancellation | None:
    """The open end of a locked contract, locked too; None when it has none."""
    found: ScheduledCancellation | None = (
        open_endings(contract.account)
        .filter(contract=contract)
        .select_for_update(of=("self",))
        .first()
    )
    return found
