"""Verification in two steps and open sessions (P04)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import lxml.html
import pytest
from django.test import Client
from support.demo_world import PASSWORD
from support.invoices import in_threads

from accounts.models import (
    Account,
    Attempt,
    AuditEvent,
    RecoveryCode,
    SecondFactor,
    User,
    UserSession,
)
from accounts.services import second_factor
from lib import clock, totp

MAIL = "titular@aurora.test"
SETUP = "/central/seguranca/duas-etapas/"
CHALLENGE = "/central/entrar/codigo/"
WRONG = "Código incorreto ou expirado. Confira o relógio do celular."


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The real clock stands still, and is moved by seconds."""
    at = [1_800_000_000.0]
    monkeypatch.setattr(clock, "real_seconds", lambda: at[0])

    def move(seconds: float) -> None:
        at[0] += seconds

    return move


def tree(answer: Any) -> Any:
    return lxml.html.fromstring(answer.content.decode())


def code_now(secret: str, *, steps: int = 0) -> str:
    return totp.code_of(secret, totp.step_at(clock.real_seconds()) + steps)


def switch_on(client: Client) -> tuple[str, list[str]]:
    """(secret, recovery codes), as the pages show them."""
    client.post(SETUP)
    page = tree(client.get(SETUP))
    [secret] = page.xpath("//input[@id='segredo']/@value")
    done = tree(client.post(SETUP, {"code": code_now(secret)}))
    return secret, done.xpath("//li[@class='codigo']/text()")


def sign_in(email: str = MAIL, **more: Any) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/central/entrar/", {"email": email, "password": PASSWORD, **more})


def audited(action: str) -> int:
    return AuditEvent.objects.filter(action=action).count()


def test_p04_1_and_3_switched_on_the_code_is_asked_for_before_everything(
    central: Any, moment: Any
) -> None:
    first = central()
    first.post(SETUP)
    page = first.get(SETUP)
    [secret] = tree(page).xpath("//input[@id='segredo']/@value")
    assert len(base64.b32decode(secret)) == 20
    assert tree(page).xpath("//*[@role='img']/*[local-name()='svg']")
    [field] = tree(page).xpath("//input[@name='code']")
    assert (field.get("inputmode"), field.get("autocomplete")) == ("numeric", "one-time-code")
    wrong = first.post(SETUP, {"code": "000000"})
    assert WRONG in wrong.content.decode()
    assert not second_factor.is_on(User.objects.get(email=MAIL))
    done = first.post(SETUP, {"code": code_now(secret)})
    codes = tree(done).xpath("//li[@class='codigo']/text()")
    assert len(set(codes)) == 10
    [download] = tree(done).xpath("//a[@download]/@href")
    assert unquote(download.partition(",")[2]).split("\n") == codes
    assert "Guardei os códigos" in done.content.decode()
    assert first.get("/central/seguranca/").status_code == 200  # this one showed it already
    assert codes[0] not in first.get("/central/seguranca/").content.decode()
    assert secret not in SecondFactor.objects.get().secret

    moment(60)
    client, answer = sign_in(next="/central/seguranca/")
    assert answer["Location"] == f"{CHALLENGE}?next=%2Fcentral%2Fseguranca%2F"
    for path in ("/central/", "/central/faturas/", "/central/seguranca/", "/central/sessao/"):
        away = client.get(path)
        assert (away.status_code, away["Location"].partition("?")[0]) == (302, CHALLENGE)
    assert client.post("/central/usuarios/", {"email": "x@x.test"}).status_code == 302
    assert audited("login.ok") == 0
    spaced = code_now(secret)
    through = client.post(answer["Location"], {"code": f" {spaced[:3]} {spaced[3:]} "})
    assert through["Location"] == "/central/seguranca/"
    assert client.get("/central/seguranca/").status_code == 200
    assert client.get(CHALLENGE)["Location"] == "/central/"
    assert (audited("login.ok"), audited("totp.ativado")) == (1, 1)


