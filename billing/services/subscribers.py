"""The customer of a new subscription: found by document, else registered (billing-api §6.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import Account
from accounts.services.audit import Actor
from billing.messages import BLANK, INVALID
from billing.models import Party
from billing.services.parties import create_party
from lib.br import document_kind, normalise_document
from lib.errors import FieldError, InvalidInput

_KINDS: dict[str, str] = {"Company": Party.Kind.COMPANY, "Person": Party.Kind.PERSON}
_DOCUMENTS: dict[str, str] = {Party.Kind.COMPANY: "cnpj", Party.Kind.PERSON: "cpf"}
_OF_COMPANIES = ("state_inscription", "city_inscription")

# Where a fault of the party stands in the body of the subscription.
_PATHS = {
    "cnpj": "customer.document",
    "cpf": "customer.document",
    "name": "customer.name",
    "zipcode": "customer.address_information.zipcode",
}


def find_or_create_subscriber(
    node: Mapping[str, Any] | None,
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError],
) -> Party:
    """The company or person that `node` (§2.7 `customer`) describes.

    Whoever is known by the document is left as registered; without a document a new one is made.
    `faults` were found while reading. Raises InvalidInput with all of them under dotted keys.
    """
    if node is None:
        has_told = any(fault.campo == "customer" for fault in faults)
        missing = [] if has_told else [FieldError("customer", BLANK)]
        raise InvalidInput(erros=[*faults, *missing])
    document = normalise_document(node.get("document") or "")
    kind = _kind(node, document)
    found = [*faults, *_rules(node, document, kind, faults)]
    known = _known(document, account)
    if known is not None:
        if found:
            raise InvalidInput(erros=found)
        return known
    return _register(node, document, kind, account=account, actor=actor, faults=found)


def _kind(node: Mapping[str, Any], document: str) -> str | None:
    """As told, else what the document is one of."""
    if node.get("type"):
        return _KINDS[node["type"]]
    guessed = {"cnpj": Party.Kind.COMPANY, "cpf": Party.Kind.PERSON}
    found = document_kind(document)
    return guessed[found] if found else None


def _rules(
    node: Mapping[str, Any], document: str, kind: str | None, faults: Sequence[FieldError]
) -> list[FieldError]:
    found = []
    if node.get("email"):
        try:
            validate_email(node["email"])
        except ValidationError:
            found.append(FieldError("customer.email", INVALID))
    told = {fault.campo for fault in faults}
    if kind is None and document:
        found.append(FieldError("customer.document", INVALID))
    elif kind is None and not told & {"customer.type", "customer.document"}:
        found.append(FieldError("customer.type", BLANK))
    return found


def _known(document: str, account: Account) -> Party | None:
    if not document:
        return None
    customers = Party.objects.of(account).exclude(kind=Party.Kind.ORGANIZATION)
    # Locked, so that nobody deletes it before the contract stands.
    known: Party | None = customers.select_for_update(no_key=True).filter(document=document).first()
    return known


def _register(
    node: Mapping[str, Any],
    document: str,
    kind: str | None,
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError],
) -> Party:
    values = {name: node[name] for name in ("name", "email") if name in node}
    values |= node.get("address_information") or {}
    if kind == Party.Kind.COMPANY:
        values |= {name: node[name] for name in _OF_COMPANIES if name in node}
    if kind is not None and document:
        values[_DOCUMENTS[kind]] = document
    try:
        # Without a kind there are faults, and nothing is written.
        return create_party(
            values, kind=kind or Party.Kind.PERSON, account=account, actor=actor, faults=faults
        )
    except InvalidInput as refused:
        erros = [FieldError(_PATHS.get(e.campo, e.campo), e.mensagem) for e in refused.erros]
        raise InvalidInput(erros=erros) from refused
