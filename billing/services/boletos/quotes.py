"""What a receivable costs on the days that a boleto of it may fall due (SV-1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.engine.late_charges import LateTerms, late_charges
from billing.engine.local_days import calendar_with
from billing.models import Charge, Invoice, OrganizationProfile, Receivable
from billing.selectors.late_terms import terms_by_receivable
from billing.services import ledger
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
        return quotings(invoice, [receivable])[receivable.pk]

    def is_overdue(self, today: date) -> bool:
        """Late charges are owed today (LATE-1)."""
        return today > self.calendar.next_business_day(self.receivable.due_date)

    def is_in_grace(self, day: date) -> bool:
        """Late, and yet nothing more is owed on that day: it was disputed (P09)."""
        until = self.receivable.grace_until
        return until is not None and day <= until and self.is_overdue(day)

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
        """The value to `due`, computed from the receivable's own due date (LATE-1).

        What a small payment gave to fine and interest is not asked for again.
        """
        owed = ledger.owed(self.receivable, on=due, terms=self.terms, calendar=self.calendar)
        found = late_charges(
            self.receivable.open_principal,
            due=self.receivable.due_date,
            paid_on=due,
            terms=self.terms,
            calendar=self.calendar,
            charged_until=self.receivable.charged_until,
            grace_until=self.receivable.grace_until,
        )
        return Quote(
            due,
            found.days,
            self.receivable.open_principal,
            _ZERO if waive_fine else owed.fine,
            _ZERO if waive_interest else owed.interest,
        )


def quotings(
    invoice: Invoice, receivables: Sequence[Receivable], charges: Iterable[Charge] | None = None
) -> dict[int, Quoting]:
    """`Quoting.of` each of the invoice's receivables, by id; as few queries as of one.

    `charges` are all of theirs in order of id, where the caller has read them.
    """
    profile = _profile(invoice)
    calendar = calendar_with(tuple(profile.extra_holidays or ()) if profile else ())
    n_days = profile.reissue_days if profile else USUAL_DAYS
    terms = terms_by_receivable(invoice, receivables, charges)
    return {one.pk: Quoting(one, terms[one.pk], calendar, n_days) for one in receivables}


def _profile(invoice: Invoice) -> OrganizationProfile | None:
    """Of the organization, as it was loaded with the invoice, else read now."""
    loaded = invoice._state.fields_cache.get("organization")
    if loaded is not None and "profile" in loaded._state.fields_cache:
        return getattr(loaded, "profile", None)
    return OrganizationProfile.objects.filter(party_id=invoice.organization_id).first()
