"""The people of the company (P20): a titular's page."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from accounts.access import Capability
from billing.models import CustomerAccess
from billing.services import customer_users, invitations
from lib.errors import Conflict
from portal.access import PortalRequest, customer_page
from portal.entry_forms import InviteForm, RoleForm
from portal.reauth import fresh_password
from portal.submit import new_key, once


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("portal-usuarios"))


@customer_page(Capability.USERS)
@fresh_password
def listing(request: PortalRequest) -> HttpResponse:
    """Who is in, who was invited; a POST invites."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _invite(request, form)
        except Conflict as refused:
            form.add_error("email", refused.mensagem)
            form.fields["email"].widget.attrs["aria-invalid"] = "true"
    customer = request.portal.customer
    context = {
        "form": form,
        "users": customer_users.users_of(customer),
        "invited": invitations.waiting_invitations(customer),
        "idempotency_key": new_key(),
    }
    return render(request, "portal/usuarios.html", context)


def _invite(request: PortalRequest, form: InviteForm) -> HttpResponse:
    def run() -> str:
        data = form.cleaned_data
        invitations.invite(
            request.portal.customer,
            email=data["email"],
            name=data["nome"],
            role=data["papel"],
            actor=request.portal.actor,
            by=request.user,
        )
        return reverse("portal-usuarios")

    response = once(request, run)
    messages.success(request, f"Convite enviado para {form.cleaned_data['email']}.")
    return response


@customer_page(Capability.USERS)
@fresh_password
def role(request: PortalRequest, access_id: int) -> HttpResponse:
    """Another role for a person."""
    access = customer_users.get_access(request.portal.customer, access_id)
    posted = request.POST if request.method == "POST" else None
    form = RoleForm(posted, initial={"papel": access.role})
    context: dict[str, Any] = {"form": form, "access": access, "is_own": _is_own(request, access)}
    if form.is_valid():
        try:
            customer_users.change_role(
                access.pk,
                customer=request.portal.customer,
                role=form.cleaned_data["papel"],
                actor=request.portal.actor,
            )
        except Conflict as refused:
            context["erro"] = refused.mensagem
        else:
            messages.success(request, f"Papel de {access.user.email} alterado.")
            own = context["is_own"]
            return HttpResponseRedirect(reverse("portal-inicio")) if own else _back()
    return render(request, "portal/usuario_papel.html", context)


@customer_page(Capability.USERS)
@fresh_password
def remove(request: PortalRequest, access_id: int) -> HttpResponse:
    """Ask, then take the access away."""
    access = customer_users.get_access(request.portal.customer, access_id)
    own = _is_own(request, access)
    context: dict[str, Any] = {"access": access, "is_own": own}
    if request.method == "POST":
        try:
            customer_users.remove(
                access.pk, customer=request.portal.customer, actor=request.portal.actor
            )
        except Conflict as refused:
            context["erro"] = refused.mensagem
        else:
            messages.success(request, f"O acesso de {access.user.email} foi removido.")
            return HttpResponseRedirect(reverse("portal-inicio")) if own else _back()
    return render(request, "portal/usuario_remover.html", context)


def _is_own(request: PortalRequest, access: CustomerAccess) -> bool:
    return access.user_id == request.user.pk


@customer_page(Capability.USERS)
def invitation_again(request: PortalRequest, invitation_id: int) -> HttpResponse:
    """Another letter for somebody who waits."""
    if request.method == "POST":
        row = invitations.get_invitation(request.portal.customer, invitation_id)
        invitations.resend(row)
        messages.success(request, f"Se o convite ainda valer, um novo e-mail irá para {row.email}.")
    return _back()


@customer_page(Capability.USERS)
def invitation_back(request: PortalRequest, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    if request.method == "POST":
        invitations.revoke(
            invitation_id, customer=request.portal.customer, actor=request.portal.actor
        )
        messages.success(request, "Convite retirado.")
    return _back()
