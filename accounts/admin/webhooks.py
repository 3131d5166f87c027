"""Endpoints of webhooks (ux B15): configured, tested, paused, given a new secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from accounts.admin.webhook_log import ANSWER_SHOWN, WebhookScreen, deliveries_url
from accounts.admin_base import TenantAdmin, TenantForm, shown_once
from accounts.admin_display import chip
from accounts.admin_trail import actor_in
from accounts.models import WebhookAttempt, WebhookEndpoint
from accounts.models.webhook import EVENT_NAMES, V2_EVENT_NAMES
from accounts.services import webhooks as service
from accounts.services.webhook_requests import Outcome
from lib import clock
from lib.errors import DomainError
from lib.templatetags.br import EMPTY, data_hora

# What a button does; answers the page to show, or None for the endpoint's own.
Act = Callable[[HttpRequest, WebhookEndpoint], HttpResponse | None]

TOLD = 5  # paused endpoints on top of the list


class EndpointForm(TenantForm):
    """An endpoint; the address was tried before this is asked (`proof`)."""

    events = forms.MultipleChoiceField(
        label="Eventos",
        required=False,
        choices=[(name, name) for name in (*EVENT_NAMES, *V2_EVENT_NAMES)],
        widget=forms.CheckboxSelectMultiple,
        help_text="Nenhum marcado: todos.",
    )
    proof: service.Proof | None = None

    def clean_events(self) -> list[str]:
        chosen = self.cleaned_data["events"]
        return [name for name in (*EVENT_NAMES, *V2_EVENT_NAMES) if name in chosen]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if url == self.instance.url:
            return url
        if self.proof is None or self.proof.url != url:
            raise forms.ValidationError(service.UNTESTED)
        if self.proof.fault:
            raise forms.ValidationError(self.proof.fault)
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(WebhookScreen):
    configures = True
    audit_prefix = "webhook"
    form = EndpointForm
    list_display = ("label", "what", "situation", "success_today", "last_tried_at")
    list_filter = ("state",)
    search_fields = ("url", "description")
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("url", "description", "situation", "success_today", "recent")}),
        (
            "O que é enviado",
            {"fields": ("events", "version", "ping_first", "muted_token")},
        ),
        (
            "Andamento",
            {
                "fields": (
                    "failing_since",
                    "last_tried_at",
                    "paused_at",
                    "paused_reason",
                    "old_secret_until",
                    "created_at",
                )
            },
        ),
    )
    editable = ("url", "description", "events", "version", "ping_first", "muted_token")
    may_add = may_delete = True
    actions = ("test_chosen", "pause_chosen", "resume_chosen")
    change_form_template = "admin/accounts/webhookendpoint/change_form.html"

    # --- what is shown ----------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        day = WebhookAttempt.objects.filter(
            delivery__endpoint=OuterRef("pk"), at__gte=clock.now() - timedelta(hours=24)
        ).order_by()
        n = day.values("delivery__endpoint").annotate(n=Count("pk")).values("n")
        return (
            super()
            .get_queryset(request)
            .annotate(n_today=Subquery(n), good_today=Subquery(n.filter(error="")))
        )

    @admin.display(description="URL", ordering="url")
    def label(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.url

    @admin.display(description="eventos")
    def what(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.events) or "todos"

    @admin.display(description="estado", ordering="state")
    def situation(self, endpoint: WebhookEndpoint) -> str:
        if not endpoint.is_active:
            return chip("neutral", "pause", "Desativado")
        if endpoint.failing_since is not None:
            return chip("warning", "alert", "Falhando")
        return chip("success", "check", "Ativo")

    @admin.display(description="sucesso 24 h")
    def success_today(self, endpoint: Any) -> str:
        if not endpoint.n_today:
            return EMPTY
        good, n = endpoint.good_today or 0, endpoint.n_today
        return f"{100 * good // n}% ({good} de {n})"

    @admin.display(description="últimas entregas")
    def recent(self, endpoint: WebhookEndpoint) -> str:
        return format_html(
            '<a href="{}?endereco={}">Ver as entregas</a>',
            deliveries_url(),
            endpoint.pk,
        )

    def changelist_view(self, request: Any, extra_context: Any = None) -> Any:
        paused = self.get_queryset(request).filter(state=WebhookEndpoint.State.PAUSED)
        for url, reason in paused.values_list("url", "paused_reason")[:TOLD]:
            messages.warning(request, f"O webhook {url} está desativado: {reason}")
        return super().changelist_view(request, extra_context)

    # --- forms ------------------------------------------------------------------------------

    def changeform_view(
        self, request: Any, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        # Before the framework opens its transaction: nothing is sent from inside one.
        if request.method == "POST":
            request.webhook_proof = self._prove(request, object_id)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _prove(self, request: HttpRequest, object_id: str | None) -> service.Proof | None:
        url = request.POST.get("url", "").strip()
        if object_id is None:
            return service.prove(url) if self.has_add_permission(request) else None
        endpoint = self.get_object(request, object_id)
        if url == endpoint.url or not self.has_change_permission(request, endpoint):
            return None
        return service.prove_change(endpoint, url=url)

    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.proof = getattr(request, "webhook_proof", None)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj if change else None, write=True):
            raise PermissionDenied
        names = self.editable if not change else form.changed_data
        values = {
            {"ping_first": "ping"}.get(name, name): form.cleaned_data[name]
            for name in names
            if name in form.cleaned_data
        }
        proof = request.webhook_proof  # type: ignore[attr-defined]
        common: dict[str, Any] = {"actor": actor_in(request), "proof": proof}
        if change:
            service.update_endpoint(obj.pk, values, account=obj.account, **common)
        else:
            made = service.create_endpoint(values, account=obj.account, **common)
            obj.pk = made.pk
            request.webhook_secret = proof.secret  # type: ignore[attr-defined]
        if proof is not None and proof.outcome is not None:
            _tell(request, proof.outcome)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().response_add(request, obj, *args, **kwargs)
        secret = getattr(request, "webhook_secret", "")
        return self._secret_page(request, obj, secret) if secret else answer

    def _secret_page(
        self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str
    ) -> HttpResponse:
        return shown_once(request, self, endpoint, title="Segredo do webhook", secret=secret)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has told the trail."""

    log_change = log_addition

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The service has told the trail."""

    def get_deleted_objects(self, objs: Any, request: Any) -> Any:
        # Listing thousands of deliveries helps nobody.
        return [str(obj) for obj in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        service.delete_endpoint(obj.pk, account=obj.account, actor=actor_in(request))

    # --- buttons ----------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.act_view))
        return [
            path("<path:object_id>/agir/", view, name="accounts_webhookendpoint_act"),
            *super().get_urls(),
        ]

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        context["configures"] = row is not None and self.allowed(request, row, write=True)
        context["resends"] = row is not None and self.may_resend(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def may_resend(self, request: HttpRequest, endpoint: WebhookEndpoint) -> bool:
        return TenantAdmin.allowed(self, request, endpoint, write=True)

    def act_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What a button of the endpoint's page does; back to the page, with what came of it."""
        endpoint: Any = self.get_object(request, object_id)
        verb = request.POST.get("acao", "")
        may = self.may_resend if verb == "reenviar" else self._may_act
        if not may(request, endpoint):
            raise PermissionDenied
        done = _do(request, endpoint, self._verbs().get(verb, _unknown))
        return done or redirect("admin:accounts_webhookendpoint_change", endpoint.pk)

    def _may_act(self, request: HttpRequest, endpoint: WebhookEndpoint) -> bool:
        return self.allowed(request, endpoint, write=True)

    def _verbs(self) -> dict[str, Act]:
        return {
            "testar": _test,
            "pausar": _pause,
            "retomar": _resume,
            "girar": self._rotate,
            "reenviar": _resend_since,
        }

    def _rotate(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        secret = service.rotate_secret(
            endpoint.pk, account=endpoint.account, actor=actor_in(request)
        )
        return self._secret_page(request, endpoint, secret)

    def has_act_permission(self, request: HttpRequest) -> bool:
        return self.allowed(request, write=True)

    @admin.action(description="Testar os endereços escolhidos", permissions=["act"])
    def test_chosen(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        self._each(request, chosen, _test)

    @admin.action(description="Pausar os endereços escolhidos", permissions=["act"])
    def pause_chosen(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        self._each(request, chosen, _pause)

    @admin.action(description="Retomar os endereços escolhidos", permissions=["act"])
    def resume_chosen(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        self._each(request, chosen, _resume)

    def _each(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint], act: Act) -> None:
        for endpoint in chosen.select_related("account"):
            if self.allowed(request, endpoint, write=True):
                _do(request, endpoint, act)


# --- what buttons do -----------------------------------------------------------------------------


def _do(request: HttpRequest, endpoint: WebhookEndpoint, act: Act) -> HttpResponse | None:
    """The page to answer with; None is the endpoint's own, with the messages."""
    try:
        return act(request, endpoint)
    except DomainError as error:
        messages.error(request, f"{endpoint}: {error.mensagem}")
        return None


def _unknown(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    messages.error(request, "Ação desconhecida.")


def _test(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    _tell(
        request,
        service.test_endpoint(endpoint.pk, account=endpoint.account, actor=actor_in(request)),
    )


def _tell(request: HttpRequest, outcome: Outcome) -> None:
    """How a test ping was answered."""
    if outcome.error:
        messages.error(request, f"O teste falhou: {outcome.error}. {_start(outcome)}".strip())
    else:
        took = f"em {outcome.duration_ms} ms"
        messages.success(request, f"O teste foi respondido com HTTP {outcome.status} {took}.")


def _start(outcome: Outcome) -> str:
    return f"Resposta: {outcome.answer[:ANSWER_SHOWN]}" if outcome.answer else ""


def _pause(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    service.pause_endpoint(endpoint.pk, account=endpoint.account, actor=actor_in(request))
    messages.success(request, f"{endpoint}: envios pausados; os eventos ficam guardados.")


def _resume(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    service.resume_endpoint(endpoint.pk, account=endpoint.account, actor=actor_in(request))
    messages.success(request, f"{endpoint}: envios retomados, a partir do que ficou guardado.")


def _resend_since(request: HttpRequest, endpoint: WebhookEndpoint) -> None:
    zone = ZoneInfo(endpoint.account.time_zone)
    since = _midnight(request.POST.get("desde", ""), zone)
    until = _midnight(request.POST.get("ate", ""), zone)
    if since is None:
        messages.error(request, "Informe desde quando reenviar, como aaaa-mm-dd.")
        return
    if until is None and request.POST.get("ate"):
        messages.error(request, "Informe até quando reenviar como aaaa-mm-dd.")
        return
    n = service.resend_range(
        endpoint.pk,
        since=since,
        until=until + timedelta(days=1) if until else None,
        only_failed=request.POST.get("todas") != "on",
        account=endpoint.account,
        actor=actor_in(request),
    )
    messages.success(request, f"{n} entrega(s) desde {data_hora(since)} na fila de envio.")


def _midnight(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), zone)
    except (ValueError, OverflowError):
        return None
