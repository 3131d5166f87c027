"""The day of the month on which the customer pays (P16)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.access import Capability
from billing.services.due_day import (
    DueDayChanged,
    TooSoon,
    change_due_day,
    choices_of,
    due_day_of,
    free_from,
)
from lib import clock
from lib.errors import InvalidInput
from portal.access import PortalRequest, customer_page
from portal.submit import new_key, once

CHANGED = "Dia de vencimento alterado para {day}."
SAME = "Seu dia de vencimento já é {day}."


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(Capability.DUE_DAY)
def choose(request: PortalRequest) -> HttpResponse:
    """The days that are offered, each with what it does to the next invoices."""
    if request.method != "POST":
        return _page(request)
    try:
        return once(request, lambda: _chosen(request))
    except InvalidInput as error:
        return _page(request, erro=error.erros[0].mensagem)
    except (DueDayChanged, TooSoon) as error:
        request.portal.customer.refresh_from_db()
        return _page(request, erro=error.mensagem, status=error.http_status)


def _chosen(request: PortalRequest) -> str:
    portal, posted = request.portal, request.POST.get("dia", "")[:3]
    day = int(posted) if posted.isascii() and posted.isdecimal() else None
    is_new = change_due_day(
        day,
        account=portal.account,
        customer=portal.customer,
        profile=portal.profile,
        seen=request.POST.get("atual", ""),
        actor=portal.actor,
    )
    if is_new:
        messages.success(request, CHANGED.format(day=day))
    else:
        messages.info(request, SAME.format(day=day), extra_tags="info")
    return reverse("portal-vencimento")


def page_context(request: PortalRequest) -> dict[str, Any]:
    """What the page shows; the panel of the home page shows the same."""
    portal = request.portal
    today = clock.today(portal.account.time_zone)
    account, customer, profile = portal.account, portal.customer, portal.profile
    return {
        "opcoes": choices_of(account, customer, profile, today=today),
        "dia_atual": due_day_of(account, customer),
        "atual": customer.preferred_due_day or "",
        "livre_em": free_from(customer, profile, today=today),
        "prazo": profile.due_day_change_days,
        "pode_trocar": portal.can(Capability.DUE_DAY),
        "chave": new_key(),
    }


def _page(request: PortalRequest, *, erro: str = "", status: int = 200) -> HttpResponse:
    context = page_context(request)
    if erro:
        context |= {"erro": erro, "erros": True}
    return render(request, "portal/vencimento.html", context, status=status)
