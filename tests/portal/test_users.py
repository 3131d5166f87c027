"""The people of a company (P20)."""

from __future__ import annotations

from typing import Any

import lxml.html
import pytest
from django.test import Client
from support.demo_world import PASSWORD
from support.invoices import in_threads
from support.letters import letters_to

from accounts.models import Account, AuditEvent, User
from accounts.services.audit import SYSTEM
from billing.models import CustomerAccess, Invitation
from billing.services import customer_users
from billing.services.customer_users import LastTitular

MAIL = "titular@aurora.test"
PAGE = "/central/usuarios/"


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


def access_of(email: str) -> CustomerAccess:
    return CustomerAccess.objects.filter(user__email=email).earliest("pk")


def audited(action: str) -> list[Any]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def test_the_list_tells_who_is_in_and_who_was_invited(central: Any) -> None:
    client = central()
    client.post(PAGE, {"nome": "Nova", "email": "Nova@Aurora.test", "papel": "cliente_financeiro"})
    page = lxml.html.fromstring(client.get(PAGE).content.decode())
    rows = {row.get("data-usuario"): " ".join(row.text_content().split())
            for row in page.xpath("//tr[@data-usuario]")}  # fmt: skip

    assert set(rows) == {MAIL, "financeiro@aurora.test", "leitura@aurora.test"}
    assert "Titular Não 12/08/2026" in rows[MAIL]
    assert "Financeiro Não —" in rows["financeiro@aurora.test"]
    assert "nova@aurora.test" in page.text_content()
    [event] = audited("usuario.convidado")
    assert (event.actor_label, event.after["papel"]) == (MAIL, "cliente_financeiro")
    assert len(audited("convite.enviado")) == 1
    assert len(letters_to("nova@aurora.test")) == 1


def test_inviting_refuses_who_is_in_and_what_is_no_address(central: Any) -> None:
    client = central()
    again = client.post(PAGE, {"nome": "", "email": "LEITURA@aurora.test", "papel": "titular"})
    wrong = client.post(PAGE, {"nome": "Bia", "email": "sem arroba", "papel": "rei"})

    assert "Este e-mail já tem acesso." in text_of(again)
    tree = lxml.html.fromstring(again.content.decode())
    assert tree.xpath("//input[@name='email']/@aria-invalid") == ["true"]
    assert "Corrija 2 erros para continuar" in text_of(wrong)
    assert 'value="Bia"' in wrong.content.decode()
    assert not Invitation.objects.exists()


def test_an_invitation_sent_twice_is_one(central: Any) -> None:
    client = central()
    form = {"nome": "", "email": "n@aurora.test", "papel": "titular", "idempotency_key": "chave"}
    for _ in range(3):
        assert client.post(PAGE, form)["Location"] == PAGE
    assert Invitation.objects.count() == 1


def test_p20_1_a_removed_person_is_refused_on_the_next_click(central: Any) -> None:
    boss, reader = central(), central("leitura@aurora.test")
    target = access_of("leitura@aurora.test")
    where = f"{PAGE}{target.pk}/remover/"
    assert reader.get("/central/seguranca/").status_code == 200

    assert "Manter acesso" in text_of(boss.get(where))
    assert CustomerAccess.objects.filter(pk=target.pk).exists()
    said = boss.post(where, follow=True)

    assert "O acesso de leitura@aurora.test foi removido." in text_of(said)
    away = reader.get("/central/seguranca/")
    assert (away.status_code, away["Location"].partition("?")[0]) == (302, "/central/entrar/")
    refused = reader.post("/central/entrar/", {"email": target.user.email, "password": PASSWORD})
    assert "E-mail ou senha incorretos." in text_of(refused)
    [event] = audited("usuario.removido")
    assert event.before["email"] == "leitura@aurora.test"


