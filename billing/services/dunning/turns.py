"""Doing what was selected, one customer after the other, outside of any transaction.

One process at a time works for an account, so what a customer is told in a day is decided in one
place (DUN-4). A row is taken by moving its next attempt into the future: a killed worker delays
it, and neither loses nor repeats it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from django.db.models import QuerySet

from accounts.models import Account
from billing.models import RulerExecution, RulerStep
from billing.services.dunning import acts, mailing, outcomes
from billing.services.dunning.selection import select_due
from billing.services.dunning.standing import Judge
from billing.services.dunning.stopping import sweep
from lib import clock
from lib.errors import DomainError, GatewayUnavailable
from lib.locks import exclusive
from lib.queue import enqueue

log = logging.getLogger(__name__)

LOCK = "dunning.turns"
UNEXPECTED = "Erro inesperado; veja o registro do servidor."
NO_ANSWER = "O serviço consultado não respondeu."


def run() -> int:
    """Select what is due in every active account and begin to do it; answers how many are new."""
    found = 0
    for account in Account.objects.filter(is_active=True).order_by("id"):
        sweep(account)
        found += select_due(account, now=clock.now())
    if found:
        enqueue("billing.tasks.work_off_dunning")
    return found


def work_off(limit_seconds: float = 90) -> int:
    """Do what is due, and begin nothing more after `limit_seconds`; answers how many were done.

    Queues itself again when more is due. Safe to run many times together.
    """
    deadline = time.monotonic() + limit_seconds
    waiting = due(clock.now()).order_by("account_id").values_list("account_id", flat=True)
    done, is_more = 0, False
    for account in Account.objects.filter(pk__in=list(waiting.distinct()), is_active=True):
        with exclusive(LOCK, account.pk) as free:
            if not free:  # another one is at it, and queues itself
                continue
            done += _work_for(account, deadline)
            is_more = is_more or due(clock.now()).filter(account=account).exists()
    if is_more and time.monotonic() >= deadline:
        enqueue("billing.tasks.work_off_dunning")
    return done


def due(now: datetime) -> QuerySet[RulerExecution]:
    return RulerExecution.objects.filter(
        state=RulerExecution.State.PENDING, next_attempt_at__lte=now
    )


def _work_for(account: Account, deadline: float) -> int:
    done = 0
    while time.monotonic() < deadline:
        first = due(clock.now()).filter(account=account).order_by("next_attempt_at", "id").first()
        if first is None:
            break
        done += turn(first)
    return done


def turn(first: RulerExecution) -> int:
    """Everything that is due of the customer of `first` and its organization."""
    now = clock.now()
    invoice = first.receivable.invoice
    executions = list(
        due(now)
        .filter(
            receivable__invoice__customer=invoice.customer_id,
            receivable__invoice__organization=invoice.organization_id,
        )
        .select_related("account", "step__ruler", "step__template", "receivable")
        .order_by("cycle", "receivable_id", "step__offset_days", "step__hour", "step_id")
    )
    outcomes.begin(executions, now=now)
    for execution in executions:
        if execution.attempts > outcomes.MAX_ATTEMPTS:  # each was begun, and none was ended
            outcomes.fail(execution, outcomes.INTERRUPTED)
    left = [one for one in executions if outcomes.is_pending(one)]
    judge = Judge(first.account, invoice.organization_id, now)
    letters = [one for one in left if is_letter(one.step)]
    done = _act([one for one in left if not is_letter(one.step)], judge)
    return done + (_write(letters, judge, invoice.customer_id) if letters else 0)


def is_letter(step: RulerStep) -> bool:
    """Is the step an e-mail, which is merged with others of the day?"""
    return step.action == RulerStep.Action.REMIND and step.channel == RulerStep.Channel.EMAIL


def _act(executions: Sequence[RulerExecution], judge: Judge) -> int:
    """Each parcel's steps in their order; those after one that waits wait with it (DUN-3)."""
    done = 0
    for _, of_parcel in groupby(executions, key=lambda one: one.receivable_id):
        steps = list(of_parcel)
        for at, execution in enumerate(steps):
            done += _safely(execution, judge)
            if outcomes.is_pending(execution):
                for later in steps[at + 1 :]:
                    until = execution.next_attempt_at or judge.now + outcomes.LEASE
                    outcomes.wait(later, execution.note, until=until)
                break
    return done


def _safely(execution: RulerExecution, judge: Judge) -> bool:
    try:
        return acts.do(execution, judge=judge)
    except DomainError as error:
        outcomes.fail(execution, error.mensagem)
    except GatewayUnavailable:
        outcomes.put_off(execution, NO_ANSWER)
    except Exception:
        # One debt that nobody foresaw must not keep the others waiting.
        log.exception("dunning.crashed", extra={"execution_id": execution.pk})
        outcomes.put_off(execution, UNEXPECTED)
    return False


def _write(letters: Sequence[RulerExecution], judge: Judge, customer_id: int) -> int:
    try:
        return mailing.write(letters, judge=judge, customer_id=customer_id)
    except DomainError as error:
        told = error.mensagem
    except GatewayUnavailable:
        told = NO_ANSWER
    except Exception:
        log.exception("dunning.crashed", extra={"execution_id": letters[0].pk})
        told = UNEXPECTED
    for execution in letters:
        if outcomes.is_pending(execution) and execution.batch is not None:
            outcomes.put_off(execution, told)
    return 0
