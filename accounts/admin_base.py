"""Base of every screen of the back-office.

The one place where admin rows are narrowed to the accounts of the person who looks (INV-11) and
where roles become permissions. A screen is read-only unless it says otherwise, and a field is only
in a form when `editable` names it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.text import capfirst

from accounts.access import MODEL_CAPABILITIES, Capability, accounts_of
from accounts.admin_display import Layout
from accounts.admin_trail import Trail, signed_in
from accounts.models import Account, TenantModel
from lib.templatetags.br import EMPTY

OTHER_ACCOUNT = "Escolha um registro da mesma conta."


def capability_of(model: type[models.Model]) -> Capability | None:
    """What opens a model for staff; None means only the operator."""
    return MODEL_CAPABILITIES.get(model._meta.label_lower)


def account_id_of(row: models.Model) -> int | None:
    """The account a row belongs to, by its screen's `tenant_path`; None for shared rows."""
    screen = admin.site._registry.get(type(row))
    return screen.account_id(row) if isinstance(screen, TenantAdmin) else None


class AccountFilter(admin.SimpleListFilter):
    """By account, for people who see more than one."""

    title = "conta"
    parameter_name = "conta"

    def __init__(self, request: Any, params: Any, model: Any, model_admin: Any) -> None:
        self.screen: TenantAdmin = model_admin
        super().__init__(request, params, model, model_admin)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(account.pk, account.name) for account in self.screen.visible_accounts(request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if not value.isdecimal():
            return queryset
        return queryset.filter(self.screen.of_accounts([int(value)]))


class TenantForm(forms.ModelForm):
    """A form whose choices all belong to the account of the row."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        account = data.get("account") or getattr(self.instance, "account", None)
        for name, value in list(data.items()):
            if account and isinstance(value, TenantModel) and value.account_id != account.pk:
                self.add_error(name, OTHER_ACCOUNT)
        return data


class TenantInline(Layout, admin.TabularInline):
    """Child rows on their parent's page; read-only unless it says otherwise."""

    extra = 0
    show_change_link = False
    form = TenantForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if not self.has_change_permission(request, obj):
            return [self.place(name) for name in self.fields or ()]
        return [name if name in self.editable else self.place(name) for name in self.fields or ()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for name in self.get_fields(request, obj) if name not in self.editable]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allowed(request, obj, write=False)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_add and self._allowed(request, obj, write=True)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_change and self._allowed(request, obj, write=True)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_delete and self._allowed(request, obj, write=True)

    def _allowed(self, request: HttpRequest, parent: Any, *, write: bool) -> bool:
        user = signed_in(request)
        if user.is_superuser:
            return True
        accounts = accounts_of(user, capability_of(self.model), write=write)
        if parent is None or parent.pk is None:
            return bool(accounts)
        return account_id_of(parent) in accounts

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return narrowed(field, db_field, request, writing=capability_of(self.model))


class TenantAdmin(Layout, Trail, admin.ModelAdmin):
    """A screen over rows that belong to accounts.

    `tenant_path` leads from the row to its account; several paths mean "one of them"; none means
    that all accounts share the rows. `section` places it in the menu; a `secondary` screen is
    reached from others and stays out of it.
    """

    tenant_path: ClassVar[str | tuple[str, ...]] = "account"
    section: ClassVar[str] = ""
    secondary: ClassVar[bool] = False
    form: Any = TenantForm
    show_full_result_count = False
    list_per_page = 50
    empty_value_display = EMPTY
    formfield_overrides = {
        # Amounts are typed as people write them: 1.234,56, 1234,56 or 1234.56 (ux §1.1).
        models.DecimalField: {"localize": True},
        models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 4})},
        models.JSONField: {"widget": AdminTextareaWidget(attrs={"rows": 2})},
    }

    # --- whose rows ---------------------------------------------------------------------------

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.tenant_path,) if isinstance(self.tenant_path, str) else self.tenant_path

    def of_accounts(self, accounts: list[int]) -> Q:
        """The condition that a row belongs to one of `accounts`."""
        condition = Q()
        for path in self.paths:
            condition |= Q(**{f"{path}__in": accounts})
        return condition

    def account_id(self, row: Any) -> int | None:
        """The account of a row; None when all accounts share it."""
        for path in self.paths:
            *steps, last = path.split("__")
            owner = row
            for step in steps:
                owner = getattr(owner, step, None)
            found = getattr(owner, last if last == "pk" else f"{last}_id", None)
            if found is not None:
                return int(found)
        return None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        user = signed_in(request)
        if user.is_superuser or not self.paths:
            return rows
        return rows.filter(self.of_accounts(accounts_of(user, capability_of(self.model))))

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """A row the person may see; another tenant's answers like a missing one."""
        row = super().get_object(request, object_id, from_field)
        if row is None and self._is_withheld(request, object_id):
            raise PermissionDenied
        if row is None:
            raise Http404
        return row

    def _is_withheld(self, request: HttpRequest, object_id: str) -> bool:
        """The row is of an account of theirs, where their role does not see such rows."""
        user = signed_in(request)
        if user.is_superuser or not self.paths:
            return not self.has_view_permission(request)
        try:
            pk = self.opts.pk.to_python(object_id)
        except ValidationError:
            return False
        own = self.model._default_manager.filter(self.of_accounts(list(user.roles)))
        return own.filter(pk=pk).exists()

    def visible_accounts(self, request: HttpRequest, *, write: bool = False) -> QuerySet[Account]:
        """The accounts whose rows of this kind the person may see (or write)."""
        user = signed_in(request)
        if user.is_superuser:
            return Account.objects.order_by("name")
        accounts = accounts_of(user, capability_of(self.model), write=write)
        return Account.objects.filter(pk__in=accounts).order_by("name")

    def sees_many(self, request: HttpRequest) -> bool:
        user = signed_in(request)
        return user.is_superuser or len(user.roles) > 1

    # --- who may do what ----------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allowed(request, obj, write=False)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may_add and self.allowed(request, write=True)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        open_ = obj is None or not self.is_frozen(obj)
        return self.may_change and open_ and self.allowed(request, obj, write=True)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        open_ = obj is None or not self.is_frozen(obj)
        return self.may_delete and open_ and self.allowed(request, obj, write=True)

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        """May the person do this in the account of the row (in some account, without a row)?"""
        user = signed_in(request)
        if not user.is_active:
            return False
        if user.is_superuser:
            return True
        accounts = accounts_of(user, capability_of(self.model), write=write)
        if row is None or not self.paths:
            return bool(accounts) and not (write and not self.paths)
        return self.account_id(row) in accounts

    def audited_accounts(self, obj: Any) -> list[int]:
        account_id = self.account_id(obj)
        return [] if account_id is None else [account_id]

    def is_frozen(self, row: Any) -> bool:
        """Rows that nobody may change any more."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        # Deleting many rows at once is never an operator's everyday act.
        actions.pop("delete_selected", None)
        return actions

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    # --- what is shown ------------------------------------------------------------------------

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = [self.place(name) for name in super().get_list_display(request)]
        many = self.sees_many(request) and "account" in self.paths
        return [*columns, "account"] if many else columns

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = list(super().get_list_filter(request))
        return [AccountFilter, *filters] if self.sees_many(request) and self.paths else filters

    def get_list_select_related(self, request: HttpRequest) -> Any:
        related = super().get_list_select_related(request)
        if self.sees_many(request) and "account" in self.paths:
            return ["account", *(related if isinstance(related, list | tuple) else [])]
        return related

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        declared = list(super().get_fieldsets(request, obj))
        written = self.written(request, adding=obj is None)
        forms_open = obj is None or self.has_change_permission(request, obj)
        result = []
        for title, options in self._with_account(request, obj, declared):
            names = [
                name if forms_open and name in written else self.place(name)
                for name in options["fields"]
                if obj is not None or name in written
            ]
            if names:
                result.append((title, {**options, "fields": names}))
        return result

    def _with_account(self, request: HttpRequest, obj: Any, declared: list[Any]) -> list[Any]:
        wanted = "account" in self.written(request, adding=obj is None) or (
            obj is not None and self.sees_many(request)
        )
        if "account" not in self.paths or not wanted or not declared:
            return declared
        (title, options), *rest = declared
        return [(title, {**options, "fields": ("account", *options["fields"])}), *rest]

    def written(self, request: HttpRequest, *, adding: bool) -> tuple[str, ...]:
        names = super().written(request, adding=adding)
        return ("account", *names) if "account" in self.paths and names else names

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fields:
            return self.fields
        hidden = {"id", "account", "fold", "integration", "digest", "password"}
        return [f.name for f in self.model._meta.fields if f.name not in hidden]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        written = self.written(request, adding=obj is None)
        placed = [n for _, options in self.get_fieldsets(request, obj) for n in options["fields"]]
        return [name for name in placed if name not in written]

    # --- forms --------------------------------------------------------------------------------

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        field = form.base_fields.get("account")
        if field is not None:
            self._settle_account(field, request, change=change)
        return form

    def _settle_account(self, field: Any, request: HttpRequest, *, change: bool) -> None:
        """A row never changes account, and whoever works for one has nothing to choose."""
        accounts = list(field.queryset[:2])
        if change or len(accounts) == 1:
            field.disabled = True
        if not change and len(accounts) == 1:
            field.initial = accounts[0].pk
        if len(accounts) == 1:
            field.widget = forms.HiddenInput()

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        return narrowed(field, db_field, request, writing=capability_of(self.model))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        rows = formset.save(commit=False)
        for gone in formset.deleted_objects:
            gone.delete()
        for row in rows:
            if isinstance(row, TenantModel) and row.account_id is None:
                row.account_id = account_id_of(form.instance)  # type: ignore[assignment]
            row.save()
        formset.save_m2m()


def narrowed(
    field: Any, db_field: models.Field[Any, Any], request: Any, *, writing: Capability | None
) -> Any:
    """A choice field that offers only rows of the person's accounts."""
    user = signed_in(request)
    if field is None or user.is_superuser:
        return field
    related = db_field.related_model
    if related is Account:
        field.queryset = Account.objects.filter(pk__in=accounts_of(user, writing, write=True))
        return field
    screen = admin.site._registry.get(related)  # type: ignore[arg-type]
    if isinstance(screen, TenantAdmin):
        field.queryset = screen.get_queryset(request)
    else:
        field.queryset = field.queryset.none()
    return field


def shown_once(
    request: HttpRequest, screen: admin.ModelAdmin[Any], obj: Any, *, title: str, secret: str
) -> HttpResponse:
    """A new secret as the answer to the POST itself: a message would leave it in a cookie."""
    name = f"admin:{screen.opts.app_label}_{screen.opts.model_name}"
    context = {
        **screen.admin_site.each_context(request),
        "title": title,
        "opts": screen.opts,
        "object": obj,
        "secret": secret,
        "list_url": reverse(f"{name}_changelist"),
        "back_url": reverse(f"{name}_change", args=(obj.pk,)),
    }
    response = TemplateResponse(request, "admin/shown_once.html", context)
    add_never_cache_headers(response)
    return response
