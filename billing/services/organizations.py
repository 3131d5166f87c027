"""What an organization needs before it can bill."""

from __future__ import annotations

from django.db import transaction

from billing.models import NumberSeries, OrganizationProfile, Party
from billing.services.numbering import DEFAULT_SERIES
from billing.services.templates import install_default_templates


@transaction.atomic
def prepare_organization(organization: Party) -> OrganizationProfile:
    """Give it settings, a number series and printed templates, where missing; safe to repeat."""
    profile, _ = OrganizationProfile.objects.get_or_create(party=organization)
    NumberSeries.objects.get_or_create(organization=organization, code=DEFAULT_SERIES)
    install_default_templates(organization)
    return profile
