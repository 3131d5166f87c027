"""What lateness costs: the terms of an invoice's charge template, or the usual ones."""

from __future__ import annotations

from decimal import Decimal

from billing.engine.late_charges import DEFAULT_TERMS, LateTerms
from billing.engine.local_days import calendar_with
from billing.models import Charge, ChargeTemplate, Invoice, OrganizationProfile, Receivable
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


def charge_terms(charge: Charge) -> LateTerms | None:
    """What was registered for lateness with a charge; None when it has no terms (LATE-3)."""
    kept = charge.terms
    if "fine_type" not in kept:
        return None
    daily = kept.get("daily_registered")
    return LateTerms(
        kept["fine_type"],
        Decimal(kept["fine_value"]),
        kept["interest_type"],
        Decimal(kept["interest_value"]),
        None if daily is None else Decimal(daily),
    )


def receivable_terms(receivable: Receivable, invoice: Invoice) -> LateTerms:
    """What lateness of one receivable costs: as its first boleto was registered, once it has one.

    So that the product's figure and the bank's agree, whatever becomes of the template (LATE-3).
    """
    boletos = receivable.charges.filter(kind=Charge.Kind.BOLETO).exclude(
        state=Charge.State.REJECTED
    )
    first = boletos.order_by("id").first()
    found = charge_terms(first) if first is not None else None
    return found or invoice_terms(invoice)
