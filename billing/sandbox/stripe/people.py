"""Customers, payment methods and setup intents."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from billing.sandbox.stripe import cards, form
from billing.sandbox.stripe.books import Account, Object
from billing.sandbox.stripe.errors import invalid


def create_customer(at: Account, given: dict[str, Any]) -> Object:
    made = at.make(
        "customer",
        name=given.get("name"),
        email=given.get("email"),
        metadata=given.get("metadata", {}),
        invoice_settings={"default_payment_method": None},
    )
    at.tell("customer.created", made)
    return made


def update_customer(at: Account, customer: Object, given: dict[str, Any]) -> Object:
    wanted = given.get("invoice_settings", {}).get("default_payment_method")
    if wanted:
        method = at.find("payment_method", wanted, "invoice_settings[default_payment_method]")
        if method["customer"] != customer["id"]:
            raise invalid("The payment method is not attached to this customer.")
        customer["invoice_settings"]["default_payment_method"] = wanted
    for name in ("name", "email"):
        if name in given:
            customer[name] = given[name]
    return customer


def delete_customer(at: Account, customer: Object) -> Object:
    for method in at.all("payment_method"):
        if method["customer"] == customer["id"]:
            detach(at, method)
    customer["deleted"] = True
    at.tell("customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


def create_method(at: Account, given: dict[str, Any]) -> Object:
    """From a token (card[token]=pm_card_…) or a number (card[number]); the number is not kept."""
    if given.get("type") != "card":
        raise invalid("Only cards are here.", param="type")
    card = given.get("card", {})
    number = card.get("number", "").replace(" ", "")
    known = cards.BY_TOKEN.get(card.get("token", "")) or cards.BY_NUMBER.get(number)
    if known is None and not cards.passes_luhn(number):
        raise invalid("Your card number is incorrect.", code="incorrect_number", param="number")
    known = known or cards.TestCard("pm_card_visa", number)
    holder = given.get("billing_details", {}).get("name")
    year, month = int(card.get("exp_year", 2034)), int(card.get("exp_month", 12))
    return make_method(at, known, holder=holder, exp=(year, month))


def make_method(
    at: Account, card: cards.TestCard, *, holder: str | None = None,
    exp: tuple[int, int] = (2034, 12),
) -> Object:  # fmt: skip
    fingerprint = hashlib.sha256(f"{at.key}:{card.number}".encode()).hexdigest()[:16]
    return at.make(
        "payment_method",
        type="card",
        customer=None,
        billing_details={"name": holder, "email": None, "phone": None},
        card={
            "brand": card.brand,
            "last4": card.last4,
            "exp_year": exp[0],
            "exp_month": exp[1],
            "fingerprint": fingerprint,
            "funding": "credit",
            "country": "BR",
        },
        metadata={},
        _token=card.token,
    )


def method_of(at: Account, given: str, param: str = "payment_method") -> Object:
    """An id of this account, or a token, which makes a method of its own."""
    if given in cards.BY_TOKEN:
        return make_method(at, cards.BY_TOKEN[given])
    return at.find("payment_method", given, param)


def card_of(method: Object) -> cards.TestCard:
    return cards.BY_TOKEN[method["_token"]]


def attach(at: Account, method: Object, customer_id: str) -> Object:
    customer = at.find("customer", customer_id, "customer")
    if method.get("_detached"):
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was "
            "detached from a Customer, and may not be used again."
        )
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method you provided is attached to another customer.")
    if method["customer"] is None:
        method["customer"] = customer["id"]
        at.tell("payment_method.attached", method)
    return method


def detach(at: Account, method: Object) -> Object:
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer.")
    method["customer"], method["_detached"] = None, True
    at.tell("payment_method.detached", method)
    return method


# --- setup intents -----------------------------------------------------------------------------


def create_setup(at: Account, given: dict[str, Any]) -> Object:
    if customer := given.get("customer"):
        at.find("customer", customer, "customer")
    made = at.make(
        "setup_intent",
        customer=given.get("customer"),
        usage=given.get("usage", "off_session"),
        status="requires_payment_method",
        payment_method=None,
        payment_method_types=["card"],
        metadata=given.get("metadata", {}),
        next_action=None,
        last_setup_error=None,
        client_secret="",
    )
    made["client_secret"] = f"{made['id']}_secret_{secrets.token_hex(8)}"
    if form.is_true(given.get("confirm")):
        return confirm_setup(at, made, given)
    return made


def confirm_setup(at: Account, setup: Object, given: dict[str, Any]) -> Object:
    """Any card can be kept here, also those that are refused when they are charged."""
    if setup["status"] in ("succeeded", "canceled"):
        raise invalid("The SetupIntent has ended.", code="setup_intent_unexpected_state")
    method = method_of(at, given.get("payment_method") or setup["payment_method"] or "")
    setup["payment_method"] = method["id"]
    url = given.get("return_url")
    if card_of(method).asks and url:
        setup["status"] = "requires_action"
        setup["_return_url"] = url
        setup["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": f"{at.address}/3ds/{setup['id']}", "return_url": url},
        }
        return setup
    return finish_setup(at, setup)


def finish_setup(at: Account, setup: Object) -> Object:
    method = at.find("payment_method", setup["payment_method"])
    if setup["customer"]:
        attach(at, method, setup["customer"])
    setup["status"], setup["next_action"] = "succeeded", None
    at.tell("setup_intent.succeeded", setup)
    return setup
