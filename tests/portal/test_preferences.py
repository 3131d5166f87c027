"""Which notices come and to whom (P18): the grid, the addresses, the links, and the senders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import lxml.html
import pytest
from django.test import Client

from accounts.models import Account, AuditEvent
from billing.models import Contact, EmailMessage, Invoice, NotificationPreference, Party
from billing.services import billing_addresses, monthly_summary, preferences
from billing.services.dunning.mailing import _event
from billing.services.emails.automatic import send_emission
from billing.services.emails.letters import opened
from billing.services.emails.suppressions import Reason, suppress
from billing.services.note_source import Source, email_of
from billing.services.preferences import Event, wants

WHERE = "/central/preferencias/"
ADD, REMOVE = f"{WHERE}emails/", f"{WHERE}emails/remover/"
LOCKED = {"fatura_emitida.email", "reajuste.email", "contestacao.email"}
FREE = {
    "lembrete.email", "vence_hoje.email", "vencida.email", "pagamento.email",
    "nota_fiscal.email",
}  # fmt: skip

Central = Callable[..., Client]
Page = Callable[..., Any]


@pytest.fixture
def aurora(demo: Account) -> Party:
    found: Party = Party.objects.get(account=demo, name="Padaria Aurora Ltda")
    return found


def boxes(page: Any) -> dict[str, tuple[bool, bool]]:
    """name → (on, locked)."""
    return {
        one.get("value"): (one.get("checked") is not None, one.get("disabled") is not None)
        for one in page.cssselect("input[name=aviso]")
    }


def told(answer: Any) -> list[str]:
    page = lxml.html.fromstring(answer.content.decode())
    return [one.text_content().strip() for one in page.cssselect("[role=status] p, #erros li")]


def addresses(page: Any) -> list[str]:
    return [one.get("data-email") for one in page.cssselect("[data-email]")]


def trail() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="preferencias.alteradas").order_by("pk"))


def test_p18_1_locked_boxes_stay_on_whatever_is_posted(
    central: Central, page: Page, aurora: Party
) -> None:
    client = central()
    first = page(client, WHERE)
    assert {name for name, (_, locked) in boxes(first).items() if locked} == LOCKED
    assert {name for name, (on, _) in boxes(first).items() if on} == LOCKED | FREE
    assert first.text_content().count("Aviso obrigatório do contrato") == 3
    assert [" ".join(th.text_content().split()) for th in first.cssselect("thead th")] == [
        "Aviso", "E-mail",
    ]  # fmt: skip

    answer = client.post(
        WHERE, {"aviso": ["lembrete.email", "x", "lembrete.whatsapp"], "idempotency_key": "a"},
        follow=True,
    )  # fmt: skip

    assert told(answer) == ["Preferências salvas."]
    assert {name for name, (on, _) in boxes(page(client, WHERE)).items() if on} == {
        *LOCKED, "lembrete.email",
    }  # fmt: skip
    assert not NotificationPreference.objects.exclude(channel="email").exists()
    assert not NotificationPreference.objects.filter(event__in=preferences.LOCKED).exists()
    [event] = trail()
    assert (event.actor_label, event.object_id) == ("titular@aurora.test", aurora.pk)
    assert event.before == dict.fromkeys(sorted(FREE - {"lembrete.email"}), True)
    client.post(WHERE, {"aviso": ["lembrete.email"], "idempotency_key": "b"})
    assert len(trail()) == 1  # nothing changed
    reader = central("leitura@aurora.test")
    assert reader.get(WHERE).status_code == 403
    for path in (WHERE, ADD, REMOVE):
        assert reader.post(path, {}).status_code == 403
    assert boxes(page(central("titular@boavista.test"), WHERE))["vencida.email"] == (True, False)


def test_p18_2_the_last_address_stays(central: Central, page: Page, aurora: Party) -> None:
    client = central("financeiro@aurora.test")
    Contact.objects.filter(party=aurora).delete()
    Contact.objects.create(
        account=aurora.account, party=aurora, name="Rui", email="Rui@aurora.test", is_billing=True
    )
    Party.objects.filter(pk=aurora.pk).update(billing_contacts="contas@aurora.test")
    suppress(aurora.account, "contas@aurora.test", reason=Reason.BOUNCE)
    seen = page(client, WHERE)
    assert addresses(seen) == ["Rui@aurora.test", "contas@aurora.test"]
    assert "Não recebe: devolvido ou descadastrado" in seen.text_content()

    gone = client.post(REMOVE, {"email": "rui@AURORA.test", "idempotency_key": "1"}, follow=True)
    assert told(gone) == ["rui@AURORA.test não recebe mais as faturas."]
    assert not Contact.objects.get(party=aurora).is_billing
    last = client.post(REMOVE, {"email": "contas@aurora.test", "idempotency_key": "2"})
    assert "Mantenha pelo menos um e-mail de cobrança." in last.content.decode()
    assert addresses(page(client, WHERE)) == ["contas@aurora.test"]
    unknown = client.post(REMOVE, {"email": "titular@boavista.test", "idempotency_key": "3"})
    assert unknown.status_code == 404
    assert [one.after for one in trail()] == [{"destinatarios": ["contas@aurora.test"]}]


def test_an_address_is_added_by_its_owner(
    central: Central, page: Page, aurora: Party, today: Any
) -> None:
    client = central()
    before = addresses(page(client, WHERE))
    for given, fault in (
        ("", "Informe o novo e-mail de cobrança."),
        ("nada", billing_addresses.NOT_ONE),
        (before[0].upper(), "Este e-mail já recebe as faturas."),
    ):
        refused = client.post(ADD, {"email": given, "idempotency_key": f"x{given}"})
        assert told(refused) == [fault]
    asked = client.post(ADD, {"email": "novo@aurora.test", "idempotency_key": "n"}, follow=True)
    assert "Enviamos um e-mail para novo@aurora.test." in told(asked)[0]
    assert addresses(page(client, WHERE)) == before
    letter = EmailMessage.objects.get(recipient="novo@aurora.test")
    assert "/preferencias/confirmar/" not in letter.body
    link = re.search(r"http://testserver(/central/preferencias/confirmar/\S+)", opened(letter.body))
    assert link is not None

    anybody = Client()
    shown = anybody.get(link[1])
    assert "novo@aurora.test" in shown.content.decode()
    assert shown["Referrer-Policy"] == "no-referrer"
    assert addresses(page(client, WHERE)) == before  # a GET changes nothing
    assert anybody.get(link[1][:-2] + "x/").status_code == 404
    done = anybody.post(link[1])
    assert "E-mail confirmado." in done.content.decode()
    assert addresses(page(client, WHERE)) == [*before, "novo@aurora.test"]
    n = len(trail())
    assert anybody.post(link[1]).status_code == 200
    assert len(trail()) == n
    assert (trail()[-1].actor_kind, trail()[-1].actor_label) == ("link", "novo@aurora.test")

    for number in range(9):
        client.post(ADD, {"email": f"n{number}@x.test", "idempotency_key": f"m{number}"})
    tenth = client.post(ADD, {"email": "n10@x.test", "idempotency_key": "m10"})
    assert tenth.status_code == 429
    assert EmailMessage.objects.filter(recipient="n10@x.test").count() == 0


def test_an_old_request_is_over(aurora: Party, monkeypatch: Any) -> None:
    import time

    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    token = billing_addresses._signer().sign_object([aurora.pk, "a@b.test"])
    monkeypatch.undo()
    answer = Client().get(f"{WHERE}confirmar/{token}/")
    assert answer.status_code == 410
    assert "Este link expirou." in answer.content.decode()


def test_by_the_link_of_a_notice_one_chooses_without_a_login(
    central: Central, page: Page, aurora: Party
) -> None:
    invoice = Invoice.objects.get(customer=aurora, number=1001)
    rows = send_emission(invoice.pk, aurora.account)
    link = re.search(r"Para escolher quais avisos receber:\s+http://testserver(\S+)", rows[0].body)
    assert link is not None
    anybody = Client(enforce_csrf_checks=True)
    shown = page(anybody, link[1])
    said = shown.text_content()
    assert "Padaria Aurora Ltda" in said
    for private in ("contas@aurora.test", "12.ABC.345", "1.234,56"):
        assert private not in said
    assert not NotificationPreference.objects.exists()

    done = anybody.post(link[1], {"aviso": sorted(FREE - {"vencida.email"})}, follow=True)

    assert told(done) == ["Preferências salvas."]
    assert [wants(aurora.pk, one) for one in (Event.OVERDUE, Event.DUE_TODAY, Event.ISSUED)] == [
        False, True, True,
    ]  # fmt: skip
    assert (trail()[-1].actor_kind, trail()[-1].actor_label) == ("link", rows[0].recipient)
    for forged in (link[1].replace(".", ".x"), f"{WHERE}link/abc/", link[1][:-1] + "x/"):
        assert anybody.get(forged).status_code == 404, forged


def test_the_senders_ask(aurora: Party) -> None:
    """Receipts and notes here; reminders in tests/billing/dunning, emission is locked on."""
    day = date(2026, 8, 12)
    assert [_event(date(2026, 8, d), day) for d in (11, 12, 13)] == [
        Event.OVERDUE, Event.DUE_TODAY, Event.BEFORE_DUE,
    ]  # fmt: skip
    preferences.save_preferences(aurora.account, aurora, on=set(), actor=_system())
    assert preferences.unwilling({aurora.pk, aurora.pk + 1}, Event.NOTE) == {aurora.pk}
    invoice = Invoice(customer=aurora)
    source: Any = Source(invoice, *[None] * 3)  # type: ignore[arg-type]
    assert email_of(source) == (aurora.nfse_email or aurora.email) != ""
    assert email_of(replace(source, is_told=False)) == ""
    assert not wants(aurora.pk, Event.PAID)
    assert not wants(aurora.pk, Event.MONTHLY, "whatsapp")


def test_the_monthly_summary_is_for_those_who_asked(aurora: Party, today: Any) -> None:
    assert monthly_summary.send_summaries() == 0
    on = {"resumo_mensal.email"}
    preferences.save_preferences(aurora.account, aurora, on=on, actor=_system())
    today("2026-09-01")
    n = monthly_summary.send_summaries()
    assert monthly_summary.send_summaries() == n > 0
    letters = EmailMessage.objects.filter(key__startswith="resumo_mensal:")
    assert letters.count() == n
    [letter] = letters.filter(recipient="contas@aurora.test")
    assert letter.subject == "Resumo de 08/2026 – Padaria Aurora Ltda"
    issued = Invoice.objects.filter(
        customer=aurora, issue_date__month=8, issue_date__year=2026, emitted_at__isnull=False,
        void=False,
    )  # fmt: skip
    assert letter.body.count("Fatura ") == issued.count()


def _system() -> Any:
    from accounts.services.audit import SYSTEM

    return SYSTEM
