"""Pages of a card payment that the bank wants confirmed: the way there and the way back (ST-4).

Whoever has the payment's key, which nobody can guess, sees amount and state and nothing else.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import AuditEvent
from accounts.services.audit import Actor
from billing.errors import CardNotReady
from billing.gateways.cards import CardRefused
from billing.models import Payment
from billing.services.payments import card_checks
from billing.services.payments.card_answers import action_url
from billing.services.payments.card_texts import OUT_OF_ORDER, outcome_text
from lib.errors import GatewayUnavailable

log = logging.getLogger(__name__)


@never_cache
@require_safe
def card_return(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """Back from the bank: ask how it went, then go on where the payment began."""
    payment = _payment(key)
    if payment is None:
        return _page(request, None, status=404)
    try:
        payment = card_checks.check_payment(payment.pk, actor=_customer(request, payment))
    except (GatewayUnavailable, CardRefused) as error:
        # The notice or the next check tells; the page says that it is not known yet.
        log.warning("card.return_unanswered", extra={"error": str(error)})
    return _onwards(request, payment)


@csrf_exempt  # the key in the address is all that counts, and no origin comes without referrer
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def card_action(request: HttpRequest, key: UUID) -> HttpResponseBase:
    """What the link in the e-mail opens; the button leads to the bank."""
    payment = _payment(key)
    if payment is None:
        return _page(request, None, status=404)
    if request.method != "POST":
        return _page(request, payment, can_go=payment.state == Payment.State.REQUIRES_ACTION)
    act = card_checks.complete_with_customer
    if "desistir" in request.POST:
        act = card_checks.cancel_attempt
    try:
        payment = act(payment.pk, account=payment.account, actor=_customer(request, payment))
    except CardNotReady:
        return _page(request, payment)
    except (GatewayUnavailable, CardRefused) as error:
        log.warning("card.action_unanswered", extra={"error": str(error)})
        return _page(request, payment, text=OUT_OF_ORDER, can_go=True, status=503)
    if payment.action_url and payment.action_url != action_url(payment):
        return HttpResponseRedirect(payment.action_url)
    return _onwards(request, payment)


def _onwards(request: HttpRequest, payment: Payment) -> HttpResponseBase:
    """To where the payment began, or a page of its own."""
    path = payment.return_path
    if path and url_has_allowed_host_and_scheme(path, allowed_hosts=None):
        return HttpResponseRedirect(path)
    return _page(request, payment)


def _payment(key: UUID) -> Payment | None:
    rows = Payment.objects.select_related("account", "invoice", "gateway")
    return rows.filter(key=key, method=Payment.Method.CARD).first()


def _customer(request: HttpRequest, payment: Payment) -> Actor:
    return Actor(AuditEvent.Actor.CUSTOMER, label="cliente", ip=request.META.get("REMOTE_ADDR"))


def _page(
    request: HttpRequest,
    payment: Payment | None,
    *,
    text: str = "",
    can_go: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The state in words; nothing of the customer or the card."""
    shown: dict[str, Any] = {"payment": payment, "can_go": can_go}
    shown["text"] = text or (outcome_text(payment) if payment else "Pagamento não encontrado.")
    response = render(request, "billing/card_action.html", shown, status=status)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
