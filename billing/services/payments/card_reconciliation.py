"""Each day what the provider charged is held against our payments (ST-9)."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from accounts.services.audit import SYSTEM, record
from billing.gateways.cards import Attempt, CardRefused, Status
from billing.models import GatewayAccount, Payment
from billing.services.payments import card_answers, card_refunds
from billing.services.payments.card_gateway import STRIPE, provider_of
from lib import clock
from lib.errors import GatewayUnavailable

log = logging.getLogger(__name__)

DAYS = 3


@dataclass
class Reconciliation:
    """What was found: payments by id, attempts by the provider's id."""

    n_seen: int = 0
    repaired: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # charged with our label, and not on our books
    missing: list[int] = field(default_factory=list)  # on our books, and not at the provider

    @property
    def differs(self) -> bool:
        return bool(self.repaired or self.unknown or self.missing)


def reconcile_all() -> int:
    """Every gateway for cards; answers how many had differences."""
    count = 0
    for gateway in GatewayAccount.objects.filter(provider=STRIPE).select_related("account"):
        try:
            count += reconcile(gateway).differs
        except (GatewayUnavailable, CardRefused) as error:
            log.warning("cards.not_reconciled", extra={"gateway": gateway.pk, "error": str(error)})
        except Exception:
            # One account that nobody foresaw must not keep the others waiting.
            log.exception("cards.reconciliation_crashed", extra={"gateway": gateway.pk})
    return count


def reconcile(gateway: GatewayAccount) -> Reconciliation:
    """Compare the last three days, repair ours, and report what differed in the audit trail.

    Raises GatewayUnavailable, CardRefused.
    """
    since = clock.now() - timedelta(days=DAYS)
    found, seen = Reconciliation(), set()
    for attempt in provider_of(gateway).attempts(since=since):
        if attempt.labels.get("account") != str(gateway.account_id):
            continue
        found.n_seen += 1
        seen.add(attempt.external_id)
        _compare(gateway, attempt, found)
    confirmed = Payment.objects.filter(
        gateway=gateway,
        method=Payment.Method.CARD,
        state__in=Payment.SETTLED,
        created_at__gte=since + timedelta(hours=1),
    )
    found.missing = list(confirmed.exclude(external_id__in=seen).values_list("pk", flat=True))
    if found.differs:
        log.warning("cards.differ", extra={"gateway": gateway.pk, **asdict(found)})
        account = gateway.account
        record(account, actor=SYSTEM, action="conciliacao.cartoes", target=gateway,
               after=asdict(found))  # fmt: skip
    return found


def _compare(gateway: GatewayAccount, attempt: Attempt, found: Reconciliation) -> None:
    payment = card_answers.payment_labelled(gateway, attempt.labels)
    if payment is None:
        if attempt.status is Status.SUCCEEDED:
            found.unknown.append(attempt.external_id)
        return
    before = (payment.state, payment.refunded_total)
    if not _agrees(payment, attempt):
        card_answers.take_answer(payment.pk, account=payment.account, attempt=attempt, actor=SYSTEM)
    payment = Payment.objects.select_related("account", "gateway").get(pk=payment.pk)
    if attempt.refunded != payment.refunded_total:
        card_refunds.bring_in_step(payment, actor=SYSTEM)
        payment = Payment.objects.get(pk=payment.pk)
    if before != (payment.state, payment.refunded_total):
        found.repaired.append(payment.pk)


def _agrees(payment: Payment, attempt: Attempt) -> bool:
    if attempt.status is Status.SUCCEEDED:
        return payment.state in Payment.SETTLED
    return not payment.is_in_flight
