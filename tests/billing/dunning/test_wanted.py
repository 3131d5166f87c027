"""Reminders that a customer turned off are not sent; the rest of the ruler goes on (P18)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.dunning import at, dunning_world, executed

from accounts.services.audit import SYSTEM
from billing.models import EmailMessage, RulerExecution
from billing.services.dunning import turns
from billing.services.dunning.mailing import NOT_WANTED
from billing.services.dunning.selection import select_due
from billing.services.preferences import save_preferences
from lib import clock

pytestmark = pytest.mark.django_db


def test_each_reminder_is_asked_for(account: Any, monkeypatch: Any) -> None:
    world = dunning_world(account, [-3, 0, 1])
    world.step(1, action="negativar")
    only = {"vence_hoje.email"}
    save_preferences(account, world.customer, on=only, actor=SYSTEM)
    world.parcel("2026-08-13")
    for day in ("2026-08-10", "2026-08-13", "2026-08-14"):
        monkeypatch.setattr(clock, "now", lambda day=day: at(day))
        monkeypatch.setattr(clock, "today", lambda tz="", day=day: date.fromisoformat(day))
        select_due(account, now=clock.now())
        turns.work_off()

    assert executed(world) == [(-3, "skipped"), (0, "done"), (1, "skipped"), (1, "done")]
    [sent] = EmailMessage.objects.filter(trigger="dunning")
    assert str(sent.created_at.date()) == "2026-08-13"
    notes = RulerExecution.objects.filter(state="skipped").values_list("note", flat=True)
    assert set(notes) == {NOT_WANTED}
