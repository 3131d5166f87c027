"""How a subscription is billed: its rule follows its plan, its validity what was paid (§6.9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from billing.engine.readjustment import remind_date
from billing.engine.schedule import MONTHLY, add_months, first_n_after, occurrence
from billing.models import (
    Contract,
    EmailTemplate,
    Invoice,
    InvoiceRule,
    Management,
    OrganizationProfile,
    PaymentMethod,
    Plan,
    RuleService,
    ScheduledUpdate,
)
from billing.services.planning import load_terms
from billing.services.rules import remake, replaceable

# Keys of the contract's `integration`.
RULE = "subscription_rule_id"
PAYMENT = "payment_information"

YEARLY = 12  # months between readjustments when the plan does not tell


def start_billing(contract: Contract, *, today: date) -> None:
    """Make the rule of a subscription that becomes established and create its invoices.

    The first is issued on `today`, or one period later when post-paid. A free plan has a rule that
    creates nothing until the plan changes.
    """
    rule = InvoiceRule(account=contract.account, contract=contract)
    _restart(rule, contract, first=first_issue(_plan(contract), today))
    contract.integration[RULE] = rule.pk


def follow_plan(contract: Contract, *, today: date) -> None:
    """Replace the open schedule by the contract's present plan, from the next cycle on.

    Planned invoices issued after `today` are made again with the new price and period; emitted
    ones, those of today and before, and those edited by hand stay, and what they bill is not
    billed again (see `remake`). No proration.
    """
    rule = _rule_of(contract)
    if rule is None:
        return
    dropped = replaceable(rule).filter(issue_date__gt=today).select_for_update().order_by("id")
    planned = list(dropped.values_list("id", "occurrence_date", "approval_status"))
    ids = [pk for pk, _, _ in planned]
    first = _next_cycle(rule, _plan(contract), today, planned=ids)
    Invoice.objects.filter(id__among=ids).delete()
    _restart(rule, contract, first=first)
    # What was blocked stays blocked, as when a rule is re-scheduled.
    blocked = [day for _, day, status in planned if status == Invoice.Approval.BLOCKED]
    remade = replaceable(rule).filter(occurrence_date__in=blocked)
    remade.update(approval_status=Invoice.Approval.BLOCKED)


def refresh_validity(contract_id: int) -> None:
    """Store until when an established subscription is paid; called when an invoice of it is."""
    contract = (
        Contract.objects.select_for_update(no_key=True)
        .filter(
            pk=contract_id,
            registration_method=Contract.Registration.SUBSCRIPTION,
            status=Contract.Status.ESTABLISHED,
        )
        .first()
    )
    if contract is None:
        return
    valid_until = paid_until(contract)
    if valid_until not in (None, contract.valid_until):
        contract.valid_until = valid_until
        contract.save(update_fields=["valid_until", "updated_at"])


def paid_until(contract: Contract) -> date | None:
    """§6.8: the end of the last paid period; while nothing is paid, when the first charge is due.

    The end is the day on which the following period begins.
    """
    invoices = _invoices(contract)
    paid = invoices.filter(state=Invoice.State.RECEIVED).order_by("-occurrence_date").first()
    if paid is not None:
        return _following_period(paid, contract)
    open_ones = invoices.exclude(state=Invoice.State.CANCELLED)
    first = open_ones.order_by("occurrence_date").first()
    return first.due_date if first else None


def first_issue(plan: Plan, today: date) -> date:
    """When a plan that begins today is first billed."""
    is_post_paid = plan.charging_method == Plan.Charging.POST_PAID
    return add_months(today, plan.billing_period) if is_post_paid else today


# --- the rule ----------------------------------------------------------------------------------


def _plan(contract: Contract) -> Plan:
    assert contract.plan is not None
    return contract.plan


def _rule_of(contract: Contract) -> InvoiceRule | None:
    """The rule that bills the plan, locked: the one made here, else the contract's only one."""
    rules = InvoiceRule.objects.filter(contract=contract).exclude(status=InvoiceRule.Status.ENDED)
    made = contract.integration.get(RULE)
    if made is not None:
        rules = rules.filter(pk=made)
    found = list(rules.select_for_update(no_key=True).order_by("id"))
    return found[0] if len(found) == 1 and found[0].init_date and found[0].period_unit else None


def _next_cycle(rule: InvoiceRule, plan: Plan, today: date, *, planned: Sequence[int]) -> date:
    """The first issue date after `today` that is still open: only `planned` (ids) may have it.

    What was emitted, cancelled or edited further ahead does not move it, or the cycles in between
    would never be billed.
    """
    assert rule.init_date is not None
    if not rule.gross_value:  # a free plan: nothing was billed
        return max(rule.init_date, first_issue(plan, today))
    (terms,) = load_terms(InvoiceRule.objects.filter(pk=rule.pk))
    kept = Invoice.objects.filter(rule=rule, occurrence_date__gt=today)
    taken = set(kept.exclude(id__among=planned).values_list("occurrence_date", flat=True))
    n = first_n_after(terms.schedule, today)
    while occurrence(terms.schedule, n) in taken:
        n += 1
    return occurrence(terms.schedule, n)


