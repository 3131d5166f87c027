"""/api/v1/webhooks (billing-api §2.17)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from support.receiver import hang, receiver, sha1, sha256, status
from support.webhooks import SECRET, announced, deliver, endpoint_to, told
from support.wire import Api, api_of

from accounts.models import AuditEvent, IdempotencyRecord, WebhookDelivery, WebhookEndpoint
from accounts.services import webhook_requests
from accounts.services.audit import SYSTEM
from accounts.services.webhook_outbox import causing_token_id
from accounts.services.webhooks import MAX_ENDPOINTS, pause_endpoint
from billing.api.v1 import parties
from lib.errors import Conflict

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _local(settings) -> None:
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def api(account) -> Api:
    return api_of(account)


def errors(answer: Any) -> Any:
    assert answer.status_code == 422, answer.content
    return answer.json()["errors"]


@pytest.mark.parametrize("envelope", [True, False])
def test_a_webhook_is_created_after_the_ping_and_never_tells_its_secret(account, api, envelope):
    with receiver() as server:
        body = {"url": server.url, "description": "ERP", "secret": SECRET}
        answer = api.post("webhooks", {"webhook": body} if envelope else body)
        (ping,) = server.received

    assert answer.status_code == 201, answer.content
    endpoint = WebhookEndpoint.objects.get()
    shown = answer.json()["webhook"]
    created_at = shown.pop("created_at")
    assert shown == {
        "id": endpoint.pk,
        "url": server.url,
        "description": "ERP",
        "events": [],
        "version": 1,
        "ping": True,
        "active": True,
        "ignore_own": False,
        "failing_since": None,
    }
    assert created_at.endswith("-03:00")
    assert endpoint.account == account
    assert ping.body == b'{"test":true}'
    assert ping.headers["X-Event"] == "test"
    assert ping.headers["X-Webhook-Signature"] == sha1(SECRET, ping)
    assert ping.headers["X-Signature"].endswith(f"v1={sha256(SECRET, ping)}")
    event = AuditEvent.objects.get(action="webhook.criado")
    assert (event.actor_kind, event.object_id) == ("token", endpoint.pk)
    assert SECRET not in str(event.after)


def test_a_generated_secret_is_shown_once_and_kept_nowhere_readable(account, api):
    with receiver() as server:
        body = {"url": server.url, "ping": False, "secret": None}
        first, again = [api.post("webhooks", body, Idempotency_Key="chave-2") for _ in range(2)]
        plain = api.post("webhooks", {"url": server.url})
        announced(account)
        deliver()

    assert (first.status_code, again.status_code) == (201, 201)
    secret = first.json()["webhook"].pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) > 40
    (got, _) = server.events
    assert got.headers["X-Signature"].endswith(f"v1={sha256(secret, got)}")
    assert "secret" not in again.json()["webhook"]
    assert again["Idempotent-Replayed"] == "true"
    assert plain.json()["webhook"]["secret"] not in ("", None, secret)
    stored = (IdempotencyRecord, AuditEvent, WebhookEndpoint)
    assert secret not in str([list(model.objects.values()) for model in stored])
    pk = first.json()["webhook"]["id"]
    for answer in (api.get(f"webhooks/{pk}"), api.get("webhooks"), api.patch(f"webhooks/{pk}", {})):
        assert "secret" not in str(answer.json())


@pytest.mark.parametrize("secret", ["oito8888", 12345678])
def test_eight_characters_are_enough_for_a_secret(api, secret):
    with receiver() as server:
        answer = api.post("webhooks", {"url": server.url, "secret": secret})

    assert answer.status_code == 201
    assert "secret" not in answer.json()["webhook"]


def test_list_show_change_and_delete(account, api):
    with receiver() as server:
        pk = api.post("webhooks", {"url": server.url}).json()["webhook"]["id"]

    listed = api.get("webhooks")
    changed = api.patch(f"webhooks/{pk}", {"webhook": {"description": "Novo", "events": ["emit"]}})
    put = api.call("PUT", f"webhooks/{pk}", {"ping": False})
    shown = api.get(f"webhooks/{pk}")
    gone = api.delete(f"webhooks/{pk}")

    assert [each["id"] for each in listed.json()["webhooks"]] == [pk]
    assert changed.json()["webhook"]["events"] == ["emit"]
    assert put.status_code == 200
    webhook = shown.json()["webhook"]
    assert (webhook["description"], webhook["ping"]) == ("Novo", False)
    assert webhook["events"] == ["emit"]
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.get(f"webhooks/{pk}").status_code == 404
    assert len(server.received) == 1  # nothing but the url asks for another ping


@pytest.mark.parametrize("body", [{}, {"webhook": {}}, {"url": ""}, {"url": None}, {"url": "  "}])
def test_the_url_is_required(api, body):
    assert errors(api.post("webhooks", body)) == {"url": ["não pode ficar em branco"]}
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://exemplo.com.br/", "o endereço não é https"),
        ("https://127.0.0.1/", "o endereço não é público"),
        ("https://localhost:8443/", "o endereço não é público"),
        ("https://169.254.169.254/latest", "o endereço não é público"),
        ("https://192.88.99.1/", "o endereço não é público"),
        ("https://[::1]/", "o endereço não é público"),
        ("https://[::ffff:10.0.0.1]/", "o endereço não é público"),
        ("https://2130706433/", "o endereço não é público"),
        ("https://exemplo.com.br:6379/", "a porta 6379 não é permitida"),
        ("ftp://exemplo.com.br/", "o endereço não é https"),
        ("x", "o endereço não é https"),
        ("https://u:p@exemplo.com.br/", "o endereço traz usuário ou senha"),
        ("https://exemplo.com.br/\n", "endereço malformado"),
        ("https://exemplo.com.br/ a", "endereço malformado"),
    ],
)
def test_only_public_https_addresses(api, settings, url, reason):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = False

    text = f"Use um endereço https público: {reason}."
    assert errors(api.post("webhooks", {"url": url})) == {"url": [text]}
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"url": ["x"]}, {"url": ["inválido"]}),
        ({"url": {"a": 1}}, {"url": ["inválido"]}),
        ({"url": "https://a/" + "a" * 2000},
         {"url": ["é muito longo (máximo: 2000 caracteres)"]}),
        ({"url": "https://a/\x00"}, {"url": ["inválido"]}),
        ({"url": "https://a/\ud800"}, {"url": ["inválido"]}),
        ({"url": True, "description": [], "secret": "", "events": "emit", "version": 3,
          "ping": "talvez", "active": [], "ignore_own": {}},
         {"url": ["inválido"], "description": ["inválido"],
          "secret": ["não pode ficar em branco"], "events": ["inválido"],
          "version": ["deve estar entre 1 e 2"], "ping": ["inválido"], "active": ["inválido"],
          "ignore_own": ["inválido"]}),
        ({"url": "https://a/", "events": ["emit", "tudo"]},
         {"events": ["não está incluído na lista"]}),
        ({"url": "https://a/", "events": [1, None, ["emit"]]},
         {"events": ["não está incluído na lista"]}),
        ({"url": "https://a/", "secret": "sete777"},
         {"secret": ["é muito curto (mínimo: 8 caracteres)"]}),
        ({"url": "https://a/", "version": 10**30}, {"version": ["deve ser numérico"]}),
    ],
)  # fmt: skip
def test_wrong_values_are_told_all_at_once_and_nothing_is_sent(api, monkeypatch, body, expected):
    monkeypatch.setattr(webhook_requests, "request", lambda *_, **__: 1 / 0)

    assert errors(api.post("webhooks", json.dumps(body))) == expected
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("behave", [status(500), status(404), status(302), hang])
def test_an_address_that_does_not_answer_the_ping_is_not_registered(api, monkeypatch, behave):
    monkeypatch.setattr(webhook_requests, "PING_SECONDS", 0.3)
    with receiver(behave) as server:
        found = errors(api.post("webhooks", {"url": server.url}))

    (text,) = found["url"]
    assert text.startswith("O endereço não respondeu ao teste com 2xx: ")
    assert not WebhookEndpoint.objects.exists()


def test_another_url_is_pinged_with_the_same_secret_before_it_is_kept(account, api):
    endpoint = endpoint_to("https://exemplo.com.br/", account)
    with receiver() as good, receiver(status(500)) as bad:
        refused = api.patch(f"webhooks/{endpoint.pk}", {"url": bad.url, "description": "x"})
        assert errors(refused)["url"]
        assert WebhookEndpoint.objects.get().description == ""
        assert api.patch(f"webhooks/{endpoint.pk}", {"url": good.url}).status_code == 200

    (ping,) = good.received
    assert ping.headers["X-Signature"].endswith(f"v1={sha256(SECRET, ping)}")
    assert WebhookEndpoint.objects.get().url == good.url


def test_another_secret_is_a_rotation(account, api):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        answer = api.patch(f"webhooks/{endpoint.pk}", {"secret": "outro segredo"})
        assert answer.status_code == 200
        assert "secret" not in answer.json()["webhook"]
        announced(account)
        deliver()

    (got,) = server.received
    marks = got.headers["X-Signature"].split(",")[1:]
    assert marks == [f"v1={sha256('outro segredo', got)}", f"v1={sha256(SECRET, got)}"]


def test_active_pauses_and_resumes(account, api):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        paused = api.patch(f"webhooks/{endpoint.pk}", {"active": False})
        announced(account)
        deliver()
        assert paused.json()["webhook"]["active"] is False
        assert server.received == []
        resumed = api.patch(f"webhooks/{endpoint.pk}", {"active": "true"})
        deliver()

    assert resumed.json()["webhook"]["active"] is True
    assert len(server.received) == 1


def test_an_integration_may_ignore_what_it_causes_itself(account, api, monkeypatch):
    """Patched, because the question is who the outbox finds to be asking, not what is asked."""

    def change(*_: Any, **__: Any) -> Any:
        announced(account)
        raise Conflict()

    monkeypatch.setattr(parties, "create_party", change)
    other = api_of(account)
    with receiver() as server:
        answer = api.post("webhooks", {"url": server.url, "ping": False, "ignore_own": True})
        webhook = answer.json()["webhook"]
        assert webhook["ignore_own"] is True
        sent = [len(server.received)]
        for client in (api, other):
            client.post("people", {"name": "Ana"})
            assert causing_token_id() is None  # the request is over
            deliver()
            sent.append(len(server.received))
        api.patch(f"webhooks/{webhook['id']}", {"ignore_own": False})
        api.post("people", {"name": "Ana"})
        deliver()
        sent.append(len(server.received))

    assert sent == [1, 1, 2, 3]


def test_what_the_client_may_not_set_is_ignored(account, other_account, api):
    with receiver() as server:
        sent = {"url": server.url, "id": 99, "account_id": other_account.pk, "state": "paused",
                "failing_since": "2020-01-01", "after_event_id": -5, "noticed": {"a": 1},
                "muted_token": 1, "created_at": "01/01/2000 00:00:00 -03:00"}  # fmt: skip
        assert api.post("webhooks", sent).status_code == 201

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.account, endpoint.state, endpoint.after_event_id) == (account, "active", 0)
    assert (endpoint.noticed, endpoint.muted_token, endpoint.failing_since) == ({}, None, None)
    assert endpoint.created_at.year > 2000


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_another_account_s_webhook_does_not_exist(account, other_account, api, method):
    with receiver() as server:
        theirs = endpoint_to("https://exemplo.com.br/", other_account)
        answer = api.call(method, f"webhooks/{theirs.pk}", {"url": server.url, "active": False})

    assert (answer.status_code, answer.content) == (404, b"")
    assert server.received == []
    theirs = WebhookEndpoint.objects.get(pk=theirs.pk)
    assert (theirs.url, theirs.state) == ("https://exemplo.com.br/", "active")
    assert api.get("webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize("pk", ["0", "x", "-1", "1.5", "9" * 40])
def test_ids_that_no_row_has(api, pk):
    assert api.get(f"webhooks/{pk}").status_code == 404
    assert api.delete(f"webhooks/{pk}").status_code == 404


def test_no_token_no_answer(account):
    endpoint_to("https://exemplo.com.br/", account)
    nobody = api_of(account)
    nobody.token = ""

    assert nobody.get("webhooks").status_code == 401
    with receiver() as server:
        assert nobody.post("webhooks", {"url": server.url}).status_code == 401
    assert server.received == []


def test_a_repeated_idempotency_key_pings_once_outside_any_transaction(account, api, monkeypatch):
    inside: list[bool] = []
    real = webhook_requests.request

    def watch(*args: Any, **kwargs: Any) -> Any:
        inside.append(len(transaction.get_connection().savepoint_ids) > 0)
        return real(*args, **kwargs)

    monkeypatch.setattr(webhook_requests, "request", watch)
    with receiver() as server:
        body = {"url": server.url, "secret": SECRET}
        answers = [api.post("webhooks", body, Idempotency_Key="chave-1") for _ in range(2)]

    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(server.received) == 1
    assert inside == [False]
    assert WebhookEndpoint.objects.count() == 1
    assert SECRET not in str(list(IdempotencyRecord.objects.values()))


def test_an_account_has_so_many_and_no_more(account, api):
    for _ in range(MAX_ENDPOINTS):
        endpoint_to("https://exemplo.com.br/", account)
    with receiver() as server:
        found = errors(api.post("webhooks", {"url": server.url}))

    assert found == {"base": ["São no máximo 20 endereços por conta."]}
    assert WebhookEndpoint.objects.count() == MAX_ENDPOINTS


def test_the_list_takes_the_same_number_of_queries_whatever_its_length(
    account, api, django_assert_max_num_queries
):
    for _ in range(10):
        endpoint_to("https://exemplo.com.br/", account)
    api.get("webhooks")

    with django_assert_max_num_queries(3):
        assert len(api.get("webhooks").json()["webhooks"]) == 10


def test_deleting_forgets_what_waits(account, api):
    with receiver() as server:
        endpoint = endpoint_to(server, account)
        pause_endpoint(endpoint.pk, account=account, actor=SYSTEM)
        announced(account)
        deliver()
        assert api.delete(f"webhooks/{endpoint.pk}").status_code == 204
        deliver()

    assert told(server) == []
    assert not WebhookDelivery.objects.exists()
