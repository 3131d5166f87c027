"""What webhooks told and how it went: events, deliveries, attempts with request and answer."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_POST

from accounts.access import Capability, grant
from accounts.admin.site import SYSTEM
from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from accounts.admin_trail import actor_in, signed_in
from accounts.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from accounts.models.webhook import EVENT_NAMES, V2_EVENT_NAMES
from accounts.services.webhooks import resend_delivery
from lib.errors import DomainError
from lib.templatetags.br import EMPTY

ANSWER_SHOWN = 200  # characters of an answer where there is little room

_TONES: dict[str, tuple[Tone, str]] = {
    WebhookDelivery.State.PENDING: ("info", "clock"),
    WebhookDelivery.State.DELIVERED: ("success", "check"),
    WebhookDelivery.State.DEAD: ("danger", "cross"),
}


class WebhookScreen(TenantAdmin):
    """Everybody with the capability reads; who only resends does not configure."""

    section = SYSTEM
    configures = False  # writing is configuring, not only resending

    def allowed(self, request: HttpRequest, row: Any = None, *, write: bool) -> bool:
        if not super().allowed(request, row, write=write):
            return False
        return not (write and self.configures) or self._may_configure(request, row)

    def _may_configure(self, request: HttpRequest, row: Any) -> bool:
        """The matrix gives support the capability with the limit of resending."""
        user = signed_in(request)
        if user.is_superuser:
            return True
        account_id = self.account_id(row) if row is not None else None
        roles = [user.roles[account_id]] if account_id in user.roles else user.roles.values()
        return any(not grant(role, Capability.WEBHOOKS).limit for role in roles)


def deliveries_url() -> str:
    return reverse("admin:accounts_webhookdelivery_changelist")


@admin.register(WebhookEvent)
class WebhookEventAdmin(WebhookScreen):
    list_display = ("event", "object_type", "object_id", "created_at")
    list_filter = ("event",)
    search_fields = ("=object_id",)
    ordering = ("-pk",)
    fields = ("event", "object_type", "object_id", "payload", "created_at", "deliveries_link")

    @admin.display(description="entregas")
    def deliveries_link(self, event: WebhookEvent) -> str:
        return format_html('<a href="{}?evento={}">Ver as entregas</a>', deliveries_url(), event.pk)


class AttemptInline(TenantInline):
    model = WebhookAttempt
    fields = ("number", "stage", "at", "status", "duration_ms", "error", "answer_start", "whole")
    ordering = ("-pk",)
    verbose_name_plural = "Tentativas"

    @admin.display(description="pedido e resposta")
    def whole(self, attempt: WebhookAttempt) -> str:
        to = reverse("admin:accounts_webhookattempt_change", args=(attempt.pk,))
        return format_html(
            '<a href="{}" aria-label="Ver a tentativa {}">Ver</a>', to, attempt.number
        )

    @admin.display(description="resposta")
    def answer_start(self, attempt: WebhookAttempt) -> str:
        return attempt.answer[:ANSWER_SHOWN] or EMPTY


class _FilterBy(admin.SimpleListFilter):
    """By a related row; it lists only what the person may see."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return queryset.filter(**{self.field: value}) if self.fits(value) else queryset

    field = ""

    def fits(self, value: str) -> bool:
        return value.isdecimal() and len(value) < 19


class EndpointFilter(_FilterBy):
    title, parameter_name, field = "endereço", "endereco", "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        screen: Any = admin.site._registry[WebhookEndpoint]
        return [(row.pk, str(row)) for row in screen.get_queryset(request).order_by("pk")[:100]]


class EventNameFilter(_FilterBy):
    title, parameter_name, field = "evento", "nome", "event__event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(name, name) for name in (*EVENT_NAMES, *V2_EVENT_NAMES)]

    def fits(self, value: str) -> bool:
        return value in (*EVENT_NAMES, *V2_EVENT_NAMES)


class EventFilter(_FilterBy):
    """Reached from an event's page; never a list to choose from."""

    title, parameter_name, field = "evento de número", "evento", "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        value = self.used_parameters.get(self.parameter_name)
        return [(value, str(value))] if value else []

    def has_output(self) -> bool:
        return bool(self.value())


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(WebhookScreen):
    inlines = (AttemptInline,)
    list_display = (
        "created_at",
        "name",
        "target",
        "endpoint",
        "n_attempts",
        "last_status",
        "last_ms",
        "situation",
        "next_attempt_at",
    )
    list_filter = ("state", EventNameFilter, EndpointFilter, EventFilter)
    list_select_related = ("event", "endpoint")
    search_fields = ("=object_id",)
    ordering = ("-pk",)
    fields = (
        "name",
        "target",
        "endpoint",
        "situation",
        "n_attempts",
        "last_attempt_at",
        "last_status",
        "last_ms",
        "last_error",
        "next_attempt_at",
    )
    actions = ("resend_chosen",)
    change_form_template = "admin/accounts/webhookdelivery/change_form.html"

    @admin.display(description="evento")
    def name(self, delivery: WebhookDelivery) -> str:
        return delivery.event.event

    @admin.display(description="objeto")
    def target(self, delivery: WebhookDelivery) -> str:
        return f"{delivery.object_type} {delivery.object_id}"

    @admin.display(description="resultado", ordering="state")
    def situation(self, delivery: WebhookDelivery) -> str:
        if delivery.state == WebhookDelivery.State.PENDING and delivery.last_error:
            return chip("warning", "alert", "Falhou, nova tentativa marcada")
        return chip(*_TONES[delivery.state], delivery.get_state_display())

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, write=True)

    @admin.action(description="Reenviar as entregas escolhidas", permissions=["resend"])
    def resend_chosen(self, request: HttpRequest, chosen: QuerySet[WebhookDelivery]) -> None:
        """A new round of attempts with the same event id."""
        rows = chosen.order_by("event_id").select_related("account")
        _resend(request, [row for row in rows if self.allowed(request, row, write=True)])

    # --- the button on a delivery's page ----------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.resend_view))
        return [
            path("<path:object_id>/reenviar/", view, name="accounts_webhookdelivery_resend"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        context["resends"] = row is not None and self.allowed(request, row, write=True)
        return super().render_change_form(request, context, *args, **kwargs)

    def resend_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery: Any = self.get_object(request, object_id)
        if not self.allowed(request, delivery, write=True):
            raise PermissionDenied
        _resend(request, [delivery])
        return redirect("admin:accounts_webhookdelivery_change", delivery.pk)


def _resend(request: HttpRequest, deliveries: list[WebhookDelivery]) -> None:
    n = 0
    for delivery in deliveries:
        try:
            resend_delivery(delivery.pk, account=delivery.account, actor=actor_in(request))
            n += 1
        except DomainError as error:
            messages.error(request, f"{delivery}: {error.mensagem}")
    if n:
        messages.success(request, f"{n} entrega(s) na fila de envio.")


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(WebhookScreen):
    tenant_path = "delivery__account"
    section = ""
    secondary = True
    list_display = ("delivery", "number", "stage", "at", "status", "duration_ms", "error")
    list_select_related = ("delivery",)
    ordering = ("-pk",)
    fields = (
        "delivery",
        "number",
        "stage",
        "at",
        "url",
        "request_headers_text",
        "request_body",
        "status",
        "duration_ms",
        "error",
        "answer",
    )

    @admin.display(description="cabeçalhos enviados")
    def request_headers_text(self, attempt: WebhookAttempt) -> str:
        lines = [*sorted(attempt.request_headers.items()), ("X-Signature", "[removida]")]
        return format_html_join("", "{}: {}<br>", lines)
