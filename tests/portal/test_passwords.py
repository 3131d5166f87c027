"""Another password by e-mail (P03)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from support.demo_world import PASSWORD
from support.invoices import in_threads
from support.letters import last_link, letters_to

from accounts.models import Account, Attempt, AuditEvent, User, UserSession
from accounts.services import passwords, second_factor
from billing.models import EmailMessage
from lib import clock, totp

MAIL = "titular@aurora.test"
FORGOT = "/central/senha/esqueci/"
ASKED = "Se houver uma conta com este e-mail, enviaremos as instruções em alguns minutos."
NEW = "outra senha comprida 9"
ABOUT = "Redefinir sua senha"


def ask(email: str = MAIL) -> Any:
    return Client().post(FORGOT, {"email": email}, follow=True)


def test_p03_1_known_and_unknown_are_answered_alike_and_one_gets_a_letter(demo: Account) -> None:
    User.objects.create_user("sem@aurora.test", PASSWORD)
    known = [ask(MAIL.upper())]
    unknown = [
        ask(email) for email in ("ninguem@aurora.test", "sem@aurora.test", "admin@demo.test")
    ]

    for answer in known + unknown:
        assert ASKED in answer.content.decode()
        assert answer.status_code == 200
    [letter] = EmailMessage.objects.filter(subject__contains=ABOUT)
    assert letter.recipient == MAIL
    token = last_link(MAIL).split("/")[4]
    assert token not in letter.body
    assert AuditEvent.objects.filter(action="senha.pedido").count() == 1
    assert "E-mail inválido." in ask("isto não é").content.decode()


def test_three_in_an_hour_and_then_silence(demo: Account) -> None:
    for _ in range(5):
        assert ASKED in ask().content.decode()
    assert len(letters_to(MAIL, about=ABOUT)) == 3
    Attempt.objects.update(at=clock.now() - timedelta(hours=1, seconds=1))
    ask()
    assert len(letters_to(MAIL, about=ABOUT)) == 4


def test_p03_2_the_change_ends_other_sessions_and_keeps_the_second_step(central: Any) -> None:
    other = central()
    user = User.objects.get(email=MAIL)
    secret = second_factor.begin(user)
    step = totp.step_at(clock.real_seconds())
    second_factor.confirm(user, totp.code_of(secret, step - 1))
    ask()
    link = last_link(MAIL)
    for _ in range(2):
        assert Client().get(link).status_code == 200

    client = Client()
    short = client.post(link, {"password": "curta", "again": "curta"})
    unequal = client.post(link, {"password": NEW, "again": NEW + "!"})
    answer = client.post(link, {"password": NEW, "again": NEW}, follow=True)

    assert "Use pelo menos 12 caracteres." in short.content.decode()
    assert "As senhas não são iguais." in unequal.content.decode()
    assert "Senha alterada. Entre com a nova senha." in answer.content.decode()
    away = other.get("/central/")
    assert (away.status_code, away["Location"].partition("?")[0]) == (302, "/central/entrar/")
    assert not UserSession.objects.filter(ended_at=None).exists()
    assert second_factor.is_on(user)
    signed = client.post("/central/entrar/", {"email": MAIL, "password": NEW})
    assert signed["Location"].startswith("/central/entrar/codigo/")
    assert "foi alterada" in letters_to(MAIL)[-1]
    assert AuditEvent.objects.filter(action="senha.alterada").count() == 1
    for answer in (Client().get(link), Client().post(link, {"password": NEW, "again": NEW})):
        assert answer.status_code == 410
        assert "Este link expirou ou já foi usado." in answer.content.decode()


def test_a_lock_after_failures_ends_with_the_new_password(demo: Account) -> None:
    for _ in range(6):
        Client().post("/central/entrar/", {"email": MAIL, "password": "errada errada"})
    ask()
    Client().post(last_link(MAIL), {"password": NEW, "again": NEW})

    assert Client().post("/central/entrar/", {"email": MAIL, "password": NEW}).status_code == 302


def test_links_that_mean_nothing(demo: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    user = User.objects.get(email=MAIL)
    other = User.objects.get(email="titular@boavista.test")
    token = passwords.make_token(user)
    pk, at, mark = token.split("-")
    made_up = [
        f"{other.pk}-{at}-{mark}",
        f"{pk}-{int(at) + 1}-{mark}",
        f"{pk}-{at}-{mark[:-1]}{'0' if mark[-1] != '0' else '1'}",
        f"{'9' * 18}-{at}-{mark}",
        "x",
        token + "-",
    ]
    for one in made_up:
        assert passwords.user_of(one) is None
        assert Client().get(f"/central/senha/redefinir/{one}/").status_code == 410
    assert passwords.user_of(token) == user
    later = clock.now() + timedelta(hours=1, seconds=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert passwords.user_of(token) is None
    monkeypatch.undo()
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert passwords.user_of(token) is None


def test_who_is_signed_in_gets_the_link_too(central: Any) -> None:
    client = central()
    page = client.post("/central/senha/pedir/", follow=True)

    assert f"Enviaremos as instruções para {MAIL}." in page.content.decode()
    assert len(letters_to(MAIL, about=ABOUT)) == 1
    assert client.get("/central/senha/pedir/").status_code == 302
    assert len(letters_to(MAIL, about=ABOUT)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_link_used_by_two_together_changes_the_password_once() -> None:
    user = User.objects.create_user("ana@aurora.test", PASSWORD)
    token = passwords.make_token(user)

    found = in_threads([lambda: passwords.change_by_token(token, NEW)] * 3)

    assert sum(one is not None for one in found) == 1
