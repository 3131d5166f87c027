"""Service notes that the companies took, from the national system and from cities (§7)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from accounts.admin_base import TenantAdmin
from fiscal.admin.chips import state_chip
from fiscal.admin.columns import Columns
from fiscal.admin.document_lists import BoundedPaginator, CompanyFilter, EnvironmentFilter
from fiscal.admin.received_lists import SearchedList, ServiceSourceFilter
from fiscal.admin.sections import ISSUING
from fiscal.models import ReceivedNfse, Source
from fiscal.services.received import files
from fiscal.tables import places
from lib.templatetags.br import EMPTY, brl, documento

_TAXES = (
    ("valor_iss", "ISS"),
    ("valor_iss_retido", "ISS retido"),
    ("valor_pis", "PIS"),
    ("valor_cofins", "COFINS"),
    ("valor_inss", "INSS"),
    ("valor_ir", "IR"),
    ("valor_csll", "CSLL"),
)
_UNSIGNED = "A prefeitura informou; sem assinatura."


@admin.register(ReceivedNfse)
class ReceivedNfseAdmin(Columns, SearchedList, TenantAdmin):
    section = ISSUING
    paginator = BoundedPaginator
    has_number = True
    empty_text = (
        "Nenhuma NFS-e aqui. Mude os filtros ou a busca; as notas chegam sozinhas para as empresas "
        "com o recebimento ligado."
    )
    change_list_template = "admin/fiscal/receivednfe/change_list.html"
    list_display = ("issuer_of", "number", "situation", "total", "issued_at", "city", "receiver")
    list_filter = ("status", ServiceSourceFilter, CompanyFilter, EnvironmentFilter)
    list_select_related = ("company",)
    search_fields = ("chave",)  # shows the box; `search` finds
    search_help_text = "Chave, número ou CNPJ do prestador por inteiro, ou parte do nome"
    ordering = ("-pk",)
    fields = (
        "issuer", "environment", "source", "chave", "number", "issuer_of", "situation", "total",
        "issued_at", "city", "cancelled_at", "description", "taxes", "files", "checked", "versao",
        "nsu", "created_at", "updated_at",
    )  # fmt: skip

    @admin.display(description="prestador", ordering="issuer_name")
    def issuer_of(self, row: ReceivedNfse) -> str:
        number = documento(row.issuer_document) if row.issuer_document else ""
        return format_html("{}<br><small>{}</small>", row.issuer_name or EMPTY, number)

    @admin.display(description="situação", ordering="status")
    def situation(self, row: ReceivedNfse) -> str:
        return state_chip(row.status, row.get_status_display())

    @admin.display(description="serviço")
    def description(self, row: ReceivedNfse) -> str:
        services = row.body.get("completa", {}).get("servicos") or [{}]
        return str(services[0].get("discriminacao") or EMPTY)

    @admin.display(description="município")
    def city(self, row: ReceivedNfse) -> str:
        place = places.municipality(row.municipality)
        return f"{place.name} – {place.uf}" if place else row.municipality or EMPTY

    @admin.display(description="ISS e retenções")
    def taxes(self, row: ReceivedNfse) -> str:
        service = (row.body.get("completa", {}).get("servicos") or [{}])[0]
        told = [(label, service[name]) for name, label in _TAXES if _is_amount(service.get(name))]
        return format_html_join("", "<p>{}: {}</p>", ((k, brl(v)) for k, v in told)) or EMPTY

    @admin.display(description="arquivos")
    def files(self, row: ReceivedNfse) -> str:
        kept = files.service_note(row)
        if kept is None:
            return EMPTY
        where = reverse("admin:fiscal_receiveddocument_arquivo", args=(kept.pk,))
        return format_html('<a href="{}">XML da nota</a>', where)

    @admin.display(description="conferência da assinatura")
    def checked(self, row: ReceivedNfse) -> str:
        lines = [(fault,) for fault in row.faults]
        good = "Confere." if row.source == Source.NFSEN else _UNSIGNED
        return format_html_join("", "<p>{}</p>", lines) or good


def _is_amount(text: Any) -> bool:
    """Amounts are told as text; zero is not worth a line."""
    return isinstance(text, str) and text.strip("0.") != ""
