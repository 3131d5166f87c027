"""Refunds and disputes: money on its way back."""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe import cards
from billing.sandbox.stripe.books import Account, Object
from billing.sandbox.stripe.errors import invalid


def create_refund(at: Account, given: dict[str, Any]) -> Object:
    """Raises Refusal for more than what is left of the charge."""
    charge = _charge_of(at, given)
    left = charge["amount"] - charge["amount_refunded"]
    amount = int(given.get("amount", left))
    if charge["disputed"]:
        raise invalid("This charge has been charged back.", code="charge_disputed")
    if not left:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if not 0 < amount <= left:
        raise invalid(
            f"Refund amount (R${amount / 100:.2f}) is greater than unrefunded amount on charge "
            f"(R${left / 100:.2f})",
            param="amount",
        )
    outcome = cards.BY_TOKEN[charge["_token"]].refund
    made = at.make(
        "refund",
        amount=amount,
        currency="brl",
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        reason=given.get("reason"),
        metadata=given.get("metadata", {}),
        status="pending" if outcome == "pending" else "succeeded",
        failure_reason=None,
    )
    _take(charge, amount)
    at.tell("charge.refunded", charge)
    at.tell("refund.created", made)
    return made


def _charge_of(at: Account, given: dict[str, Any]) -> Object:
    if given.get("charge"):
        return at.find("charge", given["charge"], "charge")
    intent = at.find("payment_intent", given.get("payment_intent", ""), "payment_intent")
    if intent["latest_charge"] is None:
        raise invalid("This PaymentIntent does not have a successful charge to refund.")
    return at.find("charge", intent["latest_charge"])


def _take(charge: Object, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def settle_refund(at: Account, refund: Object) -> Object:
    refund["status"] = "succeeded"
    at.tell("refund.updated", refund)
    return refund


def fail_refund(at: Account, refund: Object) -> Object:
    refund["status"], refund["failure_reason"] = "failed", "expired_or_canceled_card"
    _take(at.find("charge", refund["charge"]), -refund["amount"])
    at.tell("refund.updated", refund)
    at.tell("refund.failed", refund)
    return refund


def open_dispute(at: Account, charge: Object, *, reason: str) -> Object:
    made = at.make(
        "dispute",
        amount=charge["amount"],
        currency="brl",
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="needs_response",
        metadata={},
    )
    charge["disputed"] = True
    at.tell("charge.dispute.created", made)
    return made


def close_dispute(at: Account, dispute: Object, *, won: bool) -> Object:
    dispute["status"] = "won" if won else "lost"
    if won:
        at.find("charge", dispute["charge"])["disputed"] = False
    at.tell("charge.dispute.closed", dispute)
    return dispute
