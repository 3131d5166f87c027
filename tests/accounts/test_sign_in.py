"""What may be tried only so often, and the door of the staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from factories import MembershipFactory
from support.invoices import in_threads

from accounts.models import Attempt, AuditEvent, UserSession
from accounts.services import attempts, sessions
from accounts.tasks import purge_sign_in
from lib import clock

PASSWORD = "uma senha comprida"
MINUTE = timedelta(minutes=1)


def enter(email: str, password: str = PASSWORD) -> Any:
    return Client().post("/admin/login/", {"username": email, "password": password})


@pytest.mark.django_db
def test_the_window_slides_and_what_is_refused_does_not_count() -> None:
    tries = [attempts.begin("x", "ana", limit=3, within=MINUTE) for _ in range(5)]
    other = attempts.begin("x", "bia", limit=3, within=MINUTE)
    kind = attempts.begin("y", "ana", limit=3, within=MINUTE)
    first = Attempt.objects.order_by("pk")[0]
    Attempt.objects.filter(pk=first.pk).update(at=clock.now() - MINUTE)
    again = [attempts.begin("x", "ANA ", limit=3, within=MINUTE) for _ in range(2)]

    assert tries == [True, True, True, False, False]
    assert (other, kind) == (True, True)
    assert again == [True, False]
    assert not Attempt.objects.filter(key__contains="ana").exists()


@pytest.mark.django_db(transaction=True)
def test_of_tries_that_come_together_no_more_than_the_limit_pass() -> None:
    passed = in_threads([lambda: attempts.begin("x", "ana", limit=3, within=MINUTE)] * 8)

    assert sum(one is True for one in passed) <= 3


@pytest.mark.django_db
def test_five_failures_close_the_door_of_the_staff_for_fifteen_minutes(account: Any) -> None:
    user = MembershipFactory(account=account, user__password=PASSWORD).user
    for _ in range(5):
        assert "E-mail ou senha incorretos." in enter(user.email, "errada").content.decode()

    refused = enter(user.email)

    assert "Muitas tentativas. Tente de novo em 15 minutos." in refused.content.decode()
    assert AuditEvent.objects.filter(action="login.falha").count() == 5
    [event] = AuditEvent.objects.filter(action="login.bloqueado")
    assert (event.actor_kind, event.after) == ("user", {"origem": "equipe"})
    Attempt.objects.update(at=clock.now() - timedelta(minutes=15, seconds=1))
    assert enter(user.email).status_code == 302
    assert not Attempt.objects.filter(kind="login").exists()


@pytest.mark.django_db
def test_old_tries_and_sessions_are_forgotten(account: Any) -> None:
    user = MembershipFactory(account=account).user
    now = clock.now()
    for days in (0, 2):
        Attempt.objects.create(kind="x", key=str(days), at=now - timedelta(days=days))
    for days in (1, 32):
        UserSession.objects.create(
            user=user, digest=str(days), created_at=now, seen_at=now - timedelta(days=days)
        )

    assert purge_sign_in() == 2
    assert purge_sign_in() == 0
    assert Attempt.objects.get().key == "0"
    assert UserSession.objects.get().digest == "1"


@pytest.mark.django_db
def test_a_session_of_the_back_office_opens_no_portal(account: Any) -> None:
    client = Client()
    client.force_login(MembershipFactory(account=account).user)

    answer = client.get("/central/")

    assert answer["Location"].startswith("/central/entrar/")
    assert client.get("/central/entrar/").status_code == 200
    assert client.get("/admin/").status_code == 200
    assert timedelta(minutes=15) == sessions.FRESH
