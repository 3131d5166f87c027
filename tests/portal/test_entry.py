"""The door of the Central de Faturas (P01), companies, and coming back (ux §1.3, §1.5)."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import lxml.html
import pytest
from django.conf import settings as django_settings
from django.test import Client
from support.demo_world import PASSWORD

import portal.urls
from accounts.models import Account, Attempt, AuditEvent, User, UserSession
from accounts.services import sessions
from billing.models import CustomerAccess
from lib import clock

ENTRY = "/central/entrar/"
MAIL = "titular@aurora.test"


def sign_in(client: Client, email: str = MAIL, password: str = PASSWORD, **more: Any) -> Any:
    return client.post(ENTRY, {"email": email, "password": password, **more})


def alert_of(answer: Any) -> bytes:
    [alert] = lxml.html.fromstring(answer.content.decode()).xpath("//*[@role='alert'][@id='erros']")
    return lxml.html.tostring(alert)


def audited(action: str) -> int:
    return AuditEvent.objects.filter(action=action).count()


def signed_out(client: Client) -> bool:
    answer = client.get("/central/")
    return bool(answer.status_code == 302 and answer["Location"].startswith(ENTRY))


def age_session(client: Client, minutes: int) -> None:
    """As if the password had been typed so long ago."""
    session = client.session
    session["signed_in_at"] -= minutes * 60
    session.save()


def test_p01_1_wrong_unknown_inactive_and_uninvited_are_answered_with_the_same_bytes(
    demo: Account,
) -> None:
    User.objects.create_user("sem-empresa@aurora.test", PASSWORD)
    User.objects.create_user("inativa@aurora.test", PASSWORD, is_active=False)
    closed = Account.objects.create(name="Encerrada", slug="encerrada", is_active=False)
    gone = User.objects.create_user("encerrada@aurora.test", PASSWORD)
    party = CustomerAccess.objects.filter(user__email=MAIL).first().customer  # type: ignore[union-attr]
    CustomerAccess.objects.create(account=closed, user=gone, customer=party, role="titular")

    answers = [
        sign_in(Client(), MAIL, "outra senha qualquer"),
        sign_in(Client(), "ninguem@aurora.test"),
        sign_in(Client(), "sem-empresa@aurora.test"),
        sign_in(Client(), "inativa@aurora.test"),
        sign_in(Client(), "encerrada@aurora.test"),
        sign_in(Client(), "nem é um e-mail"),
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert len({alert_of(answer) for answer in answers}) == 1
    assert b"E-mail ou senha incorretos." in alert_of(answers[0])
    assert sign_in(Client(), "nulo\x00@aurora.test").status_code == 200
    page = lxml.html.fromstring(answers[0].content.decode())
    assert page.xpath("//input[@name='email']/@value") == [MAIL]
    assert page.xpath("//input[@name='password']/@value") == []
    assert page.findtext(".//title").startswith("Erro: ")
    assert PASSWORD not in answers[1].content.decode()
    assert audited("login.falha") >= 1
    assert not UserSession.objects.exists()


def test_p01_2_the_sixth_try_after_five_failures_waits_fifteen_minutes(
    demo: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        assert sign_in(Client(), password="errada errada").status_code == 200
    refused = sign_in(Client(), email=" TITULAR@aurora.test ")  # with the right one
    again = sign_in(Client())
    unknown = [sign_in(Client(), email="ninguem@aurora.test") for _ in range(6)]

    assert (refused.status_code, again.status_code) == (429, 429)
    text = "Muitas tentativas. Tente de novo em 15 minutos ou redefina sua senha."
    assert text in refused.content.decode()
    assert [answer.status_code for answer in unknown] == [200] * 5 + [429]
    assert audited("login.bloqueado") == 1
    Attempt.objects.update(at=clock.now() - timedelta(minutes=15, seconds=1))
    assert sign_in(Client()).status_code == 302


def test_a_success_forgets_the_failures(demo: Account) -> None:
    for _ in range(3):
        for _ in range(4):
            sign_in(Client(), password="errada errada")
        assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/central/faturas/?pagina=2", "/central/faturas/?pagina=2"),
        ("https://exemplo.invalid", "/central/"),
        ("//exemplo.invalid/central/", "/central/"),
        ("/\\exemplo.invalid", "/central/"),
        ("\\\\exemplo.invalid", "/central/"),
        ("///exemplo.invalid", "/central/"),
        ("javascript:alert(1)", "/central/"),
        ("http://testserver/central/faturas/", "/central/"),
        ("/central//exemplo.invalid/../..//x", "/central/"),
        ("/central/\r\nSet-Cookie: a=b", "/central/"),
        ("/admin/", "/central/"),
        ("/central/sair/", "/central/"),
        ("", "/central/"),
    ],
)
def test_p01_3_next_leads_only_to_pages_of_the_portal(
    demo: Account, wanted: str, lands: str
) -> None:
    by_form = sign_in(Client(), next=wanted)
    by_query = Client().post(f"{ENTRY}?next={wanted}", {"email": MAIL, "password": PASSWORD})

    assert by_form["Location"] == lands
    assert by_form.status_code == by_query.status_code == 302
    assert by_query["Location"].startswith("/central/")
    assert "exemplo" not in by_query["Location"]


def test_signing_in_opens_a_new_listed_session_and_signing_out_ends_it(demo: Account) -> None:
    client = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/130.0"})
    client.get(ENTRY)
    session = client.session
    session["fixado"] = "sim"
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = fixed = session.session_key

    answer = sign_in(client)

    cookie = answer.cookies[django_settings.SESSION_COOKIE_NAME]
    assert cookie.value != fixed
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert cookie["max-age"] == 3600
    [row] = UserSession.objects.all()
    assert (row.user.email, row.is_remembered) == (MAIL, False)
    assert audited("login.ok") == 1
    assert client.get("/central/seguranca/").status_code == 200
    assert client.get(ENTRY)["Location"] == "/central/"

    assert client.get("/central/sair/").status_code == 302
    assert not signed_out(client)
    assert client.post("/central/sair/")["Location"] == ENTRY
    assert signed_out(client)
    assert UserSession.objects.get().ended_at is not None
    assert audited("logout") == 1


def test_cookies_of_an_installation_with_tls_are_secure(demo: Account, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = Client()
    answer = sign_in(client)
    page = client.get("/central/seguranca/")

    assert answer.cookies[django_settings.SESSION_COOKIE_NAME]["secure"]
    assert page.cookies["central"]["secure"]
    assert page.cookies["central"]["httponly"]


def test_a_remembered_browser_stays_for_thirty_days(demo: Account) -> None:
    answer = sign_in(Client(), remember="on")

    age = answer.cookies[django_settings.SESSION_COOKIE_NAME]["max-age"]
    assert 30 * 86400 - 60 < age <= 30 * 86400
    assert UserSession.objects.get().is_remembered


def test_staff_with_the_right_password_is_led_to_its_own_door(demo: Account) -> None:
    client = Client()
    answer = sign_in(client, "financeiro@demo.test")
    wrong = sign_in(Client(), "financeiro@demo.test", "outra senha qualquer")

    page = lxml.html.fromstring(answer.content.decode())
    assert "Esta área é para clientes. Acesse o painel interno." in answer.content.decode()
    assert page.xpath("//main//a[@href='/admin/']")
    assert "painel interno" not in wrong.content.decode()
    assert "_auth_user_id" not in client.session
    assert signed_out(client)


def test_an_inactive_account_closes_behind_who_is_inside(central: Any, demo: Account) -> None:
    client = central()
    Account.objects.filter(pk=demo.pk).update(is_active=False)

    answer = client.get("/central/", follow=True)

    assert answer.status_code == 403
    assert "Você não tem acesso a nenhuma empresa." in answer.content.decode()


def test_the_session_of_the_door_has_no_frame_of_others(demo: Account) -> None:
    page = Client().get(ENTRY)
    tree = lxml.html.fromstring(page.content.decode())

    assert page["Cache-Control"] == "no-store, private"
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert tree.xpath("//body/@data-screen") == ["P01"]
    fields = tree.xpath("//form//input[not(@type='hidden')]/@name")
    assert fields == ["email", "password", "remember"]
    assert tree.xpath("//input[@name='email']/@autocomplete") == ["username"]
    assert tree.xpath("//input[@name='password']/@autocomplete") == ["current-password"]


OPEN = {  # what nobody has to sign in for
    "portal-entrar", "portal-sair", "portal-convite-pedir", "portal-convite",
    "portal-convite-reenviar", "portal-esqueci", "portal-redefinir", "portal-codigo",
    "portal-sem-empresa", "portal-ajuda", "portal-artigo", "portal-privacidade",
}  # fmt: skip


def routes(patterns: Any, start: str = "/") -> list[tuple[str, str]]:
    """(name, path) of every page of the portal, its parts filled in."""
    found = []
    for one in patterns:
        plain = re.sub(r"<uuid:\w+>", str(uuid.UUID(int=1)), str(one.pattern))
        path = start + re.sub(r"<(?:\w+:)?\w+>", "1", plain)
        if hasattr(one, "url_patterns"):
            found += routes(one.url_patterns, path)
        elif path.startswith("/central/"):
            found.append((one.name or path, path))
    return found


def test_every_page_but_the_doors_asks_who_is_there(demo: Account) -> None:
    client, strangers = Client(), 0
    for name, path in routes(portal.urls.urlpatterns):
        if name in OPEN or name.startswith("public-"):
            continue
        for answer in (client.get(path), client.post(path, {"x": "y"})):
            if answer.status_code == 405:
                continue
            assert answer.status_code == 302, (name, path)
            assert answer["Location"].startswith(ENTRY), (name, answer["Location"])
            strangers += 1
    assert strangers > 40


# --- companies ------------------------------------------------------------------------------------


def company_of(page: Any) -> str:
    tree = lxml.html.fromstring(page.content.decode())
    return str(tree.xpath("string(//*[@data-empresa])")).strip()


def test_a_company_is_chosen_and_one_of_others_does_not_exist(central: Any, demo: Account) -> None:
    client = central()
    mine = CustomerAccess.objects.filter(user__email=MAIL).order_by("pk")
    others = CustomerAccess.objects.exclude(user__email=MAIL).first()

    first = company_of(client.get("/central/seguranca/"))
    answer = client.post("/central/empresa/", {"empresa": mine[1].pk})
    second = company_of(client.get("/central/seguranca/"))
    refused = [
        client.post("/central/empresa/", {"empresa": value})
        for value in (others.pk, 99_999_999, "", "1 OR 1=1", "²")  # type: ignore[union-attr]
    ]

    assert mine[0].customer.name in first
    assert answer["Location"] == "/central/"
    assert mine[1].customer.name in second
    assert [one.status_code for one in refused] == [404] * 5
    assert len({one.content for one in refused}) == 1
    assert mine[1].customer.name in company_of(client.get("/central/seguranca/"))


def test_forms_of_the_company_before_are_void_after_a_switch(demo: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get(ENTRY)
    token = client.cookies["csrftoken"].value
    client.post(ENTRY, {"email": MAIL, "password": PASSWORD, "csrfmiddlewaretoken": token})
    old = client.cookies["csrftoken"].value
    other = CustomerAccess.objects.filter(user__email=MAIL).order_by("pk")[1]

    client.post("/central/empresa/", {"empresa": other.pk, "csrfmiddlewaretoken": old})
    answer = client.post("/central/seguranca/sessoes/encerrar/", {"csrfmiddlewaretoken": old})

    assert answer.status_code == 400
    assert "Não foi possível confirmar o envio." in answer.content.decode()


def test_a_company_that_was_taken_away_does_not_become_another_silently(central: Any) -> None:
    client = central()
    second = CustomerAccess.objects.filter(user__email=MAIL).order_by("pk")[1]
    client.post("/central/empresa/", {"empresa": second.pk})
    client.get("/central/seguranca/")
    second.delete()

    answer = client.post("/central/seguranca/sessoes/encerrar/")
    page = client.get(answer["Location"])

    assert answer["Location"] == "/central/"
    assert (
        "Você não tem mais acesso àquela empresa."
        in client.get("/central/seguranca/").content.decode() + page.content.decode()
    )


# --- the password again ---------------------------------------------------------------------------


def hidden_fields(answer: Any) -> dict[str, list[str]]:
    tree = lxml.html.fromstring(answer.content.decode())
    found: dict[str, list[str]] = {}
    for field in tree.xpath("//main//form//input[@type='hidden']"):
        found.setdefault(field.get("name"), []).append(field.get("value", ""))
    return found


def test_a_sensitive_act_asks_for_the_password_and_goes_on_with_its_data(central: Any) -> None:
    client = central()
    form = {"nome": "Bia", "email": "bia@aurora.test", "papel": "cliente_leitura"}
    age_session(client, 14)
    assert not timedelta(minutes=15) > sessions.FRESH
    age_session(client, 2)

    asked = client.post("/central/usuarios/", {**form, "idempotency_key": "uma"})
    kept = hidden_fields(asked)
    wrong = client.post("/central/usuarios/", {**kept, "confirmar_senha": "errada errada"})
    empty = client.post("/central/usuarios/", {**kept, "confirmar_senha": ""})
    right = client.post("/central/usuarios/", {**kept, "confirmar_senha": PASSWORD})

    assert asked.status_code == 200
    assert "Confirme sua senha" in asked.content.decode()
    assert [kept[name] for name in (*form, "idempotency_key")] == [
        ["Bia"], ["bia@aurora.test"], ["cliente_leitura"], ["uma"],
    ]  # fmt: skip
    assert "Senha incorreta." in wrong.content.decode()
    assert hidden_fields(wrong)["email"] == ["bia@aurora.test"]
    assert "Informe sua senha." in empty.content.decode()
    assert "errada errada" not in wrong.content.decode()
    assert right["Location"] == "/central/usuarios/"
    page = client.get("/central/usuarios/").content.decode()
    assert "Convite enviado para bia@aurora.test." in page
    assert client.post("/central/usuarios/", {**form, "email": "c@aurora.test"}).status_code == 302


def test_the_password_asked_again_is_counted_like_at_the_door(central: Any) -> None:
    client = central()
    age_session(client, 16)
    for _ in range(5):
        answer = client.post("/central/usuarios/", {"confirmar_senha": "errada errada"})
        assert answer.status_code == 200

    assert client.post("/central/usuarios/", {"confirmar_senha": PASSWORD}).status_code == 429
    assert sign_in(Client()).status_code == 429


def test_the_page_that_asks_leads_back(central: Any) -> None:
    client = central()
    age_session(client, 16)
    where = "/central/confirmar-senha/?next=/central/formas-de-pagamento/"

    assert client.get(where).status_code == 200
    answer = client.post(where, {"confirmar_senha": PASSWORD})

    assert answer["Location"] == "/central/formas-de-pagamento/"
    evil = client.post(
        "/central/confirmar-senha/?next=//exemplo.invalid", {"confirmar_senha": PASSWORD}
    )
    assert evil["Location"] == "/central/"


# --- sessions that end by themselves --------------------------------------------------------------


def expire(client: Client) -> None:
    """As after an hour: the browser has dropped the session's cookie."""
    del client.cookies[django_settings.SESSION_COOKIE_NAME]


