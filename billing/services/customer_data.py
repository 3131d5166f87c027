"""Customers keep their own registration: names, document, address, billing e-mails (P15).

What they change is printed from the next emission on; emitted documents keep their snapshot.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.models import Contact, InvoiceNote, Nfse, Party
from billing.services.emails.letters import send_letter
from billing.services.emails.recipients import addresses_of
from fiscal.tables.places import municipalities, municipality_code
from lib.br import UFS, cep_mask, document_mask, fold, is_cnpj, is_cpf, phone_mask
from lib.errors import Conflict, FieldError, InvalidInput

BAD_CNPJ = "CNPJ inválido. Confira os 14 caracteres; letras são aceitas nas 12 primeiras posições."
BAD_CPF = "CPF inválido. Confira os 11 números."
TAKEN = "Este {kind} já está cadastrado. Fale com o suporte."
LOCKED = "Para trocar o {kind}, abra uma solicitação."
NO_CITY = "Município não encontrado em {uf}. Confira o nome{hint}."
MOST_EMAILS = 10
EXEMPT, NO_NUMBER = "ISENTO", "S/N"
_BRAZIL = ("", "brasil")


class DataChanged(Conflict):
    codigo = "pagina_desatualizada"
    mensagem = "Estes dados mudaram enquanto você estava aqui. Nada foi feito."
    http_status = 409


@dataclass(frozen=True)
class CustomerData:
    """What a customer may see and change of itself; documents and numbers without mask.

    `name` is the razão social of a company, the name of a person; `trade_name` a company's nome
    fantasia, empty when it has none of its own.
    """

    kind: str
    name: str
    trade_name: str
    document: str
    state_inscription: str
    city_inscription: str
    zipcode: str
    address: str
    number: str
    complement: str
    district: str
    city: str
    state: str
    phone: str
    emails: tuple[str, ...]

    @property
    def is_company(self) -> bool:
        return self.kind == Party.Kind.COMPANY


@dataclass(frozen=True)
class Change:
    """A field that becomes another, as people read both values."""

    field: str
    label: str
    before: str
    after: str


def data_of(customer: Party) -> CustomerData:
    """The registration as it stands."""
    legal = customer.company_name or customer.name
    is_company = customer.kind != Party.Kind.PERSON
    return CustomerData(
        kind=Party.Kind.COMPANY if is_company else Party.Kind.PERSON,
        name=legal if is_company else customer.name,
        trade_name=customer.name if is_company and customer.name != legal else "",
        document=customer.document,
        state_inscription=customer.state_inscription,
        city_inscription=customer.city_inscription,
        zipcode=customer.zipcode,
        address=customer.address,
        number=customer.number,
        complement=customer.complement,
        district=customer.district,
        city=customer.city,
        state=customer.state,
        phone=customer.phone,
        emails=tuple(one.address for one in addresses_of(customer)),
    )


def version_of(customer: Party) -> str:
    """What a page has shown of the registration; another one means that it is out of date."""
    text = json.dumps(asdict(data_of(customer)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def is_locked(customer: Party) -> bool:
    """Was a fiscal document issued to this CPF or CNPJ? Then only staff may change it."""
    if not customer.document:
        return False
    notes = InvoiceNote.objects.filter(invoice__customer=customer)
    return (
        Nfse.objects.filter(customer=customer).exists()
        or notes.filter(service_note__isnull=False).exists()
        or notes.filter(document__isnull=False).exists()
    )


def changes(before: CustomerData, after: CustomerData) -> list[Change]:
    """What is different, in the order of the form."""
    return [
        Change(name, label, _shown(before, name), _shown(after, name))
        for name, label in _LABELS.items()
        if getattr(before, name) != getattr(after, name)
    ]


_LABELS = {
    "kind": "Tipo",
    "name": "Razão social/Nome",
    "trade_name": "Nome fantasia",
    "document": "CNPJ/CPF",
    "state_inscription": "Inscrição estadual",
    "city_inscription": "Inscrição municipal",
    "zipcode": "CEP",
    "address": "Logradouro",
    "number": "Número",
    "complement": "Complemento",
    "district": "Bairro",
    "city": "Município",
    "state": "UF",
    "phone": "Telefone",
    "emails": "E-mails de cobrança",
}
_KINDS = {Party.Kind.COMPANY: "Pessoa jurídica", Party.Kind.PERSON: "Pessoa física"}


def _shown(data: CustomerData, name: str) -> str:
    """A value as people read it, "" when there is none."""
    value = getattr(data, name)
    if name == "emails":
        return ", ".join(value)
    masks = {"document": document_mask, "zipcode": cep_mask, "phone": phone_mask}
    if name == "kind":
        return _KINDS.get(value, "")
    return masks[name](value) if name in masks else str(value)


# --- rules ---------------------------------------------------------------------------------------


def faults_of(customer: Party, data: CustomerData) -> list[FieldError]:
    """Everything that the values break, by their field names (of CustomerData)."""
    return [*_document_faults(customer, data), *_place_faults(customer, data)]


def _document_faults(customer: Party, data: CustomerData) -> list[FieldError]:
    kind = "CNPJ" if data.is_company else "CPF"
    is_other = (data.document, data.kind) != (customer.document, data_of(customer).kind)
    if is_other and is_locked(customer):
        locked = "CPF" if customer.kind == Party.Kind.PERSON else "CNPJ"
        return [FieldError("document", LOCKED.format(kind=locked))]
    is_valid = is_cnpj if data.is_company else is_cpf
    if not is_valid(data.document):
        return [FieldError("document", BAD_CNPJ if data.is_company else BAD_CPF)]
    others = Party.objects.of(customer.account).exclude(pk=customer.pk)
    if others.exclude(kind=Party.Kind.ORGANIZATION).filter(document=data.document).exists():
        return [FieldError("document", TAKEN.format(kind=kind))]
    return []


def _place_faults(customer: Party, data: CustomerData) -> list[FieldError]:
    if is_abroad(customer) or data.state not in UFS or not data.city:
        return []
    if municipality_code(data.city, data.state):
        return []
    hint = "".join(f"; você quis dizer {name}?" for name in _alike(data.city, data.state))
    text = NO_CITY.format(uf=data.state, hint=hint)
    return [FieldError("city", text.removesuffix(".") if hint else text)]


def is_abroad(customer: Party) -> bool:
    """Has its address neither UF nor CEP nor a municipality of ours?"""
    return fold(customer.country) not in _BRAZIL


def _alike(city: str, state: str) -> list[str]:
    """The name of that UF that looks most like it, if any does."""
    names = {fold(place.name): place.name for place in municipalities() if place.uf == state}
    found = difflib.get_close_matches(fold(city), names, n=1, cutoff=0.75)
    return [names[one] for one in found]


# --- saving --------------------------------------------------------------------------------------


@transaction.atomic
def save_data(
    data: CustomerData, *, account: Account, customer: Party, seen: str, actor: Actor
) -> list[Change]:
    """Keep the registration as reviewed; answers what changed.

    Old billing addresses are told when they are not those any more. Raises DataChanged when it is
    not what page `seen` was made from, InvalidInput with every fault.
    """
    mine: Party = Party.objects.select_for_update(no_key=True).get_of(account, pk=customer.pk)
    before = data_of(mine)
    if version_of(mine) != seen:
        raise DataChanged()
    faults = faults_of(mine, data)
    if faults:
        raise InvalidInput(erros=faults)
    found = changes(before, data)
    if not found:
        return []
    _apply(mine, data)
    names = [one.field for one in found]
    record(
        account,
        actor=actor,
        action="cadastro.alterado",
        target=mine,
        before={name: _plain(before, name) for name in names},
        after={name: _plain(data, name) for name in names},
    )
    if "emails" in names:
        _write_letters(mine, before.emails, data.emails, actor)
    return found


def _plain(data: CustomerData, name: str) -> str | list[str]:
    value = getattr(data, name)
    return list(value) if isinstance(value, tuple) else str(value)


def _apply(customer: Party, data: CustomerData) -> None:
    """Write the columns. Raises InvalidInput when another customer took the document just now."""
    if customer.kind != Party.Kind.ORGANIZATION:  # one that is billed stays what it is
        customer.kind = data.kind
        customer.is_consumer = customer.is_consumer or not data.is_company
    customer.company_name = data.name if data.is_company else ""
    customer.name = data.trade_name or data.name if data.is_company else data.name
    customer.fold = fold(customer.name)[:200]
    for name in _SAME:
        setattr(customer, name, getattr(data, name))
    if not is_abroad(customer):
        customer.ibge_code = municipality_code(data.city, data.state)
    customer.billing_contacts = ", ".join(data.emails)
    try:
        with transaction.atomic():
            customer.save()
    except IntegrityError as error:
        kind = "CNPJ" if data.is_company else "CPF"
        fault = FieldError("document", TAKEN.format(kind=kind))
        raise InvalidInput(erros=[fault]) from error
    _drop_contacts(customer, data.emails)


# Fields of CustomerData that are columns of the same name.
_SAME = tuple(
    one.name
    for one in fields(CustomerData)
    if one.name not in ("kind", "name", "trade_name", "emails")
)


def _drop_contacts(customer: Party, emails: Sequence[str]) -> None:
    """A contact whose address was taken off the list is not billed any more."""
    wanted = {one.lower() for one in emails}
    for contact in Contact.objects.filter(party=customer, is_billing=True).order_by("pk"):
        if contact.email.strip().lower() not in wanted:
            contact.is_billing = False
            contact.save(update_fields=["is_billing"])


def _write_letters(
    customer: Party, before: Sequence[str], after: Sequence[str], actor: Actor
) -> None:
    """Tell the former addresses, so that nobody is cut off from the invoices unnoticed."""
    for address in before:
        send_letter(
            customer.account,
            customer=customer,
            recipient=address,
            template="emails_de_cobranca",
            context={"antes": before, "depois": after, "autor": actor.label},
        )
