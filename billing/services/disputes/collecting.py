"""What a dispute does to collecting: it pauses, and afterwards asks for no lateness (P-8, P-9)."""

from __future__ import annotations

from datetime import date

from accounts.services.audit import Actor
from billing.models import Dispute, DunningPause, Receivable
from billing.services.disputes import terms
from billing.services.dunning import pauses


def hold_back(dispute: Dispute, *, actor: Actor) -> None:
    """Collect nothing of the invoice by itself; it stays payable."""
    rows = dispute.invoice.receivables.filter(state=Receivable.State.TO_RECEIVE)
    for receivable_id in rows.order_by("position").values_list("pk", flat=True):
        pauses.pause(
            receivable_id,
            account=dispute.account,
            actor=actor,
            reason=DunningPause.Reason.DISPUTE,
            note=dispute.protocol,
        )


def go_on(dispute: Dispute, *, actor: Actor) -> None:
    """Collect again, from the next business day on (the pauses tell when they were lifted)."""
    live = DunningPause.objects.of(dispute.account).filter(
        receivable__invoice=dispute.invoice_id,
        reason=DunningPause.Reason.DISPUTE,
        lifted_at=None,
    )
    for pause_id in live.order_by("pk").values_list("pk", flat=True):
        pauses.lift(pause_id, account=dispute.account, actor=actor)


def forgive_lateness(dispute: Dispute, *, today: date) -> date | None:
    """Let what is open be paid as if in time for some business days; answers the last of them.

    The invoice is locked. None when nothing is open, or the organization gives no such days.
    """
    until = terms.grace_until(dispute.invoice, today=today)
    if until is None:
        return None
    still_open = dispute.invoice.receivables.filter(state=Receivable.State.TO_RECEIVE)
    return until if still_open.update(grace_until=until) else None
