"""Waking the task that talks to banks, once the present transaction is committed."""

from __future__ import annotations

from accounts.services import calls
from billing.models import Charge

TASK = "billing.tasks.sweep_boletos"


def nudge(*charges: Charge) -> None:
    """A lost nudge only delays: the task is also run by the clock."""
    if any(one.gateway_id is not None and one.next_attempt_at is not None for one in charges):
        calls.call_after_commit(TASK)
