"""First access by an invitation (P02). Looking at a link changes nothing; only a POST uses it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import User
from accounts.services import sessions
from accounts.services.sign_in import is_right_password
from billing.models import Invitation
from billing.services import invitations
from billing.services.invitations import InvitationState
from portal.access import COMPANY
from portal.entry_forms import AddressForm, FirstPasswordForm, KnownPasswordForm
from portal.pages import guarded_page
from portal.reauth import BLOCKED
from portal.views.entry import WRONG, ip_of, welcome

RESENT = "Se o convite existir, um novo e-mail será enviado."
READY = "Seu acesso está pronto. Para protegê-lo, ative a verificação em duas etapas."


@sensitive_post_parameters("password", "again")
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """Company, address and “Crie sua senha”; 404 for what we never gave, 410 for what is over."""
    opened = invitations.open_invitation(token)
    if opened.invitation is None:
        raise Http404
    if opened.state == InvitationState.OVER:
        return _over(request, token)
    invitation = opened.invitation
    known = invitations.user_of(invitation)
    form = _form(request, invitation, known)
    context: dict[str, Any] = {"form": form, "convite": invitation, "is_known": known is not None}
    status = 200
    if form.is_valid():
        erro, status = _proved(request, known, form.cleaned_data["password"])
        if not erro:
            return _enter(request, token, invitation, known, form.cleaned_data["password"])
        context["erro"] = erro
    return guarded_page(render(request, "portal/convite.html", context, status=status))


def _form(
    request: HttpRequest, invitation: Invitation, known: User | None
) -> FirstPasswordForm | KnownPasswordForm:
    posted = request.POST if request.method == "POST" else None
    if known is not None:
        return KnownPasswordForm(posted)
    return FirstPasswordForm(posted, email=invitation.email)


def _proved(request: HttpRequest, known: User | None, password: str) -> tuple[str, int]:
    """(what is wrong, HTTP status): a person who has a password shows that one."""
    if known is None:
        return "", 200
    is_right = is_right_password(known, password, ip=ip_of(request))
    if is_right is None:
        return BLOCKED, 429
    return ("" if is_right and known.is_active else WRONG), 200


def _enter(
    request: HttpRequest, token: str, invitation: Invitation, known: User | None, password: str
) -> HttpResponse:
    """Use the invitation up, sign in, and offer the second step."""
    account = invitation.account
    person = invitations.accept(
        invitation.pk, account=account, user=known, password=password, ip=ip_of(request)
    )
    if person is None:  # used meanwhile
        return HttpResponseRedirect(reverse("portal-convite", args=[token]))
    sessions.open_session(request, person)
    access = person.customer_accesses.get(customer_id=invitation.customer_id)
    request.session[COMPANY] = access.pk
    if not sessions.needs_code(request):
        welcome(request, person)
        messages.success(request, READY)
    return HttpResponseRedirect(reverse("portal-seguranca"))


def _over(request: HttpRequest, token: str) -> HttpResponse:
    """410, without the company's name: whoever finds an old link learns nothing."""
    page = render(request, "portal/convite_encerrado.html", {"token": token}, status=410)
    return guarded_page(page)


def resend(request: HttpRequest, token: str) -> HttpResponse:
    """“Enviar novo convite”: one answer for every link."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("portal-convite", args=[token]))
    opened = invitations.open_invitation(token)
    if opened.invitation is not None:
        invitations.resend(opened.invitation)
    messages.info(request, RESENT)
    return HttpResponseRedirect(reverse("portal-entrar"))


def not_received(request: HttpRequest) -> HttpResponse:
    """“Não recebi o convite”: one answer for every address."""
    form = AddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        invitations.resend_to(form.cleaned_data["email"])
        messages.info(request, RESENT)
        return HttpResponseRedirect(reverse("portal-convite-pedir"))
    return guarded_page(render(request, "portal/convite_pedir.html", {"form": form}))
