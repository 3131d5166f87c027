"""What a step does beside writing to the customer, each in the transaction that records it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from accounts.services.audit import SYSTEM, record
from billing.models import (
    CollectionTask,
    Contract,
    Payment,
    Receivable,
    RulerExecution,
    RulerStep,
    Suspension,
)
from billing.services.dunning import outcomes
from billing.services.dunning.standing import Judge
from billing.services.dunning.suspensions import suspend
from billing.services.outbox import announce_dunning
from lib.errors import DomainError
from lib.locks import hold

NO_CONTRACT = "A fatura não é de um contrato em vigor, ou ele já está assim."
ALREADY_CHARGED = "O cartão já foi cobrado depois que o passo venceu."


def do(execution: RulerExecution, *, judge: Judge) -> bool:
    """Do a step that is no e-mail, if it may still be done; whether it was.

    The parcel is locked and looked at again, so that a receipt came before, or comes after.
    """
    if execution.step.action == RulerStep.Action.RETRY_CARD:
        return _retry_card(execution, judge)
    with transaction.atomic():
        receivable = locked(execution.receivable_id)
        if not outcomes.stands(execution):  # somebody else has done it meanwhile
            return False
        if not outcomes.follow(execution, judge.judge(execution, receivable)):
            return False
        note = _act_of(execution.step)(execution, receivable, judge.now)
        if execution.step.channel == RulerStep.Channel.WEBHOOK:
            _announce(execution, receivable)
        outcomes.done(execution, note=note)
        return True


def locked(receivable_id: int) -> Receivable:
    """The parcel, locked after its contract: whoever receives goes in this order, too."""
    contracts = Contract.objects.filter(invoices__receivables=receivable_id)
    hold(Contract.objects.filter(pk__in=contracts.values("pk")))
    rows = Receivable.objects.select_related("invoice__customer", "invoice__contract")
    found: Receivable = rows.select_for_update(of=("self",)).get(pk=receivable_id)
    return found


def _retry_card(execution: RulerExecution, judge: Judge) -> bool:
    """The attempt is a payment of its own, which the provider is asked for outside of any lock."""
    from billing.services.payments.card_retries import retry_card

    receivable = Receivable.objects.select_related("invoice__customer").get(
        pk=execution.receivable_id
    )
    if _was_charged(execution):
        # A process that was killed after asking: the payment tells what came of it.
        outcomes.done(execution, note=ALREADY_CHARGED)
        return True
    if not outcomes.follow(execution, judge.judge(execution, receivable)):
        return False
    try:
        payment = retry_card(receivable.pk)
    except DomainError as error:
        outcomes.skip(execution, error.mensagem)
        return False
    outcomes.done(execution, note=f"Cartão: {payment.get_state_display().lower()}.")
    return True


def _was_charged(execution: RulerExecution) -> bool:
    attempts = Payment.objects.filter(
        receivable=execution.receivable_id,
        method=Payment.Method.CARD,
        created_at__gte=execution.created_at,
    )
    return attempts.exists()


def _act_of(step: RulerStep) -> Callable[[RulerExecution, Receivable, datetime], str]:
    if step.action != RulerStep.Action.REMIND:
        return _ACTS[RulerStep.Action(step.action)]
    return _call if step.channel == RulerStep.Channel.PHONE else _nothing_else


def _suspend(execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    return "" if suspend(receivable, kind=Suspension.Kind.SERVICE, at=now) else NO_CONTRACT


def _block(execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    return "" if suspend(receivable, kind=Suspension.Kind.EMISSION, at=now) else NO_CONTRACT


def _call(execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    return _hand_over(CollectionTask.Kind.PHONE, execution, receivable, now)


def _ask_somebody(execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    """What only a person decides, for it is said to third parties or cannot be taken back."""
    kind = CollectionTask.Kind(execution.step.action)
    return _hand_over(kind, execution, receivable, now)


def _nothing_else(execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    """The channel is all there is to the step."""
    return ""


def _hand_over(kind: str, execution: RulerExecution, receivable: Receivable, now: datetime) -> str:
    task, is_new = CollectionTask.objects.get_or_create(
        execution=execution,
        defaults={
            "account_id": execution.account_id,
            "customer_id": receivable.invoice.customer_id,
            "receivable": receivable,
            "kind": kind,
            "created_at": now,
        },
    )
    if is_new:
        after = {"tarefa": kind, "parcela": receivable.pk}
        record(
            execution.account, actor=SYSTEM, action="tarefa_cobranca.criada", target=task,
            after=after,
        )  # fmt: skip
    return ""


def _announce(execution: RulerExecution, receivable: Receivable) -> None:
    step = execution.step
    announce_dunning(
        receivable.invoice,
        {
            "receivable_id": receivable.pk,
            "due_date": execution.cycle.isoformat(),
            "open_value": str(receivable.open_principal),
            "step_id": step.pk,
            "offset_days": step.offset_days,
            "action": step.action,
        },
    )


_ACTS = {
    RulerStep.Action.SUSPEND: _suspend,
    RulerStep.Action.BLOCK_EMISSION: _block,
    RulerStep.Action.NEGATIVAR: _ask_somebody,
    RulerStep.Action.PROTESTAR: _ask_somebody,
    RulerStep.Action.CANCEL_CONTRACT: _ask_somebody,
}
