"""DELETE of /v2/nfe and /v2/nfce against the sandbox (fiscal-api §2.6, §3.7; EVT-5 to EVT-7)."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from factories import FiscalCompanyFactory
from support.certificates import certify, moment_after
from support.issuing import item, nfe_body
from support.notes import (
    WHY,
    Killed,
    impatient,
    issued_nfce,
    issued_nfe,
    resume_all,
    work_off,
)
from support.v2 import fiscal_token, v2

from fiscal.authorities import registry
from fiscal.models import Archive, Attempt, Certificate, EventState, FiscalDocument, FiscalEvent
from fiscal.services import (
    authority_status,
    company_queue,
    contingency_review,
    event_outcome,
    event_sending,
)
from fiscal.signing import verify
from fiscal.xml import child_text, cut_out, parse
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
ISSUE = {"nfe": issued_nfe, "nfce": issued_nfce}


def prove_cancelled(sandbox: Any, nfe: Any, kind: str = "nfe") -> None:
    """One event there, the same one here, and the document cancelled in both."""
    there = sandbox.told("GET", "eventos")
    here = FiscalEvent.objects.get()
    document = FiscalDocument.objects.get()
    assert [(row["tipo"], row["sequencia"], row["protocolo"]) for row in there] == [
        ("110111", 1, here.protocolo)
    ]
    assert (here.state, document.state) == (EventState.REGISTRADO, "cancelado")
    assert here.next_attempt_at is None
    assert Archive.objects.filter(kind="event").count() == 1
    assert nfe.get(f"{kind}/r1").json()["status"] == "cancelado"


def prove_untouched(sandbox: Any) -> None:
    assert not sandbox.told("GET", "eventos")
    assert FiscalDocument.objects.get().state == "autorizado"


# --- cancelling --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nfe", "nfce"])
def test_a_cancellation_is_registered_told_and_kept(company, sandbox, nfe, kind):
    told = ISSUE[kind](nfe)

    response = nfe.delete(f"{kind}/r1", {"justificativa": WHY})

    assert response.status_code == 200
    body = response.json()
    event = sandbox.told("GET", "eventos")[0]
    path = told["caminho_xml_nota_fiscal"].replace("-nfe.xml", "-can.xml")
    expected = {
        "status": "cancelado",
        "status_sefaz": "135",
        "mensagem_sefaz": "Evento registrado e vinculado a NF-e",
        "caminho_xml_cancelamento": path,
    }
    if kind == "nfce":
        expected["numero_protocolo"] = event["protocolo"]
    assert body == expected
    prove_cancelled(sandbox, nfe, kind)
    shown = nfe.get(f"{kind}/r1", completa=1).json()
    assert (shown["status_sefaz"], shown["caminho_xml_cancelamento"]) == ("135", path)
    asked, answered = shown["requisicao_cancelamento"], shown["protocolo_cancelamento"]
    assert asked["justificativa"] == WHY
    assert asked["descricao_evento"] == "Cancelamento"
    assert (asked["tipo_evento"], asked["numero_sequencial_evento"]) == ("110111", "1")
    assert (asked["codigo_orgao"], asked["protocolo"]) == ("35", told["protocolo"])
    assert answered["numero_protocolo"] == event["protocolo"]
    xml = nfe.get(path)
    assert xml.status_code == 200
    assert xml["Content-Disposition"].endswith('-can.xml"')
    assert verify(cut_out(xml.content, "evento")).signed_id.startswith("ID110111")


def test_the_text_is_cleaned_before_it_is_signed(company, sandbox, nfe):
    issued_nfe(nfe)

    nfe.delete("nfe/r1", {"justificativa": "  Venda\tdesfeita \n pelo <cliente> & outros 🙂 "})

    event = FiscalEvent.objects.get()
    xml = nfe.get(nfe.get("nfe/r1").json()["caminho_xml_cancelamento"]).content
    inf = next(parse(xml).iter("{*}detEvento"))
    assert child_text(inf, "xJust") == "Venda desfeita pelo <cliente> & outros"
    assert event.details["xJust"] == "Venda desfeita pelo <cliente> & outros"


def test_a_late_cancellation_that_is_accepted_is_one(company, sandbox, nfe):
    """155."""
    sandbox.set(prazo_cancelamento={"SP": {"55": [0, 24]}})
    issued_nfe(nfe)
    sandbox.clock(avancar=60)

    body = nfe.delete("nfe/r1", {"justificativa": WHY}).json()

    assert (body["status"], body["status_sefaz"]) == ("cancelado", "155")
    prove_cancelled(sandbox, nfe)


@pytest.mark.parametrize("kind", ["nfe", "nfce"])
def test_a_refusal_leaves_the_document_authorized(company, sandbox, nfe, kind):
    """501: our clock never decides (EVT-5)."""
    sandbox.set(prazo_cancelamento={"SP": {"55": [0, 0], "65": [0, 0]}})
    ISSUE[kind](nfe)
    sandbox.clock(avancar=60)

    response = nfe.delete(f"{kind}/r1", {"justificativa": WHY})

    assert response.status_code == 200
    body = response.json()
    assert (body["status"], body["status_sefaz"]) == ("erro_cancelamento", "501")
    assert "caminho_xml_cancelamento" not in body
    prove_untouched(sandbox)
    shown = nfe.get(f"{kind}/r1").json()
    assert (shown["status"], shown["status_sefaz"]) == ("autorizado", "100")


def test_a_refused_cancellation_may_be_asked_for_again(company, sandbox, nfe):
    """EVT-6: the sequence is still 1."""
    issued_nfe(nfe)
    sandbox.set(prazo_cancelamento={"SP": {"55": [0, 0]}})
    sandbox.clock(avancar=60)
    nfe.delete("nfe/r1", {"justificativa": WHY})
    sandbox.set(prazo_cancelamento={})

    assert nfe.delete("nfe/r1", {"justificativa": WHY}).json()["status"] == "cancelado"

    states = set(FiscalEvent.objects.values_list("state", "n_seq"))
    assert states == {("rejeitado", 1), ("registrado", 1)}


# --- refusals of ours --------------------------------------------------------------------------

_LENGTH = 'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.'
_TYPE = 'Parâmetro "justificativa" inválido: deve ser um texto.'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("curta demais!!", _LENGTH),
        (" " * 20 + "curta" + " " * 20, _LENGTH),
        ("a" * 256, _LENGTH),
        ("a" * 10_000, _LENGTH),
        ("🙂" * 20, _LENGTH),
        ("\x01\x02 a \x1f" * 20, None),
        (12345, _LENGTH),
        (True, _TYPE),
        (["a" * 20], _TYPE),
        ({"texto": "a" * 20}, _TYPE),
    ],
    ids=str,
)
def test_a_bad_justificativa_is_refused(company, sandbox, nfe, value, message):
    issued_nfe(nfe)

    response = nfe.delete("nfe/r1", {"justificativa": value})

    if message is None:  # what is left of it is a text
        assert response.json()["status"] == "cancelado"
        return
    assert response.status_code == 400
    assert response.json() == {"codigo": "requisicao_invalida", "mensagem": message}
    prove_untouched(sandbox)


@pytest.mark.parametrize("body", [None, {}, {"justificativa": None}, {"justificativa": "  "}])
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("nfe", {"codigo": "requisicao_invalida",
                 "mensagem": 'Parâmetro "justificativa" não informado.'}),
        ("nfce", {"codigo": "justificativa_nao_informada",
                  "mensagem": 'Parâmetro "justificativa" não informado'}),
    ],
)  # fmt: skip
def test_a_justificativa_is_needed(company, sandbox, nfe, kind, answer, body):
    ISSUE[kind](nfe)

    response = nfe.delete(f"{kind}/r1", body)

    assert (response.status_code, response.json()) == (400, answer)
    prove_untouched(sandbox)


def test_nfce_says_the_length_as_nfe_does(company, sandbox, nfe):
    issued_nfce(nfe)

    response = nfe.delete("nfce/r1", {"justificativa": "curta"})

    assert response.status_code == 400
    assert response.json() == {"codigo": "requisicao_invalida", "mensagem": _LENGTH}


@pytest.mark.parametrize(
    "body", ["{", "[]", '"texto"', '{"justificativa": "\\u0000aaaaaaaaaaaaaaa"}']
)
def test_what_is_no_json_object_is_415(company, sandbox, nfe, body):
    issued_nfe(nfe)

    response = nfe.delete("nfe/r1", body)

    assert (response.status_code, response.json()["codigo"]) == (415, "requisicao_invalida")
    prove_untouched(sandbox)


@pytest.mark.parametrize("kind", ["nfe", "nfce"])
def test_cancelling_twice_is_400(company, sandbox, nfe, kind):
    ISSUE[kind](nfe)
    nfe.delete(f"{kind}/r1", {"justificativa": WHY})

    response = nfe.delete(f"{kind}/r1", {"justificativa": WHY})

    assert response.status_code == 400
    assert response.json() == {"codigo": "nfe_cancelada", "mensagem": "Nota fiscal já cancelada."}
    prove_cancelled(sandbox, nfe, kind)


def test_what_is_not_authorized_is_422_for_nfe(company, sandbox, nfe):
    nfe.post("nfe", nfe_body(), ref="r1")

    response = nfe.delete("nfe/r1", {"justificativa": WHY})

    assert response.status_code == 422
    assert response.json() == {
        "codigo": "nfe_nao_autorizada", "mensagem": "Nota fiscal não autorizada."
    }  # fmt: skip
    assert not FiscalEvent.objects.exists()


def test_what_is_not_authorized_is_404_for_nfce(company, sandbox, nfe):
    from support.issuing import nfce_body

    sandbox.fault("cstat", servico="autorizacao", parametros={"codigo": 778})
    nfe.post("nfce", nfce_body(), ref="r1")

    response = nfe.delete("nfce/r1", {"justificativa": WHY})

    assert response.status_code == 404
    assert response.json() == {"codigo": "nfce_nao_autorizada", "mensagem": "NFCe não autorizada"}


@pytest.mark.parametrize(
    ("kind", "codigo"), [("nfe", "nao_encontrado"), ("nfce", "nfce_nao_encontrada")]
)
def test_an_unknown_ref_is_404(company, sandbox, nfe, kind, codigo):
    response = nfe.delete(f"{kind}/nada", {"justificativa": WHY})

    assert (response.status_code, response.json()["codigo"]) == (404, codigo)


@pytest.mark.parametrize("kind", ["nfe", "nfce"])
def test_another_tenant_finds_nothing(company, sandbox, nfe, other_account, kind):
    ISSUE[kind](nfe)
    stranger = FiscalCompanyFactory(account=other_account)
    certify(stranger)

    for client in (v2(fiscal_token(stranger)), v2(fiscal_token(company, "producao"))):
        assert client.delete(f"{kind}/r1", {"justificativa": WHY}).status_code == 404

    prove_untouched(sandbox)


def test_an_expired_certificate_is_told(company, sandbox, nfe, at_moment):
    issued_nfe(nfe)
    at_moment(moment_after(Certificate.objects.get()))

    response = nfe.delete("nfe/r1", {"justificativa": WHY})

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "certificado_vencido",
        "mensagem": "O certificado do emitente está vencido",
    }
    assert not FiscalEvent.objects.exists()
    prove_untouched(sandbox)


def test_an_alphanumeric_issuer_cancels_as_any(account, sandbox):
    company = FiscalCompanyFactory(account=account, cnpj="12ABC34501DE35")
    certify(company)
    client = v2(fiscal_token(company))
    issued_nfe(client, items=[item()])

    assert client.delete("nfe/r1", {"justificativa": WHY}).json()["status"] == "cancelado"


# --- lost answers ------------------------------------------------------------------------------

LOST: list[tuple[str, dict[str, Any]]] = [
    ("queda_antes", {}),
    ("queda_depois", {}),
    ("lento_antes", {"parametros": {"segundos": 2}}),
    ("lento_depois", {"parametros": {"segundos": 2}}),
    ("truncado", {}),
    ("mal_formado", {}),
    ("vazio", {}),
    ("http_500", {"parametros": {"quando": "depois"}}),
    ("http_503", {}),
    ("soap_fault", {"parametros": {"quando": "depois"}}),
    ("resposta_trocada", {}),
]


@pytest.mark.parametrize(("tipo", "rule"), LOST, ids=[tipo for tipo, _ in LOST])
def test_a_lost_answer_ends_in_one_event(company, sandbox, nfe, monkeypatch, tipo, rule):
    """§2.3: asked for, and sent again only when it is provably not there."""
    impatient(monkeypatch)
    issued_nfe(nfe)
    sandbox.fault(tipo, servico="recepcao_evento", vezes=1, **rule)

    response = nfe.delete("nfe/r1", {"justificativa": WHY})

    assert response.status_code == 200, response.json()
    assert response.json()["status"] == "cancelado"
    if tipo.startswith("lento"):
        time.sleep(2)  # what the sandbox still holds belongs to this test
    prove_cancelled(sandbox, nfe)
    outcomes = set(Attempt.objects.filter(kind="evento").values_list("outcome", flat=True))
    assert "open" not in outcomes


def test_nobody_there_is_202_and_the_sweep_goes_on(company, sandbox, nfe):
    issued_nfe(nfe)
    sandbox.fault("queda_antes", servico="recepcao_evento")
    sandbox.fault("queda_antes", servico="consulta_protocolo")

    response = nfe.delete("nfe/r1", {"justificativa": WHY})

    assert response.status_code == 202
    assert response.json() == {
        "status": "processando_autorizacao",
        "mensagem_sefaz": "A SEFAZ ainda não respondeu: o evento está em processamento.",
    }
    prove_untouched(sandbox)
    sandbox.told("DELETE", "falhas")
    resume_all()
    prove_cancelled(sandbox, nfe)


@pytest.mark.parametrize("code", [108, 109])
def test_a_service_that_is_down_processed_nothing(company, sandbox, nfe, at_moment, code):
    """109 opens the breaker of the UF; its status, asked because an event waits, closes it."""
    issued_nfe(nfe)
    sandbox.fault("cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": code})

    response = nfe.delete("nfe/r1", {"justificativa": WHY})

    assert (response.status_code, response.json()["status"]) == (202, "processando_autorizacao")
    asked = len(sandbox.requests(servico="recepcao_evento"))
    if code == 109:
        resume_all()
        assert len(sandbox.requests(servico="recepcao_evento")) == asked
        at_moment(clock.now() + timedelta(minutes=4))
        contingency_review.review_now()
    resume_all()
    prove_cancelled(sandbox, nfe)


def test_656_is_an_hour_of_silence(company, sandbox, nfe, at_moment):
    now = clock.now()
    issued_nfe(nfe)
    sandbox.fault("cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": 656})
    nfe.delete("nfe/r1", {"justificativa": WHY})
    before = len(sandbox.requests(servico="recepcao_evento"))

    resume_all()
    assert len(sandbox.requests(servico="recepcao_evento")) == before
    at_moment(now + timedelta(minutes=62))
    sandbox.clock(avancar=62 * 60)
    resume_all()

    prove_cancelled(sandbox, nfe)


def test_what_was_registered_by_somebody_else_is_adopted(company, sandbox, nfe):
    """573 (or 218) by another system: theirs is fetched, and the document is cancelled."""
    issued_nfe(nfe)
    nfe.delete("nfe/r1", {"justificativa": WHY})
    # As if another system had done it: our rows know nothing.
    FiscalEvent.objects.all().delete()
    Archive.objects.filter(kind="event").delete()
    FiscalDocument.objects.update(state="autorizado", c_stat="100")

    body = nfe.delete("nfe/r1", {"justificativa": "Outro motivo de cancelamento"}).json()

    assert body["status"] == "cancelado"
    assert body["caminho_xml_cancelamento"].endswith("-can.xml")
    states = sorted(FiscalEvent.objects.values_list("state", flat=True))
    assert states == ["registrado", "rejeitado"]
    theirs = FiscalEvent.objects.get(state="registrado")
    assert theirs.protocolo == sandbox.told("GET", "eventos")[0]["protocolo"]
    assert WHY in nfe.get(body["caminho_xml_cancelamento"]).content.decode()


def test_events_count_for_the_breaker_and_wait_for_it(company, sandbox, nfe, at_moment):
    """§8.7: one breaker for all that goes to an authority; an event that waits has it asked."""
    issued_nfe(nfe)
    sandbox.fault("sem_conexao", parametros={"segundos": 600})
    assert nfe.delete("nfe/r1", {"justificativa": WHY}).status_code == 202
    for _ in range(6):
        resume_all()

    route = registry.route(uf="SP", modelo=55, ambiente="homologacao")
    assert not authority_status.may_call(route, now=clock.now())
    tried = Attempt.objects.filter(kind=Attempt.Kind.EVENT)
    assert [row.outcome for row in tried] == [Attempt.Outcome.NOT_SENT] * 5
    sandbox.lift("sem_conexao")
    at_moment(clock.now() + timedelta(minutes=4))
    contingency_review.review_now()
    resume_all()

    prove_cancelled(sandbox, nfe)


def test_an_event_of_a_stopped_company_waits_and_may_stop_it(company, sandbox, nfe, at_moment):
    """§8.4: what is wrong with the company is wrong with all that it sends."""
    issued_nfe(nfe)
    sandbox.fault("cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": 281})
    refused = nfe.delete("nfe/r1", {"justificativa": WHY})
    assert (refused.status_code, refused.json()["status"]) == (200, "erro_cancelamento")
    stopped = company_queue.stopped_until(company, ambiente="homologacao", now=clock.now())
    assert stopped is not None

    waiting = nfe.delete("nfe/r1", {"justificativa": WHY})
    resume_all()

    assert (waiting.status_code, waiting.json()["status"]) == (202, "processando_autorizacao")
    assert len(sandbox.requests(servico="recepcao_evento")) == 1
    assert FiscalEvent.objects.get(state=EventState.ASSINADO).next_attempt_at == stopped
    at_moment(stopped + timedelta(seconds=1))
    resume_all()
    assert [row["tipo"] for row in sandbox.told("GET", "eventos")] == ["110111"]
    assert nfe.get("nfe/r1").json()["status"] == "cancelado"


# --- workers that die, and two at once ---------------------------------------------------------


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", [(event_sending, "_begin"), (event_outcome, "record")])
def test_a_worker_that_dies_between_two_steps_loses_nothing(
    company, sandbox, nfe, monkeypatch, at_moment, step, before
):
    issued_nfe(nfe)
    original = getattr(*step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if not before:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(*step, dying)
    with pytest.raises(Killed):
        nfe.delete("nfe/r1", {"justificativa": WHY})
    monkeypatch.setattr(*step, original)

    at_moment(clock.now() + timedelta(minutes=3))
    resume_all()
    resume_all()

    prove_cancelled(sandbox, nfe)


def test_two_clients_at_once_cancel_once(company, sandbox, nfe, nfe_token):
    issued_nfe(nfe)
    sandbox.fault("lento_antes", servico="recepcao_evento", parametros={"segundos": 0.3})
    answers: list[tuple[int, str]] = []
    start = threading.Barrier(3)

    def cancel() -> None:
        start.wait()
        response = v2(nfe_token).delete("nfe/r1", {"justificativa": WHY})
        body = response.json()
        answers.append((response.status_code, body.get("status") or body["codigo"]))
        connection.close()

    threads = [threading.Thread(target=cancel) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (200, "cancelado") in answers
    allowed = {(200, "cancelado"), (202, "processando_autorizacao"), (400, "nfe_cancelada")}
    assert set(answers) <= allowed
    prove_cancelled(sandbox, nfe)
    assert len(sandbox.requests(servico="recepcao_evento")) == 1


def test_a_document_of_the_svc_is_cancelled_at_home_once_it_is_back(company, sandbox, nfe):
    """EVT-8: the SVC takes cancellations only while the UF is there."""
    from fiscal.models import Contingency
    from fiscal.services import contingency

    sandbox.svc("SP", "aberto")
    row = contingency.enter(
        uf="SP", modelo=55, ambiente="homologacao", mode=Contingency.Mode.SVC_AN,
        reason="Servico da SEFAZ de origem paralisado", now=clock.now(),
    )  # fmt: skip
    issued_nfe(nfe)
    assert FiscalDocument.objects.get().tp_emis == 6

    contingency.leave(row, now=clock.now())
    assert nfe.delete("nfe/r1", {"justificativa": WHY}).json()["status"] == "cancelado"

    assert [row["autorizador"] for row in sandbox.requests(servico="recepcao_evento")] == ["SP"]


def test_a_document_of_the_svc_is_cancelled_there_meanwhile(company, sandbox, nfe):
    from fiscal.models import Contingency
    from fiscal.services import contingency

    sandbox.svc("SP", "aberto")
    contingency.enter(
        uf="SP", modelo=55, ambiente="homologacao", mode=Contingency.Mode.SVC_AN,
        reason="Servico da SEFAZ de origem paralisado", now=clock.now(),
    )  # fmt: skip
    issued_nfe(nfe)

    assert nfe.delete("nfe/r1", {"justificativa": WHY}).json()["status"] == "cancelado"

    sent = sandbox.requests(servico="recepcao_evento")
    assert [row["autorizador"] for row in sent] == ["SVC-AN"]


def test_only_the_last_document_of_a_ref_is_cancelled(company, sandbox, nfe):
    issued_nfe(nfe)
    issued_nfe(nfe, "r2")

    nfe.delete("nfe/r2", {"justificativa": WHY})

    assert nfe.get("nfe/r1").json()["status"] == "autorizado"
    assert nfe.get("nfe/r2").json()["status"] == "cancelado"
    work_off()
