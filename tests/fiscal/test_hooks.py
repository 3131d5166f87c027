"""Gatilhos: registered, told, tried again, given up, switched off (fiscal-api §13)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ
from support.issuing import nfce_body, nfe_body, refuses, unreachable
from support.receiver import Receiver, free_port, hang, receiver, status
from support.v2 import V2, fiscal_token, v2

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from fiscal.models import Company, FiscalDocument, FiscalHook, HookNotice, Inutilizacao
from fiscal.services import hook_delivery, hooks, issue
from fiscal.services.delivery import advance
from fiscal.services.hook_delivery import BACK_OFF, claim
from fiscal.services.inutilizacao import request_void
from fiscal.services.resuming import resume
from fiscal.tasks import deliver_hooks, purge_hooks
from lib import clock
from lib.crypto import decrypt

pytestmark = pytest.mark.django_db
PUBLIC = "https://8.8.8.8/gatilho"  # an address that needs no name server; nothing is sent to it


@pytest.fixture(autouse=True)
def _reachable(settings) -> None:
    """The receiver of a test is at a private address and speaks plain HTTP."""
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def other(company: Company) -> Company:
    """A second issuer of the account."""
    from factories import FiscalCompanyFactory

    made: Company = FiscalCompanyFactory(account=company.account, cnpj="11444777000161")
    return made


def hook(client: V2, url: str = PUBLIC, event: str = "nfe", **more: Any) -> dict[str, Any]:
    answer = client.post("hooks", {"event": event, "url": url, **more})
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def accepted(company: Company, ref: str = "r1", **body: Any) -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body(**body)
    )


def issued(company: Company, ref: str = "r1", **body: Any) -> FiscalDocument:
    return advance(accepted(company, ref, **body).pk)


def send() -> int:
    """One delivery task, in this thread, so that it sees the test's transaction."""
    return hook_delivery.deliver(threads=1)


def told(server: Receiver) -> list[dict[str, Any]]:
    return [got.json for got in server.received]


def the_notice() -> HookNotice:
    return HookNotice.objects.get()


# --- registering ---------------------------------------------------------------------------------


def test_a_hook_is_created_listed_seen_and_deleted(nfe, company):
    made = hook(nfe, authorization="Bearer abc", authorization_header="X-Chave")

    assert made == {
        "id": made["id"],
        "url": PUBLIC,
        "authorization": "Bearer abc",
        "authorization_header": "X-Chave",
        "event": "nfe",
        "cnpj": company.cnpj,
    }
    assert re.fullmatch("[A-Za-z0-9]{8}", made["id"])
    assert nfe.get("hooks").json() == [made]
    one = nfe.get(f"hooks/{made['id']}").json()
    assert one | made == one
    assert (one["empresa_id"], one["cpf"], one["nome"]) == (str(company.pk), None, company.nome)
    assert (one["request_count"], one["success_count"], one["error_count"]) == (0, 0, 0)
    assert one["count_since"].endswith("-03:00")

    assert nfe.delete(f"hooks/{made['id']}").json() == {**made, "deleted": True}

    assert nfe.get("hooks").json() == []
    assert nfe.delete(f"hooks/{made['id']}").json() == {
        "codigo": "nao_encontrado",
        "mensagem": "Gatilho não encontrado",
    }


