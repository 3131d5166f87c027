"""What Stripe tells us, worked off (ST-5, ST-7): the object is asked for and its state applied.

A notice names an object of the gateway that it came by; what is not ours, or belongs to another
tenant that uses the same account with Stripe, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.services.audit import SYSTEM
from billing.errors import CardAlreadySaved, CardNotReady
from billing.gateways.cards import MISSING, CardRefused, Contested
from billing.models import GatewayAccount, InboundEvent, Payment, ProviderCustomer, SavedMethod
from billing.services.inbound import Forged, Ignored, Notice, Posted, read_json
from billing.services.payments import (
    card_answers,
    card_checks,
    card_refunds,
    card_saving,
    chargebacks,
)
from billing.services.payments.card_gateway import provider_of
from lib.errors import NotFound

NOT_OURS = "o objeto não é de nenhum pagamento desta conta"
# Of the object, what the handlers need: no name, address or card stays with us.
_KEPT = ("id", "object", "payment_intent", "setup_intent", "customer", "mode")


def read(gateway: GatewayAccount, posted: Posted) -> list[Notice]:
    """The event of a signed body. Raises Forged."""
    signature = posted.headers.get("stripe-signature", "")
    if not signature or not provider_of(gateway).is_signed(posted.body, signature):
        raise Forged("signature")
    event = read_json(posted.body)
    try:
        found = event["data"]["object"]
        kept = {name: found[name] for name in _KEPT if name in found}
        return [Notice(str(event["id"]), str(event["type"]), kept)]
    except (KeyError, TypeError) as error:
        raise Forged("not an event") from error


def apply(event: InboundEvent) -> str:
    """Bring our rows in step with what the notice is about. Raises Ignored, GatewayUnavailable."""
    handler = _handler(event.kind)
    if handler is None:
        raise Ignored("tipo de aviso sem efeito")
    try:
        return handler(event.gateway, event.payload)
    except NotFound as error:
        raise Ignored(NOT_OURS) from error
    except CardRefused as error:
        if error.code == MISSING:
            raise Ignored(NOT_OURS) from error
        raise


def payment_of(gateway: GatewayAccount, attempt_id: str) -> Payment:
    """The settled payment of an attempt; what we have not heard of it yet is taken in first.

    Raises Ignored for one that is not ours, GatewayUnavailable.
    """
    mine = Payment.objects.select_related("account", "gateway").filter(
        gateway=gateway, method=Payment.Method.CARD
    )
    found = mine.filter(external_id=attempt_id).first() if attempt_id else None
    if found is not None and found.state in Payment.SETTLED:
        return found
    if not attempt_id:
        raise Ignored(NOT_OURS)
    return mine.get(pk=_apply_attempt(gateway, attempt_id).pk)


def _handler(kind: str) -> Callable[[GatewayAccount, dict[str, Any]], str] | None:
    for beginning, handler in _HANDLERS.items():
        if kind.startswith(beginning):
            return handler
    return None


def _attempt(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    return _told(_apply_attempt(gateway, given["id"]))


def _told(payment: Payment) -> str:
    return f"pagamento {payment.pk}: {payment.get_state_display()}"


def _apply_attempt(gateway: GatewayAccount, attempt_id: str) -> Payment:
    attempt = provider_of(gateway).attempt(attempt_id)
    payment = card_answers.payment_labelled(gateway, attempt.labels)
    if payment is None:
        raise Ignored(NOT_OURS)
    return card_answers.take_answer(
        payment.pk, account=payment.account, attempt=attempt, actor=SYSTEM
    )


def _refunds(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    payment = payment_of(gateway, str(given.get("payment_intent") or ""))
    n_known = card_refunds.bring_in_step(payment, actor=SYSTEM)
    return f"pagamento {payment.pk}: {n_known} reembolsos na operadora"


def _dispute(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    contested = provider_of(gateway).dispute(given["id"])
    payment = payment_of(gateway, contested.attempt_id)
    return apply_dispute(payment, contested)


def apply_dispute(payment: Payment, contested: Contested) -> str:
    """Open, win or lose a chargeback; what came before is made up for."""
    account = payment.account
    row = chargebacks.chargeback_opened(
        payment.pk,
        account=account,
        actor=SYSTEM,
        amount=contested.amount,
        external_id=contested.external_id,
        reason=contested.reason,
    )
    if contested.status == "won":
        row = chargebacks.chargeback_won(row.pk, account=account, actor=SYSTEM)
    elif contested.status == "lost":
        row = chargebacks.chargeback_lost(row.pk, account=account, actor=SYSTEM)
    return f"pagamento {payment.pk}: contestação {row.get_state_display().lower()}"


def _setup(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    return _keep(gateway, given["id"])


def _session(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    page = provider_of(gateway).hosted(given["id"])
    if page.setup_id and not page.is_open:
        return _keep(gateway, page.setup_id)
    payment = Payment.objects.filter(gateway=gateway, external_id=given["id"]).first()
    if payment is not None and payment.is_in_flight:
        return _told(card_checks.check_payment(payment.pk))
    if page.attempt_id:
        return _told(_apply_attempt(gateway, page.attempt_id))
    raise Ignored("página fechada sem pagamento")


def _keep(gateway: GatewayAccount, setup_id: str) -> str:
    try:
        saved = card_saving.finish_saving(setup_id, gateway=gateway, actor=SYSTEM)
    except (CardAlreadySaved, CardNotReady) as error:
        raise Ignored(error.mensagem) from error
    return f"cartão {saved.pk} salvo"


def _detached(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    if not card_saving.forget_method(given["id"], gateway=gateway):
        raise Ignored("cartão que já não estava aqui")
    return "cartão removido"


def _renewed(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    if not card_saving.refresh_method(given["id"], gateway=gateway):
        raise Ignored(NOT_OURS)
    return "cartão atualizado"


def _customer_deleted(gateway: GatewayAccount, given: dict[str, Any]) -> str:
    row = ProviderCustomer.objects.filter(gateway=gateway, reference=given["id"]).first()
    if row is None:
        raise Ignored(NOT_OURS)
    cards = SavedMethod.objects.filter(
        gateway=gateway, customer=row.customer_id, state=SavedMethod.State.ACTIVE
    )
    gone = [
        card_saving.forget_method(reference, gateway=gateway)
        for reference in cards.values_list("reference", flat=True)
    ]
    row.delete()
    return f"cliente apagado na operadora; {sum(gone)} cartões removidos"


_HANDLERS: dict[str, Callable[[GatewayAccount, dict[str, Any]], str]] = {
    "setup_intent.succeeded": _setup,
    "payment_intent.": _attempt,
    "charge.refunded": _refunds,
    "refund.": _refunds,
    "charge.dispute.": _dispute,
    "payment_method.detached": _detached,
    "payment_method.updated": _renewed,
    "payment_method.automatically_updated": _renewed,
    "customer.deleted": _customer_deleted,
    "checkout.session.": _session,
}
