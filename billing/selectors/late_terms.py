"""What lateness costs: the terms of an invoice's charge template, or the usual ones."""

from __future__ import annotations

from billing.engine.late_charges import DEFAULT_TERMS, LateTerms
from billing.engine.local_days import calendar_with
from billing.models import ChargeTemplate, Invoice, OrganizationProfile
from lib.calendars import Calendar


def charge_template_of(invoice: Invoice) -> ChargeTemplate | None:
    """The one that the invoice names, else its organization's default one, or its only one."""
    templates = ChargeTemplate.objects.filter(organization_id=invoice.organization_id)
    named = invoice.integration.get("financial_charge_template_id")
    found = templates.filter(pk=named).first() if isinstance(named, int) else None
    if found is not None:
        return found
    rest = list(templates.order_by("-is_default", "id")[:2])
    return rest[0] if rest and (rest[0].is_default or len(rest) == 1) else None


def terms_of(template: ChargeTemplate | None) -> LateTerms:
    """Fine and interest of a template; without one the usual 2 % and 1 % a month (LATE-2)."""
    if template is None:
        return DEFAULT_TERMS
    return LateTerms(
        template.fine_type, template.fine_value, template.interest_type, template.interest_value
    )


def invoice_terms(invoice: Invoice) -> LateTerms:
    """What lateness of the invoice's receivables costs."""
    return terms_of(charge_template_of(invoice))


def invoice_calendar(invoice: Invoice) -> Calendar:
    """The bank calendar with the organization's own closed days."""
    profile = OrganizationProfile.objects.filter(party_id=invoice.organization_id).first()
    return calendar_with(tuple(profile.extra_holidays or ()) if profile else ())