def test_its_secret_is_closed_at_rest_and_the_default_header_is_authorization(nfe):
    made = hook(nfe, authorization="segredo")

    row = FiscalHook.objects.get()
    assert "segredo" not in row.authorization
    assert decrypt(row.authorization, purpose=hooks.SECRET) == "segredo"
    assert made["authorization_header"] == "Authorization"
    assert not AuditEvent.objects.filter(after__icontains="segredo").exists()
    assert AuditEvent.objects.filter(action="gatilho.criado", object_id=row.pk).count() == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"url": PUBLIC}, 'Parâmetro "event" deve ser um evento válido.'),
        ({"url": PUBLIC, "event": "nfce"}, 'Parâmetro "event" deve ser um evento válido.'),
        ({"url": PUBLIC, "event": ["nfe"]}, 'Parâmetro "event" deve ser um evento válido.'),
        ({"event": "nfe"}, 'Parâmetro "url" não informado.'),
        ({"event": "nfe", "url": "ftp://x.com"}, "URL inválida: ftp://x.com"),
        ({"event": "nfe", "url": "não é"}, "URL inválida: não é"),
        ({"event": "nfe", "url": {"a": 1}}, "URL inválida: {'a': 1}"),
        ({"event": "nfe", "url": "https://u:s@8.8.8.8/"}, "URL inválida: https://u:s@8.8.8.8/"),
        (
            {"event": "nfe", "url": PUBLIC, "authorization": "a\r\nHost: b"},
            'Parâmetro "authorization" inválido.',
        ),
        (
            {"event": "nfe", "url": PUBLIC, "authorization": "chave 中"},
            'Parâmetro "authorization" inválido.',
        ),
        (
            {"event": "nfe", "url": PUBLIC, "authorization_header": "Content-Length"},
            'Parâmetro "authorization_header" inválido.',
        ),
        (
            {"event": "nfe", "url": PUBLIC, "authorization_header": "X Y"},
            'Parâmetro "authorization_header" inválido.',
        ),
        (
            {"event": "nfe", "url": PUBLIC, "cnpj": "11222333000181", "cpf": "52998224725"},
            'Informe "cnpj" ou "cpf", e não ambos.',
        ),
        (
            {"event": "nfe", "url": PUBLIC, "cnpj": "123"},
            'Parâmetro "cnpj" ou "cpf" inválido.',
        ),
        *(
            ({"event": "nfe", "url": PUBLIC, "cnpj": value}, 'Parâmetro "cnpj" ou "cpf" inválido.')
            for value in (0, False, [], {})
        ),
    ],
)
def test_a_wrong_request_is_refused(nfe, body, text):
    answer = nfe.post("hooks", body)

    assert answer.status_code == 400
    assert answer.json() == {"codigo": "requisicao_invalida", "mensagem": text}
    assert not FiscalHook.objects.exists()


@pytest.mark.parametrize(
    "url", ["http://8.8.8.8/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "https://[::1]/x",
            "https://169.254.169.254/latest", "https://8.8.8.8:22/x"],
)  # fmt: skip
def test_private_addresses_and_plain_http_are_refused(nfe, settings, url):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = False

    answer = nfe.post("hooks", {"event": "nfe", "url": url})

    assert (answer.status_code, answer.json()["mensagem"]) == (400, f"URL inválida: {url}")


def test_a_name_without_an_address_at_the_moment_is_accepted(nfe, monkeypatch):
    monkeypatch.setattr(hooks, "CHECK_SECONDS", 0.2)

    assert hook(nfe, "https://ainda-nao.invalid/x")["url"] == "https://ainda-nao.invalid/x"


def test_every_documented_event_may_be_asked_for(nfe):
    for event in ("nfe", "nfse", "nfsen", "nfce_contingencia", "nfce_correcao_timeout",
                  "nfce_consulta_automatica", "nfe_recebida", "nfe_recebida_falha_consulta",
                  "nfse_recebida", "nfsen_recebida", "cte_recebida", "inutilizacao", "cte", "mdfe",
                  "nfcom", "dce"):  # fmt: skip
        hook(nfe, event=event)


def test_there_are_five_at_most_of_a_company_and_event(nfe, nfe_token_producao, master, company):
    for n in range(5):
        hook(nfe, f"{PUBLIC}/{n}")

    sixth = nfe.post("hooks", {"event": "nfe", "url": PUBLIC})

    assert sixth.status_code == 400
    assert sixth.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": "Já existe um gatilho para este evento.",
    }
    hook(nfe, event="inutilizacao")
    hook(v2(nfe_token_producao))
    hook(master)


