"""Writing down what became of a step: done, skipped, waiting or failed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F

from billing.models import RulerExecution
from billing.services.dunning.standing import Verdict, Way
from lib import clock

LEASE = timedelta(minutes=10)  # longer than the queue lets a task run
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
)
MAX_ATTEMPTS = len(BACK_OFF) + 1
INTERRUPTED = "O processo foi interrompido em todas as tentativas."
NOTE_LENGTH = 500


def begin(executions: Sequence[RulerExecution], *, now: datetime) -> None:
    """Count an attempt and keep the rows from others: a killed worker only delays them."""
    rows = RulerExecution.objects.filter(pk__in=[one.pk for one in executions])
    rows.update(attempts=F("attempts") + 1, next_attempt_at=now + LEASE)
    for execution in executions:
        execution.attempts += 1


def done(execution: RulerExecution, *, note: str = "", message_id: int | None = None) -> None:
    _close(execution, RulerExecution.State.DONE, note, message_id=message_id)


def skip(execution: RulerExecution, note: str) -> None:
    _close(execution, RulerExecution.State.SKIPPED, note)


def fail(execution: RulerExecution, note: str) -> None:
    _close(execution, RulerExecution.State.FAILED, note)


def wait(execution: RulerExecution, note: str, *, until: datetime) -> None:
    """Ask again then, as if for the first time."""
    _write(execution, next_attempt_at=until, attempts=0, note=note[:NOTE_LENGTH])


def put_off(execution: RulerExecution, note: str) -> None:
    """Try again later, or give up and say why."""
    if execution.attempts >= MAX_ATTEMPTS:
        fail(execution, note)
        return
    again = clock.now() + BACK_OFF[max(0, execution.attempts - 1)]
    _write(execution, next_attempt_at=again, note=note[:NOTE_LENGTH])


def follow(execution: RulerExecution, verdict: Verdict) -> bool:
    """Write down what a verdict says against doing it now; True when it may be done."""
    if verdict.way is Way.SKIP:
        skip(execution, verdict.note)
    elif verdict.way is Way.WAIT and verdict.until is not None:
        wait(execution, verdict.note, until=verdict.until)
    return verdict.way is Way.GO


def put_together(executions: Sequence[RulerExecution], batch: uuid.UUID) -> None:
    """Mark what one message is about to tell, before it is sent."""
    RulerExecution.objects.filter(pk__in=[one.pk for one in executions]).update(batch=batch)


def stands(execution: RulerExecution) -> bool:
    """Is it pending in the database, too? Brings `execution` to the state that is there."""
    rows = RulerExecution.objects.filter(pk=execution.pk).values_list("state", flat=True)
    execution.state = rows.get()
    return is_pending(execution)


def is_pending(execution: RulerExecution) -> bool:
    return bool(execution.state == RulerExecution.State.PENDING)


def _close(
    execution: RulerExecution, state: str, note: str, *, message_id: int | None = None
) -> None:
    closed: dict[str, Any] = {
        "state": state,
        "note": note[:NOTE_LENGTH],
        "done_at": clock.now(),
        "next_attempt_at": None,
    }
    _write(execution, **closed | ({} if message_id is None else {"message_id": message_id}))


def _write(execution: RulerExecution, **values: Any) -> None:
    """Only of a row that is pending: what was decided stays."""
    pending = RulerExecution.objects.filter(pk=execution.pk, state=RulerExecution.State.PENDING)
    pending.update(**values)
    for name, value in values.items():
        setattr(execution, name, value)
