"""Accounts, people and their roles."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from accounts.access import accounts_of
from accounts.admin.site import ACCESS
from accounts.admin_base import TenantAdmin, TenantForm, TenantInline, capability_of
from accounts.admin_display import chip, yes_no
from accounts.admin_trail import signed_in
from accounts.models import (
    Account,
    Membership,
    User,
)

WITHOUT_PASSWORD = "Sem senha, a pessoa só entra depois que uma for definida."  # noqa: S105  a text


@admin.register(Account)
class AccountAdmin(TenantAdmin):
    """The tenant itself: its administrators set its habits, the operator its existence."""

    tenant_path = "pk"
    section = ACCESS
    list_display = ("name", "slug", "situation", "is_test", "created_at")
    list_filter = ("is_active", "is_sandbox")
    search_fields = ("name", "slug")
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "slug", "is_active", "is_sandbox", "created_at")}),
        (
            "Antecedência das faturas recorrentes",
            {
                "description": "Até quando as faturas futuras já existem, em meses.",
                "fields": (
                    "monthly_block_months",
                    "monthly_ahead_months",
                    "weekly_block_months",
                    "weekly_ahead_months",
                ),
            },
        ),
        ("Regionalização", {"fields": ("time_zone", "locale", "currency")}),
    )
    editable = (
        "name",
        "monthly_block_months",
        "monthly_ahead_months",
        "weekly_block_months",
        "weekly_ahead_months",
    )
    only_on_add = ("slug",)
    may_add = True

    @admin.display(description="situação", ordering="is_active")
    def situation(self, account: Account) -> str:
        if account.is_active:
            return chip("success", "check", "Ativa")
        return chip("neutral", "pause", "Desativada")

    @admin.display(description="homologação", ordering="is_sandbox")
    def is_test(self, account: Account) -> str:
        return yes_no(account.is_sandbox)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return signed_in(request).is_superuser

    def written(self, request: HttpRequest, *, adding: bool) -> tuple[str, ...]:
        names = super().written(request, adding=adding)
        operator = signed_in(request).is_superuser
        return (*names, "is_active", "is_sandbox") if operator else names


class MembershipInline(TenantInline):
    """The roles of a person in the accounts that the viewer administers."""

    model = Membership
    fields = ("account", "role")
    editable = ("account", "role")
    may_add = may_delete = True
    verbose_name_plural = "Papéis na equipe"

    def get_min_num(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        # Without a role the new person would belong to nobody, and be seen only by the operator.
        return 0 if obj is not None or signed_in(request).is_superuser else 1

    def get_formset(self, request: Any, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        rows = super().get_queryset(request).select_related("account", "user")
        user = signed_in(request)
        if user.is_superuser:
            return rows
        return rows.filter(account__in=accounts_of(user, capability_of(Membership)))

    def _allowed(self, request: HttpRequest, parent: Any, *, write: bool) -> bool:
        user = signed_in(request)
        # Nobody changes their own role (ux B18), so an account never loses its last administrator.
        if write and parent is not None and parent.pk == user.pk:
            return False
        return user.is_superuser or bool(accounts_of(user, capability_of(Membership), write=write))


class NewUserForm(AdminUserCreationForm):
    """A person with a password, or with none for now."""

    usable_password = forms.ChoiceField(
        label="Senha",
        required=False,
        initial="true",
        choices={"true": "Definir agora", "false": "Deixar sem senha"},
        widget=forms.RadioSelect(attrs={"class": "radiolist inline"}),
        help_text=WITHOUT_PASSWORD,
    )

    class Meta:
        model = User
        fields = ("email", "name")
        field_classes: dict[str, Any] = {}

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if User.objects.filter(email=email).exists():
            raise ValidationError("Este e-mail já tem acesso.")
        return email


class PasswordForm(AdminPasswordChangeForm):
    """Another password for a person, or none."""

    usable_password_help_text = WITHOUT_PASSWORD


class UserForm(TenantForm):
    """What may change of a person."""

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(User)
class UserAdmin(TenantAdmin, DjangoUserAdmin):
    """People. An account's administrator changes only people who work for nobody else."""

    tenant_path = "pk"
    section = ACCESS
    audit_prefix = "usuario"
    form = UserForm
    add_form = NewUserForm
    change_password_form = PasswordForm
    inlines = (MembershipInline,)
    list_display = ("email", "name", "where", "situation", "last_login")
    list_filter = ("is_active",)
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "is_active", "is_superuser", "password_link")}),
        ("Datas", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),
    )
    editable = ("email", "name", "is_active", "is_superuser")
    only_on_add = ("usable_password", "password1", "password2")
    may_add = True

    def of_accounts(self, accounts: list[int]) -> Q:
        return Q(memberships__account__in=accounts) | Q(customer_accesses__account__in=accounts)

    def account_id(self, row: Any) -> int | None:
        return next(iter(self.audited_accounts(row)), None)

    def audited_accounts(self, obj: Any) -> list[int]:
        staff = obj.memberships.values_list("account_id", flat=True)
        customer = obj.customer_accesses.values_list("account_id", flat=True)
        return sorted({*staff, *customer})

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        people = super().get_queryset(request).prefetch_related("memberships__account")
        return people if signed_in(request).is_superuser else people.distinct()

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        user = signed_in(request)
        if row is None or user.is_superuser:
            return super().allowed(request, write=write)
        mine = accounts_of(user, capability_of(User), write=write)
        theirs = self.audited_accounts(row)
        if not write:
            return any(account in mine for account in theirs)
        # A person of two accounts, or the operator, is not one administrator's to rename, and
        # above all not theirs to give a new password.
        return not row.is_superuser and all(account in mine for account in theirs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fieldsets = super().get_fieldsets(request, obj)
        user = signed_in(request)
        if user.is_superuser and (obj is None or obj.pk != user.pk):
            return fieldsets
        # Nobody locks themselves out or makes themselves the operator.
        own = obj is not None and obj.pk == user.pk
        hidden = {"is_superuser"} | ({"is_active"} if own else set())
        return [
            (title, {**options, "fields": [n for n in options["fields"] if n not in hidden]})
            for title, options in fieldsets
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and not self.allowed(request, obj, write=True):
            raise PermissionDenied
        obj.save()

    @admin.display(description="equipe de")
    def where(self, user: User) -> str:
        roles = [f"{m.account} ({m.get_role_display()})" for m in user.memberships.all()]
        return ", ".join(["operador da instalação"] * user.is_superuser + roles) or "—"

    @admin.display(description="situação", ordering="is_active")
    def situation(self, user: User) -> str:
        if not user.is_active:
            return chip("neutral", "pause", "Desativado")
        if not user.has_usable_password():
            return chip("warning", "clock", "Sem senha")
        return chip("success", "check", "Ativo")

    @admin.display(description="senha")
    def password_link(self, user: User) -> str:
        return format_html('<a href="../password/">{}</a>', "Definir outra senha")


@admin.register(Membership)
class MembershipAdmin(TenantAdmin):
    section = ACCESS
    audit_prefix = "usuario.papel"
    list_display = ("user", "account", "role")
    list_filter = ("role",)
    list_select_related = ("user", "account")
    search_fields = ("user__email", "user__name")
    ordering = ("account", "user__email")
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    editable = ("role",)
    only_on_add = ("user",)
    may_add = may_delete = True

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_display

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        own = row is not None and row.user_id == signed_in(request).pk
        return not (own and write) and super().allowed(request, row, write=write)