def test_a_token_reaches_only_its_company_and_environment(
    nfe, nfe_token_producao, master, company, other, other_account
):
    from factories import FiscalCompanyFactory

    own = hook(nfe)
    stranger = FiscalCompanyFactory(account=other_account, cnpj="33000167000101")
    for client in (v2(nfe_token_producao), v2(fiscal_token(other)), v2(fiscal_token(stranger))):
        assert client.get("hooks").json() == []
        assert client.get(f"hooks/{own['id']}").status_code == 404
        assert client.delete(f"hooks/{own['id']}").status_code == 404
    of_account, of_other = hook(master), hook(master, cnpj=other.cnpj)

    assert (of_account["cnpj"], of_other["cnpj"]) == (None, other.cnpj)
    assert [one["id"] for one in nfe.get("hooks").json()] == [own["id"]]
    assert len(master.get("hooks").json()) == 3
    refused = nfe.post("hooks", {"event": "nfe", "url": PUBLIC, "cnpj": other.cnpj})
    assert (refused.status_code, refused.json()["codigo"]) == (403, "permissao_negada")
    unknown = master.post("hooks", {"event": "nfe", "url": PUBLIC, "cnpj": stranger.cnpj})
    assert (unknown.status_code, unknown.json()["codigo"]) == (403, "permissao_negada")


# --- told ----------------------------------------------------------------------------------------


def test_an_authorised_nfe_is_told_as_the_query_answers_it(nfe, company, authority, server):
    hook(nfe, server.url, authorization="Bearer abc", authorization_header="X-Chave")
    issued(company)

    assert send() == 1

    (got,) = server.received
    assert got.json == nfe.get("nfe/r1").json()
    assert got.json["status"] == "autorizado"
    assert got.line == "POST /hooks/billing HTTP/1.1"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["X-Chave"] == "Bearer abc"
    assert not any(name.startswith("X-") for name in set(got.headers) - {"X-Chave"})
    notice = the_notice()
    assert (notice.state, notice.tries, notice.last_status) == ("entregue", 1, 200)
    assert notice.next_attempt_at is None
    one = nfe.get(f"hooks/{FiscalHook.objects.get().public_id}").json()
    assert (one["request_count"], one["success_count"], one["error_count"]) == (1, 1, 0)
    assert send() == 0


def test_a_refusal_is_told_and_the_corrected_one_again(nfe, company, authority, server):
    hook(nfe, server.url)
    authority.next("authorize", refuses("598"))
    issued(company)
    send()
    issued(company)
    send()

    assert [one["status"] for one in told(server)] == ["erro_autorizacao", "autorizado"]
    assert told(server)[0]["status_sefaz"] == "598"


def test_the_notice_vanishes_with_the_change_that_it_tells(nfe, company, authority, server):
    from django.db import transaction

    hook(nfe, server.url)
    document = accepted(company)
    before = OrmQ.objects.count()

    with transaction.atomic():
        advance(document.pk)
        assert HookNotice.objects.count() == 1
        transaction.set_rollback(True)

    assert not HookNotice.objects.exists()
    assert OrmQ.objects.count() == before


def test_the_task_is_called_after_the_commit_and_once(
    nfe, company, authority, server, django_capture_on_commit_callbacks
):
    hook(nfe, server.url)
    documents = [accepted(company, ref) for ref in ("r1", "r2")]
    before = OrmQ.objects.count()

    for document in documents:
        with django_capture_on_commit_callbacks(execute=True):
            advance(document.pk)

    assert OrmQ.objects.count() == before + 1
    assert deliver_hooks.__module__ + ".deliver_hooks" == hooks.TASK


def test_without_a_hook_a_decision_costs_one_look(company, authority):
    document = accepted(company)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        advance(document.pk)

    about = [query for query in captured.captured_queries if "hook" in query["sql"]]
    assert len(about) == 1
    assert not HookNotice.objects.exists()


def test_other_companies_environments_and_events_are_not_told(
    nfe, nfe_token_producao, master, company, other, authority, server
):
    hook(v2(nfe_token_producao), server.url)
    hook(v2(fiscal_token(other)), server.url)
    hook(nfe, server.url, event="inutilizacao")
    hook(master, server.url, cnpj=other.cnpj)
    issued(company)

    assert send() == 0

    hook(master, server.url)
    hook(master, server.url, cnpj=company.cnpj)
    issued(company, "r2")
    assert send() == 2
    assert [one["ref"] for one in told(server)] == ["r2", "r2"]


