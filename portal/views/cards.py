"""P11: the customer's cards, whose data goes from the browser to the provider only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Capability
from billing.errors import NoCardGateway
from billing.models import GatewayAccount, SavedMethod
from billing.selectors.customer_invoices import get_invoice
from billing.services.payments import card_saving
from billing.services.payments.card_gateway import card_gateway
from lib import clock
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable, NotFound
from portal import paying_pages
from portal.access import Portal, PortalRequest, customer_page
from portal.pages import with_card_fields
from portal.reauth import fresh_password

SAVED = "Cartão final {last4} cadastrado."
DEFAULT = "O cartão final {last4} agora é o padrão."
REMOVED = "O cartão final {last4} foi removido."
OUT_OF_ORDER = (
    "A operadora de cartões não respondeu. Nenhum cartão foi cadastrado. "
    "Tente de novo em alguns minutos ou pague por Pix ou boleto."
)
REFUSED = "A operadora não aceitou este cartão. Nada foi cadastrado. Confira os dados ou use outro."


@customer_page(Capability.PAYMENT_METHODS)
@require_safe
def listing(request: PortalRequest) -> HttpResponse:
    """All cards of the customer."""
    return _list(request)


@customer_page(Capability.PAYMENT_METHODS)
@require_POST
@fresh_password
def make_default(request: PortalRequest, method_id: int) -> HttpResponse:
    portal = request.portal
    method = card_saving.make_default(
        method_id, account=portal.account, actor=portal.actor, customer=portal.customer
    )
    messages.success(request, DEFAULT.format(last4=method.last4), extra_tags="ok")
    return HttpResponseRedirect(reverse("portal-cartoes"))


@customer_page(Capability.PAYMENT_METHODS)
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_password
def remove(request: PortalRequest, method_id: int) -> HttpResponse:
    """Asks first; the only card of an automatic rule stays (P11)."""
    portal = request.portal
    method = card_saving.active_card(method_id, account=portal.account, customer=portal.customer)
    if request.method != "POST":
        return render(request, "portal/cartao_remover.html", {"cartao": method})
    try:
        card_saving.remove_card(
            method.pk, account=portal.account, actor=portal.actor, customer=portal.customer
        )
    except NotFound:
        raise
    except DomainError as error:
        context = {"cartao": method, **paying_pages.refused(request, error)}
        return render(request, "portal/cartao_remover.html", context, status=error.http_status)
    messages.success(request, REMOVED.format(last4=method.last4), extra_tags="ok")
    return HttpResponseRedirect(reverse("portal-cartoes"))


@customer_page(Capability.PAYMENT_METHODS)
@require_safe
def add(request: PortalRequest) -> HttpResponse:
    """The provider's card fields, and its own page for who has no script."""
    return _new(request, _asked(request.portal, request.GET))


@customer_page(Capability.PAYMENT_METHODS)
@require_POST
def begin(request: PortalRequest) -> JsonResponse:
    """{"segredo": …} opens the provider's fields for one card; {"erro": …} says why not."""
    portal, asked = request.portal, _asked(request.portal, request.POST)
    try:
        setup = card_saving.start_saving(
            portal.customer, account=portal.account, organization_id=_organization(portal, asked)
        )
    except (DomainError, GatewayRefused, GatewayUnavailable) as error:
        text, status = _said(error)
        return JsonResponse({"erro": text}, status=status)
    return JsonResponse({"segredo": setup.secret})


@customer_page(Capability.PAYMENT_METHODS)
@require_POST
def finish(request: PortalRequest) -> HttpResponse:
    """The script is done: keep the card of this setup."""
    asked = _asked(request.portal, request.POST)
    return _keep(request, asked, setup=request.POST.get("setup", ""))


@customer_page(Capability.PAYMENT_METHODS)
@require_POST
def go_to_page(request: PortalRequest) -> HttpResponse:
    """To the provider's own page, by redirect."""
    portal, asked = request.portal, _asked(request.portal, request.POST)
    query = f"&{urlencode(asked)}" if asked else ""
    # The provider puts its own id where the braces are.
    back = f"{settings.PUBLIC_URL}{reverse('portal-cartao-volta')}?s={{CHECKOUT_SESSION_ID}}{query}"
    try:
        url = card_saving.hosted_saving(
            portal.customer,
            account=portal.account,
            return_url=back,
            cancel_url=settings.PUBLIC_URL + _start(asked),
            organization_id=_organization(portal, asked),
        )
    except (DomainError, GatewayRefused, GatewayUnavailable) as error:
        return _new(request, asked, error=error)
    return HttpResponseRedirect(url)


