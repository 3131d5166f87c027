"""/central/ (P05): the home page in five areas."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.access import PortalRequest, customer_page
from portal.home_areas import Home


@require_safe
@customer_page()
def home(request: PortalRequest) -> HttpResponse:
    """The areas, with the panel of the fourth chosen by `?painel=`."""
    page = Home(request)
    context = {"alert": page.alert(), "areas": page.areas()}
    return render(request, "portal/inicio.html", context)
