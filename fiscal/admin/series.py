"""Series and their next numbers (NUM-1, NUM-8), and the numbers that none of them uses (NUM-5)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse

from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import EnvironmentFilter, ModelFilter
from fiscal.admin.sections import ISSUE, ISSUING, may
from fiscal.errors import InvalidRequest
from fiscal.models import FiscalDocument, Series, State
from fiscal.services.companies import rehearsal
from fiscal.services.gaps import gaps_of
from fiscal.services.numbering import set_next_number
from lib.templatetags.br import EMPTY


class SeriesForm(TenantForm):
    """The next number of a series, never below what was used."""

    def clean_next_number(self) -> int:
        number: int = self.cleaned_data["next_number"]
        try:
            with rehearsal(True):
                _renumber(self.instance, number)
        except InvalidRequest as refusal:
            raise forms.ValidationError(refusal.mensagem) from refusal
        return number


def _renumber(series: Series, number: int) -> None:
    set_next_number(
        series.company,
        ambiente=series.ambiente,
        modelo=series.modelo,
        serie=series.serie,
        number=number,
    )


@admin.register(Series)
class SeriesAdmin(Columns, TenantAdmin):
    """Where each numbering goes on."""

    section = ISSUING
    form = SeriesForm
    change_form_template = "admin/fiscal/series/change_form.html"
    list_display = ("issuer", "environment", "kind", "serie", "next_number", "last_authorized")
    list_filter = (EnvironmentFilter, ModelFilter)
    list_select_related = ("company",)
    search_fields = ("company__nome", "company__cnpj")
    ordering = ("company__nome", "ambiente", "modelo", "serie")
    fields = ("issuer", "environment", "kind", "serie", "next_number", "last_authorized")
    editable = ("next_number",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Series]:
        rows: QuerySet[Series] = super().get_queryset(request)
        # From the end of the index of numbers: the last ones are authorized, or few are not.
        last = FiscalDocument.objects.filter(
            company=OuterRef("company"), ambiente=OuterRef("ambiente"), modelo=OuterRef("modelo"),
            serie=OuterRef("serie"), state__in=(State.AUTORIZADO, State.CANCELADO),
        ).order_by("-numero")  # fmt: skip
        return rows.annotate(last=Subquery(last.values("numero")[:1]))

    @admin.display(description="último autorizado")
    def last_authorized(self, series: Any) -> str:
        return EMPTY if series.last is None else str(series.last)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        with rehearsal(False):
            _renumber(obj, form.cleaned_data["next_number"])
            record(
                obj.account,
                actor=actor_in(request),
                action="serie.alterada",
                target=obj,
                before={"next_number": form.initial["next_number"]},
                after={"next_number": form.cleaned_data["next_number"]},
            )

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Told by `save_model`, in the transaction that changes it."""

    # --- gaps ---------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.gaps_view)
        return [
            path("<path:object_id>/lacunas/", view, name="fiscal_series_gaps"),
            *super().get_urls(),
        ]

    def gaps_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The ranges that nothing holds, read when somebody asks: it walks the whole series."""
        series: Any = self.get_object(request, object_id)
        if not self.has_view_permission(request, series):
            raise PermissionDenied
        base = reverse("admin:fiscal_inutilizacao_void")
        query = f"{base}?empresa={series.company_id}&ambiente={series.ambiente}"
        query += f"&modelo={series.modelo}&serie={series.serie}"
        context = {
            **self.admin_site.each_context(request),
            "title": "Lacunas",
            "opts": self.opts,
            "object": series,
            "company": series.company,
            "gaps": [
                (first, last, f"{query}&inicial={first}&final={last}")
                for first, last in gaps_of(series)
            ],
            "may_void": may(request, series.account_id, ISSUE),
        }
        return TemplateResponse(request, "admin/fiscal/lacunas.html", context)
