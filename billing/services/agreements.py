"""Contracts as integrators write them (billing-api §2.5); their end is in services.contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import InUse
from billing.models import Attachment, Contract, Invoice, InvoiceRule, Party, Receivable
from billing.selectors.contracts import settled_invoices
from billing.services.attachments import drop_files
from billing.services.numbering import DEFAULT_SERIES
from billing.services.organizations import prepare_organization
from lib.br import fold
from lib.bulk import update_rows
from lib.errors import FieldError, InvalidInput, NotFound

COMPANY, PERSON = "Company", "Person"
PARTY_TYPES = (COMPANY, PERSON)

_TAKEN = "Já existe um contrato com este nome nesta conta."
_SETTLED = "não pode mudar, pois já há faturamentos emitidos"
_NOT_ORGANIZATION = {
    "supplier": "O fornecedor deve ser uma organização.",
    "customer": "O cliente deve ser uma organização.",
}
_SIDES = ("customer", "supplier")
_KEPT = (
    "cobrato_payment_gateway_charge_config_id",
    "cobrato_payment_gateway_charge_config_name",
)
_TEXTS = ("name", "title", "description", "comments")
_DATES = ("init_date", "end_date")
_AUDITED = (
    "kind", "name", "title", "organization_id", "party_id", *_DATES, "overdue_automatic_management",
)  # fmt: skip


class ContractInUse(InUse):
    mensagem = "Não foi possível apagar este contrato, pois há faturamentos associados ao mesmo."


def type_of(party: Party) -> str:
    """`Person` or `Company`, which organizations are too."""
    return PERSON if party.kind == Party.Kind.PERSON else COMPANY


@transaction.atomic
def create_contract(
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Contract:
    """Create a regular contract from the attributes sent; its organization is made ready to bill.

    `faults` were found while reading; all faults are refused together. Raises NotFound for a party
    that the account does not have (of that type), before any InvalidInput.
    """
    contract = Contract(account=account)
    parties = _parties(account, values, {})
    found = [*faults, *_rules(contract, values, parties, faults)]
    if found:
        raise InvalidInput(erros=found)
    _apply(contract, values)
    _set_parties(contract, _kind(contract, values), parties)
    _prepare(contract.organization)
    _save(contract)
    record(account, actor=actor, action="contrato.criado", target=contract, after=_facts(contract))
    return contract


@transaction.atomic
def update_contract(
    contract_id: int,
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Contract:
    """Change the attributes sent, of an active or ended contract.

    Texts, dates and flags may always change. `kind` and the parties may, until an invoice was
    emitted: those only planned then move to the new parties, keeping dates and amounts; what is
    created later follows the new customer's terms. Raises NotFound or InvalidInput.
    """
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account, pk=contract_id
    )
    before = _facts(contract)
    present = {"customer": contract.customer, "supplier": contract.supplier}
    parties = _parties(account, values, present)
    moved = _moved(contract, values, parties)
    if moved:
        _lock_billing(contract)
    found = [*faults, *_rules(contract, values, parties, faults)]
    if moved and settled_invoices(contract).exists():
        found += [FieldError(key, _SETTLED) for key in moved]
    if found:
        raise InvalidInput(erros=found)
    _apply(contract, values)
    if moved:
        _set_parties(contract, _kind(contract, values), parties)
        _prepare(contract.organization)
    _save(contract)
    if moved:
        _move_invoices(contract)
    _record_change(contract, before, values, actor=actor)
    return contract


@transaction.atomic
def delete_contract(contract_id: int, *, account: Account, actor: Actor) -> None:
    """Delete a contract that never billed, with its rules and planned or cancelled invoices.

    Raises NotFound, or ContractInUse when an invoice of it was emitted or settled (question 20), or
    its customer has asked for its end, under a protocol.
    """
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account, pk=contract_id
    )
    ids = _lock_billing(contract)
    if settled_invoices(contract).exists() or contract.scheduled_cancellations.exists():
        raise ContractInUse()
    before = {"name": contract.name, "faturas": len(ids), "regras": contract.rules.count()}
    record(account, actor=actor, action="contrato.excluido", target=contract, before=before)
    drop_files(Attachment.objects.filter(invoice__contract=contract))
    Invoice.objects.filter(id__among=ids).delete()
    contract.delete()


# --- parties -----------------------------------------------------------------------------------

# Side → party; None when its id was not sent or could not be read.
Parties = Mapping[str, Party | None]


def _parties(
    account: Account, values: Mapping[str, Any], present: Mapping[str, Party]
) -> dict[str, Party | None]:
    """Both sides as sent, else as at `present`. Raises NotFound for an unknown one."""
    sent = {side: values[f"{side}_id"] for side in _SIDES if values.get(f"{side}_id") is not None}
    # Locked, so that nobody deletes them meanwhile; in the order of their ids.
    rows = Party.objects.of(account).filter(pk__in=sent.values()).order_by("id")
    known = {party.pk: party for party in rows.select_for_update(no_key=True)} if sent else {}
    found: dict[str, Party | None] = {}
    for side in _SIDES:
        party = known.get(sent[side]) if side in sent else present.get(side)
        wanted = values.get(f"{side}_type")
        if side in sent and party is None:
            raise NotFound()
        if party is not None and wanted is not None and type_of(party) != wanted:
            raise NotFound()
        found[side] = party
    return found


def _kind(contract: Contract, values: Mapping[str, Any]) -> str:
    return values.get("kind") or contract.kind


def _own_side(kind: str) -> str:
    """The side that must be an organization."""
    return "supplier" if kind == Contract.Kind.SALE else "customer"


def _set_parties(contract: Contract, kind: str, parties: Parties) -> None:
    own = _own_side(kind)
    other = "customer" if own == "supplier" else "supplier"
    contract.kind = kind
    contract.organization = parties[own]  # type: ignore[assignment]
    contract.party = parties[other]  # type: ignore[assignment]


def _moved(contract: Contract, values: Mapping[str, Any], parties: Parties) -> list[str]:
    """Keys of kind and parties that would become others than they are."""
    keys = [] if _kind(contract, values) == contract.kind else ["kind"]
    for side in _SIDES:
        party = parties[side]
        if party is not None and party != getattr(contract, side):
            keys.append(f"{side}_id")
    return keys


def _prepare(organization: Party) -> None:
    """Make the organization ready to bill, unless it is: that reads and compares templates."""
    ready = Party.objects.filter(
        pk=organization.pk,
        profile__isnull=False,
        series__code=DEFAULT_SERIES,
        document_templates__active_version__isnull=False,
    )
    if not ready.exists():
        prepare_organization(organization)


# --- rules and writing -------------------------------------------------------------------------


def _rules(
    contract: Contract,
    values: Mapping[str, Any],
    parties: Parties,
    faults: Sequence[FieldError],
) -> list[FieldError]:
    """What the values break, besides what could not be read."""
    found = []
    if values.get("name") and _is_taken(contract, values["name"]):
        found.append(FieldError("name", _TAKEN))
    own = _own_side(_kind(contract, values))
    party = parties[own]
    is_known = not any(fault.campo == "kind" for fault in faults)
    if is_known and party is not None and party.kind != Party.Kind.ORGANIZATION:
        found.append(FieldError(f"{own}_id", _NOT_ORGANIZATION[own]))
    return found


def _is_taken(contract: Contract, name: str) -> bool:
    others = Contract.objects.of(contract.account).exclude(pk=contract.pk)
    return bool(others.filter(name=name).exists())


def _apply(contract: Contract, values: Mapping[str, Any]) -> None:
    """Put the values into their columns, all but kind and parties."""
    for name in _TEXTS:
        if name in values:
            contract.keep_text(name, values[name])
    for name in _DATES:
        if name in values:
            setattr(contract, name, values[name])
    for name in _KEPT:
        if name in values:
            contract.integration[name] = values[name]
    flag = values.get("overdue_automatic_management")
    if flag is not None:
        is_regular = contract.registration_method == Contract.Registration.REGULAR
        contract.overdue_automatic_management = flag and is_regular


def _save(contract: Contract) -> None:
    """Save. Raises InvalidInput when another request took the name meanwhile."""
    try:
        with transaction.atomic():
            contract.save()
    except IntegrityError as error:
        if not _is_taken(contract, contract.name):
            raise
        raise InvalidInput(erros=[FieldError("name", _TAKEN)]) from error


def _facts(contract: Contract) -> dict[str, Any]:
    return {name: getattr(contract, name) for name in _AUDITED}


def _record_change(
    contract: Contract, before: dict[str, Any], values: Mapping[str, Any], *, actor: Actor
) -> None:
    now = _facts(contract)
    changed = [name for name in _AUDITED if now[name] != before[name]]
    record(
        contract.account,
        actor=actor,
        action="contrato.alterado",
        target=contract,
        before={name: before[name] for name in changed},
        after={"campos": sorted(values)} | {name: now[name] for name in changed},
    )


# --- what hangs on a contract ------------------------------------------------------------------


def _lock_billing(contract: Contract) -> list[int]:
    """Lock the contract's rules, itself for good, then its invoices; answers the invoices' ids.

    Whoever creates invoices holds the rule and, when committing, needs the contract: in this order
    they are waited for. A new invoice or rule of the contract cannot commit until we do.
    """
    rules = InvoiceRule.objects.filter(contract=contract).order_by("id")
    list(rules.select_for_update().values_list("id", flat=True))
    list(Contract.objects.filter(pk=contract.pk).select_for_update().values_list("id"))
    invoices = Invoice.objects.filter(contract=contract).order_by("id")
    return list(invoices.select_for_update().values_list("id", flat=True))


def _move_invoices(contract: Contract) -> None:
    """Give the planned invoices the contract's new parties, and their search text its name."""
    titles = Invoice.objects.filter(contract=contract).values_list("id", "title")
    update_rows(
        Invoice,
        ("id", "organization", "customer", "fold"),
        [
            (
                pk,
                contract.organization_id,
                contract.party_id,
                f"{fold(title)} {contract.party.fold}",
            )
            for pk, title in titles
        ],
    )
    receivables = Receivable.objects.filter(invoice__contract=contract)
    receivables.update(listed_for=contract.organization_id)
