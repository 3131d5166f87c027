"""Scripted faults (guide §20.4) as a client sees them, and what the authority kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from lxml import etree
from support import signed_notes as notes
from support.signed_notes import note


@pytest.fixture
def client(sandbox):
    return sandbox.client()


def kept(sandbox) -> int:
    """How many documents the authority holds."""
    return len(sandbox.documents())


# --- the connection ----------------------------------------------------------------------------


def test_connections_are_reset_before_the_handshake(sandbox, client):
    sandbox.fault("sem_conexao", vezes=2)

    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            client.send(note(client.signing))

    assert client.send(note(client.signing)).protocol == 100
    assert len(sandbox.requests(servico="autorizacao")) == 1


def test_nobody_listens_while_the_door_is_closed(sandbox, client):
    client.send(note(client.signing))
    sandbox.fault("sem_conexao", vezes=None)

    with pytest.raises(requests.ConnectionError, match="refused"):
        sandbox.client().send(note(client.signing, numero=2))
    sandbox.lift("sem_conexao")

    assert eventually(lambda: client.send(note(client.signing, numero=3)).protocol) == 100


def test_the_door_opens_by_itself_after_the_given_seconds(sandbox, client):
    sandbox.fault("sem_conexao", parametros={"segundos": 0.3})

    with pytest.raises(requests.ConnectionError, match="refused"):
        client.send(note(client.signing))

    assert eventually(lambda: client.send(note(client.signing)).protocol) == 100


def eventually(ask):
    deadline = time.monotonic() + 5
    while True:
        try:
            return ask()
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("tipo", ["tls_recusado", "cadeia_quebrada"])
def test_a_refused_handshake_is_a_tls_error(sandbox, client, tipo):
    sandbox.fault(tipo)

    with pytest.raises(requests.exceptions.SSLError):
        client.send(note(client.signing))

    assert client.send(note(client.signing)).protocol == 100


# --- lost answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(("tipo", "count"), [("queda_antes", 0), ("queda_depois", 1)])
def test_a_dropped_connection_leaves_the_document_there_or_not(sandbox, client, tipo, count):
    sent = note(client.signing)
    sandbox.fault(tipo, servico="autorizacao")

    with pytest.raises(requests.ConnectionError):
        client.send(sent)

    assert kept(sandbox) == count
    assert client.query(sent.chave).c_stat == (100 if count else 217)
    assert client.send(sent).protocol == (204 if count else 100)


@pytest.mark.parametrize("tipo", ["lento_antes", "lento_depois"])
def test_a_slow_answer_outlasts_the_client_and_is_processed(sandbox, client, tipo):
    sandbox.fault(tipo, parametros={"segundos": 0.6})

    with pytest.raises(requests.ReadTimeout):
        client.send(note(client.signing), timeout=0.2)

    deadline = time.monotonic() + 5
    while kept(sandbox) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kept(sandbox) == 1


def test_a_reset_ends_what_a_slow_fault_still_holds(sandbox, client):
    sandbox.fault("lento_antes", parametros={"segundos": 30})
    with pytest.raises(requests.ReadTimeout):
        client.send(note(client.signing), timeout=0.2)

    sandbox.reset()

    time.sleep(0.2)
    assert kept(sandbox) == 0
    assert client.send(note(client.signing)).protocol == 100


def test_an_answer_byte_by_byte_is_whole(sandbox, client):
    sandbox.fault("gotejar", parametros={"intervalo": 0.0005})

    assert client.send(note(client.signing)).protocol == 100


@pytest.mark.parametrize("quando", ["antes", "depois"])
@pytest.mark.parametrize(
    ("tipo", "status", "text"),
    [
        ("http_500", 500, b"<html>"),
        ("http_503", 503, b"<html>"),
        ("http_html", 200, b"<html>"),
        ("soap_fault", 500, b"Fault"),
    ],
)
def test_an_error_page_comes_before_or_after_processing(
    sandbox, client, tipo, status, text, quando
):
    sandbox.fault(tipo, parametros={"quando": quando})

    response = client.post("autorizacao", notes.batch(note(client.signing).xml))

    assert response.status_code == status
    assert text in response.content
    assert kept(sandbox) == (1 if quando == "depois" else 0)


def test_a_truncated_answer_ends_the_connection(sandbox, client):
    sandbox.fault("truncado")

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.send(note(client.signing))

    assert kept(sandbox) == 1


@pytest.mark.parametrize("tipo", ["mal_formado", "vazio", "outra_codificacao"])
def test_an_answer_that_cannot_be_read_comes_after_processing(sandbox, client, tipo):
    sandbox.fault(tipo)

    response = client.post("autorizacao", notes.batch(note(client.signing).xml))

    assert response.status_code == 200
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(response.content)
    assert kept(sandbox) == 1


# --- given answers -----------------------------------------------------------------------------


def test_a_given_code_is_answered_without_processing(sandbox, client):
    sent = note(client.signing)
    sandbox.fault("cstat", parametros={"codigo": 999, "motivo": "de teste"})
    sandbox.fault("cstat", parametros={"codigo": 999, "nivel": "lote"})
    sandbox.fault("cstat", parametros={"codigo": 280})

    document, message, certificate = (client.send(sent) for _ in range(3))

    assert (document.c_stat, document.protocol) == (104, 999)
    assert document.text("infProt/xMotivo").endswith("de teste")
    assert (message.c_stat, certificate.c_stat) == (999, 280)
    assert kept(sandbox) == 0


@pytest.mark.parametrize(("tipo", "c_stat"), [("pausado", 108), ("parado", 109)])
def test_a_pause_lasts_until_it_is_lifted(sandbox, client, tipo, c_stat):
    sandbox.fault(tipo, uf="SP")

    codes = [client.ask("status_servico", notes.status()).c_stat for _ in range(3)]
    codes.append(client.send(note(client.signing)).c_stat)
    elsewhere = client.ask("status_servico", notes.status("43"), authority="RS").c_stat
    sandbox.lift(tipo)

    assert codes == [c_stat] * 4
    assert elsewhere == 107
    assert client.send(note(client.signing)).protocol == 100


def test_undue_consumption_lasts_its_window(sandbox, client):
    sandbox.clock(parado=True)
    sandbox.fault("consumo_indevido", servico="autorizacao", parametros={"segundos": 60})
    codes = [client.send(note(client.signing)).c_stat for _ in range(2)]
    sandbox.clock(avancar=61)

    assert codes == [656, 656]
    assert client.send(note(client.signing)).protocol == 100


def test_a_synchronous_note_may_be_put_into_the_queue(sandbox, client):
    sandbox.fault("em_processamento", parametros={"n": 2})

    taken = client.send(note(client.signing))
    polls = notes.receipt(taken.text("infRec/nRec"))
    answers = [client.ask("ret_autorizacao", polls) for _ in range(3)]

    assert taken.c_stat == 103
    assert [answer.c_stat for answer in answers] == [105, 105, 104]
    assert answers[2].protocol == 100


def test_the_answer_of_another_document_has_another_key(sandbox, client):
    other = note(client.signing, numero=1)
    client.send(other)
    sandbox.fault("resposta_trocada")

    sent = note(client.signing, numero=2)
    answer = client.send(sent)

    assert answer.text("infProt/chNFe") == other.chave
    assert client.query(sent.chave).c_stat == 100


def test_another_digest_comes_with_the_right_key(sandbox, client):
    sent = note(client.signing)
    sandbox.fault("digval_trocado")

    wrong = client.send(sent)
    right = client.query(sent.chave)

    assert wrong.text("infProt/chNFe") == sent.chave
    assert wrong.text("infProt/digVal") != right.text("infProt/digVal")


def test_a_query_may_lag_behind_the_authorisation(sandbox, client):
    sandbox.clock(parado=True)
    sent = note(client.signing)
    sandbox.fault("consulta_atrasada", servico="autorizacao", parametros={"segundos": 20})
    client.send(sent)

    early = client.query(sent.chave).c_stat
    again = client.send(sent).protocol
    sandbox.clock(avancar=21)

    assert (early, again, client.query(sent.chave).c_stat) == (217, 204, 100)


def test_a_lagging_query_goes_along_with_a_lost_answer(sandbox, client):
    sandbox.clock(parado=True)
    sent = note(client.signing)
    sandbox.fault("queda_depois")
    sandbox.fault("consulta_atrasada", servico="autorizacao", parametros={"segundos": 20})
    with pytest.raises(requests.ConnectionError):
        client.send(sent)

    assert client.query(sent.chave).c_stat == 217
    sandbox.clock(avancar=21)
    assert client.query(sent.chave).c_stat == 100
    assert sandbox.requests(servico="autorizacao")[0]["falha"] == "queda_depois consulta_atrasada"


def test_some_queries_may_lag_by_themselves(sandbox, client):
    sent = note(client.signing)
    client.send(sent)
    sandbox.fault("consulta_atrasada", servico="consulta_protocolo", vezes=2)

    assert [client.query(sent.chave).c_stat for _ in range(3)] == [217, 217, 100]


def test_a_phantom_duplicate_names_a_key_that_nobody_sent(sandbox, client):
    sent = note(client.signing)
    sandbox.fault("duplicado_fantasma")

    answer = client.send(sent)

    phantom = answer.text("infProt/xMotivo").partition("[chNFe: ")[2][:44]
    assert answer.protocol == 539
    assert phantom != sent.chave
    assert client.query(phantom).c_stat == 217
    assert kept(sandbox) == 0


@pytest.mark.parametrize("servico", ["autorizacao", "ret_autorizacao"])
def test_the_answers_of_a_batch_may_come_in_another_order(sandbox, client, servico):
    sandbox.fault("ordem_trocada", servico=servico)
    sent = [note(client.signing, numero=numero) for numero in (1, 2, 3)]

    recibo = client.send(*sent).text("infRec/nRec")
    answer = client.ask("ret_autorizacao", notes.receipt(recibo))

    assert answer.texts("infProt/chNFe") == [each.chave for each in reversed(sent)]


# --- aim ---------------------------------------------------------------------------------------


def test_a_fault_hits_what_it_is_aimed_at(sandbox, client):
    rule = {"servico": "autorizacao", "uf": "SP", "cnpj": notes.ISSUER, "serie": 1, "numero": 2}
    sandbox.fault("http_500", **rule)

    first = client.post("autorizacao", notes.batch(note(client.signing, numero=1).xml))
    second = client.post("autorizacao", notes.batch(note(client.signing, numero=2).xml))

    assert (first.status_code, second.status_code) == (200, 500)


def test_a_fault_may_skip_the_first_ones_and_hit_a_few(sandbox, client):
    sandbox.fault("http_500", servico="status_servico", depois_de=1, vezes=2)

    codes = [client.post("status_servico", notes.status()).status_code for _ in range(4)]

    assert codes == [200, 500, 500, 200]
    (rule,) = sandbox.told("GET", "falhas")
    assert (rule["vistas"], rule["usadas"]) == (3, 2)


def test_the_journal_names_the_fault(sandbox, client):
    sandbox.fault("http_500")

    client.post("status_servico", notes.status())

    assert [each["falha"] for each in sandbox.requests()] == ["http_500"]


def test_another_order_to_the_control_does_not_close_the_door_again(sandbox, client):
    sandbox.fault("sem_conexao", parametros={"segundos": 0.1})
    eventually(lambda: client.send(note(client.signing)))

    sandbox.set(dias_de_atraso=30)

    assert client.query(note(client.signing, numero=2).chave).c_stat == 217


def test_many_clients_at_once_get_each_number_once(sandbox):
    client = sandbox.client()
    sent = [note(client.signing, numero=numero) for numero in range(1, 9)] * 2

    with ThreadPoolExecutor(8) as pool:
        clients = [sandbox.client() for _ in range(8)]
        answers = list(
            pool.map(
                lambda pair: pair[0].send(pair[1]).protocol, zip(clients * 2, sent, strict=True)
            )
        )

    assert sorted(answers) == [100] * 8 + [204] * 8
    protocols = {each["protocolo"] for each in sandbox.documents()}
    assert len(protocols) == 8
