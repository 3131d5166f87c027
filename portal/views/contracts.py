"""Contracts: the list, one of them, and its summary on paper (P12)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from accounts.access import Capability
from billing.documents.contract import contract_pdf
from billing.models import Contract
from billing.selectors import customer_contracts as found
from billing.selectors.contract_history import contract_invoices, readjustments_of
from billing.services.contract_summary import summary_of
from lib import clock
from lib.errors import NotFound
from lib.pdf import RenderFailed
from portal.access import PortalRequest, customer_page
from portal.states import situations

PDF_FAILED = "Não foi possível gerar o PDF agora. Tente de novo em alguns minutos."
SHOWN = "cancelados"  # ?cancelados=1
_PER_PAGE = 25


@require_safe
@customer_page(Capability.CONTRACTS)
def listing(request: PortalRequest) -> HttpResponse:
    """Contracts in force; cancelled ones too where they are asked for."""
    return render(request, "portal/contratos.html", list_context(request))


def list_context(request: PortalRequest) -> dict[str, Any]:
    """What the list shows; the panel of the home page shows the same."""
    portal = request.portal
    cancelled = request.GET.get(SHOWN) == "1"
    rows = found.contract_rows(
        portal.account, portal.customer, today=today_of(request), cancelled=cancelled
    )
    return {
        "contratos": rows,
        "cancelados": cancelled,
        "pode_cancelar": portal.can(Capability.CANCEL_CONTRACT),
        "pode_cancelar_tudo": any(row.may_end for row in rows),
    }


@require_safe
@customer_page(Capability.CONTRACTS)
def detail(request: PortalRequest, contract_id: int) -> HttpResponse:
    """What a contract bills and billed, its readjustments, and how it ends."""
    return render(request, "portal/contrato.html", detail_context(request, contract_id))


def detail_context(request: PortalRequest, contract_id: int) -> dict[str, Any]:
    """What the page of a contract shows; 404 for anybody else's."""
    portal, today = request.portal, today_of(request)
    try:
        row = found.get_row(portal.account, portal.customer, contract_id, today=today)
    except NotFound as error:
        raise Http404 from error
    page = _page_number(request)
    first = (page - 1) * _PER_PAGE
    rows = contract_invoices(row.contract, portal.customer)[first : first + _PER_PAGE + 1]
    invoices = list(rows)
    states = situations(invoices[:_PER_PAGE], today=today)
    return {
        "contrato": row,
        "reajustes": readjustments_of(row.contract),
        "faturas": list(states.values()),
        "anterior": page - 1,
        "proxima": page + 1 if len(invoices) > _PER_PAGE else 0,
        "pode_cancelar": portal.can(Capability.CANCEL_CONTRACT),
        "pode_desfazer": row.ending is not None and row.ending.effective_on >= today,
    }


def _page_number(request: PortalRequest) -> int:
    """1 for the first page, and for whatever is none."""
    text = request.GET.get("pagina", "")
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 else 1


@require_safe
@customer_page(Capability.CONTRACTS)
def pdf(request: PortalRequest, contract_id: int) -> HttpResponse:
    """The contract's summary as PDF."""
    contract = contract_of(request, contract_id)
    try:
        made = contract_pdf(summary_of(contract, today=today_of(request)))
    except (RenderFailed, OSError):
        messages.error(request, PDF_FAILED, extra_tags="erro")
        return HttpResponseRedirect(reverse("portal-contrato", args=[contract.pk]))
    answer = HttpResponse(made, content_type="application/pdf")
    name = f"Contrato_{contract.pk:05d}.pdf"
    answer["Content-Disposition"] = content_disposition_header(False, name) or ""
    return answer


def contract_of(request: PortalRequest, contract_id: int) -> Contract:
    """The customer's contract of that number; 404 for anybody else's."""
    portal = request.portal
    try:
        return found.get_customer_contract(portal.account, portal.customer, contract_id)
    except NotFound as error:
        raise Http404 from error


def today_of(request: PortalRequest) -> Any:
    return clock.today(request.portal.account.time_zone)
