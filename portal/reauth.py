"""“Confirme sua senha”: asked before a sensitive act when the last sign-in is 15 minutes old.

On a view (below `customer_page`), whose POST is the act:

    @customer_page(Capability.USERS)
    @fresh_password
    def remove(request, access_id): ...

A POST that comes too late answers a page that asks for the password and carries all fields of the
form along; sent, it comes to the same address with the password beside them, and the view goes on
as if nothing had been asked: same data, same idempotency key. Files cannot be carried along. It
works without JavaScript. A page whose act is sent by a script asks `needs_password(request)` when
it is shown, and links to `confirm_url(request)` first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from accounts.services import sessions
from accounts.services.sign_in import is_right_password
from portal.access import SAFE, PortalRequest
from portal.coming_back import page_before, safe_next

P = ParamSpec("P")
View = Callable[Concatenate[PortalRequest, P], HttpResponseBase]

FIELD = "confirmar_senha"
WRONG = "Senha incorreta."
BLOCKED = "Muitas tentativas. Tente de novo em 15 minutos ou redefina sua senha."
_MISSING = "Informe sua senha."
_BACK = "confirmar_voltar"


def needs_password(request: HttpRequest) -> bool:
    """Is the last password older than 15 minutes?"""
    return not sessions.is_fresh(request)


def confirm_url(request: HttpRequest) -> str:
    """The page that asks for the password and comes back here."""
    here = urlencode({"next": request.get_full_path()})
    return f"{reverse('portal-confirmar-senha')}?{here}"


def fresh_password(view: View[P]) -> View[P]:
    """A view whose POSTs need a password of the last 15 minutes; the others pass."""

    @wraps(view)
    def wrapped(request: PortalRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method in SAFE or sessions.is_fresh(request):
            return view(request, *args, **kwargs)
        if FIELD not in request.POST:
            return ask(request)
        refused = wrong_password(request)
        if refused is not None:
            return refused
        posted = request.POST.copy()
        posted.pop(FIELD)
        request.POST = posted  # type: ignore[assignment]
        return view(request, *args, **kwargs)

    return wrapped


def wrong_password(request: PortalRequest) -> HttpResponse | None:
    """The page again where the posted password is not right; None, noted, where it is."""
    typed = request.POST.get(FIELD, "")
    if not typed:
        return ask(request, erro=_MISSING)
    is_right = is_right_password(request.user, typed, ip=request.portal.ip)
    if is_right is None:
        return ask(request, erro=BLOCKED, status=429)
    if not is_right:
        return ask(request, erro=WRONG)
    sessions.password_was_right(request)
    return None


def ask(request: PortalRequest, *, erro: str = "", status: int = 200) -> HttpResponse:
    """The page that asks, with the fields of the form that led to it."""
    ours = {"csrfmiddlewaretoken", FIELD, _BACK}
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in ours
        for value in values
    ]
    back = safe_next(request, request.POST.get(_BACK) or page_before(request))
    context = {"guardados": kept, "voltar": back, "voltar_campo": _BACK, "campo": FIELD}
    if erro:
        context["erro"] = erro
    return render(request, "portal/confirmar_senha.html", context, status=status)
