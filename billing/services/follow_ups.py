"""The work that emitted invoices are owed, done one by one outside any transaction.

A row is taken by moving its next attempt into the future, so a killed worker only delays it. The
attempt is counted when it begins: work that kills its worker each time comes to an end too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Account
from billing.documents.cache import PdfFailed, invoice_pdf
from billing.errors import FollowUpFailed
from billing.models import Charge, FollowUp
from lib import clock
from lib.errors import DomainError
from lib.locks import locked_file
from lib.queue import enqueue

log = logging.getLogger(__name__)

BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
MAX_ATTEMPTS = len(BACK_OFF) + 1
LEASE = timedelta(minutes=5)  # longer than the queue lets a task run
INTERRUPTED = "O processo foi interrompido em todas as tentativas."
UNEXPECTED = "Erro inesperado; veja o registro do servidor."
# Until the boleto is registered it is not offered (BO-1): the e-mail waits for it, so long.
PATIENCE = timedelta(days=2)
LOOK_AGAIN = timedelta(hours=1)


class NotYet(Exception):
    """What the work needs is not there: look again later, and count no attempt."""


class _Taken(NamedTuple):
    """A row that is ours until its `next_attempt_at`; `attempts` counts this one."""

    id: int
    kind: str
    invoice_id: int
    account_id: int
    attempts: int
    next_attempt_at: datetime


def work_off(limit_seconds: float = 90) -> int:
    """Do what is due, the longest waiting first, and start nothing more after `limit_seconds`.

    Answers how many were done. Queues itself again when more is due. Safe to run many times
    together: one that finds no place leaves the work to those that run.
    """
    with _place() as free:
        if not free:
            return 0
        done = _work_until(time.monotonic() + limit_seconds)
    # After the place is given back, or the successor might find none.
    if _due(clock.now()).exists():
        enqueue("billing.tasks.sweep_follow_ups")
    return done


@contextmanager
def _place() -> Iterator[bool]:
    """All workers of this machine but one may do this; the last is for everything else."""
    for n in range(max(1, int(str(settings.Q_CLUSTER["workers"])) - 1)):
        with locked_file("follow-ups", n) as free:
            if free:
                yield True
                return
    yield False


def _work_until(deadline: float) -> int:
    done = 0
    while time.monotonic() < deadline:
        taken = _take(clock.now())
        if taken is None:
            break
        done += _do(taken)
    return done


def _due(now: datetime) -> QuerySet[FollowUp]:
    return FollowUp.objects.filter(state=FollowUp.State.WAITING, next_attempt_at__lte=now)


@transaction.atomic
def _take(now: datetime) -> _Taken | None:
    """The longest waiting row that nobody else is taking, its attempt counted; None at the end."""
    row = (
        _due(now)
        .order_by("next_attempt_at", "id")
        .select_for_update(of=("self",), skip_locked=True)
        .values_list("id", "kind", "invoice_id", "invoice__account_id", "attempts")
        .first()
    )
    if row is None:
        return None
    pk, kind, invoice_id, account_id, attempts = row
    taken = _Taken(pk, kind, invoice_id, account_id, attempts + 1, now + LEASE)
    FollowUp.objects.filter(pk=taken.id).update(
        attempts=taken.attempts, next_attempt_at=taken.next_attempt_at
    )
    return taken


def _do(taken: _Taken) -> bool:
    """One attempt; whether it is done."""
    if taken.attempts > MAX_ATTEMPTS:  # each was begun and none was ended
        _put_off(taken, INTERRUPTED)
        return False
    try:
        _WORK[FollowUp.Kind(taken.kind)](taken)
    except NotYet:
        _keep(taken, next_attempt_at=clock.now() + LOOK_AGAIN, attempts=taken.attempts - 1)
        return False
    except DomainError as error:
        _put_off(taken, _text(error))
        return False
    except Exception:
        # One invoice that nobody foresaw must not keep the others waiting.
        log.exception("follow_up.crashed", extra={"invoice_id": taken.invoice_id})
        _put_off(taken, UNEXPECTED)
        return False
    _keep(taken, state=FollowUp.State.DONE, error="")
    _wake_email(taken)
    return True


def _render_pdf(taken: _Taken) -> None:
    invoice_pdf(taken.invoice_id, account=Account.objects.get(pk=taken.account_id))


def _charge(taken: _Taken) -> None:
    from billing.services.collecting import start_collecting

    start_collecting(taken.invoice_id, Account.objects.get(pk=taken.account_id))


def _send_email(taken: _Taken) -> None:
    """Raises NotYet as long as something that goes with it is being made."""
    from billing.services.emails.automatic import send_emission

    others = FollowUp.objects.filter(invoice_id=taken.invoice_id).exclude(pk=taken.id)
    states = set(others.values_list("state", flat=True))
    if FollowUp.State.WAITING in states or _is_registering(taken):
        raise NotYet
    if FollowUp.State.FAILED in states:
        raise FollowUpFailed()  # EM-4: without them nothing is sent
    send_emission(taken.invoice_id, Account.objects.get(pk=taken.account_id))


def _is_registering(taken: _Taken) -> bool:
    """A boleto of the invoice is on its way to its bank, and has not been for too long."""
    found = Charge.objects.filter(
        receivable__invoice_id=taken.invoice_id,
        kind=Charge.Kind.BOLETO,
        state__in=(Charge.State.DRAFT, Charge.State.REGISTERING),
        created_at__gt=clock.now() - PATIENCE,
    )
    return found.exists()


def _wake_email(taken: _Taken) -> None:
    """The e-mail's turn comes when nothing else of its invoice waits."""
    if taken.kind == FollowUp.Kind.EMAIL:
        return
    waiting = FollowUp.objects.filter(invoice_id=taken.invoice_id, state=FollowUp.State.WAITING)
    email = FollowUp.Kind.EMAIL
    if not waiting.exclude(kind=email).exists():
        now = clock.now()
        waiting.filter(kind=email, next_attempt_at__gt=now).update(next_attempt_at=now)


_WORK = {
    FollowUp.Kind.PDF: _render_pdf,
    FollowUp.Kind.CHARGES: _charge,
    FollowUp.Kind.EMAIL: _send_email,
}


def _put_off(taken: _Taken, error: str) -> None:
    """Try again later, or give up and say why."""
    if taken.attempts < MAX_ATTEMPTS:
        again = clock.now() + BACK_OFF[taken.attempts - 1]
        _keep(taken, next_attempt_at=again, error=error)
        return
    log.warning("follow_up.failed", extra={"invoice_id": taken.invoice_id, "kind": taken.kind})
    _keep(taken, state=FollowUp.State.FAILED, error=error)
    _wake_email(taken)


def _keep(taken: _Taken, **values: object) -> None:
    """Write the outcome unless the row was asked for anew, taken by another or dropped meanwhile.

    `next_attempt_at` tells: it is what we set it to only as long as the row is ours.
    """
    FollowUp.objects.filter(
        pk=taken.id, state=FollowUp.State.WAITING, next_attempt_at=taken.next_attempt_at
    ).update(**values)


def _text(error: DomainError) -> str:
    line = error.line if isinstance(error, PdfFailed) else None
    return error.mensagem if line is None else f"{error.mensagem} (linha {line} do modelo)"
