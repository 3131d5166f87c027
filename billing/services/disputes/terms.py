"""The days of disputes: by when staff answer, and until when nothing is charged for lateness."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from billing.models import Dispute, Invoice, OrganizationProfile
from billing.selectors.late_terms import invoice_calendar

RESOLUTION_DAYS = 5  # B12: business days until it is resolved


def settings_of(invoice: Invoice) -> OrganizationProfile:
    """The settings of whoever bills; those of an organization without any are the defaults."""
    found = OrganizationProfile.objects.filter(party_id=invoice.organization_id).first()
    return found if found is not None else OrganizationProfile()


def answer_by(invoice: Invoice, *, today: date) -> date:
    """The last day of the answer that is promised today."""
    days = settings_of(invoice).dispute_answer_days
    return invoice_calendar(invoice).add_business_days(today, days)


def resolve_by(dispute: Dispute, *, today: date) -> date:
    """After the first answer: five business days from the opening, at least the next one."""
    calendar = invoice_calendar(dispute.invoice)
    opened = dispute.opened_at.astimezone(ZoneInfo(dispute.account.time_zone)).date()
    planned = calendar.add_business_days(opened, RESOLUTION_DAYS)
    return max(planned, calendar.add_business_days(today, 1))


def grace_until(invoice: Invoice, *, today: date) -> date | None:
    """The last day without fine and interest after a decision of today; None without such days."""
    days = settings_of(invoice).dispute_grace_days
    return invoice_calendar(invoice).add_business_days(today, days) if days else None