def test_a_code_is_taken_once_and_a_little_early_or_late(central: Any, moment: Any) -> None:
    secret, _ = switch_on(central())
    client, _ = sign_in()
    again = client.post(CHALLENGE, {"code": code_now(secret)})
    assert WRONG in again.content.decode()  # the set-up used it

    early = client.post(CHALLENGE, {"code": code_now(secret, steps=1)})
    assert early.status_code == 302
    other, _ = sign_in()
    repeated = other.post(CHALLENGE, {"code": code_now(secret, steps=1)})
    assert WRONG in repeated.content.decode()
    moment(90)
    assert other.post(CHALLENGE, {"code": code_now(secret, steps=-1)}).status_code == 302
    third, _ = sign_in()
    moment(30)
    assert WRONG in third.post(CHALLENGE, {"code": code_now(secret, steps=-2)}).content.decode()
    assert WRONG in third.post(CHALLENGE, {"code": code_now(secret, steps=2)}).content.decode()
    assert audited("totp.falha") == 4


def test_p04_2_a_recovery_code_works_once(central: Any, moment: Any) -> None:
    _, codes = switch_on(central())
    paper = f"{CHALLENGE}?recuperacao=1"

    client, answer = sign_in()
    assert "Usar código de recuperação" in client.get(answer["Location"]).content.decode()
    assert client.post(paper, {"code": codes[3].lower().replace("-", " ")}).status_code == 302
    assert "Restam 9." in client.get("/central/seguranca/").content.decode()
    other, _ = sign_in()
    refused = other.post(paper, {"code": codes[3]})

    assert "Código de recuperação incorreto ou já usado." in refused.content.decode()
    assert other.post(CHALLENGE, {"code": codes[4]}).status_code == 200  # not where codes go
    assert other.post(paper, {"code": codes[4]}).status_code == 302
    assert audited("totp.recuperacao_usada") == 2
    assert codes[3] not in [row.digest for row in RecoveryCode.objects.all()]


def test_recovery_codes_survive_a_new_secret_key(central: Any, moment: Any, settings: Any) -> None:
    _, codes = switch_on(central())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "outra-chave-bem-comprida-desta-instalacao"
    client, _ = sign_in()

    assert client.post(f"{CHALLENGE}?recuperacao=1", {"code": codes[0]}).status_code == 302


def test_five_failures_lock_for_fifteen_minutes(central: Any, moment: Any) -> None:
    secret, codes = switch_on(central())
    moment(60)
    client, _ = sign_in()
    for _ in range(5):
        assert client.post(CHALLENGE, {"code": "000000"}).status_code == 200

    locked = client.post(CHALLENGE, {"code": code_now(secret)})
    by_paper = client.post(f"{CHALLENGE}?recuperacao=1", {"code": codes[0]})
    assert (locked.status_code, by_paper.status_code) == (429, 429)
    assert "Muitas tentativas. Tente de novo em 15 minutos." in locked.content.decode()
    Attempt.objects.update(at=clock.now() - timedelta(minutes=15, seconds=1))
    assert client.post(CHALLENGE, {"code": code_now(secret)}).status_code == 302


def test_turning_off_and_new_codes_ask_for_the_password(central: Any, moment: Any) -> None:
    client = central()
    _, codes = switch_on(client)
    for path in ("/central/seguranca/codigos/", "/central/seguranca/desativar/"):
        assert "Informe sua senha." in client.post(path).content.decode()
        wrong = client.post(path, {"password": "errada errada"})
        assert "Senha incorreta." in wrong.content.decode()
    assert second_factor.is_on(User.objects.get(email=MAIL))

    fresh = client.post("/central/seguranca/codigos/", {"password": PASSWORD})
    new = tree(fresh).xpath("//li[@class='codigo']/text()")
    assert len(set(new)) == 10
    assert not set(new) & set(codes)
    other, _ = sign_in()
    paper = f"{CHALLENGE}?recuperacao=1"
    assert other.post(paper, {"code": codes[0]}).status_code == 200
    assert other.post(paper, {"code": new[0]}).status_code == 302
    off = client.post("/central/seguranca/desativar/", {"password": PASSWORD})
    assert off["Location"] == "/central/seguranca/"
    assert sign_in()[1]["Location"] == "/central/"
    assert (audited("totp.desativado"), RecoveryCode.objects.count()) == (1, 0)
    assert client.get("/central/seguranca/desativar/").status_code == 302


