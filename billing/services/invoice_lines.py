"""Services of an invoice as integrators change them (billing-api §6.1, §6.11).

Planning touches the rows in memory only and says what is wrong; writing comes when nothing is.
Elements are those of the API: with `id` a change or, with `_destroy`, a deletion; without, a new
one. What is not mentioned stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from accounts.models import Account
from billing.messages import BLANK, NOT_NUMBER, TOO_HIGH
from billing.models import Invoice, InvoiceLine, ServiceItem
from billing.services.drafts import MAX_FACTOR, MAX_LINES, MAX_TOTAL, LineDraft
from lib.errors import FieldError, NotFound
from lib.locks import hold
from lib.money import half_up

Elements = Sequence[Mapping[str, Any]]

_ZERO = Decimal("0.00")


@dataclass
class Services:
    """The lines after a change, and what was done to get there.

    `rows` are all lines that stay; those without a primary key are new.
    """

    rows: list[InvoiceLine]
    gone: dict[int, InvoiceLine] = field(default_factory=dict)
    changed: dict[int, InvoiceLine] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)

    @property
    def is_touched(self) -> bool:
        return bool(self.gone or self.changed or any(row.pk is None for row in self.rows))

    @property
    def is_reworded_only(self) -> bool:
        """All that changed is what the line of an invoice without services says."""
        is_same = not self.gone and all(row.pk is not None for row in self.rows)
        return is_same and not any(row.service_item_id for row in self.changed.values())

    @property
    def services(self) -> list[InvoiceLine]:
        """The lines that are services; another one stands for an invoice without any."""
        return [row for row in self.rows if row.service_item_id]

    def replace_all(self, row: InvoiceLine) -> None:
        """Leave `row`, a new one, as the only line."""
        self.gone |= {old.pk: old for old in self.rows if old.pk is not None}
        self.rows, self.changed = [row], {}

    def follow_texts(self, invoice: Invoice, *, title: str, description: str) -> None:
        """The line that stands for an invoice without services says what the invoice says."""
        for row in [] if self.services else self.rows:
            if row.transaction_id or (row.title, row.description) != (title, description):
                continue
            row.title, row.description = invoice.title, invoice.description
            if (row.title, row.description) != (title, description):
                self.changed[row.pk] = row

    def drop_stand_ins(self) -> None:
        """Leave only services."""
        self.gone |= {r.pk: r for r in self.rows if r.pk is not None and not r.service_item_id}
        self.rows = self.services


def items_of(account: Account, elements: Elements) -> dict[int, ServiceItem]:
    """The catalogue entries that elements name, by id, held so that nobody deletes them meanwhile.

    Raises NotFound for what is not there.
    """
    ids = {e["service_item_id"] for e in elements if e.get("service_item_id") is not None}
    if not ids:
        return {}
    found = {item.pk: item for item in hold(ServiceItem.objects.of(account).filter(pk__among=ids))}
    if ids - found.keys():
        raise NotFound()
    return found


def plan_services(
    invoice: Invoice,
    rows: Sequence[InvoiceLine],
    elements: Elements,
    items: Mapping[int, ServiceItem],
) -> Services:
    """Apply the elements. Raises NotFound for the id of another invoice's service."""
    plan = Services(list(rows))
    present = {row.pk: row for row in plan.services}
    for element in elements:
        if element.get("_destroy") and element.get("id") is None:
            continue  # what was never there
        row = _new_line(invoice, plan) if element.get("id") is None else present.get(element["id"])
        if row is None:
            raise NotFound()
        if element.get("_destroy"):
            plan.gone[row.pk] = present.pop(row.pk)
        else:
            _apply_service(plan, row, element, items)
    plan.rows = [row for row in plan.rows if row.pk not in plan.gone]
    plan.changed = {pk: row for pk, row in plan.changed.items() if pk not in plan.gone}
    if len(plan.rows) > MAX_LINES:
        plan.faults.append(FieldError("services", f"máximo de {MAX_LINES} linhas por fatura"))
    return plan


def _new_line(invoice: Invoice, plan: Services) -> InvoiceLine:
    row = InvoiceLine(invoice=invoice, units=_ZERO, unit_value=_ZERO, value=_ZERO)
    plan.rows.append(row)
    return row


def _apply_service(
    plan: Services, row: InvoiceLine, element: Mapping[str, Any], items: Mapping[int, ServiceItem]
) -> None:
    before = _figures(row)
    if row.pk is None or "service_item_id" in element:
        item = items.get(element.get("service_item_id") or 0)
        if item is None:
            plan.faults.append(FieldError("services.service_item", f"{BLANK}."))
        else:
            row.service_item, row.title = item, item.name
            row.description = row.description if row.pk else item.description
    if element.get("description") is not None:
        row.description = element["description"]
    for name in ("units", "unit_value"):
        if element.get(name) is not None:
            setattr(row, name, half_up(element[name], 4))
        elif row.pk is None or name in element:
            plan.faults.append(FieldError(f"services.{name}", NOT_NUMBER))
    row.value = half_up(row.units * row.unit_value)
    plan.faults += _size_faults(row)
    if row.pk is not None and _figures(row) != before:
        plan.changed[row.pk] = row


def _figures(row: InvoiceLine) -> tuple[Any, ...]:
    return row.service_item_id, row.title, row.description, row.units, row.unit_value


def _size_faults(row: InvoiceLine) -> list[FieldError]:
    if abs(row.units) >= MAX_FACTOR:
        return [FieldError("services.units", TOO_HIGH)]
    if abs(row.unit_value) >= MAX_FACTOR or abs(row.value) >= MAX_TOTAL:
        return [FieldError("services.unit_value", TOO_HIGH)]
    return []


def stand_in(invoice: Invoice, gross: Decimal) -> InvoiceLine:
    """The line that stands for an invoice without services: its gross value."""
    return InvoiceLine(
        invoice=invoice,
        title=invoice.title,
        description=invoice.description,
        units=Decimal(1),
        unit_value=gross,
        value=gross,
        period_start=invoice.start_date,
        period_end=invoice.end_date,
    )


def line_drafts(services: Iterable[InvoiceLine]) -> list[LineDraft]:
    """New lines as an invoice's draft wants them."""
    return [
        LineDraft(
            title=row.title,
            units=row.units,
            unit_value=row.unit_value,
            description=row.description,
            service_item_id=row.service_item_id,
        )
        for row in services
    ]


def write_services(plan: Services) -> None:
    """At most three statements. New lines come after those that stay."""
    if plan.gone:
        InvoiceLine.objects.filter(pk__among=plan.gone).delete()
    if plan.changed:
        names = ("service_item", "title", "description", "units", "unit_value", "value")
        InvoiceLine.objects.bulk_update(plan.changed.values(), names)
    new = [row for row in plan.rows if row.pk is None]
    last = max((row.position for row in plan.rows if row.pk is not None), default=0)
    for position, row in enumerate(new, start=last + 1):
        row.position = position
    InvoiceLine.objects.bulk_create(new)
