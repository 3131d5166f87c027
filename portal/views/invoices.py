"""/central/faturas/ (P06): every invoice, month by month."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Capability
from billing.selectors.customer_standing import customer_standings
from lib import clock
from portal.access import PortalRequest, customer_page
from portal.invoice_list import SITUATIONS, Filters, Page, by_year, chart_of, rows_of


@require_safe
@customer_page(Capability.INVOICES)
def listing(request: PortalRequest) -> HttpResponse:
    """The list, filtered by the address."""
    portal = request.portal
    today = clock.today(portal.account.time_zone)
    standings = customer_standings(portal.account, portal.customer, today=today)
    filters = Filters.of(request.GET)
    found = filters.rows(standings)
    page = Page.of(found, request.GET.get("pagina", ""))
    context = {
        "filters": filters,
        "situations": SITUATIONS.items(),
        "years": sorted({str(row.month.year) for row in standings.rows}, reverse=True),
        "chosen_year": str(filters.year or ""),
        "is_empty": not standings.rows,
        "page": page,
        "years_shown": by_year(rows_of(portal, standings, page.rows)),
        "previous": filters.query(pagina=str(page.number - 1)) if page.number > 1 else "",
        "next": filters.query(pagina=str(page.number + 1)) if page.number < page.n_pages else "",
        "chart": chart_of(standings),
        "open_total": standings.open_total(found),
        "late_total": standings.late_total(found),
    }
    return render(request, "portal/faturas.html", context)
