"""Payment intents and their charges."""

from __future__ import annotations

import secrets
import time
from typing import Any

from billing.sandbox.stripe import cards, disputes, form, people
from billing.sandbox.stripe.books import Account, Object
from billing.sandbox.stripe.errors import Refusal, invalid

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
MIN_CENTS = 50


class CutOff(Exception):
    """Everything is done, and the answer never arrives."""


def create_intent(at: Account, given: dict[str, Any]) -> Object:
    """Raises Refusal for wrong parameters, and (402) when `confirm` is refused."""
    amount = _cents(given)
    customer = given.get("customer")
    if customer:
        at.find("customer", customer, "customer")
    if form.is_true(given.get("off_session")) and not form.is_true(given.get("confirm")):
        raise invalid("off_session can only be used when confirm=true.", param="off_session")
    made = at.make(
        "payment_intent",
        amount=amount,
        amount_received=0,
        amount_capturable=0,
        currency=given["currency"],
        customer=customer,
        payment_method=None,
        payment_method_types=["card"],
        status="requires_payment_method",
        capture_method="automatic",
        confirmation_method="automatic",
        latest_charge=None,
        last_payment_error=None,
        next_action=None,
        canceled_at=None,
        cancellation_reason=None,
        description=given.get("description"),
        setup_future_usage=given.get("setup_future_usage"),
        metadata=given.get("metadata", {}),
        client_secret="",
    )
    made["client_secret"] = f"{made['id']}_secret_{secrets.token_hex(8)}"
    if given.get("payment_method"):
        made["payment_method"] = _method(at, made, given["payment_method"])["id"]
        made["status"] = "requires_confirmation"
    at.tell("payment_intent.created", made)
    if form.is_true(given.get("confirm")):
        return confirm(at, made, given)
    return made


def _cents(given: dict[str, Any]) -> int:
    text = str(given.get("amount", ""))
    if not (text.isascii() and text.isdecimal()):
        raise invalid(f"Invalid integer: {text}", param="amount", code="parameter_invalid_integer")
    if given.get("currency") != "brl":
        raise invalid("Invalid currency.", param="currency")
    if int(text) < MIN_CENTS:
        raise invalid("Amount must be at least R$0.50 brl", code="amount_too_small", param="amount")
    return int(text)


def _method(at: Account, intent: Object, given: str) -> Object:
    method = people.method_of(at, given)
    if method["customer"] and method["customer"] != intent["customer"]:
        raise invalid(
            "The PaymentMethod you provided belongs to another Customer.", param="payment_method"
        )
    if method.get("_detached"):
        raise invalid("The PaymentMethod was detached and may not be used again.")
    return method


def confirm(at: Account, intent: Object, given: dict[str, Any]) -> Object:
    if intent["status"] not in CONFIRMABLE:
        raise invalid(
            f"This PaymentIntent's status is {intent['status']}.",
            code="payment_intent_unexpected_state",
            payment_intent=at.shown(intent, {}),
        )
    wanted = given.get("payment_method") or intent["payment_method"]
    if not wanted:
        raise invalid("You cannot confirm this PaymentIntent without a payment method.")
    method = _method(at, intent, wanted)
    intent["payment_method"], intent["last_payment_error"] = method["id"], None
    card = people.card_of(method)
    if card.asks and form.is_true(given.get("off_session")):
        raise refused(at, intent, "authentication_required", "authentication_required")
    if card.asks:
        return _ask(at, intent, given)
    return charge(at, intent, card)


def _ask(at: Account, intent: Object, given: dict[str, Any]) -> Object:
    url = given.get("return_url")
    if not url:
        raise invalid("A return_url is needed for redirects.", param="return_url")
    intent["status"], intent["_return_url"] = "requires_action", url
    intent["next_action"] = {
        "type": "redirect_to_url",
        "redirect_to_url": {"url": f"{at.address}/3ds/{intent['id']}", "return_url": url},
    }
    at.tell("payment_intent.requires_action", intent)
    return intent


