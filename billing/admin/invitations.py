"""People of customers who were asked to the Central de Faturas, and asking them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_display import chip
from accounts.admin_trail import actor_in, signed_in
from billing.admin.sections import CUSTOMERS
from billing.models import CustomerAccess, Invitation
from billing.services.invitations import AlreadyUser, invite
from lib import clock


class InvitationForm(TenantForm):
    """An address that has no access to the company yet."""

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        customer, email = data.get("customer"), (data.get("email") or "").strip().lower()
        accesses = CustomerAccess.objects.filter(customer=customer, user__email=email)
        if customer is not None and email and accesses.exists():
            raise ValidationError({"email": AlreadyUser.mensagem})
        return data


@admin.register(Invitation)
class InvitationAdmin(TenantAdmin):
    """An invitation is sent by saving it; what was sent does not change."""

    section = CUSTOMERS
    form = InvitationForm
    list_display = ("email", "customer", "role", "situation", "created_at", "expires_at")
    list_filter = ("role",)
    list_select_related = ("customer",)
    search_fields = ("email", "customer__fold")
    ordering = ("-pk",)
    autocomplete_fields = ("customer",)
    fields = (
        "customer", "email", "name", "role", "invited_by", "created_at", "expires_at",
        "accepted_at", "revoked_at",
    )  # fmt: skip
    only_on_add = ("customer", "email", "name", "role")
    may_add = True

    @admin.display(description="situação")
    def situation(self, row: Invitation) -> str:
        if row.accepted_at is not None:
            return chip("success", "check", "Aceito")
        if row.revoked_at is not None:
            return chip("neutral", "stop", "Retirado")
        if row.expires_at <= clock.now():
            return chip("warning", "clock", "Expirado")
        return chip("info", "clock", "Enviado")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The service writes the row, the letter and the trail."""
        if change or not self.allowed(request, obj, write=True):
            raise PermissionDenied
        row = invite(
            obj.customer,
            email=obj.email,
            name=obj.name,
            role=obj.role,
            actor=actor_in(request),
            by=signed_in(request),
        )
        obj.__dict__.update(row.__dict__)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """`invite` has told the trail."""