def test_after_an_idle_hour_the_same_person_comes_back_to_page_and_company(central: Any) -> None:
    client = central()
    second = CustomerAccess.objects.filter(user__email=MAIL).order_by("pk")[1]
    client.post("/central/empresa/", {"empresa": second.pk})
    client.get("/central/seguranca/")
    expire(client)

    away = client.get("/central/usuarios/?x=1")
    assert urlsplit(away["Location"]).path == ENTRY
    [wanted] = parse_qs(urlsplit(away["Location"]).query)["next"]
    answer = sign_in(client, next=wanted)

    assert answer["Location"] == "/central/usuarios/?x=1"
    assert second.customer.name in company_of(client.get("/central/usuarios/"))


def test_what_was_typed_into_a_form_survives_the_end_of_the_session(central: Any) -> None:
    client = central()
    client.get("/central/usuarios/")
    expire(client)
    form = {
        "nome": "Bia <b>", "email": "bia@aurora.test", "papel": "cliente_leitura",
        "confirmar_senha": "segredo segredo", "idempotency_key": "uma",
    }  # fmt: skip

    away = client.post("/central/usuarios/", form)
    assert away["Location"].startswith(ENTRY)
    answer = sign_in(client, next="/central/usuarios/")
    assert answer["Location"] == "/central/retomar/"
    page = client.get("/central/retomar/")
    fields = hidden_fields(page)

    assert "bia@aurora.test" in page.content.decode()
    assert "segredo segredo" not in page.content.decode()
    shown = lxml.html.fromstring(page.content.decode()).xpath("//main//dl/div")
    assert ["".join(one.text_content().split()) for one in shown] == [
        "NomeBia<b>", "E-mailbia@aurora.test",
    ]  # fmt: skip
    assert fields["nome"] == ["Bia <b>"]
    assert AuditEvent.objects.filter(action="convite.enviado").count() == 0
    tree = lxml.html.fromstring(page.content.decode())
    assert tree.xpath("//main//form/@action") == ["/central/usuarios/"]
    sent = client.post("/central/usuarios/", fields)
    assert sent["Location"] == "/central/usuarios/"
    assert AuditEvent.objects.filter(action="convite.enviado").count() == 1
    assert client.get("/central/retomar/")["Location"] == "/central/"


