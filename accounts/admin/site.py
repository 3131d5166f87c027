"""The back-office as a whole: its name, its door, the sections of its menu."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from accounts.services import sign_in
from lib.templatetags.br import EMPTY

ACCESS = "Acessos"
SYSTEM = "Sistema"
STAFF_ONLY = "Esta área é da equipe. Acesse a Central de Faturas."
WRONG = "E-mail ou senha incorretos."
BLOCKED = "Muitas tentativas. Tente de novo em 15 minutos."
_STAFF_ONLY, _WHERE = "staff_only", "equipe"


class StaffLoginForm(AdminAuthenticationForm):
    """The door: one text for every wrong pair, another for a customer with the right one."""

    error_messages = {**AdminAuthenticationForm.error_messages, "invalid_login": WRONG}

    def clean(self) -> Any:
        """As at the customers' door (ux B00): five failures close it for 15 minutes."""
        email = str(self.cleaned_data.get("username") or "")
        ip = self.request.META.get("REMOTE_ADDR") if self.request is not None else None
        if email and not sign_in.begin_try(email, ip=ip, where=_WHERE):
            raise ValidationError(BLOCKED, code="blocked")
        try:
            data = super().clean()
        except ValidationError as refused:
            if refused.code == _STAFF_ONLY:
                sign_in.succeeded(email)
            else:
                sign_in.failed(email, ip=ip, where=_WHERE)
            raise
        sign_in.succeeded(email)
        return data

    def confirm_login_allowed(self, user: Any) -> None:
        if not user.is_active:
            raise self.get_invalid_login_error()
        if not user.is_staff:
            raise ValidationError(STAFF_ONLY, code=_STAFF_ONLY)


admin.site.site_header = "Faturamento"
admin.site.site_title = "Faturamento"
admin.site.index_title = "Painel da equipe"
admin.site.login_form = StaffLoginForm
admin.site.site_url = None
admin.site.empty_value_display = EMPTY
# Roles are ours (accounts.access): Django's groups would be a second, silent source of rights.
admin.site.unregister(Group)
