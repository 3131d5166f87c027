"""P10: paying with a saved card, one attempt for each form."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Capability
from billing.errors import NoCardGateway
from billing.models import Invoice, Payment, SavedMethod
from billing.services.payments import card_saving
from billing.services.payments.card_charging import charge_card
from billing.services.payments.card_texts import ABANDONED
from billing.services.payments.receipts import receipt_of
from lib import clock
from lib.errors import DomainError, GatewayRefused, GatewayUnavailable, NotFound
from portal import paying_acts, paying_pages
from portal.access import Portal, PortalRequest, customer_page
from portal.paying import Parcel, ToPay
from portal.paying_acts import NO_ANSWER
from portal.paying_pages import bill_of, check_fresh, go, parcel_of
from portal.submit import FIELD, new_key

TEMPLATE = "portal/pagar_cartao.html"


@customer_page(Capability.CHARGE_CARD)
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: PortalRequest, number: str) -> HttpResponse:
    """The customer's cards to choose from; a POST charges one."""
    bill = bill_of(request.portal, number)
    given = request.POST if request.method == "POST" else request.GET
    parcel = parcel_of(bill, given.get("parcela", ""))
    if request.method == "POST":
        return _charge(request, bill, parcel, number)
    return _page(request, bill, parcel, number)


def _charge(request: PortalRequest, bill: ToPay, parcel: Parcel, number: str) -> HttpResponse:
    """The form's key is the payment's: sent twice, it is the same payment."""
    portal, key = request.portal, _key(request.POST.get(FIELD, ""))
    there = reverse("portal-pagamento", args=[number, key])
    try:
        check_fresh(bill, parcel)
        begun = charge_card(
            parcel.receivable.pk,
            account=portal.account,
            actor=portal.actor,
            on_session=True,
            saved_method_id=_pk(request.POST.get("cartao", "")),
            return_path=there,
            key=key,
            shown=_amount(request.POST.get("valor", "")),
        )
    except NotFound:
        raise
    except DomainError as error:
        if _payment(portal, bill.invoice, key) is not None:
            return HttpResponseRedirect(there)
        fresh = bill_of(portal, number)
        parcel = parcel_of(fresh, str(parcel.receivable.position))
        return _page(request, fresh, parcel, number, error=error)
    return HttpResponseRedirect(begun.action_url or there)


@customer_page(Capability.CHARGE_CARD)
@require_safe
def result(request: PortalRequest, number: str, key: UUID) -> HttpResponse:
    """What became of an attempt: its receipt, or the page of paying with what there is to say."""
    bill = bill_of(request.portal, number)
    payment = _payment(request.portal, bill.invoice, key)
    if payment is None:
        raise Http404
    if payment.state in Payment.SETTLED and payment.undone_at is None:
        return paying_pages.paying_page(
            request,
            "portal/pagamento_confirmado.html",
            bill,
            number,
            payment=payment,
            recibo=receipt_of(payment),
        )
    if payment.state == Payment.State.CANCELED:
        messages.info(request, ABANDONED, extra_tags="info")
    asked = {"parcela": str(payment.receivable.position)} if payment.receivable else {}
    return go("portal-pagar", number, query=asked)


@customer_page(Capability.CHARGE_CARD)
@require_POST
def give_up(request: PortalRequest, number: str) -> HttpResponse:
    """End an attempt that waits for its payer's bank, to pay in another way."""
    portal = request.portal
    parcel = parcel_of(bill_of(portal, number), request.POST.get("parcela", ""))
    try:
        paying_acts.give_up(parcel.receivable, account=portal.account, actor=portal.actor)
        messages.info(request, ABANDONED, extra_tags="info")
    except DomainError as error:
        messages.error(request, error.mensagem, extra_tags="erro")
    except (GatewayRefused, GatewayUnavailable):
        messages.warning(request, NO_ANSWER, extra_tags="atencao")
    return go("portal-pagar", number, parcel=parcel)


def _page(
    request: PortalRequest,
    bill: ToPay,
    parcel: Parcel,
    number: str,
    *,
    error: DomainError | None = None,
) -> HttpResponse:
    portal, invoice = request.portal, bill.invoice
    cards: list[SavedMethod] = []
    takes_cards = True
    if paying_pages.is_payable(bill):
        try:
            cards = card_saving.saved_cards(
                portal.customer, account=portal.account, organization_id=invoice.organization_id
            )
        except NoCardGateway:
            takes_cards = False
    today = clock.today(portal.account.time_zone)
    good = [c.pk for c in cards if not c.is_expired(year=today.year, month=today.month)]
    return paying_pages.paying_page(
        request,
        TEMPLATE,
        bill,
        number,
        error=error,
        parcel=parcel,
        cartoes=cards,
        aceita=takes_cards,
        validos=good,
        escolhido=good[0] if good else None,
        chave=new_key(),
    )


def _payment(portal: Portal, invoice: Invoice, key: UUID) -> Payment | None:
    mine = Payment.objects.of(portal.account).filter(customer=portal.customer, invoice=invoice)
    found: Payment | None = (
        mine.select_related(
            "receivable",
            "saved_method",
            "invoice__customer_snapshot",
            "invoice__organization_snapshot",
        )
        .filter(key=key)
        .first()
    )
    return found


def _key(text: str) -> UUID:
    """Of an old page without one, or a forged one: any."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(new_key())


def _pk(text: str) -> int:
    """Raises NotFound for what is no number of ours."""
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    raise NotFound()


def _amount(text: str) -> Decimal:
    """What the button said; nothing that is readable agrees with no amount."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)
