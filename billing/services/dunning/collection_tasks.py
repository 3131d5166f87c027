"""What a person did about a debt that the ruler put before them."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from billing.errors import TaskClosed
from billing.models import CollectionTask
from lib import clock


@transaction.atomic
def close_task(
    task_id: int, *, account: Account, actor: Actor, state: str, note: str = ""
) -> CollectionTask:
    """Say that a task is done, or dropped. Raises NotFound, and TaskClosed when it was said."""
    rows = CollectionTask.objects.select_for_update(of=("self",))
    task: CollectionTask = rows.get_of(account, pk=task_id)
    if task.state != CollectionTask.State.OPEN:
        raise TaskClosed()
    task.state = CollectionTask.State(state)
    task.note, task.recorded_by, task.closed_at = note, actor.label, clock.now()
    task.save()
    after = {"situacao": task.state, "observacao": note}
    record(account, actor=actor, action="tarefa_cobranca.encerrada", target=task, after=after)
    return task
