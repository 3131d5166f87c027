"""The inbox of disputes and the case with its thread (B12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header

from accounts.admin_base import TenantAdmin
from accounts.admin_display import Tone, amount, chip
from accounts.admin_trail import signed_in
from billing.admin.dispute_acts import ACTS
from billing.admin.sections import CUSTOMERS
from billing.models import Dispute, DisputeFile, DisputeMessage
from billing.selectors.disputes import (
    Sla,
    by_urgency,
    contested_amount,
    contested_lines,
    get_file,
    load_lines,
    sla_of,
    thread_of,
)
from billing.services.disputes import files
from fiscal.admin.acts import ActingScreen
from lib import clock
from lib.errors import NotFound
from lib.templatetags.br import EMPTY, brl, data, data_hora

_STATES: dict[str, tuple[Tone, str]] = {
    Dispute.State.OPEN: ("info", "clock"),
    Dispute.State.IN_REVIEW: ("info", "half"),
    Dispute.State.WAITING: ("warning", "pause"),
    Dispute.State.ACCEPTED: ("success", "check"),
    Dispute.State.PARTIAL: ("success", "half"),
    Dispute.State.REJECTED: ("neutral", "stop"),
    Dispute.State.WITHDRAWN: ("neutral", "back"),
}
_SLAS: dict[Sla, tuple[Tone, str]] = {
    Sla.ON_TIME: ("success", "check"),
    Sla.SOON: ("warning", "clock"),
    Sla.OVER: ("danger", "alert"),
    Sla.STOPPED: ("neutral", "pause"),
    Sla.CLOSED: ("neutral", "dot"),
}
EARLIER = 10


class StateFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise."""

    title, parameter_name = "situação", "situacao"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("todas", "Todas"), *((str(one.value), str(one.label)) for one in Dispute.State)]

    def choices(self, changelist: Any) -> Iterator[Any]:
        first, *rest = super().choices(changelist)
        yield {**first, "display": "Abertas"}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        if value in Dispute.State.values:
            return queryset.filter(state=value)
        return queryset if value == "todas" else queryset.filter(state__in=Dispute.LIVE)


class ViewFilter(admin.SimpleListFilter):
    """The saved views of the inbox."""

    title, parameter_name = "visão", "visao"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("minhas", "Minhas"), ("sem_dono", "Sem dono"), ("estouradas", "Estouradas")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "minhas":
            return queryset.filter(assignee=signed_in(request).pk)
        if self.value() == "sem_dono":
            return queryset.filter(assignee=None)
        if self.value() == "estouradas":
            owed = (Dispute.State.OPEN, Dispute.State.IN_REVIEW)
            return queryset.filter(state__in=owed, answer_by__lt=clock.today())
        return queryset


@admin.register(Dispute)
class DisputeAdmin(ActingScreen):
    section = CUSTOMERS
    acts = ACTS
    change_form_template = "admin/billing/dispute/change_form.html"
    list_display = (
        "sla", "protocol", "customer", "invoice", "value", "reason", "situation", "assignee",
        "last_message",
    )  # fmt: skip
    list_display_links = ("protocol",)
    list_filter = (StateFilter, ViewFilter, "reason")
    list_select_related = ("account", "customer", "invoice__series", "assignee")
    search_fields = ("protocol", "customer__fold", "invoice__fold")
    search_help_text = "Protocolo, cliente ou fatura"
    fields = (
        "protocol", "situation", "sla", "answer_by", "assignee", "customer", "invoice", "contract",
        "value", "reason", "lines_told", "email", "opened_by", "opened_at", "answered_at",
        "closed_at", "grace_until",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispute]:
        rows = super().get_queryset(request).annotate(last_at=Max("messages__at"))
        return by_urgency(rows)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        load_lines(list(changelist.result_list))
        return changelist

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ()  # the most urgent first, as the rows come

    def standing(self, row: Any) -> str:
        return str(row.state)

    def standing_label(self, row: Any) -> str:
        return str(row.get_state_display())

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.file_view)
        return [
            path("<path:object_id>/anexo/<int:file_id>/", view, name="billing_dispute_file"),
            *super().get_urls(),
        ]

    def file_view(self, request: HttpRequest, object_id: str, file_id: int) -> HttpResponse:
        """A file of the thread, to be saved; nothing in it runs."""
        row: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        try:
            file = get_file(row, file_id, for_staff=True)
            answer = HttpResponse(files.read(file), content_type=file.content_type)
        except NotFound as error:
            raise Http404 from error
        answer["Content-Disposition"] = content_disposition_header(True, file.name) or "attachment"
        answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            context["thread"] = thread_of(row, for_staff=True)
            earlier = Dispute.objects.filter(customer=row.customer_id).exclude(pk=row.pk)
            context["earlier"] = earlier.select_related("invoice__series").order_by("-pk")[:EARLIER]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="SLA", ordering="answer_by")
    def sla(self, row: Dispute) -> str:
        found = sla_of(row, now=clock.now())
        return chip(*_SLAS[found], found.value)

    @admin.display(description="situação", ordering="state")
    def situation(self, row: Dispute) -> str:
        return chip(*_STATES[row.state], row.get_state_display())

    @admin.display(description="valor contestado")
    def value(self, row: Dispute) -> str:
        return amount(contested_amount(row))

    @admin.display(description="contrato")
    def contract(self, row: Dispute) -> str:
        found = row.invoice.contract
        if found is None:
            return EMPTY
        where = reverse("admin:billing_contract_change", args=[found.pk])
        return format_html('<a href="{}">{}</a>', where, found)

    @admin.display(description="itens")
    def lines_told(self, row: Dispute) -> str:
        found = [
            f"{one.title or one.description}: {brl(one.value)}" for one in contested_lines(row)
        ]
        return "; ".join(found) or "Fatura toda"

    @admin.display(description="última mensagem", ordering="last_at")
    def last_message(self, row: Any) -> str:
        return data_hora(row.last_at)

    @admin.display(description="sem encargos até")
    def grace_until(self, row: Dispute) -> str:
        return data(row.grace_until)


@admin.register(DisputeMessage)
class DisputeMessageAdmin(TenantAdmin):
    """Reached from the case, where it is written."""

    tenant_path = "dispute__account"
    secondary = True
    list_display = ("dispute", "author", "author_name", "is_internal", "at")
    list_select_related = ("dispute",)
    ordering = ("-pk",)
    fields = ("dispute", "author", "author_name", "user", "text", "is_internal", "at")


@admin.register(DisputeFile)
class DisputeFileAdmin(TenantAdmin):
    """Reached from the case, where it is downloaded."""

    tenant_path = "message__dispute__account"
    secondary = True
    list_display = ("name", "content_type", "size", "message")
    list_select_related = ("message__dispute",)
    ordering = ("-pk",)
    fields = ("message", "name", "content_type", "size")
