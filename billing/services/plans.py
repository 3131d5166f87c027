"""Plans: packaged offers from which subscriptions are made (billing-api §2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import InUse
from billing.messages import BLANK, INVALID, NOT_NUMBER, TOO_HIGH
from billing.models import Contract, Party, Plan, PlanProduct, ServiceItem
from billing.services.drafts import MAX_FACTOR, MAX_TOTAL
from lib.errors import FieldError, InvalidInput, NotFound
from lib.money import half_up

MINIMUM_INSTALMENT = Decimal("5.00")
SMALL_INSTALMENT = "Valor das parcelas não pode ser menor do que R$ 5,00"
NEGATIVE = "deve ser maior ou igual a 0"

# Ids and names of the integrator's, answered as they were sent.
KEPT = (
    "billet_notification_ruler_id",
    "payment_gateway_notification_ruler_id",
    "emites_service_values_id",
    "emites_service_value_name",
    "cobrato_billet_charge_config_id",
    "cobrato_billet_charge_config_name",
    "cobrato_billet_charge_template_id",
    "cobrato_billet_charge_template_name",
    "cobrato_payment_gateway_charge_config_id",
    "cobrato_payment_gateway_charge_config_name",
    "finance_category",
    "finance_revenue_center",
    "myfinance_billet_sale_account_id",
    "myfinance_billet_sale_account_name",
    "myfinance_payment_gateway_sale_account_id",
    "myfinance_payment_gateway_sale_account_name",
)
NO_ID = -1  # what was sent for an id and is none
_TEXTS = ("name", "description", "redirect_url", "charging_method", "price_index")
_NUMBERS = (
    "billing_period",
    "trial_period",
    "installments_limit",
    "readjustment_month_quantity",
    "readjustment_days_until_update",
)
_FLAGS = ("has_trial", "allow_installments", "readjustment_will_be_created")
_FEATURE = ("description", "value", "tag")


class PlanInUse(InUse):
    mensagem = "Não foi possível apagar este plano, pois há assinaturas associadas ao mesmo."


@transaction.atomic
def create_plan(
    values: dict[str, Any],
    *,
    organization_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Plan:
    """Create a plan of an organization from the attributes sent.

    `faults` were found while reading; all faults are refused together. Raises NotFound (the
    organization, a service or a nested id is not the account's) or InvalidInput.
    """
    organization = Party.objects.select_for_update(no_key=True).get_of(
        account, pk=organization_id, kind=Party.Kind.ORGANIZATION
    )
    plan = Plan(account=account, organization=organization)
    return _save(plan, values, account=account, actor=actor, faults=faults)


@transaction.atomic
def update_plan(
    plan_id: int,
    values: dict[str, Any],
    *,
    organization_id: int,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> Plan:
    """Change the attributes sent; subscriptions keep the price they have.

    Raises NotFound or InvalidInput.
    """
    plan = _locked(plan_id, organization_id, account)
    return _save(plan, values, account=account, actor=actor, faults=faults)


@transaction.atomic
def delete_plan(plan_id: int, *, organization_id: int, account: Account, actor: Actor) -> None:
    """Delete a plan that no contract was made from. Raises NotFound or PlanInUse."""
    plan = _locked(plan_id, organization_id, account)
    if Contract.objects.of(account).filter(plan=plan).exists():
        raise PlanInUse()
    before = {"name": plan.name, "price": plan.price}
    record(account, actor=actor, action="plano.excluido", target=plan, before=before)
    plan.delete()


def _locked(plan_id: int, organization_id: int, account: Account) -> Plan:
    plan: Plan = Plan.objects.select_for_update().get_of(
        account,
        pk=plan_id,
        organization_id=organization_id,
        organization__kind=Party.Kind.ORGANIZATION,
    )
    return plan


@dataclass(frozen=True)
class _Products:
    """The products a plan would have, in order, and those it would lose."""

    kept: list[PlanProduct]
    removed: list[PlanProduct]


def _save(
    plan: Plan,
    values: dict[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError],
) -> Plan:
    # References first: what does not exist is a 404 whatever else is wrong (§2.5).
    features = _merge_features(plan.features, values.get("features", ()))
    products = _merge_products(plan, values.get("products", ()), account)
    allowed_before = plan.allow_installments
    _apply(plan, values)
    if allowed_before and not plan.allow_installments:
        plan.installments_limit = None
    found = _rules(plan, products.kept, values, list(faults))
    if found:
        raise InvalidInput(erros=found)
    is_new = plan.pk is None
    plan.features = features
    plan.save()
    _write(plan, products)
    action = "plano.criado" if is_new else "plano.alterado"
    after = {"campos": sorted(values), "price": plan.price}
    record(account, actor=actor, action=action, target=plan, after=after)
    return plan


def _apply(plan: Plan, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in KEPT:
            plan.integration[name] = value
        elif name in _TEXTS:
            plan.keep_text(name, value)
        elif name in _NUMBERS or (name in _FLAGS and value is not None):
            setattr(plan, name, value)


def _merge_features(
    present: Sequence[dict[str, Any]], sent: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Features after creations, updates and `_destroy` (§6.11). Raises NotFound."""
    found = {one["id"]: dict(one) for one in present}
    following = max(found, default=0) + 1
    for one in sent:
        pk = one.get("id")
        if pk is not None and pk not in found:
            raise NotFound()
        if one.get("_destroy"):
            found.pop(pk, None)
        elif pk is None:
            found[following] = {"id": following, **{name: one.get(name) for name in _FEATURE}}
            following += 1
        else:
            found[pk] |= {name: one[name] for name in _FEATURE if name in one}
    return list(found.values())


def _merge_products(plan: Plan, sent: Sequence[dict[str, Any]], account: Account) -> _Products:
    """Products after creations, updates and `_destroy`, not saved yet. Raises NotFound."""
    present = {one.pk: one for one in plan.products.order_by("id")} if plan.pk else {}
    _check_services(sent, account)
    created, removed = [], []
    for one in sent:
        pk = one.get("id")
        if pk is not None and pk not in present:
            raise NotFound()
        if one.get("_destroy"):
            if pk is not None:
                removed.append(present.pop(pk))
            continue
        product = present[pk] if pk is not None else PlanProduct(plan=plan)
        _fill(product, one)
        if pk is None:
            created.append(product)
    return _Products([*present.values(), *created], removed)


def _check_services(sent: Sequence[dict[str, Any]], account: Account) -> None:
    wanted = {one["service_item_id"] for one in sent if one.get("service_item_id") is not None}
    items = ServiceItem.objects.of(account).filter(id__among=wanted).order_by("id")
    # Locked, so that nobody deletes them before the plan stands.
    if wanted and len(items.select_for_update(no_key=True).values_list("id")) < len(wanted):
        raise NotFound()


def _fill(product: PlanProduct, one: dict[str, Any]) -> None:
    if "service_item_id" in one:
        product.service_item_id = one["service_item_id"]
    if "description" in one:
        product.description = one["description"] or ""
    for name in ("units", "unit_value"):
        if name in one:
            setattr(product, name, half_up(one[name], 4))


def _rules(
    plan: Plan, products: Sequence[PlanProduct], values: dict[str, Any], faults: list[FieldError]
) -> list[FieldError]:
    """What the plan would break; sets its price on the way."""
    if any(product.service_item_id is None for product in products):
        faults.append(FieldError("products.service_item", BLANK))
    is_readable = not any(fault.campo.startswith("products") for fault in faults)
    if products:
        # The price is their sum, whatever was sent for it.
        faults = [fault for fault in faults if fault.campo != "price"]
        faults += _price_of(plan, products) if is_readable else []
    elif is_readable:
        faults += _own_price(plan, values)
    faults += [FieldError(name, INVALID) for name in KEPT if values.get(name) == NO_ID]
    if is_readable and not any(fault.campo in ("price", "products.unit_value") for fault in faults):
        faults += _instalment_faults(plan)
    return faults


def _instalment_faults(plan: Plan) -> list[FieldError]:
    limit = plan.installments_limit
    if not plan.allow_installments or not limit or plan.price / limit >= MINIMUM_INSTALMENT:
        return []
    return [FieldError("installments_limit", SMALL_INSTALMENT)]


def _own_price(plan: Plan, values: Mapping[str, Any]) -> list[FieldError]:
    """The price of a plan without products: what was sent, else the one it had."""
    if "price" in values or plan.pk is None:
        if values.get("price") is None:
            return [FieldError("price", NOT_NUMBER)]
        plan.price = half_up(values["price"])
    # It is the unit price of the one line of each invoice.
    return _price_faults(plan.price, limit=MAX_FACTOR)


def _price_of(plan: Plan, products: Sequence[PlanProduct]) -> list[FieldError]:
    """value = round2(units × unit_value); price = Σ value."""
    for product in products:
        product.value = half_up(product.units * product.unit_value)
        if abs(product.value) >= MAX_TOTAL:
            return [FieldError("products.unit_value", TOO_HIGH)]
        # Rounding to the column's 4 decimals may have reached the limit that reading checked.
        if max(abs(product.units), abs(product.unit_value)) >= MAX_FACTOR:
            return [FieldError("products.unit_value", TOO_HIGH)]
    plan.price = sum((product.value for product in products), Decimal("0.00"))
    return _price_faults(plan.price, limit=MAX_TOTAL)


def _price_faults(price: Decimal, *, limit: Decimal) -> list[FieldError]:
    if price < 0:
        return [FieldError("price", NEGATIVE)]
    return [FieldError("price", TOO_HIGH)] if price >= limit else []


def _write(plan: Plan, products: _Products) -> None:
    if products.removed:
        plan.products.filter(id__among=[one.pk for one in products.removed]).delete()
    created = [one for one in products.kept if one.pk is None]
    for one in created:
        one.plan = plan  # it has a key only now
    PlanProduct.objects.bulk_create(created)
    changed = [one for one in products.kept if one not in created]
    PlanProduct.objects.bulk_update(
        changed, ("service_item", "description", "units", "unit_value", "value")
    )
