"""Which steps of a dunning ruler are due for a debt, and when (DUN-1…4, P-9).

Every step keeps to business days, 8–20 h: messages must (DUN-4), what else is done to a customer
is better done while somebody can be called about it, and so the steps stay in their order.

Pure: a moment is a local day and hour, and a debt is what a step's condition looks at. `latest_due`
and `earliest_due` say the same as `due_steps` as limits of due dates, for selecting by set.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lib.calendars import Calendar

EMAIL, WEBHOOK, PHONE = "email", "webhook", "phone"
REMIND: Final = "remind"
# What is done of the time before a ruler was switched on.
PAST_NOTHING, PAST_MESSAGE, PAST_ALL = "nothing", "message", "all"

OPENS, CLOSES = 8, 20  # DUN-4, local hours; the last one is not included
# Business days after a dispute was rejected (P-9): for contacts, and for whatever is done. What
# follows a suspension waits for it, as steps stay in their order.
RESUMES_AFTER: Final = 1
ACTS_AFTER: Final = 3

_DAY = timedelta(days=1)
_KEYS = {"methods", "min", "max", "consumer"}
NOT_A_CONDITION = "Use um objeto JSON com methods, min, max ou consumer."
BAD_METHODS = "Em methods, liste as formas de pagamento."
BAD_AMOUNT = 'Em min e max, escreva o valor como texto, por exemplo "10.00".'
BAD_RANGE = "O valor mínimo é maior do que o máximo."
BAD_CONSUMER = "Em consumer, use true ou false."


@dataclass(frozen=True)
class Moment:
    """A local day and full hour (0–23)."""

    day: date
    hour: int


@dataclass(frozen=True)
class Debt:
    """What a step's condition looks at: the open amount in BRL, and how it is collected."""

    due: date
    amount: Decimal
    method: str
    is_consumer: bool


@dataclass(frozen=True)
class Condition:
    """Which debts a step is for; None does not narrow. The amounts are included."""

    methods: frozenset[str] | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    is_consumer: bool | None = None

    def fits(self, debt: Debt) -> bool:
        return (
            (self.methods is None or debt.method in self.methods)
            and (self.least is None or debt.amount >= self.least)
            and (self.most is None or debt.amount <= self.most)
            and (self.is_consumer is None or debt.is_consumer == self.is_consumer)
        )


ANY = Condition()


def read_condition(raw: Any) -> Condition:
    """`{"methods": […], "min": "10.00", "max": "99.99", "consumer": true}`, each key optional.

    Raises ValueError with a text in pt-BR.
    """
    if not isinstance(raw, Mapping) or not set(raw) <= _KEYS:
        raise ValueError(NOT_A_CONDITION)
    methods, consumer = raw.get("methods"), raw.get("consumer")
    if methods is not None and not (
        isinstance(methods, list) and methods and all(isinstance(one, str) for one in methods)
    ):
        raise ValueError(BAD_METHODS)
    if consumer is not None and not isinstance(consumer, bool):
        raise ValueError(BAD_CONSUMER)
    least, most = _amount(raw.get("min")), _amount(raw.get("max"))
    if least is not None and most is not None and least > most:
        raise ValueError(BAD_RANGE)
    return Condition(frozenset(methods) if methods else None, least, most, consumer)


def _amount(text: Any) -> Decimal | None:
    if text is None:
        return None
    try:
        found = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        found = None
    if found is None or not found.is_finite() or found < 0:
        raise ValueError(BAD_AMOUNT)
    return found


@dataclass(frozen=True)
class Step:
    """What to do `offset` days from the due date, from `hour` on."""

    id: int
    offset: int
    hour: int
    channel: str
    action: str = REMIND
    condition: Condition = ANY

    @property
    def order(self) -> tuple[int, int, int]:
        return (self.offset, self.hour, self.id)

    @property
    def is_contact(self) -> bool:
        """It reaches the customer and nothing else: of several missed ones, only the latest is due.

        The others change something, and each of them is done.
        """
        return self.action == REMIND