@customer_page(Capability.PAYMENT_METHODS)
@require_safe
def come_back(request: PortalRequest) -> HttpResponse:
    """From the provider's page; a card that its notice has saved already is the same card."""
    asked = _asked(request.portal, request.GET)
    return _keep(request, asked, page=request.GET.get("s", ""))


# --- details -----------------------------------------------------------------------------------


def _asked(portal: Portal, given: Any) -> dict[str, str]:
    """For which invoice a card is added, to go back to paying it. Raises NotFound."""
    number, parcel = given.get("fatura", ""), given.get("parcela", "")
    if not number:
        return {}
    get_invoice(portal.account, portal.customer, number)
    return {"fatura": number} | ({"parcela": parcel[:9]} if parcel else {})


def _organization(portal: Portal, asked: dict[str, str]) -> int | None:
    """For whose bills the card is: the invoice's organization, else of whoever bills."""
    if asked:
        return get_invoice(portal.account, portal.customer, asked["fatura"]).organization_id
    return portal.organization.pk if portal.organization is not None else None


def _gateway(portal: Portal, asked: dict[str, str]) -> GatewayAccount:
    return card_gateway(portal.account, organization_id=_organization(portal, asked))


def _start(asked: dict[str, str]) -> str:
    return reverse("portal-cartao-novo") + (f"?{urlencode(asked)}" if asked else "")


def _keep(
    request: PortalRequest, asked: dict[str, str], *, setup: str = "", page: str = ""
) -> HttpResponse:
    portal = request.portal
    keep, given = (card_saving.finish_hosted, page) if page else (card_saving.finish_saving, setup)
    try:
        gateway = _gateway(portal, asked)
        saved = keep(given, gateway=gateway, actor=portal.actor, customer=portal.customer)
    except NotFound:
        raise
    except (DomainError, GatewayRefused, GatewayUnavailable) as error:
        return _new(request, asked, error=error)
    messages.success(request, SAVED.format(last4=saved.last4), extra_tags="ok")
    if asked:
        query = {name: value for name, value in asked.items() if name != "fatura"}
        return paying_pages.go("portal-pagar", asked["fatura"], query=query)
    return HttpResponseRedirect(reverse("portal-cartoes"))


def _list(request: PortalRequest) -> HttpResponse:
    portal = request.portal
    today = clock.today(portal.account.time_zone)
    cards = card_saving.customer_cards(portal.customer, account=portal.account)
    rows = [(card, *_validity(card, today.year, today.month)) for card in cards]
    return render(request, "portal/cartoes.html", {"cartoes": rows})


def _validity(card: SavedMethod, year: int, month: int) -> tuple[bool, bool]:
    """Whether it is over, and whether it ends this month."""
    is_last = (card.exp_year, card.exp_month) == (year, month)
    return card.is_expired(year=year, month=month), is_last


def _new(
    request: PortalRequest, asked: dict[str, str], *, error: Exception | None = None
) -> HttpResponse:
    """The page for a new card, with what went wrong."""
    try:
        gateway = _gateway(request.portal, asked)
    except NoCardGateway as none:
        gateway, error = None, none
    # Our stand-in has no fields for browsers, only pages.
    fields = gateway is not None and not gateway.base_url
    key = str(gateway.options.get("publishable_key", "")) if gateway is not None and fields else ""
    text, status = _said(error) if error is not None else ("", 200)
    context = {
        "pedido": asked,
        "chave_publica": key,
        "aceita": gateway is not None,
        "erro": text,
        "erro_codigo": getattr(request, "request_id", "") if status >= 500 else "",
    }
    answer = render(request, "portal/cartao_novo.html", context, status=status)
    return with_card_fields(answer) if key else answer


def _said(error: Exception) -> tuple[str, int]:
    """What the customer is told of it, and the status."""
    if isinstance(error, DomainError):
        return error.mensagem, error.http_status
    if isinstance(error, GatewayRefused):
        return REFUSED, 422
    return OUT_OF_ORDER, 503
