"""Series of RPS and DPS, and where each goes on (NUM-1, NUM-8)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts.admin_base import TenantAdmin, TenantForm
from accounts.admin_trail import actor_in
from accounts.services.audit import record
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import EnvironmentFilter
from fiscal.admin.sections import ISSUING
from fiscal.admin.service_note_lists import TypeFilter
from fiscal.errors import InvalidRequest
from fiscal.models import ServiceSeries
from fiscal.services.companies import rehearsal
from fiscal.services.nfse.numbering import last_used, renumber
from fiscal.tables import places
from lib.templatetags.br import EMPTY

_KINDS = {"nfse": "RPS", "nfsen": "DPS"}


class ServiceSeriesForm(TenantForm):
    """The next number of a series, never below what was used."""

    def clean_next_number(self) -> int:
        number: int = self.cleaned_data["next_number"]
        try:
            with rehearsal(True):
                renumber(self.instance, number)
        except InvalidRequest as refusal:
            raise forms.ValidationError(f"O próximo número {refusal.mensagem}.") from refusal
        return number


@admin.register(ServiceSeries)
class ServiceSeriesAdmin(Columns, TenantAdmin):
    """Where each numbering of service notes goes on."""

    section = ISSUING
    form = ServiceSeriesForm
    list_display = ("issuer", "environment", "kind", "city", "series", "next_number")
    list_filter = (EnvironmentFilter, TypeFilter)
    list_select_related = ("company",)
    search_fields = ("company__nome", "company__cnpj")
    ordering = ("company__nome", "ambiente", "tipo", "series")
    fields = (
        "issuer", "environment", "kind", "city", "series", "next_number", "last_used", "next_batch",
    )  # fmt: skip
    editable = ("next_number",)

    @admin.display(description="declaração", ordering="tipo")
    def kind(self, row: ServiceSeries) -> str:
        return _KINDS.get(row.tipo, row.tipo)

    @admin.display(description="município")
    def city(self, row: ServiceSeries) -> str:
        place = places.municipality(row.municipality)
        return f"{place.name} – {place.uf}" if place else "Padrão nacional"

    @admin.display(description="último número usado")
    def last_used(self, row: ServiceSeries) -> str:
        used = last_used(
            row.company, kind=row.tipo, ambiente=row.ambiente, series=row.series,
            city=row.municipality,
        )  # fmt: skip
        return str(used) if used else EMPTY

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not self.allowed(request, obj, write=True):
            raise PermissionDenied
        with rehearsal(False):
            renumber(obj, form.cleaned_data["next_number"])
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
