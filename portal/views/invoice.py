"""/central/faturas/<nº>/ (P07): one invoice with all that belongs to it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Capability
from billing.selectors.customer_invoices import get_invoice
from lib import clock
from portal.access import PortalRequest, customer_page
from portal.invoice_page import invoice_page


@require_safe
@customer_page(Capability.INVOICES)
def detail(request: PortalRequest, number: str) -> HttpResponse:
    """The invoice; 404 for one that is not this customer's."""
    portal = request.portal
    invoice = get_invoice(portal.account, portal.customer, number)
    today = clock.today(portal.account.time_zone)
    page = invoice_page(portal, invoice, address=number, today=today)
    return render(request, "portal/fatura.html", {"page": page})
