"""The form of a company's data: what is typed, made plain and checked one by one (P15)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from billing.models import Party
from billing.services.customer_data import (
    BAD_CNPJ,
    BAD_CPF,
    EXEMPT,
    MOST_EMAILS,
    NO_NUMBER,
    CustomerData,
    data_of,
    is_abroad,
    is_locked,
)
from billing.services.emails.recipients import is_address
from lib.br import (
    UFS,
    cep_mask,
    document_mask,
    is_cep,
    is_cnpj,
    is_cpf,
    normalise_document,
    only_digits,
    phone_mask,
)
from lib.errors import FieldError
from lib.postal_codes import Address
from portal.forms import PortalForm, TextField

BAD_CEP = "O CEP deve ter 8 números."
BAD_PHONE = "O telefone deve ter DDD e 8 ou 9 números."
NO_HOUSE = "Informe o número ou marque “Sem número”."
TOO_MANY = f"Informe no máximo {MOST_EMAILS} e-mails."
LOCKED_HINT = "Já há documento fiscal emitido para este {kind}."
# What a CEP fills in: field → attribute of the address.
FILLED = {"logradouro": "street", "bairro": "district", "municipio": "city", "uf": "state"}
# Names of CustomerData that are others in the form.
_FIELDS = {
    "kind": "tipo",
    "name": "nome",
    "trade_name": "fantasia",
    "document": "documento",
    "state_inscription": "inscricao_estadual",
    "city_inscription": "inscricao_municipal",
    "zipcode": "cep",
    "address": "logradouro",
    "number": "numero",
    "complement": "complemento",
    "district": "bairro",
    "city": "municipio",
    "state": "uf",
    "phone": "telefone",
    "emails": "emails",
}


class CompanyForm(PortalForm):
    """The registration of `customer`. `auto_…` keep what a CEP filled in, untouched since."""

    labels_for_required = {
        "tipo": "Informe o tipo.",
        "nome": "Informe a razão social ou o nome.",
        "documento": "Informe o CNPJ ou o CPF.",
        "cep": "Informe o CEP.",
        "logradouro": "Informe o logradouro.",
        "bairro": "Informe o bairro.",
        "municipio": "Informe o município.",
        "uf": "Informe a UF.",
        "emails": "Informe pelo menos um e-mail de cobrança.",
    }

    tipo = forms.ChoiceField(
        label="Tipo",
        choices=[(Party.Kind.COMPANY.value, "Pessoa jurídica (PJ)"),
                 (Party.Kind.PERSON.value, "Pessoa física (PF)")],
    )  # fmt: skip
    nome = TextField(label="Razão social/Nome", max_length=200)
    fantasia = TextField(label="Nome fantasia", max_length=200, required=False)
    documento = TextField(
        label="CNPJ/CPF",
        max_length=30,
        widget=forms.TextInput(
            attrs={"inputmode": "text", "autocapitalize": "characters", "autocomplete": "off",
                   "data-mascara": "documento", "spellcheck": "false"}
        ),
    )  # fmt: skip
    inscricao_estadual = TextField(label="Inscrição estadual", max_length=30, required=False)
    isento = forms.BooleanField(label="Isento", required=False)
    inscricao_municipal = TextField(label="Inscrição municipal", max_length=30, required=False)
    cep = TextField(
        label="CEP",
        max_length=20,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "postal-code", "data-mascara": "cep"}
        ),
    )
    logradouro = TextField(
        label="Logradouro",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "address-line1"}),
    )
    numero = TextField(label="Número", max_length=20, required=False)
    sem_numero = forms.BooleanField(label="Sem número", required=False)
    complemento = TextField(label="Complemento", max_length=100, required=False)
    bairro = TextField(label="Bairro", max_length=100)
    municipio = TextField(
        label="Município",
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
    )
    uf = forms.ChoiceField(
        label="UF",
        choices=[("", "Escolha"), *((uf, uf) for uf in sorted(UFS))],
        widget=forms.Select(attrs={"autocomplete": "address-level1"}),
    )
    telefone = TextField(
        label="Telefone",
        max_length=30,
        required=False,
        widget=forms.TextInput(
            attrs={"inputmode": "tel", "autocomplete": "tel", "data-mascara": "telefone"}
        ),
    )
    emails = forms.CharField(
        label="E-mails de cobrança",
        max_length=3000,
        widget=forms.Textarea(attrs={"rows": 3, "autocapitalize": "off", "spellcheck": "false"}),
        help_text=f"Um por linha, até {MOST_EMAILS}. Recebem as faturas.",
    )
    auto_logradouro = forms.CharField(required=False, widget=forms.HiddenInput)
    auto_bairro = forms.CharField(required=False, widget=forms.HiddenInput)
    auto_municipio = forms.CharField(required=False, widget=forms.HiddenInput)
    auto_uf = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, customer: Party, **kwargs: Any) -> None:
        self.customer = customer
        kwargs.setdefault("initial", initial_of(customer))
        self.is_locked = is_locked(customer)
        super().__init__(*args, **kwargs)
        self._adapt()

    def full_clean(self) -> None:
        self._adapt()
        super().full_clean()

    def _adapt(self) -> None:
        """Ask for what this customer can have and change."""
        if is_abroad(self.customer):
            for name in ("cep", "bairro", "uf"):
                self.fields[name].required = False
        if self.is_locked:
            self.fields["tipo"].disabled = True
            self.fields["documento"].widget.attrs["readonly"] = True
            self.fields["documento"].help_text = self.locked_hint

    def clean_cep(self) -> str:
        cep = only_digits(self.cleaned_data["cep"])
        if (cep or self.cleaned_data["cep"]) and not is_cep(cep):
            raise ValidationError(BAD_CEP)
        return cep

    def clean_telefone(self) -> str:
        typed = self.cleaned_data["telefone"]
        if typed == phone_mask(self.customer.phone):
            return self.customer.phone  # ours from before, whatever its form
        digits = only_digits(typed)
        if len(digits) in (12, 13) and digits.startswith("55"):
            digits = digits[2:]
        if typed and len(digits) not in (10, 11):
            raise ValidationError(BAD_PHONE)
        return digits

    def clean_emails(self) -> tuple[str, ...]:
        typed = self.cleaned_data["emails"].replace(",", " ").replace(";", " ").split()
        found = tuple({one.lower(): one for one in reversed(typed)}.values())[::-1]
        wrong = [one for one in found if not is_address(one)]
        if wrong:
            raise ValidationError(f"E-mail inválido: {wrong[0][:60]}. Use nome@empresa.com.br.")
        if not found:
            raise ValidationError(self.labels_for_required["emails"])
        if len(found) > MOST_EMAILS:
            raise ValidationError(TOO_MANY)
        return found

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        self._check_document(given)
        if not given.get("numero") and not given.get("sem_numero") and "numero" not in self.errors:
            self.add_error("numero", NO_HOUSE)
        return given

    def _check_document(self, given: dict[str, Any]) -> None:
        """Its form, beside the other faults; whether it may be this one the service knows."""
        if "documento" not in given:
            return
        document = given["documento"] = normalise_document(given["documento"])
        is_company = given.get("tipo") == Party.Kind.COMPANY
        is_valid = is_cnpj if is_company else is_cpf
        if not is_valid(document) and document != self.customer.document:
            self.add_error("documento", BAD_CNPJ if is_company else BAD_CPF)

    def data_given(self) -> CustomerData:
        """What a valid form says."""
        given = self.cleaned_data
        is_company = given["tipo"] == Party.Kind.COMPANY
        fantasia = given["fantasia"] if is_company else ""
        return CustomerData(
            kind=given["tipo"],
            name=given["nome"],
            trade_name="" if fantasia == given["nome"] else fantasia,
            document=given["documento"],
            state_inscription=EXEMPT if given["isento"] else given["inscricao_estadual"],
            city_inscription=given["inscricao_municipal"],
            zipcode=given["cep"],
            address=given["logradouro"],
            number=NO_NUMBER if given["sem_numero"] else given["numero"],
            complement=given["complemento"],
            district=given["bairro"],
            city=given["municipio"],
            state=given["uf"],
            phone=given["telefone"],
            emails=given["emails"],
        )

    def take(self, faults: Sequence[FieldError]) -> None:
        """Show what the service refused beside its field."""
        for fault in faults:
            self.add_error(_FIELDS.get(fault.campo), fault.mensagem)
        self._mark_errors()

    def typed(self) -> list[tuple[str, str]]:
        """Every field as it was sent, for pages that carry it along."""
        return [(name, str(self[name].value() or "")) for name in self.fields if self._is_on(name)]

    def _is_on(self, name: str) -> bool:
        is_box = isinstance(self.fields[name], forms.BooleanField)
        return not is_box or bool(self[name].value())

    @property
    def kind_word(self) -> str:
        return "CPF" if self.customer.kind == Party.Kind.PERSON else "CNPJ"

    @property
    def locked_hint(self) -> str:
        return LOCKED_HINT.format(kind=self.kind_word)


def initial_of(customer: Party) -> dict[str, Any]:
    """The registration as the form shows it."""
    data = data_of(customer)
    is_exempt = data.state_inscription.upper() == EXEMPT
    has_no_number = data.number.upper() == NO_NUMBER
    return {
        "tipo": data.kind,
        "nome": data.name,
        "fantasia": data.trade_name,
        "documento": document_mask(data.document),
        "inscricao_estadual": "" if is_exempt else data.state_inscription,
        "isento": is_exempt,
        "inscricao_municipal": data.city_inscription,
        "cep": cep_mask(data.zipcode),
        "logradouro": data.address,
        "numero": "" if has_no_number else data.number,
        "sem_numero": has_no_number,
        "complemento": data.complement,
        "bairro": data.district,
        "municipio": data.city,
        "uf": data.state,
        "telefone": phone_mask(data.phone),
        "emails": "\n".join(data.emails),
    }


def with_address(typed: dict[str, Any], found: Address) -> dict[str, Any]:
    """What was typed, with the address where nothing was typed, or only an earlier lookup's."""
    filled = dict(typed)
    for name, attribute in FILLED.items():
        value = getattr(found, attribute)
        is_ours = typed.get(name, "") in ("", typed.get(f"auto_{name}", ""))
        if is_ours and value:
            filled[name] = filled[f"auto_{name}"] = value
    return filled
