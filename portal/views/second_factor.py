"""Verification in two steps and open sessions (P04)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import User
from accounts.services import second_factor, sessions
from accounts.services.sign_in import is_right_password
from lib import totp
from lib.drawing import qr_svg
from portal import coming_back
from portal.access import PortalRequest, customer_page
from portal.entry_forms import CodeForm, PasswordForm, RecoveryForm
from portal.pages import guarded_page
from portal.reauth import BLOCKED, WRONG, confirm_url, fresh_password, needs_password
from portal.user_agents import name_of
from portal.views.entry import ip_of, next_step, welcome

WRONG_CODE = "Código incorreto ou expirado. Confira o relógio do celular."
WRONG_RECOVERY = "Código de recuperação incorreto ou já usado."


# --- the challenge --------------------------------------------------------------------------------


def challenge(request: HttpRequest) -> HttpResponse:
    """The code, after the password and before everything else."""
    if not sessions.is_open(request) or not isinstance(request.user, User):
        return HttpResponseRedirect(reverse("portal-entrar"))
    if not sessions.needs_code(request):
        return HttpResponseRedirect(next_step(request))
    by_paper = "recuperacao" in request.GET
    form = _code_form(request, by_paper=by_paper)
    erro, status = "", 200
    if form.is_valid():
        erro, status = _judge(request, request.user, form.cleaned_data["code"], by_paper=by_paper)
        if not erro:
            return _through(request, request.user, by_paper=by_paper)
    context: dict[str, Any] = {"form": form, "by_paper": by_paper}
    context["next"] = coming_back.safe_next(request)
    if erro:
        context["erro"] = erro
    return guarded_page(render(request, "portal/codigo.html", context, status=status))


def _code_form(request: HttpRequest, *, by_paper: bool) -> CodeForm | RecoveryForm:
    posted = request.POST if request.method == "POST" else None
    return RecoveryForm(posted) if by_paper else CodeForm(posted)


def _judge(request: HttpRequest, user: User, code: str, *, by_paper: bool) -> tuple[str, int]:
    """(what is wrong, HTTP status); "" for the right code."""
    take = second_factor.accept_recovery if by_paper else second_factor.accept_code
    try:
        is_right = take(user, code, ip=ip_of(request))
    except second_factor.Locked as locked:
        return locked.mensagem, locked.http_status
    return ("" if is_right else WRONG_RECOVERY if by_paper else WRONG_CODE), 200


def _through(request: HttpRequest, user: User, *, by_paper: bool) -> HttpResponse:
    sessions.code_was_right(request)
    welcome(request, user)
    if by_paper:
        left = second_factor.n_codes_left(user)
        messages.warning(request, f"Código de recuperação usado. Restam {left}.")
    return HttpResponseRedirect(next_step(request))


# --- the page -------------------------------------------------------------------------------------


@customer_page()
def security(request: PortalRequest) -> HttpResponse:
    """What is on, and which browsers are signed in."""
    here = sessions.current(request)
    browsers = [
        {"row": row, "name": name_of(row.user_agent), "is_this": here is not None and row == here}
        for row in sessions.open_sessions(request.user)
    ]
    context = {
        "is_on": second_factor.is_on(request.user),
        "codes_left": second_factor.n_codes_left(request.user),
        "browsers": browsers,
    }
    return render(request, "portal/seguranca.html", context)


@customer_page()
@fresh_password
def set_up(request: PortalRequest) -> HttpResponse:
    """QR code and secret, then the first code; the answer to it shows the recovery codes.

    A POST without a code makes the secret, which only a recent password shows.
    """
    if second_factor.is_on(request.user):
        return HttpResponseRedirect(reverse("portal-seguranca"))
    if request.method == "POST" and "code" not in request.POST:
        second_factor.begin(request.user)
        return HttpResponseRedirect(request.path)
    secret = second_factor.secret_to_show(request.user)
    if secret is None:
        return HttpResponseRedirect(reverse("portal-seguranca"))
    if needs_password(request):
        return HttpResponseRedirect(confirm_url(request))
    return _first_code(request, secret)


def _first_code(request: PortalRequest, secret: str) -> HttpResponse:
    form = CodeForm(request.POST if request.method == "POST" else None)
    address = totp.address(secret, name=request.user.email, issuer=second_factor.ISSUER)
    context: dict[str, Any] = {"form": form, "secret": secret, "qr": mark_safe(qr_svg(address))}  # noqa: S308
    if form.is_valid():
        codes = second_factor.confirm(request.user, form.cleaned_data["code"], ip=ip_of(request))
        if codes is not None:
            sessions.code_was_right(request)
            return _shown_once(request, codes)
        context["erro"] = WRONG_CODE
    return render(request, "portal/duas_etapas.html", context)


def _shown_once(request: PortalRequest, codes: list[str]) -> HttpResponse:
    """The codes are in this answer and nowhere else: neither a message nor an address has them."""
    text = "\n".join(codes)
    return render(request, "portal/codigos.html", {"codes": codes, "text": text})


@sensitive_post_parameters("password")
@customer_page()
def new_codes(request: PortalRequest) -> HttpResponse:
    """Ten other recovery codes, for the password."""
    return _for_password(request, "Gerar novos códigos", _give_codes)


@sensitive_post_parameters("password")
@customer_page()
def turn_off(request: PortalRequest) -> HttpResponse:
    """No second step any more, for the password."""
    return _for_password(request, "Desativar a verificação em duas etapas", _turn_off)


def _for_password(
    request: PortalRequest, title: str, run: Callable[[PortalRequest], HttpResponse]
) -> HttpResponse:
    """A page with the act's name and the password; `run` does it."""
    if not second_factor.is_on(request.user):
        return HttpResponseRedirect(reverse("portal-seguranca"))
    form = PasswordForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "titulo": title, "is_off": run is _turn_off}
    status = 200
    if form.is_valid():
        typed = form.cleaned_data["password"]
        is_right = is_right_password(request.user, typed, ip=request.portal.ip)
        if is_right:
            sessions.password_was_right(request)
            return run(request)
        context["erro"], status = (BLOCKED, 429) if is_right is None else (WRONG, 200)
    return render(request, "portal/duas_etapas_senha.html", context, status=status)


def _give_codes(request: PortalRequest) -> HttpResponse:
    return _shown_once(request, second_factor.new_codes(request.user, ip=request.portal.ip))


def _turn_off(request: PortalRequest) -> HttpResponse:
    second_factor.turn_off(request.user, ip=request.portal.ip)
    messages.success(request, "Verificação em duas etapas desativada.")
    return HttpResponseRedirect(reverse("portal-seguranca"))


@customer_page()
def end_session(request: PortalRequest, session_id: int) -> HttpResponse:
    """“Encerrar”: 404 for a session of others."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("portal-seguranca"))
    here = sessions.current(request)
    if not sessions.end_session(session_id, user=request.user):
        raise Http404
    if here is not None and here.pk == session_id:
        sessions.end_this(request)
        return HttpResponseRedirect(reverse("portal-entrar"))
    messages.success(request, "Sessão encerrada.")
    return HttpResponseRedirect(reverse("portal-seguranca"))


@customer_page()
def end_others(request: PortalRequest) -> HttpResponse:
    """Every browser but this one."""
    if request.method == "POST":
        n = sessions.end_others(request, request.user)
        messages.success(request, "Outras sessões encerradas." if n else "Não há outras sessões.")
    return HttpResponseRedirect(reverse("portal-seguranca"))
