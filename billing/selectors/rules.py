"""Rules and presets as the API shows them, in a constant number of queries."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from accounts.models import Account
from billing.models import (
    InvoiceRule,
    InvoiceTemplate,
    Party,
    RuleService,
    ScheduledUpdate,
    TemplateService,
)


def rules_shown(account: Account, *, contract_id: int) -> QuerySet[InvoiceRule]:
    """Rules of a contract, newest first, with services, clauses and the contract's parties."""
    services = RuleService.objects.select_related("service_item").order_by("position")
    rules: QuerySet[InvoiceRule] = InvoiceRule.objects.of(account).filter(contract_id=contract_id)
    return (
        rules.select_related("contract__organization", "contract__party")
        .prefetch_related(
            Prefetch("services", queryset=services),
            Prefetch("scheduled_updates", queryset=ScheduledUpdate.objects.order_by("id")),
        )
        .order_by("-id")
    )


def templates_shown(account: Account, *, organization: Party) -> QuerySet[InvoiceTemplate]:
    """Presets of an organization by name, with services and clauses."""
    services = TemplateService.objects.select_related("service_item").order_by("position")
    templates: QuerySet[InvoiceTemplate] = InvoiceTemplate.objects.of(account)
    return (
        templates.filter(organization=organization)
        .prefetch_related(
            Prefetch("services", queryset=services),
            Prefetch("scheduled_updates", queryset=ScheduledUpdate.objects.order_by("id")),
        )
        .order_by("name", "id")
    )
