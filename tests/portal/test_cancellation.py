"""Ending contracts in the portal (P13, P14)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import lxml.html
import pytest
from support.demo_world import PASSWORD

from accounts.models import AuditEvent
from billing.models import (
    CancellationRequest,
    Contract,
    EmailMessage,
    Invoice,
    ScheduledCancellation,
)
from billing.services.run import RunRequest, run_billing

pytestmark = pytest.mark.django_db

LIST = "/central/contratos/"
ALL = "/central/cancelamento/"


def contract(external_code):
    return Contract.objects.get(external_code=f"demo-{external_code}")


def form_of(tree):
    """What a browser would send of the page's own form, as it was shown."""
    (form,) = [one for one in tree.forms if "versao" in one.fields or "acao" in one.fields]
    # As browsers do: the line break after <textarea> is none of its text.
    values = {name: value.removeprefix("\n") for name, value in form.form_values()}
    del values["csrfmiddlewaretoken"]
    return values


def parsed(answer):
    return lxml.html.fromstring(answer.content.decode())


def test_p13_1_one_page_and_one_post_lead_to_the_protocol(central, page, demo):
    """P13-1, P13-2: no reason is asked for."""
    client = central()
    hosting = contract("hospedagem")
    path = f"{LIST}{hosting.pk}/cancelar/"

    tree = page(client, path)
    assert tree.xpath("//body/@data-screen") == ["P13"]
    text = " ".join(tree.text_content().split())
    assert "Mensalidade final estimada: R$ 200,00 (31 dias)" in text.replace("\xa0", " ")
    assert "Mensalidade final estimada: R$ 77,42 (12 dias)" in text.replace("\xa0", " ")
    buttons = [b.text_content() for b in tree.xpath("//main//form//button")]
    assert buttons == ["Confirmar cancelamento"]
    sent = form_of(tree)
    assert (sent["ultimo_dia"], sent["motivo"], sent["comentario"]) == ("2026-08-31", "", "")

    answer = client.post(path, sent)
    again = client.post(path, sent)

    assert (answer.status_code, answer.url) == (302, f"{LIST}{hosting.pk}/")
    assert again.url == answer.url
    made = CancellationRequest.objects.get()
    assert made.protocol == "CAN-2026-000001"
    tree = page(client, answer.url)
    assert made.protocol in tree.xpath("//div[@role='status']")[0].text_content()
    assert "Cancelamento agendado para 31/08/2026" in tree.text_content()
    assert EmailMessage.objects.filter(subject__contains=made.protocol).count() == 1
    (row,) = page(client, LIST).xpath(f"//tr[@data-contrato='{hosting.pk}']")
    assert "Cancelamento agendado para 31/08/2026" in row.text_content()
    assert not row.xpath(".//a[contains(@href, 'cancelar')]")


def test_p13_3_a_run_after_the_day_bills_what_was_told(central, page, demo, today):
    client = central()
    hosting = contract("hospedagem")
    sent = form_of(page(client, f"{LIST}{hosting.pk}/cancelar/"))
    client.post(f"{LIST}{hosting.pk}/cancelar/", {**sent, "ultimo_dia": "2026-08-12"})
    known = set(Invoice.objects.filter(contract=hosting).values_list("pk", flat=True))

    today("2026-10-31")
    run_billing(RunRequest(demo, date(2026, 10, 31), date(2026, 10, 31)))

    new = Invoice.objects.filter(contract=hosting).exclude(pk__in=known)
    billed = new.exclude(state=Invoice.State.CANCELLED)
    assert [one.gross_value for one in billed] == [Decimal("77.42")]
    assert ScheduledCancellation.objects.get().final_amount == Decimal("77.42")


def test_p13_4_undone_it_is_active_again(central, page, demo, today):
    client = central()
    hosting = contract("hospedagem")
    path = f"{LIST}{hosting.pk}/"
    client.post(f"{path}cancelar/", form_of(page(client, f"{path}cancelar/")))
    undo = page(client, path).xpath("//form[contains(@action, 'desfazer')]")[0]

    answer = client.post(undo.get("action"), dict(undo.form_values()))

    assert answer.url == path
    tree = page(client, path)
    assert "Cancelamento desfeito." in tree.xpath("//div[@role='status']")[0].text_content()
    assert "agendado" not in tree.xpath("//main")[0].text_content()
    (row,) = page(client, LIST).xpath(f"//tr[@data-contrato='{hosting.pk}']")
    assert row.get("data-estado") == "ativo"
    assert client.post(f"{path}desfazer/").status_code == 409
    today("2026-09-01")


