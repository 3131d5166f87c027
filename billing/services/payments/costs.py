"""What parcels cost on the day they are paid, for many of them at a time (LATE-1, SV-4)."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from billing.engine.late_charges import LateTerms
from billing.models import Charge, Invoice, Payment, Receivable
from billing.selectors.late_terms import charge_terms, invoice_calendar, invoice_terms
from billing.services import ledger
from billing.services.ledger import ZERO, Held, Part
from lib.calendars import Calendar


class Costs:
    """What parcels cost; the terms and calendars of their organizations are looked up once.

    So is what was registered for those parcels (ids) that money without a charge came for.
    """

    def __init__(self, without_charge: Collection[int] = ()) -> None:
        self._without_charge = without_charge
        self._registered: dict[int, LateTerms | None] = {}
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
        terms = charge_terms(charge) if charge is not None else self._as_registered(receivable)
        terms = terms or self.terms(held.invoice)
        owed = ledger.owed(receivable, on=on, terms=terms, calendar=calendar)
        return Part(owed.principal - off, owed.fine, owed.interest, off)

    def _as_registered(self, receivable: Receivable) -> LateTerms | None:
        """Of money without a charge: what its first boleto says, as its payer was told (LATE-3)."""
        if receivable.pk not in self._registered:
            wanted = {receivable.pk, *self._without_charge}
            boletos = Charge.objects.filter(
                receivable__among=list(wanted), kind=Charge.Kind.BOLETO
            ).exclude(state=Charge.State.REJECTED)
            self._registered |= dict.fromkeys(wanted)
            for one in boletos.only("receivable_id", "terms").order_by("-id"):
                self._registered[one.receivable_id] = charge_terms(one)
        return self._registered[receivable.pk]

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
