"""First access by an invitation (P02)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import lxml.html
import pytest
from django.test import Client
from support.demo_world import PASSWORD
from support.invoices import in_threads
from support.letters import last_link, letters_to

from accounts.models import Account, Attempt, AuditEvent, User
from accounts.services.audit import SYSTEM
from accounts.services.password_rules import TOO_COMMON, TOO_LONG, TOO_SHORT, faults_of
from billing.models import CustomerAccess, EmailMessage, Invitation, Party
from billing.services import invitations
from lib import clock

MAIL = "nova@aurora.test"
NEW = "uma senha bem comprida 7"
FORM = {"password": NEW, "again": NEW, "privacy": "on"}


@pytest.fixture
def company(demo: Account) -> Party:
    access = CustomerAccess.objects.filter(user__email="titular@aurora.test").earliest("pk")
    return access.customer


def invite(company: Party, email: str = MAIL, role: str = "cliente_leitura") -> str:
    """The path of the link in the letter."""
    invitations.invite(company, email=email, name="Nova Pessoa", role=role, actor=SYSTEM)
    return last_link(email)


def audited(action: str) -> int:
    return AuditEvent.objects.filter(action=action).count()


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


def test_p02_1_and_2_looking_uses_nothing_and_accepting_works_once(company: Party) -> None:
    link = invite(company)
    for _ in range(3):
        assert Client().get(link).status_code == 200
    client = Client()
    shown = text_of(client.get(link))
    answer = client.post(link, FORM)

    assert company.name in shown
    assert MAIL in shown
    assert "Crie sua senha" in shown
    assert answer["Location"] == "/central/seguranca/"
    assert "ative a verificação em duas etapas" in text_of(client.get("/central/seguranca/"))
    access = CustomerAccess.objects.get(user__email=MAIL)
    assert (access.customer, access.role, access.account) == (
        company, "cliente_leitura", company.account,
    )  # fmt: skip
    assert access.user.name == "Nova Pessoa"
    assert access.user.check_password(NEW)
    assert (audited("convite.enviado"), audited("convite.aceito")) == (1, 1)
    for again in (client.get(link), Client().get(link), Client().post(link, FORM)):
        assert again.status_code == 410
        assert "Este convite expirou ou já foi usado." in text_of(again)
        assert company.name not in text_of(Client().get(link))
    assert (
        Client().post("/central/entrar/", {"email": MAIL, "password": NEW})["Location"]
        == "/central/"
    )


def test_p02_3_a_changed_character_is_a_missing_page(company: Party) -> None:
    link = invite(company)
    token = link.split("/")[3]
    changed = ("A" if token[5] != "A" else "B").join((token[:5], token[6:]))

    answers = [
        Client().get(f"/central/convite/{value}/") for value in (changed, token[:-1], "x", "..")
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({answer.content for answer in answers}) == 1
    assert company.name not in answers[0].content.decode()
    assert Client().get(link).status_code == 200


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({"password": "curta", "again": "curta"}, ["Use pelo menos 12 caracteres."]),
        ({"password": NEW, "again": NEW + "x"}, ["As senhas não são iguais."]),
        (
            {"password": "aaaaaaaaaaaaaaa", "again": "aaaaaaaaaaaaaaa"},
            ["Esta senha é muito comum."],
        ),
        ({"password": MAIL, "again": MAIL}, ["Esta senha é muito comum. Escolha outra."]),
        ({"password": "", "again": ""}, ["Informe a senha.", "Informe a senha outra vez."]),
        ({"privacy": ""}, ["Informe que leu o aviso de privacidade."]),
    ],
)
def test_passwords_that_are_not_taken(
    company: Party, fields: dict[str, str], texts: list[str]
) -> None:
    link = invite(company)
    answer = Client().post(link, {**FORM, **fields})

    assert answer.status_code == 200
    for text in texts:
        assert text in text_of(answer)
    assert not User.objects.filter(email=MAIL).exists()
    page = lxml.html.fromstring(answer.content.decode())
    assert page.xpath("//input[@type='password']/@value") == []


def test_common_passwords_made_longer_are_not_taken() -> None:
    common = [
        "q1w2e3r4t5y6", "Password12345", "passwordpassword", "123456789012", "qwertyuiopas",
        "aaaaaaaaaaaa", "titular@aurora.test", "titular!2026!!", "987654321098",
    ]  # fmt: skip

    for password in common:
        assert faults_of(password, email="titular@aurora.test") == [TOO_COMMON], password
    assert faults_of("password") == [TOO_SHORT, TOO_COMMON]
    assert faults_of("x" * 6 + "abcdefg" * 200) == [TOO_LONG]
    for password in (NEW, PASSWORD, "ção é ü 密码密码 ok", "cavalo correto bateria"):
        assert faults_of(password, email="titular@aurora.test") == []


def test_an_address_with_a_password_elsewhere_is_asked_for_that_one(
    company: Party, central: Any
) -> None:
    known = "titular@boavista.test"
    before = User.objects.get(email=known).password
    boss = central()
    page = boss.post(
        "/central/usuarios/", {"nome": "", "email": known, "papel": "cliente_leitura"}, follow=True
    )
    fresh = boss.post(
        "/central/usuarios/", {"nome": "", "email": "z@z.test", "papel": "titular"}, follow=True
    )
    link = last_link(known)

    assert f"Convite enviado para {known}." in text_of(page)
    assert "Convite enviado para z@z.test." in text_of(fresh)
    shown = lxml.html.fromstring(Client().get(link).content.decode())
    assert shown.xpath("//form//input[@type='password']/@name") == ["password"]
    wrong = Client().post(link, {"password": NEW, "privacy": "on"})
    assert "E-mail ou senha incorretos." in text_of(wrong)
    client = Client()
    assert client.post(link, {"password": PASSWORD, "privacy": "on"}).status_code == 302
    assert User.objects.get(email=known).password == before
    assert set(CustomerAccess.objects.filter(user__email=known).values_list("role", flat=True)) == {
        "titular",
        "cliente_leitura",
    }
    assert company.name in text_of(client.get("/central/seguranca/"))


def test_an_expired_invitation_is_sent_anew_for_who_holds_it(company: Party) -> None:
    link = invite(company)
    Invitation.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    client = Client()

    assert client.get(link).status_code == 410
    for path in (link, "/central/convite/" + "x" * 43 + "/"):
        said = client.post(f"{path}reenviar/", follow=True)
        assert "Se o convite existir, um novo e-mail será enviado." in text_of(said)
    other = last_link(MAIL)

    assert other != link
    assert audited("convite.reenviado") == 1
    assert Client().get(link).status_code == 410
    assert Client().post(other, FORM).status_code == 302
    client.post(f"{link}reenviar/")
    assert len(letters_to(MAIL)) == 2  # who is in needs no letter


def test_asking_by_address_tells_nobody_and_is_limited(company: Party) -> None:
    first = invite(company)
    answers = [
        Client().post("/central/convite/", {"email": email}, follow=True)
        for email in (MAIL.upper(), "ninguem@aurora.test", "titular@aurora.test", MAIL, MAIL, MAIL)
    ]

    for answer in answers:
        assert "Se o convite existir, um novo e-mail será enviado." in text_of(answer)
    assert len(letters_to(MAIL)) == 1 + 3
    assert EmailMessage.objects.filter(recipient__startswith="ninguem").count() == 0
    assert Client().get(first).status_code == 200  # a later letter ends no earlier link
    assert Attempt.objects.filter(key__contains="aurora").count() == 0


def test_an_invitation_that_was_taken_back_or_of_a_closed_account_is_over(company: Party) -> None:
    link = invite(company)
    row = Invitation.objects.get()
    invitations.revoke(row.pk, customer=company, actor=SYSTEM)
    assert Client().get(link).status_code == 410
    assert Client().post(link, FORM).status_code == 410
    Client().post(f"{link}reenviar/")
    assert len(letters_to(MAIL)) == 1

    second = invite(company)
    Account.objects.update(is_active=False)
    assert Client().post(second, FORM).status_code == 404
    assert not User.objects.filter(email=MAIL).exists()


def test_inviting_again_with_less_takes_the_earlier_link_along(company: Party) -> None:
    first = invite(company, role="titular")
    invite(company, role="cliente_leitura")

    Client().post(first, FORM)

    assert CustomerAccess.objects.get(user__email=MAIL).role == "cliente_leitura"


def test_staff_invites_by_the_back_office(demo: Account, company: Party) -> None:
    client = Client()
    client.force_login(User.objects.get(email="admin@demo.test"))
    add = "/admin/billing/invitation/add/"
    other = Party.objects.create(
        account=Account.objects.create(name="Outra", slug="outra"),
        kind="company",
        name="X",
        fold="x",
    )
    form = {"customer": company.pk, "email": MAIL, "name": "Nova", "role": "titular"}

    assert client.get(add).status_code == 200
    taken = client.post(add, {**form, "email": "titular@aurora.test"})
    foreign = client.post(add, {**form, "customer": other.pk})
    answer = client.post(add, form)

    assert "Este e-mail já tem acesso." in taken.content.decode()
    assert foreign.status_code == 200
    assert answer.status_code == 302
    row = Invitation.objects.get()
    assert (row.email, row.account, row.invited_by.email) == (MAIL, demo, "admin@demo.test")
    assert (audited("convite.enviado"), len(letters_to(MAIL))) == (1, 1)
    page = client.get(f"/admin/billing/invitation/{row.pk}/change/").content.decode()
    assert row.digest not in page
    shown = client.get("/admin/billing/invitation/").content.decode()
    assert "Enviado" in shown
    client.force_login(User.objects.get(email="financeiro@demo.test"))
    assert client.get(add).status_code == 403
    assert Client().post(last_link(MAIL), FORM).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_an_invitation_is_used_once_by_many_together(organization: Any, customer: Any) -> None:
    invitations.invite(customer, email=MAIL, name="", role="titular", actor=SYSTEM)
    row = Invitation.objects.get()

    def take() -> User | None:
        return invitations.accept(
            row.pk, account=customer.account, user=None, password=NEW, ip=None
        )

    found = in_threads([take] * 4)

    assert sum(one is not None for one in found) == 1
    assert CustomerAccess.objects.count() == User.objects.count() == 1