def test_a_cancellation_is_no_event(nfe, company, authority, server):
    from fiscal.services import notices

    document = issued(company)
    hook(nfe, server.url)
    notices.announce(document, "cancelado")

    assert send() == 0


def test_an_nfce_is_told_only_after_its_contingency(nfe, company, authority, server, at_moment):
    company.uf, company.municipio, company.codigo_municipio = "SC", "Florianópolis", "4205407"
    company.inscricao_estadual, company.habilita_contingencia_offline_nfce = "251040852", True
    company.save()
    for event in ("nfe", "nfce_contingencia", "nfce_correcao_timeout"):
        hook(nfe, server.url, event=event)
    nfe.post("nfce", nfce_body(), ref="online")
    authority.next("authorize", unreachable)
    offline = nfe.post("nfce", nfce_body(), ref="r1").json()
    assert offline["contingencia_offline_efetivada"] is False
    assert send() == 0

    at_moment(clock.now() + timedelta(minutes=10))
    resume(FiscalDocument.objects.get(ref="r1").pk)

    assert send() == 1
    (body,) = told(server)
    assert (body["ref"], body["contingencia_offline_efetivada"]) == ("r1", True)
    assert the_notice().hook.event == "nfce_contingencia"


def replaced(company: Company, *, modelo: int, tp_emis: int) -> tuple[FiscalDocument, ...]:
    """Two documents of a sale: the first at another authority, the second answering to the ref."""
    first = issued(company)
    first.superseded_by = first
    first.save()
    FiscalDocument.objects.filter(pk=first.pk).update(modelo=modelo)
    second = issued(company)
    FiscalDocument.objects.filter(pk=second.pk).update(modelo=modelo, tp_emis=tp_emis)
    FiscalDocument.objects.filter(pk=first.pk).update(superseded_by=second)
    found = {row.pk: row for row in FiscalDocument.objects.select_related("company")}
    return found[first.pk], found[second.pk]


@pytest.mark.parametrize(
    ("modelo", "tp_emis", "event", "decisions"),
    [
        (55, 6, "nfe", {"autorizado": 1, "cancelado": 1, "erro_cancelamento": 1}),
        (65, 9, "nfce_contingencia", {"autorizado": 0, "cancelado": 1, "erro_cancelamento": 1}),
        (65, 1, "nfce_correcao_timeout", {"autorizado": 0, "cancelado": 1}),
        (65, 1, "nfce_contingencia", {"cancelado": 0}),
        (65, 9, "nfce_correcao_timeout", {"cancelado": 0}),
    ],
)
def test_what_became_of_an_earlier_attempt_is_news_of_the_sale(
    nfe, company, authority, server, modelo, tp_emis, event, decisions
):
    from fiscal.services import notices

    first, second = replaced(company, modelo=modelo, tp_emis=tp_emis)
    hook(nfe, server.url, event=event)

    for decision, n in decisions.items():
        if decision == "erro_cancelamento":
            notices.cancellation_refused(first)
        else:
            notices.announce(first, decision)
        assert send() == n, decision

    assert {one["numero"] for one in told(server)} <= {str(second.numero)}


def test_the_sandbox_s_contingency_is_told(nfe, company, sandbox, server, at_moment):
    """The lost answer of an NFC-e: the original is cancelled, the offline one made effective."""
    company.uf, company.municipio, company.codigo_municipio = "SC", "Florianópolis", "4205407"
    company.inscricao_estadual, company.habilita_contingencia_offline_nfce = "251040852", True
    company.save()
    hook(nfe, server.url, event="nfce_contingencia")
    sandbox.fault("queda_depois", servico="autorizacao")
    sandbox.fault("queda_antes", servico="consulta_protocolo")
    nfe.post("nfce", nfce_body(), ref="r1")

    for minutes in (3, 1, 20):
        at_moment(clock.now() + timedelta(minutes=minutes))
        for pk in FiscalDocument.objects.exclude(next_attempt_at=None).values_list("pk", flat=True):
            resume(pk)
    send()

    assert len(told(server)) == 2
    last = told(server)[-1]
    assert last["contingencia_offline_efetivada"] is True
    assert last["tentativa_anterior"]["status"] == "cancelado"


