"""Which steps of a ruler are due, without a database (DUN-1…4, P-9)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.engine.dunning import (
    BAD_AMOUNT,
    BAD_CONSUMER,
    BAD_METHODS,
    BAD_RANGE,
    NOT_A_CONDITION,
    PAST_ALL,
    PAST_MESSAGE,
    PAST_NOTHING,
    Condition,
    Debt,
    Moment,
    Ruler,
    Step,
    due_steps,
    earliest_due,
    held_since,
    is_due,
    is_old,
    latest_due,
    next_opening,
    planned_on,
    read_condition,
)
from lib.calendars import BR_BANK, Calendar

# 2026-08-10 is a Monday; 2026-09-07, a Monday, is a holiday.
MONDAY = date(2026, 8, 10)
LONG_AGO = date(2020, 1, 1)


def step(pk: int, offset: int, *, hour: int = 9, channel: str = "email", **more: object) -> Step:
    return Step(pk, offset, hour, channel, **more)  # type: ignore[arg-type]


def act(pk: int, offset: int, action: str, *, hour: int = 9) -> Step:
    return Step(pk, offset, hour, "none", action)


def debt(due: date, amount: str = "100.00", method: str = "billet", consumer: bool = False) -> Debt:
    return Debt(due, Decimal(amount), method, consumer)


BEFORE, ON_DAY, AFTER = step(1, -1), step(2, 0), step(3, 3)
SUSPEND, TASK = act(4, 4, "suspend"), act(5, 5, "negativar")
RULER = Ruler((TASK, AFTER, SUSPEND, ON_DAY, BEFORE), since=LONG_AGO)


def ids(found: list[Step]) -> list[int]:
    return [one.id for one in found]


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        # Tuesday the 11th: nothing on Friday, the first on Monday at nine.
        (date(2026, 8, 11), Moment(date(2026, 8, 7), 19), []),
        (date(2026, 8, 11), Moment(MONDAY, 8), []),
        (date(2026, 8, 11), Moment(MONDAY, 9), [1]),
        (date(2026, 8, 11), Moment(MONDAY, 19), [1]),
        (date(2026, 8, 11), Moment(MONDAY, 20), []),  # too late in the day
        (date(2026, 8, 11), Moment(date(2026, 8, 11), 8), [1]),  # not yet the hour of the next
        (date(2026, 8, 11), Moment(date(2026, 8, 11), 9), [2]),
        # Due on Sunday: both fall on the weekend, and the later one is sent on Monday.
        (date(2026, 8, 9), Moment(date(2026, 8, 8), 10), []),
        (date(2026, 8, 9), Moment(date(2026, 8, 9), 10), []),
        (date(2026, 8, 9), Moment(MONDAY, 8), []),
        (date(2026, 8, 9), Moment(MONDAY, 9), [2]),
        # Missed for weeks: the last message only, and every action in its order.
        (date(2026, 8, 3), Moment(MONDAY, 10), [3, 4, 5]),
        # Nothing on a holiday.
        (date(2026, 9, 1), Moment(date(2026, 9, 7), 10), []),
        (date(2026, 9, 1), Moment(date(2026, 9, 8), 10), [3, 4, 5]),
        # An early hour is kept on the day itself, not on those after it.
        (date(2026, 8, 5), Moment(MONDAY, 8), [2]),
        (date(2026, 8, 3), Moment(MONDAY, 8), [3, 4]),
    ],
)
def test_a_step_is_due_on_business_days_in_opening_hours(due, now, expected):
    assert ids(due_steps(RULER, debt(due), now, BR_BANK)) == expected


def test_a_message_that_was_overtaken_is_never_sent():
    owed, now = debt(date(2026, 8, 6)), Moment(MONDAY, 10)

    assert ids(due_steps(RULER, owed, now, BR_BANK)) == [3, 4]
    assert ids(due_steps(RULER, owed, now, BR_BANK, done={3})) == [4]
    assert ids(due_steps(RULER, owed, now, BR_BANK, done={3, 4})) == []


def test_each_channel_has_its_own_latest_message():
    ruler = Ruler((step(1, 0), step(2, 1, channel="phone"), step(3, 2)), since=LONG_AGO)

    assert ids(due_steps(ruler, debt(date(2026, 8, 3)), Moment(MONDAY, 10), BR_BANK)) == [2, 3]


@pytest.mark.parametrize(
    ("past", "expected"),
    [(PAST_NOTHING, []), (PAST_MESSAGE, [3]), (PAST_ALL, [3, 4, 5])],
)
def test_a_ruler_switched_on_over_old_debts_sends_no_flood(past, expected):
    ruler = Ruler(RULER.steps, since=MONDAY, past=past)

    assert ids(due_steps(ruler, debt(date(2023, 1, 10)), Moment(MONDAY, 10), BR_BANK)) == expected


def test_a_step_moved_to_the_day_of_activation_is_not_old():
    ruler = Ruler(RULER.steps, since=MONDAY, past=PAST_NOTHING)

    # +4 fell on Friday the 7th; +5, a Saturday, was moved to Monday.
    found = due_steps(ruler, debt(date(2026, 8, 3)), Moment(MONDAY, 10), BR_BANK)
    assert ids(found) == [5]


CONSUMER, BIG, BY_CARD = (
    Condition(is_consumer=True),
    Condition(least=Decimal("50.00"), most=Decimal("100.00")),
    Condition(methods=frozenset({"payment_gateway"})),
)


@pytest.mark.parametrize(
    ("condition", "owed", "fits"),
    [
        (CONSUMER, debt(MONDAY, consumer=True), True),
        (CONSUMER, debt(MONDAY), False),
        (BIG, debt(MONDAY, "49.99"), False),
        (BIG, debt(MONDAY, "50.00"), True),
        (BIG, debt(MONDAY, "100.00"), True),
        (BIG, debt(MONDAY, "100.01"), False),
        (BY_CARD, debt(MONDAY, method="payment_gateway"), True),
        (BY_CARD, debt(MONDAY), False),
    ],
)
def test_a_condition_narrows_what_a_step_is_for(condition, owed, fits):
    assert condition.fits(owed) is fits


def test_a_message_for_others_overtakes_nothing():
    ruler = Ruler((step(1, 0), step(2, 1, condition=BY_CARD)), since=LONG_AGO)
    owed = debt(date(2026, 8, 3))

    assert ids(due_steps(ruler, owed, Moment(MONDAY, 10), BR_BANK)) == [1]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ([], NOT_A_CONDITION),
        ({"tags": ["vip"]}, NOT_A_CONDITION),
        ({"methods": "billet"}, BAD_METHODS),
        ({"methods": []}, BAD_METHODS),
        ({"methods": [1]}, BAD_METHODS),
        ({"min": 10}, BAD_AMOUNT),
        ({"min": "dez"}, BAD_AMOUNT),
        ({"max": "NaN"}, BAD_AMOUNT),
        ({"max": "-1.00"}, BAD_AMOUNT),
        ({"min": "2.00", "max": "1.00"}, BAD_RANGE),
        ({"consumer": "sim"}, BAD_CONSUMER),
    ],
)
def test_a_condition_that_means_nothing_is_refused_with_its_reason(raw, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        read_condition(raw)


def test_a_condition_is_read_from_what_is_stored():
    raw = {"methods": ["billet", "pix"], "min": "10.00", "max": "99.99", "consumer": False}

    assert read_condition({}) == Condition()
    assert read_condition(raw) == Condition(
        frozenset({"billet", "pix"}), Decimal("10.00"), Decimal("99.99"), False
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Moment(MONDAY, 8), Moment(MONDAY, 8)),
        (Moment(MONDAY, 19), Moment(MONDAY, 19)),
        (Moment(MONDAY, 20), Moment(date(2026, 8, 11), 8)),
        (Moment(MONDAY, 3), Moment(MONDAY, 8)),
        (Moment(date(2026, 8, 8), 3), Moment(MONDAY, 8)),
        (Moment(date(2026, 8, 7), 23), Moment(MONDAY, 8)),
        (Moment(date(2026, 9, 4), 21), Moment(date(2026, 9, 8), 8)),
    ],
)
def test_what_comes_outside_of_opening_hours_waits_for_the_next(now, expected):
    assert next_opening(now, BR_BANK) == expected


@pytest.mark.parametrize(
    ("rejected", "day", "resumes", "suspends"),
    [
        # Rejected on Monday: messages from Tuesday, a suspension from Thursday.
        (MONDAY, MONDAY, False, False),
        (MONDAY, date(2026, 8, 11), True, False),
        (MONDAY, date(2026, 8, 12), True, False),
        (MONDAY, date(2026, 8, 13), True, True),
        # On a Saturday: Monday, and Wednesday.
        (date(2026, 8, 8), date(2026, 8, 9), False, False),
        (date(2026, 8, 8), MONDAY, True, False),
        (date(2026, 8, 8), date(2026, 8, 11), True, False),
        (date(2026, 8, 8), date(2026, 8, 12), True, True),
    ],
)
def test_a_rejected_dispute_holds_for_business_days(rejected, day, resumes, suspends):
    assert (rejected < held_since(day, business_days=1, calendar=BR_BANK)) is resumes
    assert (rejected < held_since(day, business_days=3, calendar=BR_BANK)) is suspends


CALENDAR = Calendar("br_bank", frozenset({date(2026, 8, 12)}))
DAYS = st.dates(date(2026, 7, 1), date(2026, 10, 31))
STEPS = st.builds(
    Step,
    st.integers(1, 9),
    st.integers(-10, 30),
    st.integers(8, 19),
    st.sampled_from(["email", "phone"]),
    st.sampled_from(["remind", "suspend", "retry_card"]),
)


@settings(max_examples=150, deadline=None)
@given(STEPS, DAYS, st.integers(0, 23), DAYS, DAYS, st.sampled_from(["nothing", "message", "all"]))
def test_the_limits_of_due_dates_say_what_the_steps_say(one, day, hour, due, since, past):
    now, ruler = Moment(day, hour), Ruler((one,), since, past)

    last, first = latest_due(one, now, CALENDAR), earliest_due(one, ruler, CALENDAR)

    assert is_due(one, due, now, CALENDAR) is (last is not None and due <= last)
    assert is_old(one, due, ruler, CALENDAR) is (first is not None and due < first)


@settings(max_examples=60, deadline=None)
@given(STEPS, DAYS)
def test_a_planned_day_is_the_first_on_which_the_step_is_due(one, due):
    planned = planned_on(one, due, CALENDAR)

    assert is_due(one, due, Moment(planned, one.hour), CALENDAR)
    assert not is_due(one, due, Moment(planned, one.hour - 1), CALENDAR)
    assert not is_due(one, due, Moment(planned - timedelta(days=1), 19), CALENDAR)
