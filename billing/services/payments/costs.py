"""What parcels cost on the day they are paid, for many of them at a time (LATE-1, SV-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.engine.late_charges import LateTerms
from billing.models import Charge, Invoice, Payment, Receivable
from billing.selectors.late_terms import invoice_calendar, invoice_terms
from billing.services import ledger
from billing.services.ledger import ZERO, Held, Part
from lib.calendars import Calendar


class Costs:
    """What parcels cost; the terms and calendars of their organizations are looked up once."""

    def __init__(self) -> None:
        self._calendars: dict[int, Calendar] = {}
        self._terms: dict[tuple[int, Any], LateTerms] = {}

    def due(
        self,
        held: Held,
        receivable: Receivable,
        payment: Payment,
        charge: Charge | None = None,
        discount: Decimal = ZERO,
    ) -> Part:
        """On the day of the payment; a charge that was paid in time says it (SV-4)."""
        on = payment.received_on
        assert on is not None
        calendar = self.calendar(held.invoice)
        off = min(discount, receivable.open_principal)
        if charge is not None and on <= calendar.next_business_day(charge.due_date):
            return Part(receivable.open_principal - off, charge.fine, charge.interest, off)
        terms = _registered(charge) or self.terms(held.invoice)
        owed = ledger.owed(receivable, on=on, terms=terms, calendar=calendar)
        return Part(owed.principal - off, owed.fine, owed.interest, off)

    def calendar(self, invoice: Invoice) -> Calendar:
        """The bank's days, and those on which its organization is closed."""
        key = invoice.organization_id
        if key not in self._calendars:
            self._calendars[key] = invoice_calendar(invoice)
        return self._calendars[key]

    def terms(self, invoice: Invoice) -> LateTerms:
        """By the template that the invoice names, or its organization's."""
        key = (invoice.organization_id, invoice.integration.get("financial_charge_template_id"))
        if key not in self._terms:
            self._terms[key] = invoice_terms(invoice)
        return self._terms[key]


def _registered(charge: Charge | None) -> LateTerms | None:
    """What was registered for lateness with the charge that was paid (LATE-3)."""
    if charge is None or "fine_type" not in charge.terms:
        return None
    given = charge.terms
    daily = given.get("daily_registered")
    return LateTerms(
        given["fine_type"],
        Decimal(given["fine_value"]),
        given["interest_type"],
        Decimal(given["interest_value"]),
        Decimal(daily) if daily is not None else None,
    )
