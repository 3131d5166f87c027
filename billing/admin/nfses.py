"""Service notes, which nobody types, and the presets they are made from."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from accounts.admin_base import TenantAdmin, TenantInline
from accounts.admin_display import Tone, chip
from billing.admin.owned import OwnedAdmin, OwnedForm
from billing.admin.sections import NOTES
from billing.models import Nfse, NfseServiceItem, NfseTemplate

INVALID_ITEM = "Use o item da lista da LC 116/2003, por exemplo 01.07."
INVALID_CNAE = "O CNAE tem 7 números."
INVALID_CODE = "O código tem {} números."
INVALID_FIELDS = 'Use um objeto JSON, por exemplo {"codigo_ncm": "96081000", "cfop": "5102"}.'
MISSING_GOODS = "Para NF-e informe ao menos codigo_ncm e cfop."
OPERATIONS = (
    ("1", "Tributação no município"),
    ("2", "Tributação fora do município"),
    ("3", "Isenção"),
    ("4", "Imune"),
    ("5", "Exigibilidade suspensa por decisão judicial"),
    ("6", "Exigibilidade suspensa por procedimento administrativo"),
)
_CHIPS: dict[int, tuple[Tone, str]] = {
    Nfse.Status.ISSUED: ("success", "check"),
    Nfse.Status.CANCELLED: ("neutral", "stop"),
    Nfse.Status.CANCELLING: ("info", "clock"),
    Nfse.Status.CANCELLATION_ERROR: ("danger", "alert"),
}
_RATES = (
    "aliquota_iss",
    "aliquota_iss_retido",
    "aliquota_ir",
    "aliquota_pis",
    "aliquota_cofins",
    "aliquota_csll",
    "aliquota_inss",
)
_LIMITS = (
    "limite_retencao_ir",
    "limite_retencao_pcc",
    "limite_retencao_inss",
    "limite_retencao_iss",
)
_SERVICE = (
    "name",
    "codigo_servico_municipal",
    "item_lista_servico",
    "cnae",
    "servico_prestado_municipio_cliente",
    "external_service_id",
    "external_service_description",
)
_KIND = (
    "tipo_nota",
    "arredondamento",
    "natureza_operacao",
    "regime_especial_tributacao",
    "codigo_tributacao_nacional",
    "codigo_nbs",
    "informa_aliquota_iss",
    "situacao_tributaria_pis_cofins",
    "percentual_deducao_iss",
)
_REFORM = (
    "codigo_indicador_operacao",
    "ibs_cbs_situacao_tributaria",
    "ibs_cbs_classificacao_tributaria",
)
_BURDEN = (
    "percentual_carga_tributaria",
    "percentual_carga_federal",
    "percentual_carga_estadual",
    "percentual_carga_municipal",
    "fonte_carga_tributaria",
    "texto_carga_tributaria",
)
_WITHHELD = (
    "iss_retido_fonte",
    "retencoes_destacadas_nota",
    *_LIMITS,
    "retencao_minima",
    "retencoes_acumuladas",
    "percentual_base_inss",
    "teto_base_inss",
)
# What is left blank takes the usual value.
_DEFAULTED = {
    "tipo_nota", "arredondamento", "retencao_minima", "percentual_base_inss", "teto_base_inss",
    "percentual_deducao_iss", "campos_nfe",
}  # fmt: skip
# Digits only, of so many; all optional.
_CODES = {
    "codigo_tributacao_nacional": 6,
    "codigo_nbs": 9,
    "codigo_indicador_operacao": 6,
    "ibs_cbs_situacao_tributaria": 3,
    "ibs_cbs_classificacao_tributaria": 6,
    "situacao_tributaria_pis_cofins": 2,
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


class NfseTemplateForm(OwnedForm):
    cnae = forms.CharField(label="CNAE", max_length=12, required=False)
    retencoes_destacadas_nota = forms.MultipleChoiceField(
        label="Retenções destacadas na nota",
        choices=NfseTemplate.Retencao.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    retencoes_acumuladas = forms.MultipleChoiceField(
        label="Somar no mês, por cliente",
        help_text="Por lei cada pagamento é julgado sozinho (Lei 13.137/2015); marque onde o "
        "cliente ou o município soma as notas do mês para aplicar o limite.",
        choices=NfseTemplate.Acumulo.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    natureza_operacao = forms.ChoiceField(
        label="Natureza da operação (NFS-e municipal)", choices=OPERATIONS, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _DEFAULTED & self.fields.keys():
            self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        for name in _DEFAULTED & data.keys():
            if data[name] in (None, ""):
                data[name] = NfseTemplate._meta.get_field(name).get_default()  # type: ignore[union-attr]
        for name, length in _CODES.items():
            code = re.sub(r"[-/.\s]", "", data.get(name) or "")
            if code and not re.fullmatch(rf"[0-9]{{{length}}}", code):
                self.add_error(name, INVALID_CODE.format(length))
            elif name in data:
                data[name] = code
        self._clean_goods(data)
        return data

    def _clean_goods(self, data: dict[str, Any]) -> None:
        fields = data.get("campos_nfe") or {}
        if not isinstance(fields, dict):
            self.add_error("campos_nfe", INVALID_FIELDS)
        elif data.get("tipo_nota") == NfseTemplate.Tipo.NFE and not {"codigo_ncm", "cfop"} <= {
            *fields
        }:
            self.add_error("campos_nfe", MISSING_GOODS)

    def clean_natureza_operacao(self) -> str:
        return str(self.cleaned_data["natureza_operacao"] or "1")

    def clean_item_lista_servico(self) -> str:
        item: str = self.cleaned_data["item_lista_servico"].strip()
        if item and not re.fullmatch(r"[0-9]{1,2}\.?[0-9]{2}", item):
            raise ValidationError(INVALID_ITEM)
        return item

    def clean_cnae(self) -> str:
        cnae = re.sub(r"[-/.\s]", "", self.cleaned_data["cnae"])
        if cnae and not re.fullmatch(r"[0-9]{7}", cnae):
            raise ValidationError(INVALID_CNAE)
        return cnae


@admin.register(NfseTemplate)
class NfseTemplateAdmin(OwnedAdmin):
    """How notes are taxed from now on; the ones issued keep what they were issued with."""

    section = NOTES
    form = NfseTemplateForm
    list_display = ("name", "organization", "tipo_nota", "item_lista_servico", "aliquota_iss")
    search_fields = ("name",)
    ordering = ("name", "pk")
    editable = (*_SERVICE, *_KIND, *_RATES, *_WITHHELD, *_BURDEN, *_REFORM, "campos_nfe")
    fieldsets = (
        (None, {"fields": ("organization", *_SERVICE)}),
        ("Nota", {"fields": _KIND}),
        ("Tributos", {"fields": _RATES}),
        ("Retenções", {"fields": _WITHHELD}),
        ("Carga tributária (Lei 12.741/2012)", {"fields": _BURDEN}),
        ("IBS e CBS", {"fields": _REFORM}),
        ("NF-e de mercadorias", {"fields": ("campos_nfe",)}),
        ("Registro", {"fields": ("created_at", "updated_at")}),
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
