"""Stripe: customers, cards, charges, refunds, disputes, notices.

Options of the gateway: none is needed. Secrets: "api_key", and "webhook_secrets", a list of all
that may sign at present (ST-5). The version of the API is the one that the library was made for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from billing.gateways.cards import (
    Attempt,
    Card,
    CardRefused,
    Contested,
    HostedPage,
    Order,
    Returned,
    Setup,
)
from billing.gateways.stripe import answers
from lib.errors import GatewayUnavailable

if TYPE_CHECKING:
    from stripe import StripeClient

TIMEOUT = (5.0, 20.0)  # seconds: connect, read
RETRIES = 1  # of the library, with the same idempotency key
TOLERANCE = 300  # seconds that a signature may be old (ST-5)
PAGE = 100
FEES = "latest_charge.balance_transaction"
EVENTS = (
    "setup_intent.succeeded", "payment_intent.succeeded", "payment_intent.payment_failed",
    "payment_intent.processing", "payment_intent.canceled", "payment_intent.requires_action",
    "charge.refunded", "refund.created", "refund.updated", "refund.failed",
    "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
    "payment_method.detached", "payment_method.updated", "payment_method.automatically_updated",
    "customer.deleted", "checkout.session.completed", "checkout.session.expired",
)  # fmt: skip


@dataclass(frozen=True)
class Stripe:
    """An account with Stripe. Every call raises GatewayUnavailable when its outcome is unknown.

    And CardRefused when the request itself is turned down: nothing was done.
    """

    base_url: str
    api_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False, default=())

    # --- customers and cards -----------------------------------------------------------------

    def create_customer(self, *, key: str, name: str, email: str, labels: dict[str, str]) -> str:
        """The provider's id of a new customer."""
        params: dict[str, Any] = {"name": name, "metadata": labels}
        if email:
            params["email"] = email
        with _asking():
            return str(self._v1.customers.create(params, _keyed(key)).id)

    def start_setup(self, customer: str, *, labels: dict[str, str]) -> Setup:
        """Save a card for charges without the customer (ST-1), by the fields in the browser."""
        params: dict[str, Any] = {
            "customer": customer,
            "usage": "off_session",
            "payment_method_types": ["card"],
            "metadata": labels,
        }
        with _asking():
            return answers.setup(self._v1.setup_intents.create(params))

    def setup(self, external_id: str) -> Setup:
        with _asking():
            return answers.setup(self._v1.setup_intents.retrieve(external_id))

    def card(self, method: str) -> Card:
        with _asking():
            return answers.card(self._v1.payment_methods.retrieve(method))

    def cards(self, customer: str) -> list[Card]:
        """All that are attached."""
        params: dict[str, Any] = {"customer": customer, "type": "card", "limit": PAGE}
        with _asking():
            found = self._v1.payment_methods.list(params)
            return [answers.card(one) for one in found.auto_paging_iter()]

    def attach(self, method: str, *, customer: str) -> Card:
        with _asking():
            return answers.card(self._v1.payment_methods.attach(method, {"customer": customer}))

    def detach(self, method: str) -> None:
        """Also when it is not attached any more."""
        try:
            with _asking():
                self._v1.payment_methods.detach(method)
        except CardRefused:
            if self.card(method).customer:
                raise

    def hosted_setup(
        self, customer: str, *, return_url: str, cancel_url: str, labels: dict[str, str]
    ) -> HostedPage:
        """A page of the provider that saves a card; works without scripts of ours."""
        params: dict[str, Any] = {
            "mode": "setup",
            "currency": "brl",
            "customer": customer,
            "payment_method_types": ["card"],
            "success_url": return_url,
            "cancel_url": cancel_url,
            "setup_intent_data": {"metadata": labels},
        }
        with _asking():
            return answers.hosted_page(self._v1.checkout.sessions.create(params))

    # --- charges -----------------------------------------------------------------------------

    def charge(self, order: Order) -> Attempt:
        """Charge a saved card (ST-2, ST-3); a card's refusal is an answer, not an error."""
        params: dict[str, Any] = {
            "amount": answers.cents(order.amount),
            "currency": "brl",
            "customer": order.customer,
            "payment_method": order.method,
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": order.labels,
            "expand": [FEES],
        }
        if order.is_on_session:
            params["return_url"] = order.return_url
        else:
            params["off_session"] = True
        return self._tried(lambda: self._v1.payment_intents.create(params, _keyed(order.key)))

    def confirm(self, external_id: str, *, method: str, return_url: str) -> Attempt:
        """Try once more what was refused because the customer was not there."""
        params: dict[str, Any] = {
            "payment_method": method, "return_url": return_url, "expand": [FEES],
        }  # fmt: skip
        return self._tried(lambda: self._v1.payment_intents.confirm(external_id, params))

    def hosted_payment(
        self, order: Order, *, title: str, cancel_url: str, expires_at: datetime
    ) -> HostedPage:
        """A page of the provider that takes a card and charges it; `order.method` is not used."""
        line = {
            "quantity": 1,
            "price_data": {
                "currency": "brl",
                "unit_amount": answers.cents(order.amount),
                "product_data": {"name": title},
            },
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "customer": order.customer,
            "payment_method_types": ["card"],
            "line_items": [line],
            "payment_intent_data": {"metadata": order.labels},
            "metadata": order.labels,
            "success_url": order.return_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
        }
        with _asking():
            return answers.hosted_page(self._v1.checkout.sessions.create(params, _keyed(order.key)))

    def hosted(self, external_id: str) -> HostedPage:
        with _asking():
            return answers.hosted_page(self._v1.checkout.sessions.retrieve(external_id))

    def close_hosted(self, external_id: str) -> HostedPage:
        """Nobody can pay on it any more; one that has ended is answered as it is."""
        try:
            with _asking():
                return answers.hosted_page(self._v1.checkout.sessions.expire(external_id))
        except CardRefused:
            return self.hosted(external_id)

    def attempt(self, external_id: str) -> Attempt:
        """As it stands now."""
        with _asking():
            return answers.attempt(
                self._v1.payment_intents.retrieve(external_id, {"expand": [FEES]})
            )

    def find(self, *, customer: str, label: str, value: str, since: datetime) -> Attempt | None:
        """The charge with this label among the customer's, by a list, which is never behind."""
        for attempt in self.attempts(since=since, customer=customer):
            if attempt.labels.get(label) == value:
                return attempt
        return None

    def attempts(self, *, since: datetime, customer: str = "") -> Iterator[Attempt]:
        """Every charge begun since then (ST-9), newest first."""
        params: dict[str, Any] = {
            "created": {"gte": int(since.timestamp())},
            "limit": PAGE,
            "expand": [f"data.{FEES}"],
        }
        if customer:
            params["customer"] = customer
        with _asking():
            for intent in self._v1.payment_intents.list(params).auto_paging_iter():
                yield answers.attempt(intent)

    def cancel(self, external_id: str) -> Attempt:
        """Give a charge up; one that has ended meanwhile is answered as it is."""
        try:
            with _asking():
                return answers.attempt(
                    self._v1.payment_intents.cancel(
                        external_id, {"cancellation_reason": "abandoned"}
                    )
                )
        except CardRefused:
            return self.attempt(external_id)

    # --- money back --------------------------------------------------------------------------

    def refund(
        self, attempt_id: str, *, key: str, amount: Decimal, labels: dict[str, str]
    ) -> Returned:
        params: dict[str, Any] = {
            "payment_intent": attempt_id,
            "amount": answers.cents(amount),
            "metadata": labels,
        }
        with _asking():
            return answers.returned(self._v1.refunds.create(params, _keyed(key)))

    def refunds(self, attempt_id: str) -> list[Returned]:
        """All of a charge, newest first."""
        params: dict[str, Any] = {"payment_intent": attempt_id, "limit": PAGE}
        with _asking():
            found = self._v1.refunds.list(params)
            return [answers.returned(one) for one in found.auto_paging_iter()]

    def refunded(self, external_id: str) -> Returned:
        """A refund as it stands now."""
        with _asking():
            return answers.returned(self._v1.refunds.retrieve(external_id))

    def dispute(self, external_id: str) -> Contested:
        """A chargeback as it stands now."""
        with _asking():
            return answers.contested(self._v1.disputes.retrieve(external_id))

    # --- notices -----------------------------------------------------------------------------

    def register_hook(self, url: str) -> str:
        """Have notices sent to `url`; answers the secret that signs them, told only now."""
        import stripe

        params: dict[str, Any] = {
            "url": url, "enabled_events": list(EVENTS), "api_version": stripe.api_version,
        }  # fmt: skip
        with _asking():
            return str(self._v1.webhook_endpoints.create(params).secret)

    def is_signed(self, body: bytes, signature: str) -> bool:
        """Whether one of our secrets signed this very body within the last five minutes (ST-5)."""
        import stripe

        for secret in self.webhook_secrets:
            try:
                stripe.Webhook.construct_event(  # type: ignore[no-untyped-call]
                    body, signature, secret, tolerance=TOLERANCE
                )
            except (stripe.SignatureVerificationError, ValueError):
                continue
            except (AttributeError, KeyError, TypeError, RecursionError):
                return False  # signed, and no event
            return True
        return False

    def _tried(self, call: Any) -> Attempt:
        """The attempt behind an answer, or behind a card's refusal."""
        import stripe

        try:
            with _asking():
                return answers.attempt(call())
        except _Declined as declined:
            intent = (declined.error.json_body or {}).get("error", {}).get("payment_intent")
            if not isinstance(declined.error, stripe.CardError) or intent is None:
                raise
            return answers.attempt(intent)

    @property
    def _v1(self) -> Any:
        return _client(self.base_url, self.api_key).v1


