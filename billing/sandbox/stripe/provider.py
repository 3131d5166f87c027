"""Requests of the API to what they ask for: keys, idempotency, routes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from billing.sandbox.stripe import disputes, form, money, people, sessions
from billing.sandbox.stripe.books import Account, Object
from billing.sandbox.stripe.errors import Refusal, invalid
from billing.sandbox.wire import CutOff, Reply, StandIn, as_json

Given = dict[str, Any]
_KEPT = (200, 402)  # answers that a key remembers: what began to run


class Stripe(StandIn):
    """One account for each secret key that begins with sk_test_; it comes to be by being used."""

    name = "stripe"

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts = urlsplit(path)
        try:
            if parts.path.startswith("/pages/"):
                return self._page(method, parts.path, body)
            at = self.account(_key(headers))
            return _once(at, method, parts.path, parts.query, headers, body)
        except Refusal as refusal:
            return refusal.reply()
        except money.CutOff as error:
            raise CutOff from error

    def account(self, key: str) -> Account:
        accounts = self.books.setdefault("accounts", {})
        books = accounts.setdefault(key, {})
        return Account(books, key, self.tell, f"{self.address}/pages/{_digest(key)}")

    def sign(self, notice: dict[str, Any]) -> dict[str, str]:
        """Stripe-Signature by the endpoint's secret, of this moment."""
        at = str(int(time.time()))
        signed = f"{at}.{notice['body']}".encode()
        found = hmac.new(notice["secret"].encode(), signed, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={at},v1={found}"}

    def control(self, what: str, given: Given) -> Any:
        """authenticate, end_processing, settle_refund, fail_refund, dispute, close_dispute, …"""
        at = self.account(given["key"])
        row, ok = given.get("id", ""), bool(given.get("ok", True))
        match what:
            case "authenticate":
                return money.authenticated(at, at.find("payment_intent", row), ok=ok)
            case "end_processing":
                return money.end_processing(at, at.find("payment_intent", row), ok=ok)
            case "settle_refund":
                return disputes.settle_refund(at, at.find("refund", row))
            case "fail_refund":
                return disputes.fail_refund(at, at.find("refund", row))
            case "dispute":
                return disputes.open_dispute(at, at.find("charge", row), reason="fraudulent")
            case "close_dispute":
                return disputes.close_dispute(at, at.find("dispute", row), won=ok)
            case "forget_keys":  # a day has gone by
                at.books["keys"].clear()
                return {"ok": True}
        raise KeyError(what)

    def _page(self, method: str, path: str, body: bytes) -> Reply:
        _, _, owner, what, given = path.split("/", 4)
        for key in self.books.get("accounts", {}):
            if _digest(key) == owner:
                try:
                    return sessions.page(self.account(key), method, what, given, body)
                except money.CutOff:
                    return as_json({"error": "cut"}, 502)
        raise invalid("No such page.", status=404)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _key(headers: Mapping[str, str]) -> str:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        given = base64.b64decode(given).decode("utf-8", "replace").partition(":")[0]
    if not given.startswith("sk_test_"):
        raise Refusal(401, "invalid_request_error", "Invalid API Key provided")
    return given


def _once(
    at: Account, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """The answer, and the same one again for the same idempotency key."""
    key = headers.get("idempotency-key", "") if method == "POST" else ""
    if key:
        try:
            kept = at.remembered(key, path, body)
        except KeyError:
            raise Refusal(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}'.",
            ) from None
        if kept is not None:
            again = {"Content-Type": "application/json", "Idempotent-Replayed": "true"}
            return Reply(kept["status"], again, kept["answer"].encode())
    given = form.parse(body.decode("utf-8", "replace") if method == "POST" else query)
    cut: money.CutOff | None = None
    try:
        reply = as_json(_answer(at, method, path, given))
    except Refusal as refusal:
        reply = refusal.reply()
    except money.CutOff as error:
        cut, reply = error, as_json(_cut_intent(at))
    if key and reply.status in _KEPT:
        at.remember(key, path, body, reply.status, reply.body.decode())
    if cut is not None:
        raise cut
    return Reply(reply.status, {**reply.headers, "Request-Id": "req_" + secrets.token_hex(7)},
                 reply.body)  # fmt: skip


def _cut_intent(at: Account) -> Object:
    """What would have been answered."""
    return at.shown(at.all("payment_intent")[0], {})


def _answer(at: Account, method: str, path: str, given: Given) -> Object:
    for verb, pattern, act in _ROUTES:
        found = pattern.fullmatch(path)
        if verb == method and found:
            row = act(at, given, *found.groups())
            return row if row.get("object") == "list" else at.shown(row, given)
    raise invalid(f"Unrecognized request URL ({method}: {path}).", status=404)


def _find(kind: str) -> Callable[[Account, Given, str], Object]:
    return lambda at, given, pk: at.find(kind, pk)


def _list(kind: str, url: str, *keys: str) -> Callable[[Account, Given], Object]:
    return lambda at, given: at.page(kind, url, given, *keys)


def _found(kind: str, act: Callable[..., Object]) -> Callable[[Account, Given, str], Object]:
    """Acts that take an object and what was given."""
    return lambda at, given, pk: act(at, at.find(kind, pk), given)


def _endpoint(at: Account, given: Given) -> Object:
    secret = "whsec_" + secrets.token_hex(16)
    made = at.make(
        "webhook_endpoint",
        url=given["url"],
        enabled_events=form.as_list(given.get("enabled_events", {})),
        status="enabled",
        api_version=given.get("api_version"),
        _secret=secret,
    )
    return {**made, "secret": secret}  # told once


def _delete_endpoint(at: Account, given: Given, pk: str) -> Object:
    at.find("webhook_endpoint", pk)
    del at.books["webhook_endpoints"][pk]
    return {"id": pk, "object": "webhook_endpoint", "deleted": True}


def _search(at: Account, given: Given) -> Object:
    """metadata["name"]:"value" terms joined by AND."""
    terms = re.findall(r"metadata\[[\"']([^\"']+)[\"']\]:[\"']([^\"']*)[\"']", given["query"])
    rows = [
        row
        for row in at.all("payment_intent")
        if all(row["metadata"].get(name) == value for name, value in terms)
    ]
    shown = [at.shown(row, given) for row in rows]
    return {"object": "list", "url": "/v1/payment_intents/search", "has_more": False,
            "data": shown}  # fmt: skip


def _of_customer(at: Account, given: Given, pk: str) -> Object:
    return at.page("payment_method", "/v1/payment_methods", {**given, "customer": pk}, "customer")


def _update_method(at: Account, method: Object, given: Given) -> Object:
    for name in ("exp_month", "exp_year"):
        if name in given.get("card", {}):
            method["card"][name] = int(given["card"][name])
    at.tell("payment_method.updated", method)
    return method


_ROWS: list[tuple[str, str, Callable[..., Object]]] = [
    ("GET", "/v1/account",
     lambda at, given: {"id": "acct_" + _digest(at.key), "object": "account"}),
    ("POST", "/v1/customers", people.create_customer),
    ("GET", "/v1/customers", _list("customer", "/v1/customers", "email")),
    ("GET", "/v1/customers/ID", _find("customer")),
    ("POST", "/v1/customers/ID", _found("customer", people.update_customer)),
    ("DELETE", "/v1/customers/ID",
     lambda at, given, pk: people.delete_customer(at, at.find("customer", pk))),
    ("GET", "/v1/customers/ID/payment_methods", _of_customer),
    ("POST", "/v1/payment_methods", people.create_method),
    ("GET", "/v1/payment_methods", _list("payment_method", "/v1/payment_methods", "customer")),
    ("GET", "/v1/payment_methods/ID", lambda at, given, pk: people.method_of(at, pk)),
    ("POST", "/v1/payment_methods/ID", _found("payment_method", _update_method)),
    ("POST", "/v1/payment_methods/ID/attach",
     lambda at, given, pk: people.attach(at, people.method_of(at, pk), given["customer"])),
    ("POST", "/v1/payment_methods/ID/detach",
     lambda at, given, pk: people.detach(at, at.find("payment_method", pk))),
    ("POST", "/v1/setup_intents", people.create_setup),
    ("GET", "/v1/setup_intents/ID", _find("setup_intent")),
    ("POST", "/v1/setup_intents/ID/confirm", _found("setup_intent", people.confirm_setup)),
    ("POST", "/v1/payment_intents", money.create_intent),
    ("GET", "/v1/payment_intents", _list("payment_intent", "/v1/payment_intents", "customer")),
    ("GET", "/v1/payment_intents/search", _search),
    ("GET", "/v1/payment_intents/ID", _find("payment_intent")),
    ("POST", "/v1/payment_intents/ID/confirm", _found("payment_intent", money.confirm)),
    ("POST", "/v1/payment_intents/ID/cancel", _found("payment_intent", money.cancel)),
    ("GET", "/v1/charges", _list("charge", "/v1/charges", "payment_intent")),
    ("GET", "/v1/charges/ID", _find("charge")),
    ("POST", "/v1/refunds", disputes.create_refund),
    ("GET", "/v1/refunds", _list("refund", "/v1/refunds", "payment_intent", "charge")),
    ("GET", "/v1/refunds/ID", _find("refund")),
    ("GET", "/v1/disputes/ID", _find("dispute")),
    ("GET", "/v1/disputes", _list("dispute", "/v1/disputes", "payment_intent", "charge")),
    ("POST", "/v1/checkout/sessions", sessions.create_session),
    ("GET", "/v1/checkout/sessions/ID", _find("checkout.session")),
    ("POST", "/v1/checkout/sessions/ID/expire",
     lambda at, given, pk: sessions.expire_session(at, at.find("checkout.session", pk))),
    ("POST", "/v1/webhook_endpoints", _endpoint),
    ("GET", "/v1/webhook_endpoints", _list("webhook_endpoint", "/v1/webhook_endpoints")),
    ("DELETE", "/v1/webhook_endpoints/ID", _delete_endpoint),
    ("GET", "/v1/events/ID", _find("event")),
    ("GET", "/v1/events", _list("event", "/v1/events", "type")),
]  # fmt: skip
_ROUTES = [
    (verb, re.compile(path.replace("ID", r"(?!search)([A-Za-z0-9_]+)")), act)
    for verb, path, act in _ROWS
]
