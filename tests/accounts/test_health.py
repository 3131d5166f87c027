"""Health pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from accounts.models import Heartbeat
from accounts.tasks import beat
from lib import clock


@pytest.mark.django_db
def test_the_site_says_that_it_and_its_database_answer(client):
    answer = client.get("/health_check")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_a_database_that_is_away_is_not_health(client, monkeypatch):
    def away(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(connection, "cursor", away)
    client.raise_request_exception = False

    assert client.get("/health_check").status_code == 500


@pytest.mark.django_db
def test_workers_are_unknown_until_their_first_sign(client):
    answer = client.get("/health/worker")

    assert (answer.status_code, answer.json()) == (200, {"status": "unknown"})


@pytest.mark.django_db
def test_workers_that_beat_are_well(client):
    beat()

    answer = client.get("/health/worker")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "age_seconds": 0})


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "status"), [(4, 200), (6, 503)])
def test_five_silent_minutes_are_an_alarm(client, minutes, status):
    at = clock.now() - timedelta(minutes=minutes)
    Heartbeat.objects.create(name="worker", at=at)

    answer = client.get("/health/worker")

    assert answer.status_code == status
    assert answer.json()["status"] == ("ok" if status == 200 else "stalled")
    assert answer.json()["age_seconds"] in (minutes * 60, minutes * 60 + 1)


@pytest.mark.django_db
def test_the_front_page_leads_to_the_back_office(client):
    assert client.get("/")["Location"] == "/admin/"