def test_a_voided_range_is_told(nfe, company, sandbox, server):
    hook(nfe, server.url, event="inutilizacao")
    row = request_void(
        company, ambiente="homologacao", modelo=55, serie=1, first=3, last=5,
        justificativa="Numeros pulados por engano",
    )  # fmt: skip
    assert row.state == "homologada", row.x_motivo

    assert send() == 1

    (body,) = told(server)
    assert {name: body[name] for name in ("status", "status_sefaz", "serie", "modelo", "cnpj")} == {
        "status": "autorizado", "status_sefaz": "102", "serie": "1", "modelo": "55",
        "cnpj": company.cnpj,
    }  # fmt: skip
    assert (body["numero_inicial"], body["numero_final"]) == ("3", "5")
    assert body["caminho_xml"].endswith("-inu.xml")
    assert body["protocolo_sefaz"] == Inutilizacao.objects.get().protocolo


# --- told again ----------------------------------------------------------------------------------


def test_a_notice_is_sent_again_on_request(nfe, master, company, authority, server):
    issued(company)
    assert nfe.post("nfe/r1/hook").json() == []
    made = hook(nfe, server.url)
    hook(master, server.url)

    answer = nfe.post("nfe/r1/hook")

    assert (answer.status_code, answer.json()) == (200, [made])  # the account's own is not shown
    assert send() == 2
    assert {one["ref"] for one in told(server)} == {"r1"}


def test_what_was_not_told_at_first_is_not_told_again(nfe, company, authority, server):
    hook(nfe, server.url, event="nfce_contingencia")
    nfe.post("nfce", nfce_body(), ref="r1")

    assert nfe.post("nfce/r1/hook", {}).json() == []
    FiscalDocument.objects.update(tp_emis=9)
    assert len(nfe.post("nfce/r1/hook", {}).json()) == 1


def test_a_document_of_nobody_is_not_found(nfe, nfe_token_producao, company, authority):
    issued(company)

    for client, path, codigo in (
        (nfe, "nfe/outro/hook", "nao_encontrado"),
        (nfe, "nfce/r1/hook", "nfce_nao_encontrada"),
        (v2(nfe_token_producao), "nfe/r1/hook", "nao_encontrado"),
    ):
        answer = client.post(path)
        assert (answer.status_code, answer.json()["codigo"]) == (404, codigo)
    assert nfe.get("nfe/r1/hook").json()["mensagem"] == "Utilize o método POST."


# --- trying again --------------------------------------------------------------------------------


def test_failures_are_tried_again_at_the_published_intervals_and_then_given_up(
    nfe, company, authority, server, at_moment
):
    hook(nfe, server.url)
    server.behave = status(500)
    issued(company)
    now = clock.now()
    at_moment(now)
    send()

    for minutes in (1, 30, 60, 180, 24 * 60):
        wait = timedelta(minutes=minutes)
        assert the_notice().next_attempt_at == now + wait
        at_moment(now + wait - timedelta(seconds=1))
        assert send() == 0
        now += wait
        at_moment(now)
        assert send() == 1

    notice = the_notice()
    assert (notice.state, notice.tries, notice.last_error) == ("desistiu", 6, "HTTP 500")
    assert len(server.received) == 6
    at_moment(now + timedelta(days=3))
    assert send() == 0
    assert len(BACK_OFF) == 5


def test_a_late_attempt_tells_how_things_are_then(nfe, company, authority, server, at_moment):
    hook(nfe, server.url)
    server.behave = status(503)
    authority.next("authorize", refuses("598"))
    issued(company)
    send()
    issued(company)
    server.behave = status(204)
    at_moment(clock.now() + timedelta(minutes=2))

    assert send() == 2

    statuses = [one["status"] for one in told(server)]
    assert statuses == ["erro_autorizacao", "autorizado", "autorizado"]


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_20x_is_success(nfe, company, authority, server, code):
    hook(nfe, server.url)
    server.behave = status(code)
    issued(company)
    send()

    assert the_notice().state == "entregue"


