"""/__teste__/: what acceptance tests switch and read (ux §1.6); for them only.

A GET changes things here, which no other page does: a test types an address, as a person would.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from billing.models import EmailMessage
from billing.services.emails.letters import opened
from lib.br import date_br
from lib.errors import DomainError, NotFound
from portal import testing
from portal.pages import guarded_page

MOST = 200


def components(request: HttpRequest) -> HttpResponse:
    """Every component in every state (§2)."""
    return guarded_page(render(request, "portal/teste/componentes.html", testing.samples()))


def formats(request: HttpRequest) -> HttpResponse:
    """The vectors of §1.1 and the trends of B01-3."""
    return guarded_page(render(request, "portal/teste/formatos.html", testing.samples()))


def emails(request: HttpRequest) -> HttpResponse:
    """The last e-mails of all accounts, the newest first; `para` narrows to one address."""
    rows = EmailMessage.objects.order_by("-pk")
    if address := request.GET.get("para", ""):
        rows = rows.filter(recipient=address)
    shown = [(row, opened(row.body)) for row in rows[:MOST]]
    return guarded_page(render(request, "portal/teste/emails.html", {"emails": shown}))


@csrf_exempt
def failure(request: HttpRequest, service: str, state: str) -> HttpResponse:
    """falha/<servico>/<on|off>/."""
    if state not in ("on", "off"):
        raise Http404
    try:
        testing.fail(service, on=state == "on")
    except NotFound as error:
        raise Http404 from error
    except DomainError as error:
        return _told(error.mensagem, status=409)
    return _told(f"{service}: {'falhando' if state == 'on' else 'normal'}")


@csrf_exempt
def today(request: HttpRequest, day: str) -> HttpResponse:
    """hoje/<aaaa-mm-dd>/."""
    try:
        return _told(f"Hoje é {date_br(testing.move_clock(day))}.")
    except NotFound as error:
        raise Http404 from error


def _told(text: str, *, status: int = 200) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
