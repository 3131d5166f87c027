"""Second pass, second half: good contracts into the database, a statement per table."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing.models import Contract, Party, ServiceItem
from billing.services.imports.comparing import CANCEL_FIELDS, differences
from billing.services.imports.context import Cancellation, Context, Found
from billing.services.imports.lines import Section
from billing.services.imports.reading import Group
from billing.services.imports.rows import insert_all, update_all
from billing.services.imports.writing_rules import write_rules
from lib.br import fold
from lib.bulk import reserve_ids


def write(groups: Sequence[Group], found: Found, context: Context) -> None:
    """Write what is new and what changed in a batch, and count all of it."""
    _write_customers(groups, context)
    _write_items(groups, context)
    _write_contracts(groups, context)
    write_rules(groups, found, context)


# --- customers -----------------------------------------------------------------------------------


def _write_customers(groups: Sequence[Group], context: Context) -> None:
    first_of: dict[str, Group] = {}
    for group in groups:
        first_of.setdefault(group.customer_code, group)
    new = [group for group in first_of.values() if group.party is None]
    changed = [
        (group.party, changes)
        for group in first_of.values()
        if group.party is not None and (changes := _party_changes(group.party, group.customer))
    ]
    parties = [
        _new_party(pk, group, context)
        for pk, group in zip(reserve_ids(Party, len(new)), new, strict=True)
    ]
    insert_all(Party, parties)
    update_all(Party, changed, updated_at=context.now)
    for group, party in zip(new, parties, strict=True):
        group.party = party
    for group in groups:
        group.party = first_of[group.customer_code].party
    _count_customers(context, first_of, n_new=len(new), n_changed=len(changed))


def _count_customers(
    context: Context, codes: dict[str, Group], *, n_new: int, n_changed: int
) -> None:
    """A customer whose contracts came in several batches counts once, in the first."""
    counts = context.report.customers
    counts.created += n_new
    counts.updated += n_changed
    counts.unchanged += len(codes.keys() - context.counted) - n_new - n_changed
    context.counted |= codes.keys()


def _party_changes(party: Party, section: Section) -> Section:
    changes = differences(party, section)
    if "name" in changes:
        changes["fold"] = fold(changes["name"])[:200]
    return changes


def _new_party(pk: int, group: Group, context: Context) -> Party:
    data = {"kind": Party.Kind.COMPANY.value, **group.customer}
    return Party(
        pk=pk,
        account=context.account,
        is_consumer=data["kind"] == Party.Kind.PERSON,
        fold=fold(data["name"])[:200],
        created_at=context.now,
        updated_at=context.now,
        **data,
    )


# --- catalogue -----------------------------------------------------------------------------------


def _write_items(groups: Sequence[Group], context: Context) -> None:
    """Services named for the first time; their price is the contract's, not the catalogue's."""
    names = dict.fromkeys(
        service.name
        for group in groups
        for rule in group.rules.values()
        for service in rule.priced
        if service.name not in context.items
    )
    items = [
        ServiceItem(
            pk=pk,
            account=context.account,
            name=name,
            value=Decimal(0),
            tax_percentage=context.reading.taxes.get(name, (Decimal(0), 0))[0],
            created_at=context.now,
        )
        for pk, name in zip(reserve_ids(ServiceItem, len(names)), names, strict=True)
    ]
    insert_all(ServiceItem, items)
    context.items |= {item.name: (item.pk, item.tax_percentage) for item in items}
    context.report.services_created += len(items)


# --- contracts -----------------------------------------------------------------------------------


def _write_contracts(groups: Sequence[Group], context: Context) -> None:
    new = [group for group in groups if group.existing is None]
    changed = [
        (group.existing, changes)
        for group in groups
        if group.existing is not None
        and not group.is_closed
        and (changes := differences(group.existing, group.contract, but=CANCEL_FIELDS))
    ]
    _note_charging(groups, changed, context)
    contracts = [
        _new_contract(pk, group, context)
        for pk, group in zip(reserve_ids(Contract, len(new)), new, strict=True)
    ]
    insert_all(Contract, contracts)
    update_all(Contract, changed, updated_at=context.now)
    for group, contract in zip(new, contracts, strict=True):
        group.existing = contract
    counts = context.report.contracts
    counts.created += len(new)
    counts.updated += len(changed)
    counts.unchanged += len(groups) - len(new) - len(changed)
    _note_cancellations(groups, context)


def _new_contract(pk: int, group: Group, context: Context) -> Contract:
    assert group.party is not None
    data = {name: value for name, value in group.contract.items() if name not in CANCEL_FIELDS}
    data.setdefault("name", group.code)
    data.setdefault("title", data["name"])
    return Contract(
        pk=pk,
        account=context.account,
        organization=context.organization,
        party=group.party,
        created_at=context.now,
        updated_at=context.now,
        **data,
    )


def _note_charging(
    groups: Sequence[Group], changed: Sequence[tuple[Any, Section]], context: Context
) -> None:
    """Before or after the period: a change moves the period of every invoice not yet emitted."""
    moved = {row.pk for row, changes in changed if "charging_method" in changes}
    for group in groups:
        if group.existing is not None and group.existing.pk in moved:
            rows = [rule.existing for rule in group.rules.values() if rule.existing is not None]
            context.rescheduled += [row.pk for row in rows]
            context.lines_of_rules |= {row.pk: group.line for row in rows}


def _note_cancellations(groups: Sequence[Group], context: Context) -> None:
    for group in groups:
        on = group.contract.get("cancel_date")
        if on is not None and not group.is_closed and group.existing is not None:
            reason = group.contract.get("cancel_reason", "")
            context.cancellations.append(Cancellation(group.existing.pk, on, reason))
