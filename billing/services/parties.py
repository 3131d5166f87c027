"""Organizations, companies and people, as integrators write them (billing-api §2.1–2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models import Q

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import InUse
from billing.messages import INVALID, TAKEN
from billing.models import Contract, Party
from lib.br import fold, is_cep, is_cnpj, is_cpf, normalise_document
from lib.errors import FieldError, InvalidInput

BAD_CEP = "Por favor digite um CEP válido."

# Attribute of the API → column, where they differ.
_COLUMNS = {"contacts": "contacts_text", "cnpj": "document", "cpf": "document"}
_KEPT = ("myfinance_customer_id", "myfinance_errors")


@transaction.atomic
def create_party(
    values: dict[str, Any],
    *,
    kind: str,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Party:
    """Create an organization, company or person from the attributes sent.

    `faults` were found while reading; all faults are refused together. Raises InvalidInput.
    """
    return _save(Party(account=account, kind=kind), values, actor=actor, faults=faults)


@transaction.atomic
def update_party(
    party_id: int,
    values: dict[str, Any],
    *,
    kind: str,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Party:
    """Change the attributes sent. Raises NotFound or InvalidInput."""
    party = Party.objects.select_for_update().get_of(account, pk=party_id, kind=kind)
    return _save(party, values, actor=actor, faults=faults)


@transaction.atomic
def delete_party(party_id: int, *, kind: str, account: Account, actor: Actor) -> None:
    """Delete a party that nothing refers to. Raises NotFound or InUse."""
    party: Party = Party.objects.select_for_update().get_of(account, pk=party_id, kind=kind)
    refusal = _IN_USE[kind]
    if Contract.objects.of(account).filter(Q(party=party) | Q(organization=party)).exists():
        raise refusal()
    before = {"name": party.name, "kind": party.kind}
    record(account, actor=actor, action="cliente.excluido", target=party, before=before)
    try:
        with transaction.atomic():
            party.delete()
    except (models.ProtectedError, IntegrityError) as error:
        raise InUse(_WITH_HISTORY[kind]) from error


class _OrganizationInUse(InUse):
    mensagem = "Não foi possível apagar esta organização, pois há contratos associados à mesma."


class _CompanyInUse(InUse):
    mensagem = "Não foi possível apagar esta empresa, pois há contratos associados à mesma."


class _PersonInUse(InUse):
    mensagem = "Não foi possível apagar esta pessoa, pois há contratos associados à mesma."


# Invoices, plans, printed layouts: no contract is left, but what happened must stay readable.
_WITH_HISTORY: dict[str, str] = {
    Party.Kind.ORGANIZATION: "Não foi possível apagar esta organização, pois ela tem histórico.",
    Party.Kind.COMPANY: "Não foi possível apagar esta empresa, pois ela tem histórico.",
    Party.Kind.PERSON: "Não foi possível apagar esta pessoa, pois ela tem histórico.",
}

_IN_USE: dict[str, type[InUse]] = {
    Party.Kind.ORGANIZATION: _OrganizationInUse,
    Party.Kind.COMPANY: _CompanyInUse,
    Party.Kind.PERSON: _PersonInUse,
}


def _save(
    party: Party, values: dict[str, Any], *, actor: Actor, faults: Sequence[FieldError]
) -> Party:
    # Names have no constraint of their own (imports may repeat them): one writer at a time.
    # Not against rows that only point to it: a request may have inserted one already.
    Account.objects.select_for_update(no_key=True).get(pk=party.account_id)
    values = dict(values)
    found = [*faults, *_rules(party, values)]
    if found:
        raise InvalidInput(erros=found)
    is_new = party.pk is None
    changed = _apply(party, values)
    try:
        with transaction.atomic():
            party.save()
    except IntegrityError as error:
        raise InvalidInput(erros=[FieldError(_document_key(party), TAKEN)]) from error
    action = "cliente.criado" if is_new else "cliente.alterado"
    record(party.account, actor=actor, action=action, target=party, after={"campos": changed})
    return party


def _document_key(party: Party) -> str:
    return "cpf" if party.kind == Party.Kind.PERSON else "cnpj"


def _rules(party: Party, values: dict[str, Any]) -> list[FieldError]:
    """What the values break; normalises the document on the way."""
    faults = []
    key = _document_key(party)
    if key in values:
        document = values[key] = normalise_document(values[key])
        is_valid = is_cpf if key == "cpf" else is_cnpj
        if not is_valid(document):
            faults.append(FieldError(key, INVALID))
        elif _is_taken(party, document=document):
            faults.append(FieldError(key, TAKEN))
    if party.kind == Party.Kind.COMPANY:
        for name in ("name", "company_name"):
            if values.get(name) and _is_taken(party, **{name: values[name]}):
                faults.append(FieldError(name, TAKEN))
    if values.get("zipcode") and not is_cep(values["zipcode"]):
        faults.append(FieldError("zipcode", BAD_CEP))
    return faults


def _is_taken(party: Party, **lookup: Any) -> bool:
    others = Party.objects.of(party.account).filter(kind=party.kind, **lookup)
    return bool(others.exclude(pk=party.pk).exists())


def _apply(party: Party, values: dict[str, Any]) -> list[str]:
    """Put the values into their columns; answers the names that were sent."""
    for name, value in values.items():
        column = _COLUMNS.get(name, name)
        if name in _KEPT:
            party.integration[name] = value
        elif isinstance(Party._meta.get_field(column), models.CharField | models.TextField):
            party.keep_text(column, value)
        elif isinstance(value, bool) or value is not None or column == "client_since":
            setattr(party, column, value)
    if "name" in values:
        party.fold = fold(party.name)[:200]
    return sorted(values)