@dataclass(frozen=True)
class Ruler:
    """Steps, and what is done of those that fell before `since`."""

    steps: tuple[Step, ...]
    since: date
    past: str = PAST_MESSAGE

    def goes_back(self, step: Step) -> bool:
        """May the step be done though it fell before the ruler was switched on?"""
        return self.past == PAST_ALL or (self.past == PAST_MESSAGE and step.is_contact)


def planned_on(step: Step, due: date, calendar: Calendar) -> date:
    """The business day a step falls on for a due date, moved forward where it must."""
    return calendar.next_business_day(due + step.offset * _DAY)


def is_open(moment: Moment, calendar: Calendar) -> bool:
    """May anything be done to customers at this moment?"""
    return OPENS <= moment.hour < CLOSES and calendar.is_business_day(moment.day)


def next_opening(moment: Moment, calendar: Calendar) -> Moment:
    """This moment, or the first full hour after it that `is_open`."""
    if is_open(moment, calendar):
        return moment
    before = moment.hour < OPENS
    return Moment(calendar.next_business_day(moment.day if before else moment.day + _DAY), OPENS)


def is_due(step: Step, due: date, moment: Moment, calendar: Calendar) -> bool:
    """Has the step's day and hour come, and is this a moment at which it may be done?"""
    if not is_open(moment, calendar):
        return False
    planned = planned_on(step, due, calendar)
    return planned < moment.day or (planned == moment.day and moment.hour >= step.hour)


def is_old(step: Step, due: date, ruler: Ruler, calendar: Calendar) -> bool:
    """Did the step fall before the ruler was switched on, and is it not done for that?"""
    return planned_on(step, due, calendar) < ruler.since and not ruler.goes_back(step)


def due_steps(
    ruler: Ruler, debt: Debt, moment: Moment, calendar: Calendar, *, done: Container[int] = ()
) -> list[Step]:
    """The steps to do now, in order; `done` are the ids of those done for this due date.

    Of the contacts of one channel only the latest that came due counts, and once it is done the
    earlier ones never are.
    """
    came = [
        step
        for step in sorted(ruler.steps, key=lambda one: one.order)
        if is_due(step, debt.due, moment, calendar) and step.condition.fits(debt)
    ]
    latest = {step.channel: step for step in came if step.is_contact}
    return [
        step
        for step in came
        if (not step.is_contact or latest[step.channel] is step)
        and step.id not in done
        and not is_old(step, debt.due, ruler, calendar)
    ]


def latest_due(step: Step, moment: Moment, calendar: Calendar) -> date | None:
    """The last due date for which the step `is_due`; None when it is due for none."""
    if not is_open(moment, calendar):
        return None
    if moment.hour >= step.hour:
        return moment.day - step.offset * _DAY
    # What was moved to today waits for its hour; what fell on a business day before does not.
    return calendar.previous_business_day(moment.day - _DAY) - step.offset * _DAY


def earliest_due(step: Step, ruler: Ruler, calendar: Calendar) -> date | None:
    """The first due date for which the step is not `is_old`; None when it is old for none."""
    if ruler.goes_back(step):
        return None
    # What falls after the last business day before that day was moved to it.
    first = calendar.previous_business_day(ruler.since - _DAY) + _DAY
    return first - step.offset * _DAY


def replaced_by(step: Step, steps: Sequence[Step]) -> list[Step]:
    """Contacts of the same channel after it: once one of them is due, it is not sent any more."""
    if not step.is_contact:
        return []
    return [
        one
        for one in steps
        if one.is_contact and one.channel == step.channel and one.order > step.order
    ]


def held_since(day: date, *, business_days: int, calendar: Calendar) -> date:
    """A dispute rejected on this day or later still holds on `day` (P-9).

    The n-th business day after the rejection is the first on which it does not.
    """
    return calendar.add_business_days(calendar.previous_business_day(day), 1 - business_days)
