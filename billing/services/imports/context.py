"""What is the same for all batches of an import, and the rows of the database that one touches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F

from accounts.models import Account
from billing.models import Contract, InvoiceRule, Party, RuleService, ScheduledUpdate, ServiceItem
from billing.services.imports.reading import Group, Reading
from billing.services.imports.report import Fault, ImportOptions, ImportReport


@dataclass
class Cancellation:
    """A contract to cancel once it is written."""

    contract_id: int
    on: date
    reason: str


@dataclass
class Context:
    """The import in course: what it reads, where it writes, what it will answer."""

    account: Account
    organization: Party
    minimum: Decimal  # BRL, smallest parcel the organization accepts
    options: ImportOptions
    reading: Reading
    report: ImportReport
    today: date
    now: datetime
    items: dict[str, tuple[int, Decimal]] = field(default_factory=dict)  # name → id, tax percent
    counted: set[str] = field(default_factory=set)  # codes of customers already in the report
    created_rules: list[int] = field(default_factory=list)
    rescheduled: list[int] = field(default_factory=list)
    rewritten: list[int] = field(default_factory=list)
    lines_of_rules: dict[int, int] = field(default_factory=dict)  # of changed rules
    cancellations: list[Cancellation] = field(default_factory=list)

    @property
    def may_write(self) -> bool:
        """After the first fault only a partial import goes on writing."""
        return self.options.partial or not self.reading.faults

    def refuse(self, group: Group, line: int, column: str, value: str, message: str) -> None:
        """A fault that keeps the whole contract out."""
        self.reading.faults.append(Fault(line, column, value[:100], message))
        self.reading.reject(group.code, line)

    def warn(self, line: int, column: str, value: str, message: str) -> None:
        self.reading.warnings.append(Fault(line, column, value[:100], message))


@dataclass
class Found:
    """Rows of the database with the codes, documents and names of a batch."""

    by_code: dict[str, Party]
    by_document: dict[str, Party]
    contracts: dict[str, Contract]
    names: dict[str, tuple[int, str]]  # contract name → id, external code
    rules: dict[str, InvoiceRule]  # each with `contract_code`
    services: dict[int, list[RuleService]]  # by rule, in order
    clauses: dict[int, ScheduledUpdate]  # by rule


def load(groups: Sequence[Group], context: Context) -> Found:
    """Read everything a batch may touch, in a constant number of queries."""
    account = context.account
    rules = _rules(account, [code for group in groups for code in group.rules])
    rule_ids = [rule.pk for rule in rules.values()]
    _load_items(groups, context)
    return Found(
        by_code=_by_code(Party, account, [group.customer_code for group in groups]),
        by_document=_documents(account, groups),
        contracts=_by_code(Contract, account, [group.code for group in groups], "party"),
        names=_names(account, groups),
        rules=rules,
        services=_services(rule_ids),
        clauses=_clauses(rule_ids),
    )


def _by_code(model: Any, account: Account, codes: list[str], *related: str) -> dict[str, Any]:
    # The exclusion repeats the condition of the partial index, without which PostgreSQL scans.
    rows = model.objects.of(account).filter(external_code__in=set(codes)).exclude(external_code="")
    if related:
        rows = rows.select_related(*related)
    return {row.external_code: row for row in rows}


def _documents(account: Account, groups: Sequence[Group]) -> dict[str, Party]:
    documents = {group.customer.get("document", "") for group in groups}
    rows = Party.objects.of(account).filter(document__in=documents)
    rows = rows.exclude(document="").exclude(kind=Party.Kind.ORGANIZATION)
    return {row.document: row for row in rows}


def _names(account: Account, groups: Sequence[Group]) -> dict[str, tuple[int, str]]:
    names = {group.contract.get("name", group.code) for group in groups}
    rows = Contract.objects.of(account).filter(name__in=names)
    return {name: (pk, code) for name, pk, code in rows.values_list("name", "id", "external_code")}


def _rules(account: Account, codes: list[str]) -> dict[str, InvoiceRule]:
    rows = InvoiceRule.objects.of(account).filter(external_code__in=set(codes))
    rows = rows.exclude(external_code="").annotate(contract_code=F("contract__external_code"))
    return {row.external_code: row for row in rows}


def _services(rule_ids: list[int]) -> dict[int, list[RuleService]]:
    found: dict[int, list[RuleService]] = defaultdict(list)
    rows = RuleService.objects.filter(rule_id__among=rule_ids).select_related("service_item")
    for row in rows.order_by("rule_id", "position"):
        found[row.rule_id].append(row)
    return found


def _clauses(rule_ids: list[int]) -> dict[int, ScheduledUpdate]:
    rows = ScheduledUpdate.objects.filter(rule_id__among=rule_ids, service_item=None)
    return {row.rule_id: row for row in rows if row.rule_id is not None}


def _load_items(groups: Sequence[Group], context: Context) -> None:
    names = {
        section.get("name", "")
        for group in groups
        for rule in group.rules.values()
        for _, section in rule.services
    }
    rows = ServiceItem.objects.of(context.account).filter(name__in=names - set(context.items))
    for pk, name, tax in rows.values_list("id", "name", "tax_percentage"):
        context.items[name] = (pk, tax)
