"""What lateness costs: the terms of an invoice's charge template, or the usual ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from billing.engine.late_charges import DEFAULT_TERMS, LateTerms
from billing.engine.local_days import calendar_with
from billing.models import Charge, ChargeTemplate, Invoice, OrganizationProfile, Receivable
from lib.calendars import Calendar


def charge_template_of(invoice: Invoice) -> ChargeTemplate | None:
    """The one that the invoice names, else its organization's default one, or its only one."""
    templates = ChargeTemplate.objects.filter(organization_id=invoice.organization_id)
    return template_among(invoice, list(templates.order_by("-is_default", "id")))


class Named(Protocol):
    """What may name its charge template."""

    @property
    def integration(self) -> Mapping[str, Any]: ...


def template_among(invoice: Named, templates: Sequence[ChargeTemplate]) -> ChargeTemplate | None:
    """The same among its organization's templates, the default one first."""
    named = invoice.integration.get("financial_charge_template_id")
    for one in templates:
        if isinstance(named, int) and one.pk == named:
            return one
    if templates and (templates[0].is_default or len(templates) == 1):
        return templates[0]
    return None


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
    return terms_by_receivable(invoice, [receivable])[receivable.pk]


def terms_by_receivable(
    invoice: Invoice, receivables: Sequence[Receivable], charges: Iterable[Charge] | None = None
) -> dict[int, LateTerms]:
    """`receivable_terms` of each of the invoice's receivables, by id; as few queries as of one.

    `charges` are all of theirs in order of id, where the caller has read them.
    """
    if charges is None:
        rows = Charge.objects.filter(receivable__in=receivables, kind=Charge.Kind.BOLETO)
        charges = rows.only("receivable_id", "kind", "state", "terms").order_by("id")
    registered: dict[int, LateTerms | None] = {}
    for one in charges:
        if one.kind == Charge.Kind.BOLETO and one.state != Charge.State.REJECTED:
            registered.setdefault(one.receivable_id, charge_terms(one))
    wanted = [one.pk for one in receivables]
    usual = None if all(registered.get(pk) for pk in wanted) else invoice_terms(invoice)
    found = {pk: registered.get(pk) or usual for pk in wanted}
    return {pk: terms for pk, terms in found.items() if terms is not None}
