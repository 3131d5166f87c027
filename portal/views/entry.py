"""The door of the portal (P01): in, out, which company, and back to what was left (ux §1.5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import User
from accounts.services import sessions
from accounts.services.sign_in import Refusal, check, is_customer, left, welcomed
from billing.models import CustomerAccess
from portal import coming_back
from portal.access import COMPANY, PortalRequest, customer_page
from portal.entry_forms import SignInForm
from portal.pages import guarded_page
from portal.reauth import FIELD, ask, wrong_password

WRONG = "E-mail ou senha incorretos."
BLOCKED = "Muitas tentativas. Tente de novo em 15 minutos ou redefina sua senha."
STAFF = "Esta área é para clientes. Acesse o painel interno."
_SIGN_IN = "portal/entrar.html"


@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """P01. Who is signed in already goes on."""
    if sessions.is_open(request) and isinstance(request.user, User) and is_customer(request.user):
        return HttpResponseRedirect(next_step(request))
    form = SignInForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "next": coming_back.safe_next(request)}
    status = 200
    if form.is_valid():
        outcome = check(
            form.cleaned_data["email"], form.cleaned_data["password"], ip=ip_of(request)
        )
        if outcome.user is not None:
            return come_in(request, outcome.user, remember=form.cleaned_data["remember"])
        status = _tell(context, outcome.refusal)
    return guarded_page(render(request, _SIGN_IN, context, status=status))


def _tell(context: dict[str, Any], refusal: Refusal | None) -> int:
    """Add why nobody comes in; answers the HTTP status."""
    if refusal == Refusal.BLOCKED:
        context["erro"] = BLOCKED
        return 429
    context["erro"] = STAFF if refusal == Refusal.STAFF else WRONG
    context["is_staff"] = refusal == Refusal.STAFF
    return 200


def come_in(request: HttpRequest, user: User, *, remember: bool = False) -> HttpResponse:
    """Open the session and lead on: to the code, to the form that waits, or to the page."""
    sessions.open_session(request, user, remember=remember)
    _same_company(request, user)
    if not sessions.needs_code(request):
        welcome(request, user)
    return HttpResponseRedirect(next_step(request))


def welcome(request: HttpRequest, user: User) -> None:
    """All that was asked for was shown."""
    welcomed(user, ip=ip_of(request), user_agent=request.headers.get("User-Agent", ""))


def _same_company(request: HttpRequest, user: User) -> None:
    """The company that this person had chosen on this browser."""
    last = coming_back.last_here(request)
    if last is None or last[0] != user.pk:
        return
    access = CustomerAccess.objects.filter(pk=last[1], user=user, account__is_active=True).first()
    if access is not None:
        request.session[COMPANY] = access.pk


def next_step(request: HttpRequest) -> str:
    """Where somebody goes whose password was right."""
    back = coming_back.safe_next(request)
    if sessions.needs_code(request):
        return f"{reverse('portal-codigo')}?{urlencode({'next': back})}"
    kept = coming_back.kept_form(request)
    if kept is not None and kept.user == request.user.pk:
        return reverse("portal-retomar")
    return back


def ip_of(request: HttpRequest) -> str | None:
    """The address that the request came from."""
    return request.META.get("REMOTE_ADDR")


def sign_out(request: HttpRequest) -> HttpResponse:
    """The session ends, here and in the list of P04; by a POST only."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("portal-inicio"))
    if isinstance(request.user, User) and sessions.is_open(request):
        left(request.user, ip=ip_of(request))
    sessions.end_this(request)
    response = HttpResponseRedirect(reverse("portal-entrar"))
    coming_back.forget(response)
    return response


@customer_page()
def change_company(request: PortalRequest) -> HttpResponse:
    """“Trocar empresa”: 404 for a company of others; open forms of the one before are void."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("portal-inicio"))
    wanted = request.POST.get("empresa", "")
    access = next((one for one in request.portal.accesses if str(one.pk) == wanted), None)
    if access is None:
        raise Http404
    request.session[COMPANY] = access.pk
    rotate_token(request)
    return HttpResponseRedirect(reverse("portal-inicio"))


def no_company(request: HttpRequest) -> HttpResponse:
    """For whoever is signed in and acts for nobody any more."""
    if not sessions.is_open(request):
        return HttpResponseRedirect(reverse("portal-entrar"))
    if isinstance(request.user, User) and is_customer(request.user):
        return HttpResponseRedirect(reverse("portal-inicio"))
    return guarded_page(render(request, "portal/sem_empresa.html", status=403))


@sensitive_post_parameters(FIELD)
@customer_page()
def confirm_password(request: PortalRequest) -> HttpResponse:
    """“Confirme sua senha”, before a page whose act a script sends."""
    back = coming_back.safe_next(request)
    if request.method == "POST" and FIELD in request.POST:
        return wrong_password(request) or HttpResponseRedirect(back)
    return ask(request)


@customer_page()
def resume(request: PortalRequest) -> HttpResponse:
    """What was sent after the session had ended, to be sent again by the same person."""
    kept = coming_back.kept_form(request)
    if kept is None or kept.user != request.user.pk:
        coming_back.drop_form(request)
        return HttpResponseRedirect(reverse("portal-inicio"))
    if kept.access != request.portal.access.pk:
        return HttpResponseRedirect(reverse("portal-inicio"))
    return render(request, "portal/retomar.html", {"guardado": kept})


@customer_page()
def still_here(request: PortalRequest) -> HttpResponse:
    """“Continuar conectado”: the session lasts from now on; answers for how many minutes."""
    minutes = int(request.session.get_expiry_age()) // 60
    return HttpResponse(str(minutes), content_type="text/plain")
