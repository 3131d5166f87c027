"""What a receivable costs on the days that a boleto of it may fall due (SV-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.engine.late_charges import LateTerms, late_charges
from billing.models import Invoice, OrganizationProfile, Receivable
from billing.selectors.late_terms import invoice_calendar, receivable_terms
from lib.calendars import Calendar

_ZERO = Decimal("0.00")
USUAL_DAYS = 5  # SV-1


@dataclass(frozen=True)
class Quote:
    """Value to a due date, in its parts (BRL); `days` counts those that interest is owed for."""

    due: date
    days: int
    principal: Decimal
    fine: Decimal
    interest: Decimal

    @property
    def total(self) -> Decimal:
        return self.principal + self.fine + self.interest


@dataclass(frozen=True)
class Quoting:
    """All that prices of a receivable are made of, read once."""

    receivable: Receivable
    terms: LateTerms
    calendar: Calendar
    n_days: int

    @classmethod
    def of(cls, receivable: Receivable, invoice: Invoice) -> Quoting:
        profile = OrganizationProfile.objects.filter(party_id=invoice.organization_id)
        n_days = profile.values_list("reissue_days", flat=True).first()
        return cls(
            receivable,
            receivable_terms(receivable, invoice),
            invoice_calendar(invoice),
            USUAL_DAYS if n_days is None else n_days,
        )

    def is_overdue(self, today: date) -> bool:
        """Late charges are owed today (LATE-1)."""
        return today > self.calendar.next_business_day(self.receivable.due_date)

    def choices(self, today: date) -> Sequence[Quote]:
        """The next business days after today, the first of them the default (P08)."""
        return [
            self.at(self.calendar.add_business_days(today, n)) for n in range(1, self.n_days + 1)
        ]

    def allows(self, due: date, today: date) -> bool:
        """From today on up to the last choice, on business days (SV-1)."""
        last = self.calendar.add_business_days(today, self.n_days)
        return today <= due <= last and self.calendar.is_business_day(due)

    def at(self, due: date, *, waive_fine: bool = False, waive_interest: bool = False) -> Quote:
        """The value to `due`, computed from the receivable's own due date (LATE-1)."""
        found = late_charges(
            self.receivable.open_principal,
            due=self.receivable.due_date,
            paid_on=due,
            terms=self.terms,
            calendar=self.calendar,
            charged_until=self.receivable.charged_until,
        )
        return Quote(
            due,
            found.days,
            self.receivable.open_principal,
            _ZERO if waive_fine else found.fine,
            _ZERO if waive_interest else found.interest,
        )