def _restart(rule: InvoiceRule, contract: Contract, *, first: date) -> None:
    """Give the rule the plan's terms, from `first` on, and create its invoices."""
    plan = _plan(contract)
    _take_terms(rule, contract, plan)
    rule.init_date = first
    rule.next_n, rule.parked_reason, rule.parked_at = 0, "", None
    has_ended = rule.end_date is not None and first > rule.end_date
    rule.next_occurrence = None if has_ended or not plan.price else first
    rule.save()
    _take_services(rule, plan)
    _take_readjustment(rule, plan)
    if rule.next_occurrence is not None:
        remake(rule, contract.account)


def _take_terms(rule: InvoiceRule, contract: Contract, plan: Plan) -> None:
    payment = contract.integration.get(PAYMENT, {})
    rule.title = plan.name
    rule.keep_text("description", plan.description or plan.name)
    rule.gross_value = plan.price
    rule.period_unit, rule.month_quantity = MONTHLY, plan.billing_period
    rule.payment_method = payment.get("payment_method", rule.payment_method)
    is_card = rule.payment_method == PaymentMethod.PAYMENT_GATEWAY
    rule.installments = payment.get("installments", 1) if is_card else None
    channel = "payment_gateway" if is_card else "billet"
    rule.notification_ruler_ref = plan.integration.get(f"{channel}_notification_ruler_id")
    rule.integration |= _kept(plan, channel)
    if rule.pk is None:
        _first_terms(rule, contract, is_card=is_card)


def _kept(plan: Plan, channel: str) -> dict[str, Any]:
    """The integrator's ids and names, under the names that rules have for them."""
    sources = {
        "emites_service_values_id": "emites_service_values_id",
        "emites_service_value_name": "emites_service_value_name",
        "finance_category": "finance_category",
        "finance_revenue_center": "finance_revenue_center",
        "myfinance_sale_account_id": f"myfinance_{channel}_sale_account_id",
        "myfinance_sale_account_name": f"myfinance_{channel}_sale_account_name",
        "cobrato_charge_config_id": f"cobrato_{channel}_charge_config_id",
        "cobrato_charge_config_name": f"cobrato_{channel}_charge_config_name",
        "cobrato_charge_template_id": f"cobrato_{channel}_charge_template_id",
        "cobrato_charge_template_name": f"cobrato_{channel}_charge_template_name",
    }
    return {name: plan.integration.get(source) for name, source in sources.items()}


def _first_terms(rule: InvoiceRule, contract: Contract, *, is_card: bool) -> None:
    """What the plan does not tell: billed by the run, a card at once, others in the usual term."""
    rule.management_type = Management.AUTOMATIC
    rule.automatic_email_template_ref = (
        EmailTemplate.objects.filter(
            organization_id=contract.organization_id, subscription_default_template=True
        )
        .values_list("id", flat=True)
        .first()
    )
    if not is_card:
        profile = OrganizationProfile.objects.get(party_id=contract.organization_id)
        rule.charge_type = InvoiceRule.ChargeType.DAY_QUANTITY
        rule.day_quantity = profile.min_payment_days


def _take_services(rule: InvoiceRule, plan: Plan) -> None:
    rule.services.all().delete()
    RuleService.objects.bulk_create(
        RuleService(
            rule=rule,
            position=position,
            service_item_id=product.service_item_id,
            description=product.description,
            units=product.units,
            unit_value=product.unit_value,
            value=product.value,
        )
        for position, product in enumerate(plan.products.order_by("id"), start=1)
    )


def _take_readjustment(rule: InvoiceRule, plan: Plan) -> None:
    """The plan's clause, over the whole price; the first time one interval after the start."""
    rule.scheduled_updates.all().delete()
    if not (plan.readjustment_will_be_created and plan.price_index):
        return
    assert rule.init_date is not None
    months = plan.readjustment_month_quantity or YEARLY
    days = plan.readjustment_days_until_update or 0
    on = add_months(rule.init_date, months)
    ScheduledUpdate.objects.create(
        rule=rule,
        price_index=plan.price_index,
        init_date=on,
        month_quantity=months,
        days_until_update=days,
        execution_date=on,
        remind_at=remind_date(on, days_until_update=days),
    )


# --- validity ----------------------------------------------------------------------------------


def _invoices(contract: Contract) -> QuerySet[Invoice]:
    """Invoices of the plan's recurrence."""
    found = Invoice.objects.filter(contract=contract, occurrence_date__isnull=False)
    made = contract.integration.get(RULE)
    return found.filter(rule_id=made) if made is not None else found.filter(rule__isnull=False)


def _following_period(paid: Invoice, contract: Contract) -> date | None:
    assert paid.occurrence_date is not None
    if paid.end_date is not None and paid.end_date >= paid.occurrence_date:  # pre-paid
        return paid.end_date + timedelta(days=1)
    # Post-paid: what was used is settled; the period in course is owed at its end.
    return add_months(paid.occurrence_date, _plan(contract).billing_period)
