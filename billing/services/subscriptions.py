"""Subscriptions: contracts made from a plan (billing-api §2.7, §6.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import fault
from billing.messages import NOT_LISTED
from billing.models import Contract, Party, PaymentMethod, Plan
from billing.services.contracts import cancel_planned, end_rules
from billing.services.organizations import prepare_organization
from billing.services.outbox import announce_plan_change
from billing.services.subscribers import find_or_create_subscriber
from billing.services.subscription_billing import (
    PAYMENT,
    follow_plan,
    paid_until,
    start_billing,
)
from lib import clock
from lib.errors import Conflict, FieldError, InvalidInput, NotFound

NO_PLAN = "Plano não encontrado com o id especificado."
# The card charging of the contract is the plan's.
_CARD_CHARGING = (
    "cobrato_payment_gateway_charge_config_id",
    "cobrato_payment_gateway_charge_config_name",
)
_MAX_NAME = 200
_NUMBERED = 190  # room for the number of a repeated name
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


class SubscriptionCancelled(Conflict):
    mensagem = "A assinatura está cancelada."


class AlreadyEstablished(Conflict):
    mensagem = "A assinatura já está estabelecida."


class NameTaken(Conflict):
    mensagem = "Já existe um contrato com este nome nesta conta."


@transaction.atomic
def create_subscription(
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
    today: date | None = None,
) -> Contract:
    """Subscribe a customer, found by document or registered, to a plan; it begins in trial.

    `values` are `plan_id` and `customer` (§2.7); `today` is a date in the account's zone. Raises
    NotFound with its own text for an unknown plan, else InvalidInput with all faults.
    """
    # One at a time: the customer and the contract's name must not be made twice.
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    plan = _offered(account, values["plan_id"]) if values.get("plan_id") is not None else None
    customer = find_or_create_subscriber(
        values.get("customer"), account=account, actor=actor, faults=faults
    )
    assert plan is not None  # a plan that was not told is among the faults
    contract = _trial(plan, customer, today or clock.today(account.time_zone))
    _save(contract)
    after = {"name": contract.name, "plano": plan.pk, "cliente": customer.pk}
    record(account, actor=actor, action="assinatura.criada", target=contract, after=after)
    return contract


def _offered(account: Account, plan_id: int) -> Plan:
    # Locked, so that nobody deletes it before the contract stands.
    plan: Plan | None = (
        Plan.objects.of(account).select_for_update(no_key=True).filter(pk=plan_id).first()
    )
    if plan is None:
        raise NotFound(NO_PLAN)
    return plan


def _trial(plan: Plan, customer: Party, today: date) -> Contract:
    days = (plan.trial_period or 0) if plan.has_trial else 0
    contract = Contract(
        account_id=plan.account_id,
        organization_id=plan.organization_id,
        party=customer,
        registration_method=Contract.Registration.SUBSCRIPTION,
        status=Contract.Status.TRIAL,
        init_date=today,
        end_date=today + timedelta(days=days),
        valid_until=today + timedelta(days=days),
    )
    for name in _CARD_CHARGING:
        contract.integration[name] = plan.integration.get(name)
    _take_plan(contract, plan)
    return contract


@transaction.atomic
def establish_subscription(
    contract_id: int,
    *,
    account: Account,
    actor: Actor,
    payment_method: str,
    installments: int | None = None,
    today: date,
) -> Contract:
    """The customer chose how to pay: the trial is over and the plan is billed (§6.9).

    `payment_method` is a PaymentMethod; `installments` (default 1) of a card, as far as the plan
    allows. Raises NotFound, InvalidInput, SubscriptionCancelled or AlreadyEstablished.
    """
    contract = _locked(account, pk=contract_id, plan__isnull=False)
    if contract.status == Contract.Status.CANCELLED:
        raise SubscriptionCancelled()
    if contract.status == Contract.Status.ESTABLISHED:
        raise AlreadyEstablished()
    if payment_method not in PaymentMethod.values:
        raise fault("payment_method", NOT_LISTED)
    most = _most_instalments(contract, payment_method)
    if not 1 <= (installments or 1) <= most:
        raise fault("installments", f"deve estar entre 1 e {most}")
    contract.establish()
    contract.end_date = None
    contract.integration[PAYMENT] = {
        "payment_method": payment_method,
        "installments": installments or 1,
        "created_at": clock.now().isoformat(),
    }
    prepare_organization(contract.organization)
    start_billing(contract, today=today)
    contract.valid_until = paid_until(contract)
    contract.save()
    after = {"payment_method": payment_method, "valid_until": contract.valid_until}
    record(account, actor=actor, action="assinatura.estabelecida", target=contract, after=after)
    return contract


def _most_instalments(contract: Contract, payment_method: str) -> int:
    """How many a card may be charged in; other methods and plans without instalments: one."""
    plan = contract.plan
    assert plan is not None
    if payment_method != PaymentMethod.PAYMENT_GATEWAY or not plan.allow_installments:
        return 1
    return max(1, plan.installments_limit or 1)


@transaction.atomic
def change_plan(
    token: str,
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
    today: date | None = None,
) -> Contract:
    """Put a subscription on another plan of its organization, at once; dates and status stay.

    `values` are `new_plan_id`. The same plan again changes nothing and tells nobody. Raises
    NotFound, InvalidInput or SubscriptionCancelled.
    """
    contract = _locked(account, token=_checked(token))
    if faults:
        raise InvalidInput(erros=list(faults))
    plan: Plan = Plan.objects.select_for_update(no_key=True).get_of(
        account, pk=values["new_plan_id"], organization_id=contract.organization_id
    )
    if contract.status == Contract.Status.CANCELLED:
        raise SubscriptionCancelled()
    if plan.pk == contract.plan_id:
        return contract
    before = {"plano": contract.plan_id, "name": contract.name}
    _take_plan(contract, plan)
    _limit_instalments(contract)
    _save(contract)
    if contract.status == Contract.Status.ESTABLISHED:
        follow_plan(contract, today=today or clock.today(account.time_zone))
    announce_plan_change(contract, plan_id=plan.pk)
    record(
        account,
        actor=actor,
        action="assinatura.plano_alterado",
        target=contract,
        before=before,
        after={"plano": plan.pk, "name": contract.name},
    )
    return contract


def _limit_instalments(contract: Contract) -> None:
    """The new plan may allow fewer than were chosen for the old one."""
    payment = contract.integration.get(PAYMENT)
    if payment is not None:
        most = _most_instalments(contract, payment["payment_method"])
        payment["installments"] = min(payment["installments"], most)


@transaction.atomic
def cancel_subscription(
    token: str,
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
    today: date | None = None,
) -> Contract:
    """End a subscription at once, whatever `cancel_date` says; what was paid runs to its end.

    `values` are `cancel_date` (default `today`) and `cancel_reason`. Everything not yet emitted is
    cancelled, each invoice with its notice, and nothing more is billed. Cancelling twice changes
    nothing. Raises NotFound or InvalidInput.
    """
    contract = _locked(account, token=_checked(token))
    if faults:
        raise InvalidInput(erros=list(faults))
    if contract.status == Contract.Status.CANCELLED:
        return contract
    today = today or clock.today(account.time_zone)
    reason = values.get("cancel_reason")
    contract.cancel(on=values.get("cancel_date") or today, reason=reason or "")
    contract.keep_text("cancel_reason", reason)
    is_paid = contract.valid_until is not None and contract.valid_until > today
    contract.end_date = contract.valid_until if is_paid else today
    # A cancelled subscription owes only what was emitted: no final invoice by days.
    contract.final_billed_at = clock.now()
    contract.save()
    end_rules(contract)
    cancelled = cancel_planned(account, contract)
    after = {
        "data": contract.cancel_date,
        "motivo": contract.cancel_reason,
        "fim": contract.end_date,
        "faturas_canceladas": cancelled,
    }
    record(account, actor=actor, action="assinatura.cancelada", target=contract, after=after)
    return contract


def get_subscription(token: str, *, account: Account) -> Contract:
    """The subscription of that token. Raises NotFound; a regular contract is none."""
    found: Contract = Contract.objects.get_of(
        account, token=_checked(token), registration_method=Contract.Registration.SUBSCRIPTION
    )
    return found


# --- pieces ------------------------------------------------------------------------------------


def _checked(token: str) -> str:
    """A text that may be a token; others are as good as unknown."""
    if not _TOKEN.fullmatch(token):
        raise NotFound()
    return token


def _locked(account: Account, **lookup: Any) -> Contract:
    contract: Contract = Contract.objects.select_for_update(no_key=True).get_of(
        account,
        registration_method=Contract.Registration.SUBSCRIPTION,
        **lookup,
    )
    contract.account = account
    return contract


def _take_plan(contract: Contract, plan: Plan) -> None:
    contract.plan = plan
    contract.charging_method = plan.charging_method or Contract.Charging.PRE_PAID
    contract.name = contract.title = _free_name(contract, plan)


def _free_name(contract: Contract, plan: Plan) -> str:
    """`Assinatura {customer} - {plan}`, numbered when the customer has that already."""
    name = f"Assinatura {contract.party.name} - {plan.name}"[:_MAX_NAME]
    others = Contract.objects.filter(account_id=plan.account_id).exclude(pk=contract.pk)
    taken = set(others.filter(name__startswith=name[:_NUMBERED]).values_list("name", flat=True))
    found, n = name, 1
    while found in taken:
        n += 1
        found = f"{name[:_NUMBERED]} ({n})"
    return found


def _save(contract: Contract) -> None:
    """Save. Raises NameTaken when a contract of that name was made meanwhile."""
    try:
        with transaction.atomic():
            contract.save()
    except IntegrityError as error:
        others = Contract.objects.of(contract.account).exclude(pk=contract.pk)
        if not others.filter(name=contract.name).exists():
            raise
        raise NameTaken() from error
