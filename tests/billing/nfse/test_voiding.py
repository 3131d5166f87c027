"""Staff void an invoice: its note is cancelled first, or they are told why it stands."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory
from support.invoice_notes import fresh, issue_all, noted
from support.service_notes import refuses

from billing.services import note_emission
from fiscal.models import ServiceNote

pytestmark = pytest.mark.django_db


def client_as(account, role):
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def voiding(client, invoice, reason="Cobrada duas vezes"):
    """The page of confirmation, then what came of confirming it."""
    url = reverse("admin:billing_invoice_act", args=[invoice.pk, "anular"])
    page = client.get(url)
    posted = {"idempotency_key": uuid4().hex, "situacao": "to_receive"}
    return page.content.decode(), client.post(url, posted | {"motivo": reason}, follow=True)


def test_finance_voids_an_invoice_and_its_note_and_is_told_why_not(
    organization, customer, template, issuer, city, account, other_account
):
    invoice = noted(organization, customer, template)
    issue_all()
    client = client_as(account, "financeiro")
    url = reverse("admin:billing_invoice_act", args=[invoice.pk, "anular"])
    assert client_as(account, "fiscal").get(url).status_code == 403
    assert client_as(other_account, "admin").get(url).status_code == 404
    assert "Informe o motivo." in voiding(client, invoice, reason="")[1].content.decode()

    city.next("cancel", refuses("E0822", "Prazo de cancelamento expirado"))
    asked, told = voiding(client, invoice)
    assert "O cancelamento da nota 1000 é pedido antes" in asked
    refusal = told.content.decode()
    assert "A nota 1000 não pôde ser cancelada: E0822 – Prazo de cancelamento expirado" in refusal
    assert not fresh(invoice).void

    form = client.get(url).context["form"]
    key = {"idempotency_key": form["idempotency_key"].initial, "situacao": "to_receive"}
    for said in ("Fatura anulada, e a nota 1000 cancelada.", "nada foi feito de novo"):
        done = client.post(url, key | {"motivo": "Cobrada duas vezes"}, follow=True)
        assert said in done.content.decode()
    assert fresh(invoice).void
    assert ServiceNote.objects.get().state == "cancelado"


def test_the_page_of_voiding_tells_of_a_note_that_waits_or_is_on_its_way(
    organization, customer, template, issuer, city, account
):
    waits = noted(organization, customer, template, days=3)
    sent = noted(organization, customer, template)
    note_emission.work_off()
    client = client_as(account, "admin")

    assert "A nota que ainda não saiu deixa de ser emitida" in voiding(client, waits)[0]
    asked, told = voiding(client, sent, reason="Outra")
    assert "A nota está em processamento: enquanto isso" in asked
    assert "A nota está em processamento. Aguarde a resposta" in told.content.decode()
    assert [fresh(waits).void, fresh(sent).void] == [True, False]
