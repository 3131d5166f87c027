"""Money of a Pix that went back, as the bank tells it: by us, by MED, or at the bank itself (PX-5).

Every teller comes here — the answer of the call, the notice, the daily list — and each return
counts once, whatever the order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import SYSTEM
from billing.gateways.pix.provider import Return, ReturnStatus
from billing.models import Chargeback, Payment, Refund
from billing.services import ledger
from billing.services.payments.chargebacks import (
    chargeback_lost,
    chargeback_opened,
    chargeback_won,
)
from billing.services.payments.refunds import open_refund, refund_failed, refund_succeeded
from lib.errors import Conflict

log = logging.getLogger(__name__)

_PREFIX = "REF"
_MED = {
    "MED_FRAUDE": "MED: fundada suspeita de fraude",
    "MED_OPERACIONAL": "MED: falha operacional",
}
AT_BANK = "Devolução feita no banco."
NOT_DONE = "O banco não realizou a devolução."


def return_id(refund: Refund) -> str:
    """What the bank knows a refund of ours by: it makes it happen once."""
    return f"{_PREFIX}{refund.pk}"


def put_returns_in_step(account: Account, payment: Payment, returns: Iterable[Return]) -> None:
    """Bring the books of a payment in step with all returns that the bank knows of it."""
    for one in returns:
        refund = _ours(payment, one)
        if refund is not None:
            settle_refund(account, refund, one)
        elif one.is_special:
            _settle_special(account, payment, one)
        elif one.status == ReturnStatus.DONE:
            _record_foreign(account, payment, one)


def settle_refund(account: Account, refund: Refund, one: Return) -> None:
    """What became of a return that we asked for; nothing while it is under way."""
    if one.status == ReturnStatus.DONE:
        refund_succeeded(refund.pk, account=account, actor=SYSTEM, external_id=one.return_id)
    elif one.status == ReturnStatus.FAILED:
        refund_failed(refund.pk, account=account, actor=SYSTEM, failure=one.reason or NOT_DONE)


def _ours(payment: Payment, one: Return) -> Refund | None:
    number = one.id.removeprefix(_PREFIX)
    if one.id == number or not (number.isascii() and number.isdecimal()):
        return None
    found: Refund | None = payment.refunds.filter(pk=int(number[:18])).first()
    return found


def _settle_special(account: Account, payment: Payment, one: Return) -> None:
    """MED: the payer's bank took the money, and the receivable is owed again."""
    key = one.return_id or one.id
    known = payment.chargebacks.filter(external_id=key).first()
    if known is None and one.status == ReturnStatus.FAILED:
        return
    if known is not None and known.state != Chargeback.State.OPEN:
        return
    contested = known or chargeback_opened(
        payment.pk, account=account, actor=SYSTEM, amount=one.amount, external_id=key,
        reason=_MED.get(one.nature, "MED"),
    )  # fmt: skip
    if one.status == ReturnStatus.DONE:
        chargeback_lost(contested.pk, account=account, actor=SYSTEM)
        log.warning("pix.med", extra={"payment_id": payment.pk})
    elif one.status == ReturnStatus.FAILED:
        chargeback_won(contested.pk, account=account, actor=SYSTEM)


@transaction.atomic
def _record_foreign(account: Account, payment: Payment, one: Return) -> None:
    """Somebody gave it back in the bank's own pages: a refund that is done already.

    Where our rules leave nothing to be refunded, its credit being used, the money is gone all the
    same: it is booked as lost.
    """
    ledger.hold_payment(account, payment.pk)
    key = one.return_id or one.id
    lost = payment.chargebacks.filter(external_id=key)
    if payment.refunds.filter(external_id=key).exists() or lost.exists():
        return
    try:
        with transaction.atomic():
            refund = open_refund(
                payment.pk, account=account, actor=SYSTEM, amount=one.amount, reason=AT_BANK
            )
    except Conflict:
        contested = chargeback_opened(
            payment.pk, account=account, actor=SYSTEM, amount=one.amount, external_id=key,
            reason=AT_BANK,
        )  # fmt: skip
        chargeback_lost(contested.pk, account=account, actor=SYSTEM)
        return
    refund_succeeded(refund.pk, account=account, actor=SYSTEM, external_id=key)
