"""Scheduled tasks."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from croniter import croniter
from django_q.models import Schedule, Task

from accounts.schedules import SCHEDULES, ensure_schedules
from accounts.tasks import prune_queue
from lib import clock


def rows() -> set[tuple[str, str, str]]:
    return set(Schedule.objects.values_list("name", "func", "cron"))


@pytest.mark.django_db
def test_the_schedules_in_the_database_are_those_of_the_list():
    for name, task in (("de outra versão", "x.y"), (SCHEDULES[0].name, "x.antiga")):
        Schedule.objects.create(name=name, func=task, schedule_type=Schedule.CRON, cron="0 0 1 1 *")

    ensure_schedules()

    assert rows() == {(entry.name, entry.task, entry.cron) for entry in SCHEDULES}


@pytest.mark.django_db
def test_repeating_keeps_what_is_planned():
    ensure_schedules()
    before = list(Schedule.objects.order_by("pk").values())

    ensure_schedules()

    assert list(Schedule.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("entry", SCHEDULES, ids=[entry.task for entry in SCHEDULES])
def test_each_schedule_names_a_task_and_a_time(entry):
    module, _, name = entry.task.rpartition(".")

    assert croniter.is_valid(entry.cron)
    assert callable(getattr(import_module(module), name))


@pytest.mark.django_db
def test_records_of_the_queue_are_dropped_after_a_week():
    for days in (1, 8):
        at = clock.now() - timedelta(days=days)
        Task.objects.create(
            id=f"{days:032d}", name=str(days), func="f", started=at, stopped=at, success=True
        )

    assert prune_queue() == 1
    assert [task.name for task in Task.objects.all()] == ["1"]
