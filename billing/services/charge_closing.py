"""Stopping what collects a receivable that needs collecting no more (INV-9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from billing.models import Charge, Receivable
from lib.bulk import update_rows

WRITE_OFF = "write_off"  # Charge.instruction: the bank is still to be told


def close_charges(
    receivables: Iterable[Receivable], *, at: datetime, but: Charge | None = None
) -> list[Charge]:
    """Close every live charge of locked receivables except `but`; answers those it closed.

    What the bank may know of is being cancelled from now on: shown to nobody, and its provider is
    told by the sweep or by the next remessa. A draft that nobody has seen is cancelled at once.
    """
    live = Charge.objects.select_for_update().filter(
        receivable__in=[r.pk for r in receivables], state__in=(*Charge.LIVE, Charge.State.EXPIRED)
    )
    closed = [one for one in live.order_by("id") if but is None or one.pk != but.pk]
    for charge in closed:
        if charge.state == Charge.State.DRAFT:
            charge.cancel(at=at)
        else:
            charge.ask_cancellation()
            charge.instruction = WRITE_OFF
            charge.attempts = 0
            charge.next_attempt_at = at
    columns = ("id", "state", "closed_at", "next_attempt_at", "instruction", "attempts")
    update_rows(Charge, columns, [[getattr(one, name) for name in columns] for one in closed])
    return closed
