"""Receivables of an invoice as integrators change them (billing-api §6.1, §6.11).

As with services (`invoice_lines`): first everything is planned in memory, then written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import F

from billing.engine.splitting import (
    NOT_100_PERCENT,
    check_minimum,
    complete_percents,
    split_percent,
    total_100,
)
from billing.models import Invoice, Receivable
from billing.services.invoice_lines import BLANK, Elements
from lib.errors import FieldError, NotFound
from lib.money import half_up

MAX_RECEIVABLES = 1_000

_SHIFT = 10_000  # moves positions out of the way of those to come


@dataclass
class Parcels:
    """The receivables after a change, in the order in which they fall due.

    `is_touched`: a date, a percent or the number of them changed. `amounts` are to be split again
    when percents or order did (or when the invoice's values do).
    """

    rows: list[Receivable]
    gone: list[Receivable] = field(default_factory=list)
    faults: list[FieldError] = field(default_factory=list)
    is_touched: bool = False
    is_split_again: bool = False


def plan_receivables(invoice: Invoice, rows: Sequence[Receivable], elements: Elements) -> Parcels:
    """Apply the elements. Raises NotFound for the id of another invoice's receivable."""
    plan = Parcels(sorted(rows, key=_order))
    if rows and not elements:
        return plan
    shares, days = _shares(rows), {row.pk: row.due_date for row in rows}
    present = {row.pk: row for row in rows}
    for element in elements:
        is_new = element.get("id") is None
        if is_new and element.get("_destroy"):
            continue  # what was never there
        row = _new_receivable(invoice, plan) if is_new else present.get(element["id"])
        if row is None:
            raise NotFound()
        if element.get("_destroy"):
            plan.rows.remove(row)
            plan.gone.append(present.pop(row.pk))
        else:
            _apply_receivable(row, element)
    _complete(plan, before=shares)
    plan.is_split_again = _shares(plan.rows) != shares
    plan.is_touched = plan.is_split_again or {row.pk: row.due_date for row in plan.rows} != days
    return plan


def _new_receivable(invoice: Invoice, plan: Parcels) -> Receivable:
    row = Receivable(account_id=invoice.account_id, invoice=invoice)
    plan.rows.append(row)
    return row


def _apply_receivable(row: Receivable, element: Mapping[str, Any]) -> None:
    if element.get("due_date") is not None:
        row.due_date = row.original_due_date = element["due_date"]
    if element.get("value") is not None:
        row.value = half_up(element["value"], 4)


def _shares(rows: Sequence[Receivable]) -> list[tuple[int | None, Decimal]]:
    """Which part each one is, in the order in which they fall due."""
    dated = all(row.due_date is not None for row in rows)
    return [(row.pk, row.value) for row in (sorted(rows, key=_order) if dated else rows)]


def _complete(plan: Parcels, *, before: list[tuple[int | None, Decimal]]) -> None:
    """Percents that were not given, and the order; the total is judged once all dates are there."""
    if not plan.rows or any(row.due_date is None for row in plan.rows):
        plan.faults.append(FieldError("receivables.due_date", BLANK))
        return
    if len(plan.rows) > MAX_RECEIVABLES:
        plan.faults.append(FieldError("receivables", f"máximo de {MAX_RECEIVABLES} parcelas"))
        return
    shares = complete_percents([row.value for row in plan.rows])
    for row, share in zip(plan.rows, shares, strict=True):
        row.value = share
    plan.rows.sort(key=_order)
    # What only moved keeps the percents it has, even if an older rule made them.
    if set(_shares(plan.rows)) != set(before) and not total_100(shares):
        plan.faults.append(FieldError("receivables", NOT_100_PERCENT))


def _order(row: Receivable) -> tuple[date, bool, int]:
    """By due date, then id; the sort is stable, so new ones stay in the order they were sent."""
    return row.due_date, row.pk is None, row.pk or 0


def split_amounts(
    invoice: Invoice, rows: Sequence[Receivable], *, minimum: Decimal
) -> list[FieldError]:
    """Give each receivable its part; the last one takes the odd cents (INV-3, SPLIT-2, SPLIT-4)."""
    percents = [row.value for row in rows]
    try:
        grosses = split_percent(invoice.gross_value, percents)
        payments = split_percent(invoice.payment_value, percents)
        check_minimum([part for part in payments if part], minimum=minimum)
    except ValueError as error:
        return [FieldError("receivables", str(error))]
    for row, gross_part, payment_part in zip(rows, grosses, payments, strict=True):
        row.gross_value = gross_part
        row.payment_value = row.open_principal = payment_part
    return []


def write_receivables(invoice: Invoice, plan: Parcels, *, at: datetime) -> None:
    """At most four statements, whatever their number."""
    if plan.gone:
        Receivable.objects.filter(pk__among=[row.pk for row in plan.gone]).delete()
    kept = [row for row in plan.rows if row.pk is not None]
    if any(row.position != n for n, row in enumerate(plan.rows, start=1) if row.pk is not None):
        # No two may share a position, not even in between.
        invoice.receivables.update(position=F("position") + _SHIFT)
    for position, row in enumerate(plan.rows, start=1):
        row.position = position
    new = [row for row in plan.rows if row.pk is None]
    for row in new:
        row.created_at = at
        for name, value in invoice.told_to_receivables.items():
            setattr(row, name, value)
    names = ("position", "due_date", "original_due_date", "value", "gross_value", "payment_value")
    if kept:
        Receivable.objects.bulk_update(kept, (*names, "open_principal"))
    Receivable.objects.bulk_create(new)


def follow_invoice(invoice: Invoice) -> None:
    """Its receivables are found by its present issue date."""
    invoice.receivables.exclude(invoice_date=invoice.issue_date).update(
        invoice_date=invoice.issue_date
    )
