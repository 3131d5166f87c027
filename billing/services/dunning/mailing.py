"""The ruler's e-mails: one a day to a customer, about all that is due then (DUN-4, DUN-7).

What one message tells has one `batch`, made of the customer, the organization and the day. It is
written down before the message is queued under a key of it, and the key is unique: whoever is cut
between the two finds the message, or queues it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from accounts.models import Account
from billing.errors import EmailNoContact, EmailSuppressed
from billing.models import EmailMessage, EmailTemplate, Receivable, RulerExecution
from billing.services.dunning import outcomes
from billing.services.dunning.standing import OVERTAKEN, Judge, fresh
from billing.services.dunning.terms import start_of
from billing.services.emails.automatic import send_for_dunning
from billing.services.preferences import Event, wants

NOT_WANTED = "O cliente desligou este aviso."
ONE_A_DAY = "O cliente já recebeu um aviso hoje."
_NAMES = uuid.UUID("6f0c5d1e-5f0a-5b61-9a43-3d9f3f0f7a10")


def write(letters: Sequence[RulerExecution], *, judge: Judge, customer_id: int) -> int:
    """Send what is due of a customer as one message; answers how many steps are done.

    `letters` are pending, in order. Outside of any transaction. Raises what composing raises, when
    nothing was sent.
    """
    left = _finish_begun(letters)
    parcels = {one.receivable_id: fresh(one.receivable_id) for one in left}
    asked = [(one, judge.judge(one, parcels[one.receivable_id])) for one in left]
    ready = _latest([one for one, verdict in asked if outcomes.follow(one, verdict)])
    ready = _wanted(ready, parcels, judge.moment.day, customer_id)
    if ready and _was_told(judge.account, customer_id, judge.moment.day):
        for execution in ready:
            outcomes.wait(execution, ONE_A_DAY, until=judge.tomorrow)
    elif ready:
        _send(ready, [parcels[one.receivable_id] for one in ready], judge, customer_id)
    return sum(one.state == RulerExecution.State.DONE for one in letters)


def batch_of(organization_id: int, customer_id: int, day: date) -> uuid.UUID:
    """What is common to all that a customer is told on a day."""
    return uuid.uuid5(_NAMES, f"{organization_id}:{customer_id}:{day.isoformat()}")


def _send(
    ready: Sequence[RulerExecution],
    parcels: Sequence[Receivable],
    judge: Judge,
    customer_id: int,
) -> None:
    batch = batch_of(judge.organization_id, customer_id, judge.moment.day)
    outcomes.put_together(ready, batch)
    try:
        send_for_dunning(
            parcels,
            key=batch.hex,
            template=_template(ready),
            is_overdue=any(one.due_date < judge.moment.day for one in parcels),
        )
    except (EmailNoContact, EmailSuppressed) as error:
        for execution in ready:
            outcomes.fail(execution, error.mensagem)
        return
    _link(ready, judge.account, batch)


def _template(ready: Iterable[RulerExecution]) -> EmailTemplate | None:
    """The text of the step that is furthest from its due date speaks for all of them."""
    ordered = sorted((one.step for one in ready), key=lambda step: step.offset_days, reverse=True)
    return next((step.template for step in ordered if step.template is not None), None)


def _latest(ready: Sequence[RulerExecution]) -> list[RulerExecution]:
    """One step for each parcel: an older one may have waited until a later one was selected."""
    last = {one.receivable_id: one for one in ready}  # they come in their order
    for execution in ready:
        if last[execution.receivable_id] is not execution:
            outcomes.skip(execution, OVERTAKEN)
    return list(last.values())


def _wanted(
    ready: Sequence[RulerExecution],
    parcels: Mapping[int, Receivable],
    day: date,
    customer_id: int,
) -> list[RulerExecution]:
    """Those that the customer wants to be told (P18); the others are over."""
    left = []
    for execution in ready:
        if wants(customer_id, _event(parcels[execution.receivable_id].due_date, day)):
            left.append(execution)
        else:
            outcomes.skip(execution, NOT_WANTED)
    return left


def _event(due: date, day: date) -> Event:
    if due == day:
        return Event.DUE_TODAY
    return Event.BEFORE_DUE if due > day else Event.OVERDUE


def _finish_begun(letters: Sequence[RulerExecution]) -> list[RulerExecution]:
    """Those that nobody had begun; what was queued by a process that was killed then is done."""
    left = []
    for execution in letters:
        queued = _first(execution.account, execution.batch) if execution.batch else None
        if queued is not None and execution.receivable_id in queued.receivables:
            outcomes.done(execution, message_id=queued.pk)
        else:
            left.append(execution)
    return left


def _link(ready: Iterable[RulerExecution], account: Account, batch: uuid.UUID) -> None:
    message = _first(account, batch)
    for execution in ready:
        outcomes.done(execution, message_id=message.pk if message else None)


def _first(account: Account, batch: uuid.UUID) -> EmailMessage | None:
    """The message to the first recipient; those to the others have its `batch` in common."""
    rows = EmailMessage.objects.of(account).filter(key__startswith=f"dunning:{batch.hex}:")
    found: EmailMessage | None = rows.order_by("pk").first()
    return found


def _was_told(account: Account, customer_id: int, day: date) -> bool:
    """Has a ruler, of whichever organization, written to the customer on that local day?"""
    messages = EmailMessage.objects.of(account).filter(
        customer=customer_id,
        trigger=EmailMessage.Trigger.DUNNING,
        created_at__gte=start_of(account, day),
        created_at__lt=start_of(account, day + timedelta(days=1)),
    )
    return messages.exists()
