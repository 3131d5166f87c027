"""Checkout sessions: pages of the provider that take a card, and 3-D Secure; simple HTML."""

from __future__ import annotations

import contextlib
import html
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from billing.sandbox.stripe import form, money, people
from billing.sandbox.stripe.books import Account, Object
from billing.sandbox.stripe.errors import Refusal, invalid
from billing.sandbox.wire import Reply, as_html

PAGE = (
    "<!doctype html><html lang=pt-BR><meta charset=utf-8><title>{title}</title>"
    "<style>body{{font:1rem sans-serif;max-width:28rem;margin:3rem auto}}"
    "input,button{{font:inherit;padding:.5rem;margin:.25rem 0;width:100%}}</style>"
    "<h1>{title}</h1><p>Operadora de teste: nenhum dinheiro é movimentado.</p>{body}</html>"
)
CARD_FORM = (
    "{error}<form method=post><label>Número do cartão<input name=number autocomplete=off required>"
    "</label><label>Nome<input name=name></label>"
    "<label>Validade (mm/aaaa)<input name=expiry value=12/2034></label>"
    "<button>{button}</button></form><p><a href='{cancel}'>Voltar sem concluir</a></p>"
)
BANK_FORM = (
    "<form method=post><button name=answer value=ok>Autorizar</button>"
    "<button name=answer value=no>Recusar</button></form>"
)


def create_session(at: Account, given: dict[str, Any]) -> Object:
    """mode setup, or payment of the given line items."""
    mode = given.get("mode")
    if mode not in ("setup", "payment"):
        raise invalid("Only the modes setup and payment are here.", param="mode")
    at.find("customer", given.get("customer", ""), "customer")
    made = at.make(
        "checkout.session",
        mode=mode,
        customer=given["customer"],
        status="open",
        payment_status="unpaid" if mode == "payment" else "no_payment_required",
        amount_total=_total(given) if mode == "payment" else None,
        currency="brl",
        success_url=given["success_url"],
        cancel_url=given.get("cancel_url"),
        setup_intent=None,
        payment_intent=None,
        expires_at=int(given.get("expires_at") or time.time() + 86_400),
        metadata=given.get("metadata", {}),
        url="",
        _intent=given.get("payment_intent_data", {}),
    )
    made["url"] = f"{at.address}/card/{made['id']}"
    if mode == "setup":
        data = given.get("setup_intent_data", {})
        setup = people.create_setup(
            at, {"customer": given["customer"], "metadata": data.get("metadata", {})}
        )
        made["setup_intent"] = setup["id"]
    return made


def _total(given: dict[str, Any]) -> int:
    lines = form.as_list(given.get("line_items", {}))
    return sum(int(n["price_data"]["unit_amount"]) * int(n.get("quantity", 1)) for n in lines)


def expire_session(at: Account, session: Object) -> Object:
    if session["status"] != "open":
        raise invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
    session["status"], session["url"] = "expired", None
    if session["payment_intent"]:
        intent = at.find("payment_intent", session["payment_intent"])
        if intent["status"] not in ("succeeded", "canceled"):
            money.cancel(at, intent, {"cancellation_reason": "automatic"})
    at.tell("checkout.session.expired", session)
    return session


# --- pages -------------------------------------------------------------------------------------


def page(at: Account, method: str, what: str, given: str, body: bytes) -> Reply:
    """/card/<session or secret of a setup>, /3ds/<intent>."""
    fields = form.parse(body.decode("utf-8", "replace")) if method == "POST" else {}
    if what == "3ds":
        return _bank(at, method, given, fields)
    return _card(at, method, given, fields)