@pytest.mark.parametrize("code", [301, 400, 401, 404, 500])
def test_anything_else_is_not(nfe, company, authority, server, code):
    hook(nfe, server.url)
    server.behave = status(code)
    issued(company)
    send()

    notice = the_notice()
    assert (notice.state, notice.last_status) == ("aguardando", code)
    assert len(server.received) == 1  # a redirect is not followed


def test_nobody_listening_and_private_addresses_are_failures(
    nfe, company, authority, settings, server
):
    hook(nfe, f"http://127.0.0.1:{free_port()}/")
    issued(company)
    send()
    assert the_notice().last_error == "conexão recusada"

    FiscalHook.objects.update(url=server.url)
    HookNotice.objects.update(next_attempt_at=clock.now())
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOW_PRIVATE = False
    send()

    assert "não é permitida" in the_notice().last_error or "público" in the_notice().last_error
    assert not server.received


def test_who_hangs_keeps_nobody_else_waiting(nfe, company, authority, server, monkeypatch):
    monkeypatch.setattr(hook_delivery, "SEND_SECONDS", 0.3)
    with receiver(hang) as silent:
        hook(nfe, silent.url)
        hook(nfe, server.url)
        for ref in ("r1", "r2", "r3"):
            issued(company, ref)

        send()

        assert len(silent.received) == 1  # one try of the task, not one for each notice
        assert [one["ref"] for one in told(server)] == ["r1", "r2", "r3"]


@pytest.mark.django_db(transaction=True)
def test_threads_share_the_work_and_send_each_notice_once(
    nfe, company, authority, server, monkeypatch
):
    monkeypatch.setattr(hook_delivery, "SEND_SECONDS", 1)
    with receiver(hang) as silent:
        hook(nfe, silent.url)
        for n in range(3):
            hook(nfe, server.url, authorization=f"chave {n}")
        for n in range(4):
            issued(company, f"r{n}")

        began = time.monotonic()
        hook_delivery.deliver(threads=4, seconds=5)

        assert time.monotonic() - began < 30
        pairs = [(got.headers["Authorization"], got.json["ref"]) for got in server.received]
        assert len(pairs) == len(set(pairs)) == 12
        assert HookNotice.objects.filter(state="entregue").count() == 12
        assert len(silent.received) == 1


def test_two_workers_never_take_the_same_notice(nfe, company, authority, server):
    hook(nfe, server.url)
    issued(company)
    row = FiscalHook.objects.get()

    first, second = claim(row.pk), claim(row.pk)

    assert first is not None
    assert (first.number, second) == (1, None)


def test_a_worker_that_died_delays_the_notice_by_its_lease(
    nfe, company, authority, server, at_moment
):
    hook(nfe, server.url)
    issued(company)
    assert claim(FiscalHook.objects.get().pk) is not None

    assert send() == 0
    at_moment(clock.now() + hook_delivery.LEASE + timedelta(seconds=1))
    assert send() == 1
    assert (the_notice().state, the_notice().tries) == ("entregue", 2)


def test_the_last_try_that_never_ended_is_given_up(nfe, company, authority, server, at_moment):
    hook(nfe, server.url)
    issued(company)
    HookNotice.objects.update(tries=6)

    send()

    assert (the_notice().state, the_notice().last_error) == ("desistiu", hook_delivery.INTERRUPTED)
    assert not server.received


def test_a_later_notice_of_a_document_waits_for_the_one_being_sent(nfe, company, authority, server):
    hook(nfe, server.url)
    issued(company)
    nfe.post("nfe/r1/hook")
    issued(company, "r2")
    row = FiscalHook.objects.get()

    taken = [claim(row.pk), claim(row.pk), claim(row.pk)]

    assert [one.notice.document.ref if one else None for one in taken] == ["r1", "r2", None]


