"""Service notes as the city authorized them, which nobody types."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from billing.admin.sections import NOTES
from billing.models import Nfse, NfseServiceItem

_CHIPS: dict[int, tuple[Tone, str]] = {
    Nfse.Status.ISSUED: ("success", "check"),
    Nfse.Status.CANCELLED: ("neutral", "stop"),
    Nfse.Status.CANCELLING: ("info", "clock"),
    Nfse.Status.CANCELLATION_ERROR: ("danger", "alert"),
}
_ITEM = (
    "description",
    "units",
    "value",
    "aliquota_iss",
    "item_lista_servico",
    "codigo_servico_municipal",
    "descricao_servico_municipal",
    "cnae",
)


class NfseServiceItemInline(TenantInline):
    model = NfseServiceItem
    fields = _ITEM
    ordering = ("pk",)


def _copied(prefix: str) -> tuple[str, ...]:
    """The columns of a party as copied to the note."""
    names = [field.name for field in Nfse._meta.fields]
    return tuple(
        name for name in names if name.startswith(f"{prefix}_") and name != f"{prefix}_type"
    )


@admin.register(Nfse)
class NfseAdmin(TenantAdmin):
    """What the municipality authorized, as it was sent."""

    section = NOTES
    inlines = (NfseServiceItemInline,)
    list_display = (
        "nfse_number",
        "generated_at",
        "customer_name",
        "organization",
        "value",
        "situation",
    )
    list_filter = ("status", "nfse_environment")
    list_select_related = ("organization",)
    search_fields = ("nfse_number", "customer_name", "customer_document_number")
    search_help_text = "Número, cliente ou CNPJ/CPF sem pontuação"
    ordering = ("-generated_at", "-pk")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "nfse_number",
                    "situation",
                    "generated_at",
                    "accrual_date",
                    "organization",
                    "customer",
                    "invoice",
                    "verification_code",
                    "nfse_environment",
                    "rps_serie",
                    "rps_number",
                )
            },
        ),
        (
            "Valores",
            {
                "fields": (
                    "value",
                    "iss_value",
                    "retained_iss_value",
                    "iss_retido_fonte",
                    "ir_value",
                    "pis_value",
                    "cofins_value",
                    "csll_value",
                    "inss_value",
                    "outras_value",
                    "carga_tributaria_value",
                    "percentual_carga_tributaria",
                    "fonte_carga_tributaria",
                )
            },
        ),
        (
            "Local da prestação",
            {
                "fields": (
                    "service_provided_city",
                    "service_provided_city_code",
                    "service_provided_state",
                    "servico_prestado_municipio_cliente",
                    "servico_prestado_municipio_prestador",
                    "servico_prestado_municipio_codigo",
                )
            },
        ),
        ("Cliente na nota", {"fields": _copied("customer")}),
        ("Prestador na nota", {"fields": _copied("organization")}),
        (
            "Registro",
            {
                "fields": (
                    "external_id",
                    "city_nfse_url",
                    "pdf_url",
                    "xml_url",
                    "request_sent",
                    "integration_errors",
                    "cancellation_requested_at",
                    "cancelled_at",
                    "created_at",
                    "updated_at",
                )
            },
        ),
    )

    @admin.display(description="situação", ordering="status")
    def situation(self, nfse: Nfse) -> str:
        return chip(*_CHIPS[nfse.status], nfse.get_status_display())


@admin.register(NfseServiceItem)
class NfseServiceItemAdmin(TenantAdmin):
    tenant_path = "nfse__account"
    secondary = True
    list_display = ("nfse", "__str__", "units", "value")
    list_select_related = ("nfse",)
    ordering = ("-pk",)
    fields = ("nfse", *_ITEM)
