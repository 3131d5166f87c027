"""The library's objects as plain values, converted once at the edge (ST-10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.gateways.cards import (
    NEEDS_CUSTOMER,
    Attempt,
    Card,
    Contested,
    HostedPage,
    Returned,
    Setup,
    Status,
)

_STATUS = {
    "succeeded": Status.SUCCEEDED,
    "requires_capture": Status.PROCESSING,
    "processing": Status.PROCESSING,
    "requires_action": Status.REQUIRES_ACTION,
    "requires_confirmation": Status.WAITING,
    "requires_payment_method": Status.WAITING,
    "canceled": Status.CANCELED,
}
_DISPUTES = {"won": "won", "lost": "lost", "warning_closed": "won", "prevented": "won"}


def reais(cents: int) -> Decimal:
    """Integer cents as BRL with two decimals."""
    return Decimal(int(cents)).scaleb(-2)


def cents(amount: Decimal) -> int:
    """BRL with two decimals as integer cents. Raises ValueError for parts of a cent."""
    found = amount.scaleb(2)
    if found != found.to_integral_value():
        raise ValueError(f"parts of a cent: {amount}")
    return int(found)


def attempt(intent: Any) -> Attempt:
    """A PaymentIntent."""
    row = _plain(intent)
    error = row.get("last_payment_error") or {}
    status = _STATUS[row["status"]]
    code, decline = _text(error.get("code")), _text(error.get("decline_code"))
    if status is Status.WAITING and error:
        # ST-4: refused only because the customer was not there.
        needs = NEEDS_CUSTOMER in (code, decline)
        status = Status.REQUIRES_ACTION if needs else Status.FAILED
    charge = row.get("latest_charge")
    details = charge if isinstance(charge, dict) else {}
    balance = details.get("balance_transaction")
    redirect = (row.get("next_action") or {}).get("redirect_to_url") or {}
    return Attempt(
        external_id=row["id"],
        status=status,
        amount=reais(row["amount"]),
        labels=dict(row.get("metadata") or {}),
        action_url=_text(redirect.get("url")),
        failure_code=code,
        decline_code=decline,
        fee=reais(balance["fee"]) if isinstance(balance, dict) else Decimal(0),
        refunded=reais(details.get("amount_refunded") or 0),
        created_at=datetime.fromtimestamp(row["created"], UTC),
    )


def card(method: Any) -> Card:
    """A PaymentMethod of type card."""
    row = _plain(method)
    facts = row["card"]
    return Card(
        reference=row["id"],
        customer=_id(row.get("customer")),
        fingerprint=_text(facts.get("fingerprint")),
        brand=_text(facts.get("brand")),
        last4=_text(facts.get("last4")),
        exp_month=int(facts["exp_month"]),
        exp_year=int(facts["exp_year"]),
        holder=_text((row.get("billing_details") or {}).get("name")),
    )


def setup(intent: Any) -> Setup:
    """A SetupIntent."""
    row = _plain(intent)
    return Setup(
        external_id=row["id"],
        customer=_id(row.get("customer")),
        is_done=row["status"] == "succeeded",
        method=_id(row.get("payment_method")),
        secret=_text(row.get("client_secret")),
    )


def hosted_page(session: Any) -> HostedPage:
    """A Checkout Session."""
    row = _plain(session)
    return HostedPage(
        external_id=row["id"],
        url=_text(row.get("url")),
        is_open=row["status"] == "open",
        attempt_id=_id(row.get("payment_intent")),
        setup_id=_id(row.get("setup_intent")),
    )


def returned(refund: Any) -> Returned:
    """A Refund."""
    row = _plain(refund)
    status = row["status"]
    return Returned(
        external_id=row["id"],
        status="pending" if status == "requires_action" else status,
        amount=reais(row["amount"]),
        attempt_id=_id(row.get("payment_intent")),
        labels=dict(row.get("metadata") or {}),
        failure=_text(row.get("failure_reason")),
    )


def contested(dispute: Any) -> Contested:
    """A Dispute. One of which only an inquiry came and went counts as won."""
    row = _plain(dispute)
    return Contested(
        external_id=row["id"],
        status=_DISPUTES.get(row["status"], "open"),
        amount=reais(row["amount"]),
        attempt_id=_id(row.get("payment_intent")),
        reason=_text(row.get("reason")),
    )


def _plain(value: Any) -> dict[str, Any]:
    """The library's object, or JSON that was told, as a dict."""
    found = value if isinstance(value, dict) else value.to_dict()
    if "id" not in found:
        raise KeyError("id")
    return dict(found)


def _id(value: Any) -> str:
    """Of an object that may have come whole."""
    return _text(value["id"] if isinstance(value, dict) else value)


def _text(value: Any) -> str:
    return str(value) if value is not None else ""
