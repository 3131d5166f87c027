"""The screens of webhooks (ux B15)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from factories import MembershipFactory
from support.receiver import receiver, sha256, status
from support.webhooks import SECRET, announced, deliver, endpoint_to, states, told

from accounts.models import AuditEvent, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from accounts.services import webhooks
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _local(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True


def client_of(account: Any, role: str = "admin") -> Client:
    client = Client()
    client.force_login(MembershipFactory(account=account, role=role).user)
    return client


def url(model: str, action: str, *args: object) -> str:
    return reverse(f"admin:accounts_{model}_{action}", args=args)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def act(client: Client, endpoint: WebhookEndpoint, verb: str, **data: str) -> Any:
    return client.post(url("webhookendpoint", "act", endpoint.pk), {"acao": verb, **data})


FORM = {"description": "ERP", "version": "1", "ping_first": "on"}


def test_saving_sends_the_test_and_shows_its_answer_and_the_secret_once(account):
    client = client_of(account)
    with receiver() as server:
        answer = client.post(
            url("webhookendpoint", "add"), {**FORM, "url": server.url, "events": ["emit"]}
        )

        text = answer.content.decode()
        endpoint = WebhookEndpoint.objects.get()
        assert answer.status_code == 200
        (ping,) = server.received
        secret = re.search(r"whsec_[\w-]+", text)[0]
        assert ping.headers["X-Signature"].endswith(f"v1={sha256(secret, ping)}")
        assert "O teste foi respondido com HTTP 200" in text
        assert (endpoint.url, endpoint.events, endpoint.ping_first) == (server.url, ["emit"], True)
        assert "whsec_" not in said(answer)
        assert "messages" not in client.cookies or not client.cookies["messages"].value
        assert "no-store" in answer["Cache-Control"]
        for path in (
            url("webhookendpoint", "changelist"),
            url("webhookendpoint", "change", endpoint.pk),
        ):
            page = client.get(path).content.decode()
            assert "whsec_" not in page
            assert endpoint.secret not in page

    assert [e.action for e in AuditEvent.objects.all()] == ["webhook.criado"]
    assert secret not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://exemplo.com.br/", "o endereço não é https"),
        ("https://10.0.0.1/", "o endereço não é público"),
        ("https://localhost/", "o endereço não é público"),
        ("https://exemplo.com.br:22/", "a porta 22 não é permitida"),
        ("https://a:b@exemplo.com.br/", "o endereço traz usuário ou senha"),
    ],
)
def test_only_public_https_addresses_are_accepted(account, settings, address, reason):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = False

    answer = client_of(account).post(url("webhookendpoint", "add"), {**FORM, "url": address})

    errors = answer.context["adminform"].form.errors
    assert errors == {"url": [f"Use um endereço https público: {reason}."]}
    assert not WebhookEndpoint.objects.exists()


def test_an_address_that_refuses_the_test_is_not_saved(account):
    with receiver(status(500)) as server:
        answer = client_of(account).post(url("webhookendpoint", "add"), {**FORM, "url": server.url})

    errors = answer.context["adminform"].form.errors
    assert errors == {"url": ["O endereço não respondeu ao teste com 2xx: HTTP 500."]}
    assert not WebhookEndpoint.objects.exists()


def test_another_address_is_tested_before_it_is_kept_and_the_rest_is_not(account):
    client = client_of(account)
    with receiver() as server, receiver(status(404)) as bad:
        endpoint = endpoint_to(server, account)
        path = url("webhookendpoint", "change", endpoint.pk)

        client.post(path, {**FORM, "url": server.url, "description": "Novo"})
        refused = client.post(path, {**FORM, "url": bad.url})
        assert (len(server.received), len(bad.received)) == (0, 1)
        with receiver() as other:
            client.post(path, {**FORM, "url": other.url})
            (ping,) = other.received

    assert refused.context["adminform"].form.errors["url"]
    assert ping.headers["X-Signature"].endswith(f"v1={sha256(SECRET, ping)}")
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.url, endpoint.description) == (other.url, "ERP")


def test_a_token_to_be_ignored_is_one_of_the_account(account, other_account):
    theirs, _ = create_token(other_account, name="Deles", scope="billing")
    mine, _ = create_token(account, name="Meu", scope="billing")
    client = client_of(account)
    endpoint = endpoint_to("https://exemplo.com.br/", account)
    path = url("webhookendpoint", "change", endpoint.pk)
    data = {**FORM, "url": endpoint.url}

    refused = client.post(path, {**data, "muted_token": theirs.pk})
    client.post(path, {**data, "muted_token": mine.pk})

    assert "muted_token" in refused.context["adminform"].form.errors
    assert WebhookEndpoint.objects.get().muted_token == mine


def test_500_answers_show_code_body_and_next_attempt(account):
    with receiver(status(500, b"erro no banco deles")) as server:
        endpoint_to(server, account)
        announced(account)
        deliver()
    delivery = WebhookDelivery.objects.get()
    client = client_of(account)

    listed = client.get(url("webhookdelivery", "changelist")).content.decode()
    page = client.get(url("webhookdelivery", "change", delivery.pk)).content.decode()
    attempt = WebhookAttempt.objects.get()
    link = url("webhookattempt", "change", attempt.pk)
    detail = client.get(link).content.decode()

    assert "500" in listed
    assert "Falhou, nova tentativa marcada" in listed
    assert "erro no banco deles" in page
    assert f'<a href="{link}" aria-label="Ver a tentativa 1">Ver</a>' in page
    assert "erro no banco deles" in detail
    assert "X-Event-Id: evt_" in detail
    assert "X-Signature: [removida]" in detail
    assert "v1=" not in detail


def test_deliveries_are_filtered_by_event_state_and_endpoint(account, other_account):
    with receiver() as server:
        first, second = endpoint_to(server, account), endpoint_to(server, account, events=["emit"])
        foreign = endpoint_to(server, other_account)
        for event in ("emit", "cancel"):
            announced(account, event)
        announced(other_account)
        deliver()
    client = client_of(account)

    def n(**query: object) -> int:
        page = client.get(url("webhookdelivery", "changelist"), query)
        return page.context["cl"].result_count

    assert n() == 3
    assert n(nome="emit") == 2
    assert n(endereco=second.pk) == 1
    assert n(endereco=first.pk, nome="cancel") == 1
    assert n(endereco=foreign.pk) == 0
    assert n(state__exact="dead") == 0
    assert n(evento=WebhookDelivery.objects.first().event_id) == 2
    assert n(endereco="9" * 30) == 3


def test_chosen_deliveries_are_resent_with_the_same_event_id(account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        deliver()
        delivery = WebhookDelivery.objects.get()
        client_of(account, "suporte").post(
            url("webhookdelivery", "changelist"),
            {"action": "resend_chosen", "_selected_action": [delivery.pk]},
        )
        deliver()

    first, second = server.received
    assert first.headers["X-Event-Id"] == second.headers["X-Event-Id"]
    event = AuditEvent.objects.get(action="webhook.reenviado")
    assert (event.actor_kind, event.object_id) == ("user", delivery.pk)


def test_one_delivery_is_resent_from_its_page_by_who_may(account, other_account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account)
        deliver()
        delivery = WebhookDelivery.objects.get()
        resend = url("webhookdelivery", "resend", delivery.pk)
        show = url("webhookdelivery", "change", delivery.pk)
        support, finance = client_of(account, "suporte"), client_of(account, "financeiro")

        assert resend in support.get(show).content.decode()
        assert resend not in finance.get(show).content.decode()
        assert finance.post(resend).status_code == 403
        assert client_of(other_account).post(resend).status_code == 404
        assert support.get(resend).status_code == 405
        answer = support.post(resend)
        deliver()

    assert answer.url == show
    assert "1 entrega(s) na fila" in said(answer)
    assert len(server.received) == 2


def test_failures_since_a_date_are_resent_by_support_too(account):
    with receiver(status(500)) as server:
        endpoint = endpoint_to(server, account)
        announced(account)
        deliver()
        server.behave = status(200)
        client = client_of(account, "suporte")
        today = f"{clock.today():%Y-%m-%d}"
        tomorrow = f"{clock.today() + timedelta(days=1):%Y-%m-%d}"

        none = act(client, endpoint, "reenviar", desde=tomorrow)
        wrong = act(client, endpoint, "reenviar", desde="31/02/2026")
        backwards = act(client, endpoint, "reenviar", desde=tomorrow, ate=today)
        endless = act(client, endpoint, "reenviar", desde=today, ate="31/02/2026")
        done = act(client, endpoint, "reenviar", desde=today, ate=today)
        deliver()

    assert "0 entrega(s)" in said(none)
    assert "Informe desde quando" in said(wrong)
    assert "O fim do período vem antes do começo." in said(backwards)
    assert "Informe até quando" in said(endless)
    assert "1 entrega(s)" in said(done)
    assert states() == ["delivered"]
    assert told(server) == [("update", 1)] * 2


def test_the_buttons_test_pause_resume_and_rotate(account):
    client = client_of(account)
    with receiver() as server:
        endpoint = endpoint_to(server, account)

        tested = act(client, endpoint, "testar")
        paused = act(client, endpoint, "pausar")
        again = act(client, endpoint, "pausar")
        announced(account)
        deliver()
        assert server.events == []
        page = client.get(url("webhookendpoint", "change", endpoint.pk)).content.decode()
        resumed = act(client, endpoint, "retomar")
        deliver()
        rotated = act(client, endpoint, "girar")
        unknown = act(client, endpoint, "explodir")

    assert "HTTP 200" in said(tested)
    assert "pausados" in said(paused)
    assert "já está desativado" in said(again)
    assert "Retomar" in page
    assert "retomados" in said(resumed)
    assert len(server.events) == 1
    assert re.search(r"whsec_[\w-]{40,}", rotated.content.decode())
    assert "whsec_" not in said(rotated) + str(rotated.cookies)
    assert "no-store" in rotated["Cache-Control"]
    assert "desconhecida" in said(unknown)
    assert sorted(AuditEvent.objects.values_list("action", flat=True)) == [
        "webhook.criado", "webhook.desativado", "webhook.retomado", "webhook.segredo_girado",
        "webhook.testado",
    ]  # fmt: skip


def test_a_test_that_fails_shows_the_start_of_the_answer(account):
    with receiver(status(503, b"<b>fora do ar</b>")) as server:
        endpoint = endpoint_to(server, account)
        answer = act(client_of(account), endpoint, "testar")

    assert "O teste falhou: HTTP 503. Resposta: <b>fora do ar</b>" in said(answer)
    assert AuditEvent.objects.filter(action="webhook.testado", after__status=503).exists()


def test_the_lists_actions_do_the_same_for_chosen_ones_of_the_own_account(account, other_account):
    with receiver() as server:
        mine, theirs = endpoint_to(server, account), endpoint_to(server, other_account)
        client = client_of(account)
        for action in ("test_chosen", "pause_chosen"):
            client.post(
                url("webhookendpoint", "changelist"),
                {"action": action, "_selected_action": [mine.pk, theirs.pk]},
            )

    assert len(server.received) == 1
    assert list(WebhookEndpoint.objects.order_by("pk").values_list("state", flat=True)) == [
        "paused",
        "active",
    ]


def test_a_paused_endpoint_is_told_on_top_of_the_list(account):
    endpoint = endpoint_to("https://exemplo.com.br/", account)
    webhooks.pause_endpoint(endpoint.pk, account=account, actor=SYSTEM, reason="Motivo tal.")

    page = client_of(account, "financeiro").get(url("webhookendpoint", "changelist"))

    text = page.content.decode()
    assert "O webhook https://exemplo.com.br/ está desativado: Motivo tal." in text
    assert "Desativado" in text


def test_the_list_tells_state_and_success_of_the_day(account):
    with receiver() as server:
        endpoint_to(server, account)
        announced(account, object_id=1)
        deliver()
        server.behave = status(500)
        announced(account, object_id=2)
        deliver()

    page = client_of(account).get(url("webhookendpoint", "changelist")).content.decode()

    assert "Falhando" in page
    assert "50% (1 de 2)" in page


@pytest.mark.parametrize("role", ["financeiro", "fiscal", "suporte"])
def test_who_does_not_configure_gets_no_further_than_the_role_says(account, role):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        client = client_of(account, role)

        codes = {verb: act(client, endpoint, verb).status_code
                 for verb in ("testar", "pausar", "girar", "reenviar")}  # fmt: skip
        added = client.post(url("webhookendpoint", "add"), {**FORM, "url": server.url})
        changed = client.post(
            url("webhookendpoint", "change", endpoint.pk), {**FORM, "url": "https://x.com/"}
        )

    may_resend = role == "suporte"
    assert codes == {
        "testar": 403, "pausar": 403, "girar": 403, "reenviar": 302 if may_resend else 403,
    }  # fmt: skip
    assert (added.status_code, changed.status_code) == (403, 403)
    assert server.received == []
    assert WebhookEndpoint.objects.get().url == server.url


def test_another_account_s_endpoint_and_delivery_do_not_exist(account, other_account):
    with receiver() as server:
        theirs = endpoint_to(server, other_account)
        announced(other_account)
        deliver()
        delivery, attempt = WebhookDelivery.objects.get(), WebhookAttempt.objects.get()
        client = client_of(account)
        for verb in ("testar", "pausar", "girar", "reenviar"):
            assert act(client, theirs, verb, desde="2020-01-01").status_code == 404
        client.post(
            url("webhookdelivery", "changelist"),
            {"action": "resend_chosen", "_selected_action": [delivery.pk]},
        )
        assert client.get(url("webhookattempt", "change", attempt.pk)).status_code == 404
        deliver()

    assert len(server.received) == 1
    assert not AuditEvent.objects.of(account).exists()


def test_an_endpoint_is_removed_with_its_log(account):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        announced(account)
        deliver()
    client = client_of(account)

    client.post(url("webhookendpoint", "delete", endpoint.pk), {"post": "yes"})

    assert not WebhookEndpoint.objects.exists()
    assert not WebhookDelivery.objects.exists()
    assert not WebhookAttempt.objects.exists()
    assert AuditEvent.objects.filter(action="webhook.removido").count() == 1


def test_buttons_answer_only_to_posts(account):
    endpoint = endpoint_to("https://exemplo.com.br/", account)

    assert client_of(account).get(url("webhookendpoint", "act", endpoint.pk)).status_code == 405