def test_p20_2_the_last_titular_stays(central: Any) -> None:
    client = central()
    mine = access_of(MAIL)
    for path, data in (
        (f"{mine.pk}/papel/", {"papel": "cliente_leitura"}),
        (f"{mine.pk}/remover/", {}),
    ):
        answer = client.post(PAGE + path, data)
        assert answer.status_code == 200
        assert "Mantenha pelo menos um titular." in text_of(answer)
    second = access_of("financeiro@aurora.test")
    client.post(f"{PAGE}{second.pk}/papel/", {"papel": "titular"})
    User.objects.filter(pk=second.user_id).update(is_active=False)
    locked = client.post(f"{PAGE}{mine.pk}/papel/", {"papel": "cliente_leitura"})
    assert "Mantenha pelo menos um titular." in text_of(locked)
    User.objects.filter(pk=second.user_id).update(is_active=True)

    left = client.post(f"{PAGE}{mine.pk}/papel/", {"papel": "cliente_leitura"})

    assert left["Location"] == "/central/"
    assert client.get(PAGE).status_code == 403
    events = audited("usuario.papel")
    assert [(one.before["papel"], one.after["papel"]) for one in events] == [
        ("cliente_financeiro", "titular"), ("titular", "cliente_leitura"),
    ]  # fmt: skip


def test_only_titulars_see_and_do_it_and_only_for_their_company(central: Any) -> None:
    foreign = access_of("titular@boavista.test")
    titular = central()
    for email in ("financeiro@aurora.test", "leitura@aurora.test"):
        client = central(email)
        target = access_of(MAIL)
        for path in (PAGE, f"{PAGE}{target.pk}/papel/", f"{PAGE}{target.pk}/remover/"):
            assert client.get(path).status_code == 403
            assert client.post(path, {"papel": "titular", "email": "x@x.test"}).status_code == 403
    missing = titular.get(f"{PAGE}99999999/papel/")
    for action in ("papel", "remover"):
        for call in (titular.get, titular.post):
            answer = call(f"{PAGE}{foreign.pk}/{action}/", {"papel": "titular"})
            assert (answer.status_code, answer.content) == (404, missing.content)
    boavista = central("titular@boavista.test")
    boavista.post(PAGE, {"nome": "", "email": "z@z.test", "papel": "titular"})
    row = Invitation.objects.get()
    for action in ("reenviar", "retirar"):
        assert titular.post(f"{PAGE}convites/{row.pk}/{action}/").status_code == 404
    assert Invitation.objects.get().revoked_at is None
    assert "z@z.test" not in titular.get(PAGE).content.decode()
    assert not Invitation.objects.exclude(pk=row.pk).exists()


def test_an_invitation_is_sent_again_and_taken_back(central: Any) -> None:
    client = central()
    client.post(PAGE, {"nome": "", "email": "n@aurora.test", "papel": "titular"})
    first = Invitation.objects.get()
    client.post(f"{PAGE}convites/{first.pk}/reenviar/")
    assert len(letters_to("n@aurora.test")) == 2
    last = Invitation.objects.latest("pk")

    page = client.get(PAGE).content.decode()
    assert page.count("Enviar de novo") == 1
    client.post(f"{PAGE}convites/{last.pk}/retirar/")

    assert not Invitation.objects.filter(revoked_at=None).exists()
    assert "n@aurora.test" not in lxml.html.fromstring(client.get(PAGE).content.decode()).xpath(
        "string(//tbody)"
    )
    assert len(audited("convite.retirado")) == 1


@pytest.mark.django_db(transaction=True)
def test_two_titulars_who_remove_each_other_together_leave_one(
    organization: Any, customer: Any
) -> None:
    rows = [
        CustomerAccess.objects.create(
            account=customer.account, customer=customer, role="titular",
            user=User.objects.create_user(f"t{n}@aurora.test", PASSWORD),
        )
        for n in range(2)
    ]  # fmt: skip

    found = in_threads(
        [
            lambda row=row: customer_users.remove(row.pk, customer=customer, actor=SYSTEM)  # type: ignore[misc]
            for row in rows
        ]
    )

    assert sum(isinstance(one, LastTitular) for one in found) == 1
    assert CustomerAccess.objects.filter(role="titular").count() == 1
    assert Account.objects.count() == 1
    assert Client().get(PAGE).status_code == 302