def test_a_set_up_shows_its_secret_only_for_a_recent_password(central: Any) -> None:
    client = central()
    session = client.session
    session["signed_in_at"] -= 16 * 60
    session.save()

    asked = client.post(SETUP)
    assert "Confirme sua senha" in asked.content.decode()
    assert not SecondFactor.objects.exists()
    begun = client.post(SETUP, {"confirmar_senha": PASSWORD})
    assert begun["Location"] == SETUP
    assert client.get(SETUP).status_code == 200
    session = client.session
    session["signed_in_at"] -= 16 * 60
    session.save()
    assert client.get(SETUP)["Location"].startswith("/central/confirmar-senha/")


def test_sessions_are_listed_and_ended_one_by_one(central: Any) -> None:
    here = central()
    there = Client(headers={"user-agent": "Mozilla/5.0 (iPhone) Safari/605.1"})
    there.post("/central/entrar/", {"email": MAIL, "password": PASSWORD})
    stranger = central("titular@boavista.test")
    foreign = UserSession.objects.get(user__email="titular@boavista.test")
    idle = central()
    UserSession.objects.filter(pk=UserSession.objects.latest("pk").pk).update(
        seen_at=clock.now() - timedelta(hours=2)
    )

    page = tree(here.get("/central/seguranca/"))
    rows = [" ".join(row.text_content().split()) for row in page.xpath("//tbody/tr")]
    assert len(rows) == 2
    assert any("Safari em iPhone" in row for row in rows)
    assert sum("Esta sessão" in row for row in rows) == 1
    target = UserSession.objects.get(user_agent__contains="iPhone")
    refused = here.post(f"/central/seguranca/sessoes/{foreign.pk}/encerrar/")
    missing = here.post("/central/seguranca/sessoes/99999999/encerrar/")
    assert (refused.status_code, refused.content) == (404, missing.content)
    assert stranger.get("/central/seguranca/").status_code == 200
    here.post(f"/central/seguranca/sessoes/{target.pk}/encerrar/")
    assert there.get("/central/seguranca/").status_code == 302
    assert here.get("/central/seguranca/").status_code == 200
    here.post("/central/seguranca/sessoes/encerrar/")
    assert idle.get("/central/seguranca/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_many_who_show_the_same_code_together_one_comes_in() -> None:
    user = User.objects.create_user("ana@aurora.test", PASSWORD)
    secret = second_factor.begin(user)
    codes = second_factor.confirm(user, code_now(secret, steps=-1))
    assert codes is not None
    code = code_now(secret)

    taken = in_threads([lambda: second_factor.accept_code(user, code)] * 4)
    Attempt.objects.all().delete()
    papers = in_threads([lambda: second_factor.accept_recovery(user, codes[0])] * 4)

    assert sorted(taken) == [False, False, False, True]
    assert sorted(papers) == [False, False, False, True]


@pytest.mark.django_db(transaction=True)
def test_tries_that_come_together_are_all_counted() -> None:
    user = User.objects.create_user("ana@aurora.test", PASSWORD)
    second_factor.confirm(user, code_now(second_factor.begin(user), steps=-1))

    answers = in_threads([lambda: second_factor.accept_code(user, "000000")] * 8)

    assert sum(answer is False for answer in answers) <= 5
    assert not any(answer is True for answer in answers)
    assert Account.objects.count() == 0
