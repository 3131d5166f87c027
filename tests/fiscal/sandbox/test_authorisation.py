"""Authorisation through real sockets: duplicates, batches, queries, the answers themselves."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest
import requests
from lxml import etree
from support import signed_notes as notes
from support.sandbox_authority import opened
from support.signed_notes import note


@pytest.fixture
def client(sandbox):
    return sandbox.client()


def valid(root: etree._Element, name: str) -> bool:
    """Whether an answer keeps the official schema."""
    path = files("nfelib") / "nfe" / "schemas" / "v4_0" / f"{name}_v4.00.xsd"
    schema = etree.XMLSchema(etree.parse(str(path)))
    assert schema.validate(etree.fromstring(etree.tostring(root))), schema.error_log
    return True


# --- one note ------------------------------------------------------------------------------------


def test_a_valid_nfe_is_authorised_and_kept_as_received(sandbox, client):
    sent = note(client.signing)

    answer = client.send(sent)

    (kept,) = sandbox.documents(xml=1)
    assert (answer.c_stat, answer.protocol) == (104, 100)
    assert valid(answer.root, "retEnviNFe")
    assert kept["chave"] == sent.chave
    assert kept["protocolo"] == answer.text("infProt/nProt")
    assert kept["situacao"] == "autorizado"
    assert notes.base64.b64decode(kept["xml"]) == sent.xml


def test_a_nfce_is_authorised(client):
    answer = client.send(note(client.signing, modelo="65"), modelo="65")

    assert answer.protocol == 100


def test_a_cnpj_with_letters_goes_through_every_service(sandbox):
    cnpj = "12ABC34501DE35"
    client = sandbox.client(cnpj)
    sent = note(client.signing, issuer=cnpj)

    protocolo = client.send(sent).text("infProt/nProt")

    assert client.query(sent.chave).c_stat == 100
    signing = client.signing
    gone = notes.cancellation(signing, sent.chave, protocolo, author=cnpj)
    assert client.register(gone).event == 135
    unused = notes.voiding(signing, 5, 6, cnpj=cnpj)
    assert client.ask("inutilizacao", unused).c_stat == 102


def test_ten_items_are_added_up(client):
    assert client.send(note(client.signing, items=10)).protocol == 100


# --- duplicates ----------------------------------------------------------------------------------


def test_the_same_key_again_is_a_duplicate(sandbox, client):
    sent = note(client.signing)

    first, second = client.send(sent), client.send(sent)

    assert second.protocol == 204
    assert first.text("infProt/nProt") in second.text("infProt/xMotivo")
    assert len(sandbox.documents()) == 1


def test_the_same_number_under_another_key_tells_the_key(client):
    sent, other = note(client.signing), note(client.signing, cnf="55443322")
    client.send(sent)

    answer = client.send(other)

    assert answer.protocol == 539
    assert f"[chNFe: {sent.chave}]" in answer.text("infProt/xMotivo")
    assert client.query(other.chave).c_stat == 613


def test_a_cancelled_and_a_voided_number_are_refused(client):
    sent = note(client.signing)
    protocolo = client.send(sent).text("infProt/nProt")
    client.register(notes.cancellation(client.signing, sent.chave, protocolo))
    client.ask("inutilizacao", notes.voiding(client.signing, 2, 2))

    assert client.send(sent).protocol == 218
    assert client.send(note(client.signing, numero=2)).protocol == 206


# --- batches -------------------------------------------------------------------------------------


def batch_of(client, count: int):
    """(notes, the answer to the batch)."""
    sent = [note(client.signing, numero=numero) for numero in range(1, count + 1)]
    return sent, client.send(*sent)


def test_a_batch_is_answered_by_its_receipt(sandbox, client):
    sandbox.clock(parado=True)
    sandbox.set(atraso_recibo=10)
    sent, taken = batch_of(client, 3)
    recibo = taken.text("infRec/nRec")

    early = client.ask("ret_autorizacao", notes.receipt(recibo))
    unseen = client.query(sent[0].chave)
    sandbox.clock(avancar=11)
    done = client.ask("ret_autorizacao", notes.receipt(recibo))

    assert (taken.c_stat, early.c_stat, unseen.c_stat, done.c_stat) == (103, 105, 217, 104)
    assert done.texts("infProt/chNFe") == [each.chave for each in sent]
    assert done.texts("infProt/cStat") == ["100"] * 3
    assert valid(taken.root, "retEnviNFe")
    assert valid(done.root, "retConsReciNFe")
    assert client.query(sent[0].chave).c_stat == 100


def test_receipts_of_nobody_and_of_others_are_not_told(sandbox, client):
    _, taken = batch_of(client, 2)
    recibo = notes.receipt(taken.text("infRec/nRec"))

    assert client.ask("ret_autorizacao", notes.receipt("3" * 15)).c_stat == 106
    assert client.ask("ret_autorizacao", recibo, authority="SVRS").c_stat == 248
    assert sandbox.client(notes.BUYER).ask("ret_autorizacao", recibo).c_stat == 223


def test_a_receipt_may_be_asked_for_forty_times_an_hour(sandbox, client):
    sandbox.clock(parado=True)
    _, taken = batch_of(client, 2)
    recibo = notes.receipt(taken.text("infRec/nRec"))
    codes = [client.ask("ret_autorizacao", recibo).c_stat for _ in range(41)]

    assert codes == [104] * 40 + [656]


# --- query ---------------------------------------------------------------------------------------


def test_a_query_tells_protocol_and_events(client):
    sent = note(client.signing)
    protocolo = client.send(sent).text("infProt/nProt")
    client.register(notes.correction(client.signing, sent.chave))
    client.register(notes.cancellation(client.signing, sent.chave, protocolo))

    answer = client.query(sent.chave)

    assert answer.c_stat == 101
    assert answer.text("protNFe/infProt/nProt") == protocolo
    assert answer.texts("procEventoNFe/evento/infEvento/tpEvento") == ["110110", "110111"]
    assert valid(answer.root, "retConsSitNFe")


def test_a_query_is_refused_for_what_it_cannot_be(sandbox, client):
    sent = note(client.signing)
    client.send(sent)
    wrong = sent.chave[:43] + str((int(sent.chave[43]) + 1) % 10)
    first = "35" + "2501" + sent.chave[6:43]
    old = first + notes.digit(first)

    assert client.query(note(client.signing, numero=9).chave).c_stat == 217
    assert client.query(wrong).c_stat == 236
    assert client.query(old).c_stat == 526
    assert client.query(sent.chave, authority="SVRS").c_stat == 226
    assert sandbox.client("11444777000242").query(sent.chave).c_stat == 100  # the buyer's branch
    assert sandbox.client("12ABC34501DE35").query(sent.chave).c_stat == 640


def test_one_key_may_be_asked_for_ten_times_an_hour(sandbox, client):
    sandbox.clock(parado=True)
    sent = note(client.signing)
    client.send(sent)
    codes = [client.query(sent.chave).c_stat for _ in range(11)]
    sandbox.clock(avancar=3601)

    assert codes == [100] * 10 + [656]
    assert client.query(sent.chave).c_stat == 100


# --- status, register, SVC -----------------------------------------------------------------------


def test_status_is_told_of_the_units_that_are_served(client):
    assert client.ask("status_servico", notes.status()).c_stat == 107
    assert client.ask("status_servico", notes.status("43")).c_stat == 410
    assert client.ask("status_servico", notes.status("33"), authority="SVRS").c_stat == 107


def test_svc_is_closed_until_it_is_opened_and_its_documents_come_home_later(sandbox, client):
    sandbox.clock(parado=True)
    sandbox.set(svc_atraso=60)
    sent = note(client.signing, tp_emis="6")
    svc = {"authority": "SVC-AN"}
    closed = client.send(sent, **svc)
    sandbox.svc("SP", "aberto")

    sent = note(client.signing, tp_emis="6")
    accepted = client.send(sent, **svc)

    assert closed.c_stat == 114
    assert accepted.protocol == 100
    assert client.query(sent.chave, **svc).c_stat == 100
    assert client.query(sent.chave).c_stat == 217
    sandbox.clock(avancar=61)
    assert client.query(sent.chave).c_stat == 100
    protocolo = accepted.text("infProt/nProt")
    gone = client.register(notes.cancellation(client.signing, sent.chave, protocolo), **svc)
    assert gone.event == 135


def test_the_status_of_svc_follows_its_opening_and_closing(sandbox, client):
    codes = []
    for state in ("fechado", "aberto", "encerrando", "fechado"):
        sandbox.svc("SP", state)
        codes.append(client.ask("status_servico", notes.status(), authority="SVC-AN").c_stat)

    assert codes == [114, 107, 113, 114]
    other = client.ask("status_servico", notes.status(), authority="SVC-RS")
    assert other.c_stat == 410


def register(cnpj: str) -> bytes:
    asked = notes.xml("infCons", notes.leaves(xServ="CONS-CAD", UF="SP", CNPJ=cnpj))
    return f'<ConsCad xmlns="{notes.NFE}" versao="2.00">{asked}</ConsCad>'.encode()


def test_the_register_knows_who_issued_or_was_told(sandbox, client):
    client.send(note(client.signing))
    sandbox.told("POST", "contribuintes", {notes.BUYER: {"ie": "123", "nome": "Comprador"}})

    issuer = client.ask("consulta_cadastro", register(notes.ISSUER))
    buyer = client.ask("consulta_cadastro", register(notes.BUYER))

    assert (issuer.c_stat, issuer.text("infCad/xNome")) == (111, "Emitente")
    assert (buyer.c_stat, buyer.text("infCad/IE")) == (111, "123")
    assert client.ask("consulta_cadastro", register("12ABC34501DE35")).c_stat == 259
    assert client.ask("consulta_cadastro", register("11222333000180")).c_stat == 258


# --- voiding -------------------------------------------------------------------------------------


def void(client, *span: int, **fields) -> int:
    return client.ask("inutilizacao", notes.voiding(client.signing, *span, **fields)).c_stat


def test_a_range_is_voided_once(sandbox, client):
    answer = client.ask("inutilizacao", notes.voiding(client.signing, 10, 20))

    assert answer.c_stat == 102
    assert len(answer.text("infInut/nProt")) == 15
    assert valid(answer.root, "retInutNFe")
    assert void(client, 10, 20) == 563
    assert void(client, 20, 25) == 256
    (kept,) = sandbox.told("GET", "inutilizacoes")
    assert (kept["inicial"], kept["final"]) == (10, 20)


def test_a_range_that_cannot_be_voided_is_refused(sandbox, client):
    client.send(note(client.signing, numero=3))

    assert void(client, 2, 5) == 241
    assert void(client, 9, 8) == 224
    assert void(client, 1000, 2000) == 201
    assert void(client, 1000, 1999) == 102
    assert void(client, 30, 31, year="99") == 453
    assert void(client, 30, 31, year="05") == 454
    other = sandbox.client(notes.BUYER).signing
    assert client.ask("inutilizacao", notes.voiding(other, 30, 31)).c_stat == 213
    changed = notes.voiding(client.signing, 30, 31).replace(b"Falha no", b"Falho no")
    assert client.ask("inutilizacao", changed).c_stat == 297


def test_the_twentieth_refusal_of_the_same_voiding_blocks_it(sandbox, client):
    sandbox.clock(parado=True)

    assert [void(client, 9, 8) for _ in range(21)] == [224] * 20 + [656]


# --- envelopes and shapes ------------------------------------------------------------------------


def test_answers_come_in_several_shapes_by_unit(client):
    served = {"35": "SP", "31": "MG", "32": "SVRS", "33": "SVRS", "29": "BA"}
    raws = {
        cuf: client.post("status_servico", notes.status(cuf), authority=authority)
        for cuf, authority in served.items()
    }

    beginnings = {response.content[:70] for response in raws.values()}
    kinds = {response.headers["Content-Type"].split(";")[0] for response in raws.values()}

    assert len(beginnings) == 5
    assert kinds == {"application/soap+xml", "text/xml"}
    assert sum(b"&lt;ret" in response.content for response in raws.values()) == 1
    assert sum(b"Result>" in response.content for response in raws.values()) == 1
    for response in raws.values():
        assert opened(response.content).findtext("{*}cStat") == "107"


def test_what_is_no_envelope_of_the_service_gets_a_fault(sandbox, client):
    url = f"{sandbox.base_url}/homologacao/SP/55/status_servico"
    wrong = client.session.post(url, data=b"<x/>", timeout=5)
    other = client.post("consulta_protocolo", notes.status())

    assert wrong.status_code == 500
    assert b"Fault" in wrong.content
    assert other.status_code == 200
    assert opened(other.content).findtext("{*}cStat") == "516"


@pytest.mark.parametrize(
    "path",
    [
        "/homologacao/SP/57/autorizacao",
        "/homologacao/SVC-AN/55/inutilizacao",
        "/homologacao/AN/55/autorizacao",
        "/homologacao/XX/55/autorizacao",
        "/teste/SP/55/autorizacao",
    ],
)
def test_a_service_that_an_authority_does_not_offer_is_not_there(sandbox, client, path):
    assert client.session.post(sandbox.base_url + path, data=b"", timeout=5).status_code == 404


def test_a_zipped_batch_is_taken(sandbox, client):
    inner = notes.base64.b64encode(gzip.compress(notes.batch(note(client.signing).xml)))
    ns = "http://www.portalfiscal.inf.br/nfe/wsdl/NFeAutorizacao4"
    body = (
        b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
        b'<nfeDadosMsgZip xmlns="%b">%b</nfeDadosMsgZip></e:Body></e:Envelope>'
        % (ns.encode(), inner)
    )
    url = f"{sandbox.base_url}/homologacao/SP/55/autorizacao"

    response = client.session.post(url, data=body, timeout=5)

    assert opened(response.content).findtext(".//{*}protNFe/{*}infProt/{*}cStat") == "100"


def test_one_connection_serves_many_requests(sandbox, client):
    for _ in range(3):
        client.ask("status_servico", notes.status())

    pool = client.session.get_adapter(sandbox.base_url).poolmanager
    (key,) = pool.pools.keys()
    host = pool.pools[key]
    assert (host.num_connections, host.num_requests) == (1, 3)


def test_messages_accompany_an_authorisation(sandbox, client):
    sandbox.set(mensagens=["Procure a Secretaria da Fazenda"])

    answer = client.send(note(client.signing))

    assert answer.texts("infProt/xMsg") == ["Procure a Secretaria da Fazenda"]
    assert valid(answer.root, "retEnviNFe")


def test_the_journal_has_the_bytes_of_every_request(sandbox, client):
    sent = note(client.signing)
    client.send(sent)

    (request,) = sandbox.requests(chave=sent.chave, bytes=1)

    assert request["c_stat"] == "104 100"
    assert request["transmissor"] == notes.ISSUER
    assert sent.xml in notes.base64.b64decode(request["pedido"])
    assert b"protNFe" in notes.base64.b64decode(request["resposta"])


def test_the_control_api_says_what_it_does_not_take(sandbox):
    url = sandbox.running.control_url
    wrong = [
        ("falhas", {"tipo": "inexistente"}),
        ("falhas", {"tipo": "sem_conexao", "uf": "SP"}),
        ("falhas", {"tipo": "cstat", "servico": "nada"}),
        ("falhas", {"tipo": "cstat", "outro": 1}),
        ("falhas", {"tipo": "http_500", "parametros": {"depois": True}}),
        ("falhas", {"tipo": "soap_fault", "parametros": {"quando": "nunca"}}),
        ("falhas", {"tipo": "queda_depois", "parametros": {"segundos": 3}}),
        ("falhas", {"tipo": "lento_antes", "parametros": {"segundos": "3"}}),
        ("relogio", {"agora": "2026-12-01T00:00:00"}),
        ("ajustes", {"inexistente": 1}),
        ("svc", {"uf": "SP", "estado": "talvez"}),
    ]

    answers = [requests.post(f"{url}/{name}", json=body, timeout=5) for name, body in wrong]

    assert [answer.status_code for answer in answers] == [400] * len(wrong)
    told = [answer.json()["mensagem"] for answer in answers]
    assert all(told)
    assert told[4:8] == [
        "parâmetro desconhecido de http_500: depois; aceitos: quando",
        "soap_fault: quando deve ser antes ou depois, não 'nunca'",
        "parâmetro desconhecido de queda_depois: segundos; aceitos: nenhum",
        "lento_antes: segundos deve ser um número, não '3'",
    ]
    assert sandbox.told("GET", "falhas") == []
    assert requests.get(f"{url}/nada", timeout=5).status_code == 404