def charge(at: Account, intent: Object, card: cards.TestCard) -> Object:
    """The card is asked. Raises Refusal (402), or CutOff once the money has moved."""
    intent["next_action"] = None
    if card.decline:
        raise refused(at, intent, *card.decline)
    if card.processes:
        intent["status"] = "processing"
        at.tell("payment_intent.processing", intent)
        return intent
    succeed(at, intent, card)
    if card.cuts:
        raise CutOff
    return intent


def succeed(at: Account, intent: Object, card: cards.TestCard) -> None:
    amount = intent["amount"]
    fee = amount * 399 // 10_000 + 39
    balance = at.make(
        "balance_transaction", amount=amount, fee=fee, net=amount - fee, currency="brl",
        type="charge",
    )  # fmt: skip
    made = at.make(
        "charge",
        amount=amount,
        amount_captured=amount,
        amount_refunded=0,
        captured=True,
        paid=True,
        refunded=False,
        disputed=False,
        status="succeeded",
        currency="brl",
        customer=intent["customer"],
        payment_intent=intent["id"],
        payment_method=intent["payment_method"],
        balance_transaction=balance["id"],
        metadata=intent["metadata"],
        failure_code=None,
        _token=card.token,
    )
    balance["source"] = made["id"]
    intent["status"], intent["amount_received"] = "succeeded", amount
    intent["latest_charge"] = made["id"]
    at.tell("charge.succeeded", made)
    at.tell("payment_intent.succeeded", intent)
    if card.disputes:
        disputes.open_dispute(at, made, reason="fraudulent")


def refused(at: Account, intent: Object, code: str, decline_code: str) -> Refusal:
    """The intent waits for another method; its error is what the caller gets."""
    error: dict[str, Any] = {
        "code": code,
        "decline_code": decline_code,
        "message": cards.MESSAGES[decline_code],
    }
    method = at.shown(at.find("payment_method", intent["payment_method"]), {})
    intent["last_payment_error"] = {"type": "card_error", **error, "payment_method": method}
    intent["status"], intent["payment_method"] = "requires_payment_method", None
    intent["next_action"] = None
    at.tell("payment_intent.payment_failed", intent)
    error["payment_intent"] = at.shown(intent, {})
    return Refusal(402, "card_error", error.pop("message"), **error, payment_method=method)


def authenticated(at: Account, intent: Object, *, ok: bool) -> Object:
    """The customer has been at the bank's page."""
    if intent["status"] != "requires_action":
        return intent
    method = at.find("payment_method", intent["payment_method"])
    try:
        if not ok:
            raise refused_authentication(at, intent)
        return charge(at, intent, people.card_of(method))
    except (Refusal, CutOff):
        return intent


def refused_authentication(at: Account, intent: Object) -> Refusal:
    message = "The provided PaymentMethod has failed authentication."
    code = "payment_intent_authentication_failure"
    method = at.shown(at.find("payment_method", intent["payment_method"]), {})
    intent["last_payment_error"] = {
        "type": "invalid_request_error", "code": code, "message": message,
        "payment_method": method,
    }  # fmt: skip
    intent["status"], intent["payment_method"] = "requires_payment_method", None
    intent["next_action"] = None
    at.tell("payment_intent.payment_failed", intent)
    return invalid(message, code=code)


def cancel(at: Account, intent: Object, given: dict[str, Any]) -> Object:
    if intent["status"] in ("succeeded", "canceled"):
        raise invalid(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
            payment_intent=at.shown(intent, {}),
        )
    intent["status"], intent["canceled_at"] = "canceled", int(time.time())
    intent["next_action"] = None
    intent["cancellation_reason"] = given.get("cancellation_reason")
    at.tell("payment_intent.canceled", intent)
    return intent


def end_processing(at: Account, intent: Object, *, ok: bool) -> Object:
    """What waits in processing comes to its end."""
    card = cards.BY_TOKEN["pm_card_visa"]
    if ok:
        succeed(at, intent, card)
    else:
        refused(at, intent, "card_declined", "generic_decline")
    return intent