def test_what_one_person_typed_is_not_shown_to_the_next(central: Any) -> None:
    client = central()
    client.get("/central/usuarios/")
    expire(client)
    client.post("/central/usuarios/", {"email": "bia@aurora.test"})

    answer = sign_in(client, "titular@boavista.test")

    assert answer["Location"] == "/central/"
    assert client.get("/central/retomar/")["Location"] == "/central/"
    assert "portal_kept" not in client.session


def test_nothing_is_kept_of_strangers_scripts_and_huge_forms(central: Any) -> None:
    stranger = Client()
    stranger.post("/central/usuarios/", {"email": "bia@aurora.test"})
    script, huge = central(), central()
    for client in (script, huge):
        client.get("/central/usuarios/")
        expire(client)
    script.post(
        "/central/usuarios/", {"email": "b@aurora.test"}, headers={"sec-fetch-mode": "cors"}
    )
    huge.post("/central/usuarios/", {"email": "b" * 30_000})

    for client in (stranger, script, huge):
        assert "portal_kept" not in client.session


def test_the_script_is_told_how_long_the_session_lasts_and_may_prolong_it(central: Any) -> None:
    client = central()
    page = client.get("/central/seguranca/")
    tree = lxml.html.fromstring(page.content.decode())

    assert tree.xpath("//body/@data-sessao") in (["60"], ["59"])
    [box] = tree.xpath("//*[@id='sessao-aviso'][@hidden]")
    assert "Sua sessão vai expirar" in box.text_content()
    assert "Continuar conectado" in box.text_content()
    answer = client.get("/central/sessao/")
    assert re.fullmatch(r"60|59", answer.content.decode())
    assert answer.cookies[django_settings.SESSION_COOKIE_NAME]["max-age"] == 3600