def test_a_secret_that_cannot_be_opened_is_told_to_the_log_and_not_sent(
    nfe, company, authority, server
):
    hook(nfe, server.url, authorization="segredo")
    FiscalHook.objects.update(authorization="ilegível")
    issued(company)

    send()

    assert the_notice().last_error == hook_delivery.UNREADABLE
    assert not server.received
    assert nfe.get("hooks").json()[0]["authorization"] is None


def test_a_deleted_hook_takes_its_notices_along(nfe, company, authority, server):
    made = hook(nfe, server.url)
    issued(company)
    taken = claim(FiscalHook.objects.get().pk)

    nfe.delete(f"hooks/{made['id']}")
    hook_delivery.record_attempt(taken, hook_delivery.transmit(taken))

    assert not HookNotice.objects.exists()
    assert send() == 0


# --- reputation ----------------------------------------------------------------------------------


def fail_for(days: float, *, every: float, hook: FiscalHook, start: Any) -> FiscalHook:
    """Attempts that fail, `every` so many hours."""
    for n in range(int(days * 24 / every) + 1):
        hook.note(is_success=False, at=start + timedelta(hours=n * every))
    return hook


def test_the_window_of_the_reputation_is_two_days():
    start = clock.now()
    row = FiscalHook(created_at=start - timedelta(days=30))

    row.note(is_success=True, at=start)
    row.note(is_success=False, at=start + timedelta(hours=47))

    assert row.counts(at=start + timedelta(hours=47)) == (1, 1)
    assert row.bad_since is None
    assert row.counts(at=start + timedelta(hours=50)) == (0, 1)
    assert row.counted_since(at=start) == start - timedelta(days=2)
    assert len(row.recent) == 2


def test_mostly_failing_begins_with_the_majority_and_ends_with_it():
    start = clock.now()
    row = FiscalHook(created_at=start)
    for is_success in (True, False, True):
        row.note(is_success=is_success, at=start)
    assert row.bad_since is None

    for _ in range(2):
        row.note(is_success=False, at=start + timedelta(hours=1))
    assert row.bad_since == start + timedelta(hours=1)

    row.note(is_success=True, at=start + timedelta(hours=2))
    assert (row.bad_since, row.failing_since) == (None, None)


def test_days_without_any_attempt_are_no_failure():
    start = clock.now()
    row = FiscalHook(created_at=start)
    row.note(is_success=False, at=start)

    row.note(is_success=False, at=start + timedelta(days=9))

    assert row.bad_since == start + timedelta(days=9)


def test_mostly_failed_for_seven_days_switches_it_off(nfe, company, authority, server, at_moment):
    made = hook(nfe, server.url)
    server.behave = status(500)
    start = clock.now()
    row = fail_for(6.9, every=6, hook=FiscalHook.objects.get(), start=start)
    row.save()
    issued(company)
    at_moment(start + timedelta(days=6, hours=23))
    send()
    assert FiscalHook.objects.get().is_active

    HookNotice.objects.update(next_attempt_at=start)
    at_moment(start + timedelta(days=7, hours=1))
    send()

    row = FiscalHook.objects.get()
    assert (row.state, row.disabled_at) == ("desativado", start + timedelta(days=7, hours=1))
    trail = AuditEvent.objects.get(action="gatilho.desativado")
    assert (trail.actor_kind, trail.object_id) == (SYSTEM.kind, row.pk)
    assert nfe.get(f"hooks/{made['id']}").json()["active"] is False
    n = len(server.received)
    HookNotice.objects.update(next_attempt_at=start)
    issued(company, "r2")
    assert send() == 0
    assert len(server.received) == n
    assert HookNotice.objects.count() == 1


def test_old_notices_are_forgotten(nfe, company, authority, server, at_moment):
    hook(nfe, server.url)
    issued(company)
    send()
    at_moment(clock.now() + timedelta(days=31))
    issued(company, "r2", data_emissao=clock.now().isoformat(timespec="seconds"))

    assert purge_hooks() == 1
    assert the_notice().document.ref == "r2"
