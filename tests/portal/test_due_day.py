"""The due day in the portal (P16)."""

from __future__ import annotations

import lxml.html
import pytest

from accounts.models import AuditEvent
from billing.models import Invoice, OrganizationProfile, Party

pytestmark = pytest.mark.django_db

PATH = "/central/vencimento/"


def form_of(tree):
    (form,) = [one for one in tree.forms if "atual" in one.fields]
    return {name: value for name, value in form.form_values() if name != "csrfmiddlewaretoken"}


def parsed(answer):
    return lxml.html.fromstring(answer.content.decode())


def test_p16_1_another_day_holds_for_what_comes(central, page, demo):
    client = central("financeiro@aurora.test")
    tree = page(client, PATH)
    assert tree.xpath("//body/@data-screen") == ["P16"]
    assert tree.xpath("//input[@type='radio']/@value") == ["5", "10", "15"]
    assert tree.xpath("//input[@type='radio'][@checked]/@value") == ["10"]
    text = " ".join(tree.text_content().split())
    assert (
        "A próxima fatura vence em 15/09/2026 (seria 10/09/2026). Faturas já emitidas não mudam."
        in text
    )

    answer = client.post(PATH, {**form_of(tree), "dia": "15"})

    assert answer.url == PATH
    tree = page(client, PATH)
    assert "Dia de vencimento alterado para 15." in tree.text_content()
    assert form_of(tree)["dia"] == "15"
    emitted = Invoice.objects.get(account=demo, number=1001)
    assert f"{emitted.due_date:%d/%m/%Y}" == "20/08/2026"
    assert AuditEvent.objects.filter(action="vencimento.alterado").count() == 1


def test_p16_2_any_other_day_is_refused(central, page, demo):
    client = central()
    sent = form_of(page(client, PATH))

    for day in ("20", "0", "", "-5", "10,5", "²", "99999999999"):
        tree = parsed(client.post(PATH, {**sent, "dia": day}))
        assert "Escolha 5, 10 ou 15." in tree.xpath("//*[@role='alert']")[0].text_content()

    assert Party.objects.get(external_code="demo-a").preferred_due_day == 10
    assert not AuditEvent.objects.filter(action="vencimento.alterado").exists()


def test_stale_too_soon_and_forbidden(central, page, demo):
    client = central()
    sent = form_of(page(client, PATH))
    client.post(PATH, {**sent, "dia": "15"})

    stale = client.post(PATH, {**sent, "dia": "5", "idempotency_key": "outra"})
    assert stale.status_code == 409
    assert "(agora: 15). Nada foi feito." in parsed(stale).text_content()
    same = client.post(PATH, {"dia": "15", "atual": "15"}, follow=True)
    assert "Seu dia de vencimento já é 15." in parsed(same).text_content()
    OrganizationProfile.objects.update(due_day_change_days=30)
    tree = page(client, PATH)
    assert "de novo em 11/09/2026" in tree.text_content()
    assert not tree.xpath("//main//button[@type='submit']")
    early = client.post(PATH, {"dia": "5", "atual": "15"})
    assert early.status_code == 422
    reader = central("leitura@aurora.test")
    assert not page(reader, PATH).xpath("//main//form")
    assert reader.post(PATH, {"dia": "5", "atual": "15"}).status_code == 403
    assert Party.objects.get(external_code="demo-a").preferred_due_day == 15
