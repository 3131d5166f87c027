"""What late receivables of many invoices cost: the sum over each one's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from billing.engine.late_charges import LateTerms
from billing.models import Charge, ChargeTemplate
from billing.selectors.late_terms import charge_terms, template_among, terms_of
from billing.services.ledger import ZERO, Priced, owed
from lib.calendars import Calendar


@dataclass(frozen=True)
class Late:
    """A receivable, and of its invoice what its terms depend on."""

    receivable: Priced
    organization_id: int
    integration: Mapping[str, Any]


def cost_of(rows: Sequence[Late], *, on: date, calendars: Mapping[int, Calendar]) -> Decimal:
    """What these cost when they are paid on `on`, fine and interest included (BRL).

    `calendars` are of their organizations, by id. Two queries, and one for each receivable that was
    paid in part after it was late (MN-2).
    """
    registered = _registered(rows)
    templates = _templates([row for row in rows if registered.get(row.receivable.pk) is None])
    total = ZERO
    for row in rows:
        terms = registered.get(row.receivable.pk)
        if terms is None:
            terms = terms_of(template_among(row, templates.get(row.organization_id, [])))
        calendar = calendars[row.organization_id]
        total += owed(row.receivable, on=on, terms=terms, calendar=calendar).paid
    return total


def _registered(rows: Sequence[Late]) -> dict[int, LateTerms | None]:
    """The terms of each one's first boleto (LATE-3)."""
    if not rows:
        return {}
    boletos = Charge.objects.filter(
        receivable__among=[row.receivable.pk for row in rows], kind=Charge.Kind.BOLETO
    ).exclude(state=Charge.State.REJECTED)
    found: dict[int, LateTerms | None] = {}
    for charge in boletos.only("state", "receivable_id", "terms").order_by("id"):
        found.setdefault(charge.receivable_id, charge_terms(charge))
    return found


def _templates(rows: Sequence[Late]) -> dict[int, list[ChargeTemplate]]:
    """The charge templates of their organizations, the default ones first."""
    if not rows:
        return {}
    organizations = {row.organization_id for row in rows}
    found: dict[int, list[ChargeTemplate]] = {}
    for one in ChargeTemplate.objects.filter(organization_id__in=organizations).order_by(
        "-is_default", "id"
    ):
        found.setdefault(one.organization_id, []).append(one)
    return found
