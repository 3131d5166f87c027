"""What people change in the back-office is written to the audit trail, and read from there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.access import Capability, accounts_of
from accounts.models import Account, User
from accounts.selectors.audit import readable_events
from accounts.services.audit import Actor, actor_of, record

SECRET = "[removido]"  # noqa: S105  what the trail keeps instead of a password
HISTORY_ROWS = 200

if TYPE_CHECKING:
    Screen = admin.ModelAdmin
else:
    Screen = object


def signed_in(request: HttpRequest) -> User:
    """The person behind the request."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def actor_in(request: HttpRequest) -> Actor:
    """Who acts in this request, for the trail."""
    return actor_of(signed_in(request), ip=request.META.get("REMOTE_ADDR"))


class Trail(Screen):
    """Part of a screen: Django's own log gives way to the append-only trail of the account.

    Of fields in `secret_fields`, as of passwords, the trail only tells that they changed.
    """

    audit_prefix: ClassVar[str] = "cadastro"
    secret_fields: ClassVar[tuple[str, ...]] = ()

    def audited_accounts(self, obj: Any) -> list[int]:
        """The accounts in whose trail a change of `obj` is told."""
        raise NotImplementedError

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """The values before and after, for the trail."""
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for name in form.changed_data:
            if "password" in name or name in self.secret_fields:
                before[name] = after[name] = SECRET
                continue
            before[name] = _plain(form.get_initial_for_field(form.fields[name], name))
            after[name] = _plain(form.cleaned_data.get(name))
        for formset in formsets or []:
            label = str(formset.model._meta.verbose_name_plural)
            after |= {
                f"{label} {what}": [str(row) for row in rows]
                for what, rows in (
                    ("novos", formset.new_objects),
                    ("alterados", [row for row, _ in formset.changed_objects]),
                    ("removidos", formset.deleted_objects),
                )
                if rows
            }
        return {"before": None if add else before, "after": after}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.trail(request, obj, "criado", **message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if message["before"] or message["after"]:
            self.trail(request, obj, "alterado", **message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self.trail(request, obj, "removido", before={"nome": str(obj)}, after=None)

    def trail(self, request: HttpRequest, obj: Any, verb: str, *, before: Any, after: Any) -> None:
        """Write what was done to the trail of the row's account."""
        for account in Account.objects.filter(pk__in=self.audited_accounts(obj)):
            record(
                account,
                actor=actor_in(request),
                action=f"{self.audit_prefix}.{verb}",
                target=obj,
                before=before,
                after=after,
            )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """What the trail tells of a row, to who may read the trail of its account."""
        obj: Any = self.get_object(request, object_id)
        if not (self.has_view_permission(request, obj) and self.tells_history(request, obj)):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Histórico",
            "subtitle": str(obj),
            "events": readable_events(signed_in(request)).filter(
                object_type=self.opts.model_name, object_id=obj.pk
            )[:HISTORY_ROWS],
            "module_name": str(self.opts.verbose_name_plural),
            "object": obj,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/object_history.html", context)

    def tells_history(self, request: HttpRequest, obj: Any) -> bool:
        """May the person read the trail of some account of the row?"""
        user, accounts = signed_in(request), self.audited_accounts(obj)
        if user.is_superuser:
            return bool(accounts)
        mine = accounts_of(user, Capability.AUDIT)
        return any(account in mine for account in accounts)

    def render_change_form(
        self, request: Any, context: Any, add: Any = False, change: Any = False,
        form_url: Any = "", obj: Any = None,
    ) -> HttpResponse:  # fmt: skip
        context["tells_history"] = obj is not None and self.tells_history(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)


def _plain(value: Any) -> Any:
    """A form value as the trail keeps it."""
    if isinstance(value, models.Model):
        return value.pk
    if isinstance(value, QuerySet | list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
