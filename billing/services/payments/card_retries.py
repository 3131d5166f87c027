"""Cards charged by themselves: at emission and due date, and again after a refusal (DUN-6).

What a customer tries on the pages of an invoice is no automatic attempt: it neither takes the place
of the first one nor has a card charged before the parcel is due.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from accounts.services.audit import SYSTEM, record
from billing.errors import CardNotRetried
from billing.models import Invoice, Payment, PaymentMethod, Receivable, SavedMethod
from billing.services.dunning.pauses import disputed, disputed_lately
from billing.services.payments import card_charging, card_texts
from billing.services.payments.card_gateway import gateway_of
from lib import clock
from lib.errors import DomainError
from lib.queue import enqueue

log = logging.getLogger(__name__)

RETRY_DAYS = (1, 3, 5, 7)  # after the first refusal
MAX_RETRIES = len(RETRY_DAYS)
MISSED_DAYS = 7  # due dates that a stopped system slept through
HARD = "O banco não aceita nova tentativa com este cartão."
ENOUGH = "O cartão já foi cobrado o número máximo de vezes."
DISPUTED = "A fatura está contestada."
CHARGE_TASK = "billing.tasks.charge_due_card"
RETRY_TASK = "billing.tasks.retry_due_card"
# The first attempt, or what may become of one that a customer has begun.
_AUTOMATIC = Q(method=Payment.Method.CARD) & (
    Q(is_on_session=False) | Q(state__in=Payment.IN_FLIGHT)
)
# Refused; or given up where nobody was there: it never arrived, or nobody confirmed it.
_ENDED = Q(state=Payment.State.FAILED) | Q(state=Payment.State.CANCELED, is_on_session=False)


def charge_automatically(invoice_id: int) -> list[Payment]:
    """Charge what is due today of an emitted invoice that is paid by card; later parcels wait.

    Safe to repeat: a parcel that was attempted before is left to the retries. Answers the attempts
    that were made now. Raises Invoice.DoesNotExist.
    """
    invoice = Invoice.objects.select_related("account").get(pk=invoice_id)
    if not _is_by_card(invoice):
        return []
    today = clock.today(invoice.account.time_zone)
    due = invoice.receivables.filter(
        state=Receivable.State.TO_RECEIVE, due_date__lte=today, open_principal__gt=0
    )
    made = [_charge_first(receivable) for receivable in due.order_by("position")]
    return [payment for payment in made if payment is not None]


def charge_due_card(receivable_id: int) -> Payment | None:
    """The first attempt at a parcel that falls due; None when there was one, or it cannot be."""
    receivable = _loaded(receivable_id)
    if receivable is None or not _is_by_card(receivable.invoice):
        return None
    return _charge_first(receivable)


def queue_due_cards() -> int:
    """Queue the parcels that fall due today, and the retries of those refused before."""
    count = 0
    for account in Account.objects.filter(is_active=True).order_by("id"):
        today = clock.today(account.time_zone)
        for receivable_id in _due_first(account, today):
            enqueue(CHARGE_TASK, receivable_id)
            count += 1
        for receivable_id in _due_again(account, today):
            enqueue(RETRY_TASK, receivable_id)
            count += 1
    return count


def retry_card(receivable_id: int) -> Payment:
    """One more attempt at a parcel whose card was refused (DUN-6), by the customer's default card.

    Raises CardNotRetried after a hard refusal of that card, after four retries and while it is
    disputed; and as `charge_card`.
    """
    receivable = _loaded(receivable_id)
    if receivable is None:
        raise CardNotRetried()
    if _is_disputed(receivable):
        raise CardNotRetried(DISPUTED)
    if len(_refusals(receivable)) > MAX_RETRIES:
        raise CardNotRetried(ENOUGH)
    cards = card_charging.cards_of(receivable, gateway_of(receivable.invoice))
    if cards and _is_hopeless(receivable, cards[0]):
        raise CardNotRetried(HARD)
    made = card_charging.charge_card(
        receivable.pk, account=receivable.account, actor=SYSTEM, on_session=False
    )
    return made.payment


def retry_due_card(receivable_id: int) -> Payment | None:
    """A retry of the day; None when its time has not come (it was queued twice) or it may not."""
    receivable = _loaded(receivable_id)
    if receivable is None:
        return None
    today = clock.today(receivable.account.time_zone)
    if not _is_time(_refusals(receivable), today, receivable.account):
        return None
    try:
        return retry_card(receivable_id)
    except DomainError as error:
        log.info("card.not_retried", extra={"receivable_id": receivable_id, "why": error.mensagem})
        return None


def charge_with_new_card(method_id: int) -> list[Payment]:
    """A customer saved a card: one attempt at each due parcel that another was refused for."""
    method = SavedMethod.objects.select_related("account").get(pk=method_id)
    if method.state != SavedMethod.State.ACTIVE:
        return []
    refused = Receivable.objects.filter(
        invoice__customer=method.customer_id,
        invoice__payment_method=PaymentMethod.PAYMENT_GATEWAY,
        state=Receivable.State.TO_RECEIVE,
        due_date__lte=clock.today(method.account.time_zone),
        payments__method=Payment.Method.CARD,
        payments__state=Payment.State.FAILED,
        payments__gateway=method.gateway_id,
    )
    made = []
    for receivable_id in refused.order_by("due_date", "id").values_list("pk", flat=True).distinct():
        if Payment.objects.filter(receivable=receivable_id, saved_method=method).exists():
            continue
        if _is_disputed(Receivable.objects.select_related("account").get(pk=receivable_id)):
            continue
        try:
            outcome = card_charging.charge_card(
                receivable_id, account=method.account, actor=SYSTEM, on_session=False,
                saved_method_id=method.pk,
            )  # fmt: skip
        except DomainError as error:
            log.info("card.not_charged", extra={"receivable_id": receivable_id,
                                                "why": error.mensagem})  # fmt: skip
            continue
        made.append(outcome.payment)
    return made


def _charge_first(receivable: Receivable) -> Payment | None:
    if receivable.payments.filter(_AUTOMATIC).exists() or _is_disputed(receivable):
        return None
    account = receivable.account
    try:
        outcome = card_charging.charge_card(
            receivable.pk, account=account, actor=SYSTEM, on_session=False
        )
    except DomainError as error:
        after = {"motivo": error.mensagem}
        record(
            account, actor=SYSTEM, action="pagamento.nao_tentado", target=receivable, after=after
        )
        return None
    return outcome.payment


def _loaded(receivable_id: int) -> Receivable | None:
    rows = Receivable.objects.select_related("account", "invoice__account")
    return rows.filter(pk=receivable_id, state=Receivable.State.TO_RECEIVE).first()


def _is_disputed(receivable: Receivable) -> bool:
    """Nothing is taken by itself then (P-8); its customer may still pay."""
    account = receivable.account
    held = disputed(account, today=clock.today(account.time_zone))
    return Receivable.objects.filter(held, pk=receivable.pk).exists()


def _is_by_card(invoice: Invoice) -> bool:
    return (
        invoice.payment_method == PaymentMethod.PAYMENT_GATEWAY
        and invoice.state == Invoice.State.TO_RECEIVE
    )


def _refusals(receivable: Receivable) -> list[Payment]:
    """Attempts that came to nothing, the oldest first; on a page only since it is due."""
    ended = receivable.payments.filter(_ENDED, method=Payment.Method.CARD)
    zone = ZoneInfo(receivable.account.time_zone)
    return [
        one
        for one in ended.order_by("created_at", "id")
        if not one.is_on_session or one.created_at.astimezone(zone).date() >= receivable.due_date
    ]


def _is_hopeless(receivable: Receivable, card: SavedMethod) -> bool:
    """The bank has said that this very card is not to be asked again."""
    refused = receivable.payments.filter(saved_method=card, state=Payment.State.FAILED)
    return any(card_texts.is_hard(one) for one in refused)


def _is_time(failed: list[Payment], today: date, account: Account) -> bool:
    """Whether retry number len(failed) has come: +1, +3, +5, +7 days after the first refusal."""
    if not 0 < len(failed) <= MAX_RETRIES:
        return False
    first = failed[0].created_at.astimezone(ZoneInfo(account.time_zone)).date()
    return today >= first + timedelta(days=RETRY_DAYS[len(failed) - 1])


def _open(account: Account, today: date) -> QuerySet[Any]:
    rows = Receivable.objects.of(account).filter(
        state=Receivable.State.TO_RECEIVE,
        open_principal__gt=0,
        invoice__payment_method=PaymentMethod.PAYMENT_GATEWAY,
        invoice__state=Invoice.State.TO_RECEIVE,
    )
    return rows.exclude(disputed(account, today=today))


def _due_first(account: Account, today: date) -> list[int]:
    recent = Q(due_date__gte=today - timedelta(days=MISSED_DAYS))
    kept_up = disputed_lately(account, today=today, days=MISSED_DAYS)
    found = _open(account, today).filter(recent | kept_up, due_date__lte=today)
    tried = Payment.objects.filter(_AUTOMATIC, receivable=OuterRef("pk"))
    return list(found.exclude(Exists(tried)).values_list("pk", flat=True))


def _due_again(account: Account, today: date) -> list[int]:
    ended = Payment.objects.filter(_ENDED, method=Payment.Method.CARD, receivable=OuterRef("pk"))
    found = _open(account, today).filter(Exists(ended), due_date__lte=today)
    found = found.exclude(payments__state__in=Payment.IN_FLIGHT).select_related("account")
    return [
        receivable.pk
        for receivable in found.order_by("pk")
        if _is_time(_refusals(receivable), today, account)
    ]
