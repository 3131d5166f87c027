"""The catalogue of services (billing-api §2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, models, transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import InUse
from billing.messages import TAKEN, TOO_HIGH
from billing.models import (
    InvoiceLine,
    PlanProduct,
    RuleService,
    ScheduledUpdate,
    ServiceItem,
    TemplateService,
    Transaction,
)
from lib.errors import FieldError, InvalidInput
from lib.money import half_up

_CEILING = Decimal(10) ** 11  # what the column holds
_TEXTS = ("name", "description")
# Whatever refers to the catalogue; the largest table last.
_USES: tuple[type[models.Model], ...] = (
    RuleService, TemplateService, PlanProduct, ScheduledUpdate, Transaction, InvoiceLine,
)  # fmt: skip


class ServiceItemInUse(InUse):
    mensagem = (
        "Não foi possível apagar este serviço. "
        "Verifique se há faturamentos ou planos associados ao mesmo."
    )


@transaction.atomic
def create_service_item(
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> ServiceItem:
    """Create a service from the attributes sent; without `value` it is worth 0 (BRL, 4 decimals).

    `faults` were found while reading; all faults are refused together. Raises InvalidInput.
    """
    return _save(ServiceItem(account=account), values, actor=actor, faults=faults)


@transaction.atomic
def update_service_item(
    item_id: int,
    values: Mapping[str, Any],
    *,
    account: Account,
    actor: Actor,
    faults: Sequence[FieldError] = (),
) -> ServiceItem:
    """Change the attributes sent; invoices and rules keep what they copied.

    Raises NotFound or InvalidInput.
    """
    item = ServiceItem.objects.select_for_update(no_key=True).get_of(account, pk=item_id)
    return _save(item, values, actor=actor, faults=faults)


@transaction.atomic
def delete_service_item(item_id: int, *, account: Account, actor: Actor) -> None:
    """Delete a service that nothing refers to. Raises NotFound or ServiceItemInUse."""
    # Nobody can commit a new reference until we do; those that committed before are seen below.
    item = ServiceItem.objects.select_for_update().get_of(account, pk=item_id)
    # One row of each is enough to know: deleting would load every row that refers to the service.
    if any(model._default_manager.filter(service_item=item).exists() for model in _USES):
        raise ServiceItemInUse()
    record(account, actor=actor, action="servico.excluido", target=item, before={"name": item.name})
    item.delete()


def _save(
    item: ServiceItem,
    values: Mapping[str, Any],
    *,
    actor: Actor,
    faults: Sequence[FieldError],
) -> ServiceItem:
    is_new = item.pk is None
    found = [*faults, *_rules(item, values)]
    if found:
        raise InvalidInput(erros=found)
    for name in _TEXTS:
        if name in values:
            item.keep_text(name, values[name])
    if "value" in values:
        item.value = half_up(values["value"] or Decimal(0), 4)
    try:
        with transaction.atomic():
            item.save()
    except IntegrityError as error:  # another request took the name meanwhile
        raise InvalidInput(erros=[FieldError("name", TAKEN)]) from error
    action = "servico.criado" if is_new else "servico.alterado"
    after = {"campos": sorted(values), "name": item.name, "value": item.value}
    record(item.account, actor=actor, action=action, target=item, after=after)
    return item


def _rules(item: ServiceItem, values: Mapping[str, Any]) -> list[FieldError]:
    """What the values break, besides what could not be read."""
    found = []
    if values.get("name") and _is_taken(item, values["name"]):
        found.append(FieldError("name", TAKEN))
    # Reading looks at the number as sent; rounding may make it one digit longer.
    if abs(half_up(values.get("value") or Decimal(0), 4)) >= _CEILING:
        found.append(FieldError("value", TOO_HIGH))
    return found


def _is_taken(item: ServiceItem, name: str) -> bool:
    others = ServiceItem.objects.of(item.account).exclude(pk=item.pk)
    return bool(others.filter(name=name).exists())