def _card(at: Account, method: str, given: str, fields: Mapping[str, Any]) -> Reply:
    session = at.find("checkout.session", given)
    if session["status"] != "open":
        return as_html(PAGE.format(title="Esta página expirou", body=""), 410)
    error = ""
    if method == "POST":
        try:
            return _go(_taken(at, session, fields))
        except Refusal as refusal:
            error = f"<p role=alert>{html.escape(str(refusal))}</p>"
    button = "Salvar cartão" if session["mode"] == "setup" else "Pagar"
    cancel = html.escape(session["cancel_url"] or "")
    body = CARD_FORM.format(error=error, button=button, cancel=cancel)
    return as_html(PAGE.format(title=button, body=body))


def _taken(at: Account, session: Object, fields: Mapping[str, Any]) -> str:
    """Where the customer goes once the card was given. Raises Refusal."""
    month, _, year = str(fields.get("expiry", "12/2034")).partition("/")
    card = {"number": fields.get("number", ""), "exp_month": month, "exp_year": year or 2034}
    name = fields.get("name") or None
    method = people.create_method(
        at, {"type": "card", "card": card, "billing_details": {"name": name}}
    )
    url = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
    if session["mode"] == "setup":
        setup = at.find("setup_intent", session["setup_intent"])
        wanted = {"payment_method": method["id"]}
        people.confirm_setup(at, setup, wanted)
        _complete(at, session, "no_payment_required")
        return url
    intent = _intent_of(at, session)
    with contextlib.suppress(money.CutOff):  # the customer's browser sees the page all the same
        money.confirm(at, intent, {"payment_method": method["id"], "return_url": url})
    if intent["status"] == "requires_action":
        return str(intent["next_action"]["redirect_to_url"]["url"])
    _complete(at, session, "paid")
    return url


def _intent_of(at: Account, session: Object) -> Object:
    if session["payment_intent"]:
        return at.find("payment_intent", session["payment_intent"])
    wanted = {**session["_intent"], "amount": session["amount_total"], "currency": "brl"}
    intent = money.create_intent(at, {**wanted, "customer": session["customer"]})
    intent["_session"] = session["id"]
    session["payment_intent"] = intent["id"]
    return intent


def _complete(at: Account, session: Object, payment_status: str) -> None:
    session["status"], session["payment_status"] = "complete", payment_status
    session["url"] = None
    at.tell("checkout.session.completed", session)


def _bank(at: Account, method: str, given: str, fields: Mapping[str, Any]) -> Reply:
    if given.startswith("seti_"):
        return _bank_of_setup(at, method, given, fields)
    intent = at.find("payment_intent", given)
    if method == "GET" and intent["status"] == "requires_action":
        return as_html(PAGE.format(title="Seu banco pede confirmação", body=BANK_FORM))
    money.authenticated(at, intent, ok=fields.get("answer") == "ok")
    if intent.get("_session") and intent["status"] == "succeeded":
        session = at.find("checkout.session", intent["_session"])
        if session["status"] == "open":
            _complete(at, session, "paid")
    status = "succeeded" if intent["status"] == "succeeded" else "failed"
    return _go(_with(intent, "payment_intent", status))


def _bank_of_setup(at: Account, method: str, given: str, fields: Mapping[str, Any]) -> Reply:
    setup = at.find("setup_intent", given)
    if method == "GET" and setup["status"] == "requires_action":
        return as_html(PAGE.format(title="Seu banco pede confirmação", body=BANK_FORM))
    if setup["status"] == "requires_action":
        if fields.get("answer") == "ok":
            people.finish_setup(at, setup)
        else:
            setup["status"], setup["next_action"] = "requires_payment_method", None
    status = "succeeded" if setup["status"] == "succeeded" else "failed"
    return _go(_with(setup, "setup_intent", status))


def _with(row: Object, kind: str, status: str) -> str:
    url = str(row["_return_url"])
    more = {kind: row["id"], f"{kind}_client_secret": row["client_secret"]}
    joint = "&" if "?" in url else "?"
    return url + joint + urlencode({**more, "redirect_status": status})


def _go(url: str) -> Reply:
    return Reply(303, {"Location": url})