class _Declined(CardRefused):
    """A card's refusal, which for a charge is an answer."""

    def __init__(self, error: Any) -> None:
        super().__init__("o cartão foi recusado", code=str(error.code or ""))
        self.error = error


@contextmanager
def _asking() -> Iterator[None]:
    """The library's errors as ours. What cannot be understood may have been done all the same."""
    import stripe

    try:
        yield
    except stripe.CardError as error:
        raise _Declined(error) from None
    except stripe.IdempotencyError as error:
        raise GatewayUnavailable("a chave já foi usada em outro pedido") from error
    except stripe.InvalidRequestError as error:
        text = error.user_message or "pedido recusado"
        raise CardRefused(text, code=str(error.code or ""), param=str(error.param or "")) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise CardRefused("a chave da API não foi aceita", code="authentication") from error
    except stripe.StripeError as error:
        raise GatewayUnavailable(f"sem resposta ({type(error).__name__})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GatewayUnavailable("a resposta não pôde ser entendida") from error


def _keyed(key: str) -> dict[str, str]:
    return {"idempotency_key": key}


@lru_cache(maxsize=64)
def _client(base_url: str, api_key: str) -> StripeClient:
    """The library takes half a second to import: only who charges waits for it."""
    import requests
    import stripe

    # It tells of every call; what matters of them is in our own rows.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    session = requests.Session()
    # A stand-in on this machine is never reached through the environment's proxy.
    session.trust_env = urlsplit(base_url).hostname not in ("127.0.0.1", "localhost", "::1")
    where: Any = {"api": base_url.rstrip("/")} if base_url else {}
    return stripe.StripeClient(
        api_key,
        base_addresses=where,
        http_client=stripe.RequestsClient(timeout=TIMEOUT, session=session),
        max_network_retries=RETRIES,
    )


def adapter(base_url: str, api_key: str, webhook_secrets: Sequence[str] = ()) -> Stripe:
    """An account with Stripe; an empty address is Stripe's own."""
    return Stripe(base_url, api_key, tuple(webhook_secrets))
