"""A company as people type it: the attributes of the API, told field by field."""

from __future__ import annotations

import base64
from typing import Any

from django import forms

from accounts.admin_base import TenantForm
from accounts.services.audit import SYSTEM
from fiscal.errors import RecordInvalid
from fiscal.models import Company
from fiscal.selectors.companies import around
from fiscal.services.companies import change_company, create_company, rehearsal
from fiscal.services.company_fields import AMBIENTES, MODELOS
from fiscal.services.numbering import LAST_NUMBER, default_serie
from lib import clock
from lib.br import normalise_document, only_digits

# Typed, and never shown again.
CODES = {"codigo_producao": "csc_nfce_producao", "codigo_homologacao": "csc_nfce_homologacao"}
FILES = ("certificado", "senha_certificado", "logotipo", "remove_logotipo")
TYPED = (*CODES, *FILES)
NUMBERED = {"nfe": "NF-e", "nfce": "NFC-e"}
WHERE = {"producao": "produção", "homologacao": "homologação"}
NUMBERS = tuple(
    f"{prefix}_{kind}_{ambiente}"
    for kind in NUMBERED
    for ambiente in AMBIENTES
    for prefix in ("serie", "proximo_numero")
)
# Attributes of the API whose field has another name here.
_FIELDS = {
    "arquivo_certificado_base64": "certificado",
    "arquivo_logo_base64": "logotipo",
    "delete_logo": "remove_logotipo",
    **{sent: name for name, sent in CODES.items()},
}


def _password(label: str) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "off"})
    help_text = "Em branco: fica o que está guardado."
    return forms.CharField(
        label=label, widget=widget, required=False, strip=False, help_text=help_text
    )


def _number(name: str) -> forms.IntegerField:
    prefix, _, rest = name.rpartition("_")
    where, kind = WHERE[rest], NUMBERED[prefix.rpartition("_")[2]]
    if prefix.startswith("serie"):
        label, least, most = f"Série da {kind} em {where}", 0, 999
    else:
        label, least, most = f"Próximo número da {kind} em {where}", 1, LAST_NUMBER
    return forms.IntegerField(label=label, min_value=least, max_value=most, required=False)


class CompanyForm(TenantForm):
    """A company as people type it; what is wrong with it is told by the service's rules."""

    cnpj = forms.CharField(label="CNPJ", max_length=18, required=False)
    cpf = forms.CharField(label="CPF", max_length=14, required=False)
    telefone = forms.CharField(label="Telefone", max_length=20, required=False)
    cep = forms.CharField(label="CEP", max_length=10, required=False)
    codigo_producao = _password("CSC de produção")
    codigo_homologacao = _password("CSC de homologação")
    certificado = forms.FileField(
        label="Certificado A1 (PFX ou P12)",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".pfx,.p12"}),
    )
    senha_certificado = _password("Senha do certificado")
    logotipo = forms.FileField(
        label="Logotipo do DANFE",
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png"}),
        help_text="PNG de até 200 x 200 pixels.",
    )
    remove_logotipo = forms.BooleanField(label="Remover o logotipo", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial = {**self.initial, **_numbers_of(self.instance)}

    def clean_cnpj(self) -> str:
        return normalise_document(self.cleaned_data["cnpj"])

    def clean_cpf(self) -> str:
        return normalise_document(self.cleaned_data["cpf"])

    def clean_telefone(self) -> str:
        return only_digits(self.cleaned_data["telefone"])

    def clean_cep(self) -> str:
        return only_digits(self.cleaned_data["cep"])

    def body(self) -> dict[str, Any]:
        """The attributes of the API: all of a new company, those that were changed of another."""
        data = self.cleaned_data
        names = self.changed_data if self.instance.pk else list(data)
        body = {name: data[name] for name in names if name not in ("account", *TYPED)}
        # A number left empty goes on as it is.
        body = {name: value for name, value in body.items()
                if name not in NUMBERS or value is not None}  # fmt: skip
        body |= {campo: data[name] for name, campo in CODES.items() if data.get(name)}
        if data.get("certificado") is not None:
            body["arquivo_certificado_base64"] = _base64(data["certificado"])
            body["senha_certificado"] = data["senha_certificado"]
        if data.get("logotipo") is not None:
            body["arquivo_logo_base64"] = _base64(data["logotipo"])
        elif data.get("remove_logotipo"):
            body["delete_logo"] = True
        return body

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if self.errors:
            return data
        try:
            with rehearsal(True):
                self.write(SYSTEM)
        except RecordInvalid as refusal:
            for fault in refusal.erros:
                self._tell(fault.campo, fault.mensagem)
        return data

    def _tell(self, campo: str, mensagem: str) -> None:
        name = _FIELDS.get(campo, campo)
        known = name in self.fields
        text = mensagem.removeprefix(f"{campo} ") if known else mensagem
        self.add_error(name if known else None, text)

    def write(self, actor: Any) -> Company:
        """Create or change the company. Raises RecordInvalid."""
        common = {"body": self.body(), "actor": actor, "at": clock.now()}
        if self.instance.pk is None:
            return create_company(self.cleaned_data["account"], **common)
        return change_company(self.instance.pk, account=self.instance.account, **common)


# Declared in a loop: there are eight of them.
CompanyForm.base_fields |= {name: _number(name) for name in NUMBERS}
CompanyForm.declared_fields |= {name: CompanyForm.base_fields[name] for name in NUMBERS}


def _numbers_of(company: Company) -> dict[str, int]:
    """Series and next number of each document and environment, as they stand."""
    found = around([company]).series
    shown = {}
    for kind in NUMBERED:
        for ambiente in AMBIENTES:
            modelo = MODELOS[kind]
            serie = default_serie(company, ambiente=ambiente, modelo=modelo)
            key = (company.pk, ambiente, modelo, serie)
            shown[f"serie_{kind}_{ambiente}"] = serie
            shown[f"proximo_numero_{kind}_{ambiente}"] = found.get(key, 1)
    return shown


def _base64(upload: Any) -> str:
    upload.seek(0)
    return base64.b64encode(upload.read()).decode()
