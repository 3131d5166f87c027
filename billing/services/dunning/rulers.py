"""Making a ruler, switching it on and off (DUN-2, DUN-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.engine import dunning
from billing.errors import CannotActivate
from billing.models import NotificationRuler, Party, RulerStep
from billing.services.dunning.terms import step_terms

DEFAULT_NAME = "Régua padrão"
NO_STEPS = "A régua não tem passos."
BAD_STEP = "Passo {step}: {fault}"


@dataclass(frozen=True)
class _Planned:
    offset: int
    action: str = RulerStep.Action.REMIND
    channel: str = RulerStep.Channel.EMAIL


# DUN-2. The message of +15 warns of the suspension of +20.
_TASKLESS = RulerStep.Channel.NONE
DEFAULT_STEPS = (
    *(_Planned(offset) for offset in (-5, -1, 0, 1, 3, 7, 15)),
    _Planned(20, RulerStep.Action.SUSPEND, _TASKLESS),
    _Planned(30, RulerStep.Action.NEGATIVAR, _TASKLESS),
    _Planned(60, RulerStep.Action.CANCEL_CONTRACT, _TASKLESS),
)


@transaction.atomic
def create_default(organization: Party, *, actor: Actor) -> NotificationRuler:
    """The usual ruler of an organization, switched off until somebody has looked at it.

    Answers the default one that there is, if any.
    """
    account = organization.account
    # Held so that two calls make one.
    Party.objects.select_for_update(no_key=True).get(pk=organization.pk)
    known = NotificationRuler.objects.of(account).filter(organization=organization, is_default=True)
    ruler: NotificationRuler | None = known.first()
    if ruler is not None:
        return ruler
    ruler = NotificationRuler.objects.create(
        account=account, organization=organization, name=DEFAULT_NAME, is_default=True
    )
    RulerStep.objects.bulk_create(
        RulerStep(ruler=ruler, offset_days=one.offset, action=one.action, channel=one.channel)
        for one in DEFAULT_STEPS
    )
    record(account, actor=actor, action="regua.criada", target=ruler, after={"nome": ruler.name})
    return ruler


@transaction.atomic
def activate(
    ruler_id: int,
    *,
    account: Account,
    actor: Actor,
    on: date,
    past: str = NotificationRuler.Past.MESSAGE,
) -> NotificationRuler:
    """Switch a ruler on from the day `on`; of what fell before, only `past` is done.

    Raises NotFound, and CannotActivate for a ruler without steps, with a wrong one, or that is on.
    """
    ruler = _locked(ruler_id, account)
    if ruler.is_active:
        raise CannotActivate()
    check_steps(ruler)
    ruler.is_active, ruler.activated_on = True, on
    ruler.past = NotificationRuler.Past(past)
    ruler.save()
    after = {"desde": on, "passado": ruler.past}
    record(account, actor=actor, action="regua.ativada", target=ruler, after=after)
    return ruler


@transaction.atomic
def deactivate(ruler_id: int, *, account: Account, actor: Actor) -> NotificationRuler:
    """Switch a ruler off: what was selected and not done yet is skipped. Raises NotFound."""
    ruler = _locked(ruler_id, account)
    if ruler.is_active:
        ruler.is_active = False
        ruler.save()
        record(account, actor=actor, action="regua.desativada", target=ruler)
    return ruler


def check_steps(ruler: NotificationRuler) -> None:
    """Raises CannotActivate naming the first step that means nothing."""
    steps = list(ruler.steps.filter(is_active=True).select_related("template", "ruler"))
    if not steps:
        raise CannotActivate(NO_STEPS)
    for step in steps:
        fault = step_fault(step)
        if fault:
            raise CannotActivate(BAD_STEP.format(step=step, fault=fault))


def step_fault(step: RulerStep) -> str:
    """What is wrong with a step, in pt-BR; "" when nothing is."""
    try:
        step_terms(step)
    except ValueError as error:
        return str(error)
    reminds = step.action == RulerStep.Action.REMIND
    contacts = (dunning.EMAIL, dunning.PHONE)
    if reminds and step.channel == RulerStep.Channel.NONE:
        return "Escolha por onde lembrar, ou outra ação."
    if not reminds and step.channel in contacts:
        return "Uma ação não avisa o cliente: faça do aviso um passo próprio."
    if step.template and step.template.organization_id != step.ruler.organization_id:
        return "Escolha um modelo de e-mail da mesma organização."
    return ""


def _locked(ruler_id: int, account: Account) -> NotificationRuler:
    rows = NotificationRuler.objects.select_for_update(of=("self",), no_key=True)
    ruler: NotificationRuler = rows.get_of(account, pk=ruler_id)
    return ruler