def test_stale_and_forged_pages_do_nothing(central, page, demo):
    client = central()
    hosting = contract("hospedagem")
    path = f"{LIST}{hosting.pk}/cancelar/"
    sent = form_of(page(client, path))

    for changed in (
        {"ultimo_dia": "2027-01-01"},
        {"ultimo_dia": "<script>"},
        {"ultimo_dia": ""},
        {"motivo": "inventado"},
        {"comentario": "x" * 2001},
    ):
        answer = client.post(path, {**sent, **changed})
        assert answer.status_code == 200
        tree = parsed(answer)
        assert tree.findtext(".//title").startswith("Erro: ")
        assert tree.xpath("//*[@id='erros' and @role='alert']//a")
    assert client.post(path, {**sent, "versao": "outra"}).status_code == 409
    assert not ScheduledCancellation.objects.exists()

    other_page = page(client, path)
    assert client.post(path, sent).status_code == 302
    late = client.post(path, form_of(other_page))
    assert late.status_code == 409
    assert (
        "Este contrato mudou enquanto você estava aqui (agora: Cancelamento agendado para"
        " 31/08/2026). Nada foi feito."
    ) in parsed(late).text_content()
    assert ScheduledCancellation.objects.count() == 1


def test_p14_everything_under_one_protocol(central, page, demo):
    """P14-1, P14-2."""
    client = central()
    tree = page(client, ALL)
    assert tree.xpath("//body/@data-screen") == ["P14"]
    assert "Entendo que os 4 contratos serão cancelados." in tree.text_content()
    assert "Você continua com acesso às faturas e notas fiscais." in tree.text_content()
    rows = tree.xpath("//tbody/tr")
    total = tree.xpath("//tfoot//td/@data-valor")[0]
    assert len(rows) == 4
    assert sum(Decimal(v) for v in tree.xpath("//tbody//td/@data-valor")) == Decimal(total)
    sent = form_of(tree)
    EmailMessage.objects.all().delete()

    refused = client.post(ALL, sent)

    assert "Marque a confirmação para continuar." in parsed(refused).text_content()
    assert not ScheduledCancellation.objects.exists()
    answer = client.post(ALL, {**sent, "confirmacao": "on"})
    assert answer.url == LIST
    tree = page(client, LIST)
    assert len(tree.xpath("//*[@data-agendado]")) == 4
    made = CancellationRequest.objects.get()
    assert (made.is_everything, made.items.count()) == (True, 4)
    assert made.protocol in tree.xpath("//div[@role='status']")[0].text_content()
    assert EmailMessage.objects.count() == 1
    assert AuditEvent.objects.filter(action="conta.cancelamento_pedido").count() == 1
    page(client, "/central/faturas/")
    assert "Você não tem contratos a cancelar." in page(client, ALL).text_content()
    assert (
        client.post(ALL, {**sent, "confirmacao": "on", "idempotency_key": "x"}).status_code == 409
    )


def test_p14_asks_for_an_old_password_and_goes_on_with_the_form(central, page, demo):
    client = central()
    sent = {**form_of(page(client, ALL)), "confirmacao": "on", "comentario": "Até logo"}
    session = client.session
    session["signed_in_at"] -= 16 * 60
    session.save()

    asked = client.post(ALL, sent)

    assert not ScheduledCancellation.objects.exists()
    kept = dict(parsed(asked).xpath("//form[.//input[@type='password']]")[0].form_values())
    assert (kept["confirmacao"], kept["comentario"]) == ("on", "Até logo")
    answer = client.post(ALL, {**kept, "confirmar_senha": PASSWORD})
    assert answer.url == LIST
    assert CancellationRequest.objects.get().comment == "Até logo"


def test_only_the_holder_ends_contracts(central, demo):
    hosting = contract("hospedagem")

    for email in ("financeiro@aurora.test", "leitura@aurora.test"):
        client = central(email)
        for path in (ALL, f"{LIST}{hosting.pk}/cancelar/"):
            assert client.get(path).status_code == 403
            assert client.post(path, {"confirmacao": "on"}).status_code == 403
        assert client.post(f"{LIST}{hosting.pk}/desfazer/").status_code == 403
    assert not ScheduledCancellation.objects.exists()
