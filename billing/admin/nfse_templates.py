"""The presets that service notes are made from, written by staff."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError

from billing.admin.owned import OwnedAdmin, OwnedForm
from billing.admin.sections import NOTES
from billing.models import NfseTemplate
from billing.services.template_trial import missing_of
from lib import clock

INVALID_ITEM = "Use o item da lista da LC 116/2003, por exemplo 01.07."
INVALID_CNAE = "O CNAE tem 7 números."
INVALID_CODE = "O código tem {} números."
INVALID_FIELDS = 'Use um objeto JSON, por exemplo {"codigo_ncm": "96081000", "cfop": "5102"}.'
MISSING_GOODS = "Para NF-e informe ao menos codigo_ncm e cfop."
WOULD_BE_REFUSED = "Com este modelo a nota seria recusada. {}"
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
    "numero_beneficio_municipal",
    "tipo_imunidade",
    "numero_processo_suspensao",
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
    "numero_beneficio_municipal": 14,
}


class NfseTemplateForm(OwnedForm):
    cnae = forms.CharField(label="CNAE", max_length=12, required=False)
    retencoes_destacadas_nota = forms.MultipleChoiceField(
        label="Retenções destacadas na nota",
        help_text="Retidas as que têm alíquota. O ISS é retido por “ISS retido na fonte”.",
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
        label="Natureza da operação", choices=NfseTemplate.Natureza.choices, required=False
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
        (
            "IBS e CBS",
            {
                "fields": _REFORM,
                "description": "Com a classificação a nota leva o grupo IBSCBS. O sistema próprio "
                "de São Paulo pede, no layout 2, os três campos e a NBS.",
            },
        ),
        ("NF-e de mercadorias", {"fields": ("campos_nfe",)}),
        ("Registro", {"fields": ("created_at", "updated_at")}),
    )

    def save_model(self, request: Any, obj: Any, form: Any, change: Any) -> None:
        """Saved all the same: a city may want to be told before the rest is known."""
        super().save_model(request, obj, form, change)
        for one in missing_of(obj, now=clock.now()):
            label = form.fields[one.field].label if one.field in form.fields else ""
            told = f"{label}: {one.text}" if label else one.text
            messages.warning(request, WOULD_BE_REFUSED.format(told))
