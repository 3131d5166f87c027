"""Requests as the manual writes them, and who gets them (fiscal-engine §8.1, the table)."""

from __future__ import annotations

import base64
import gzip
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.authority import Call, Server, client, serving

from fiscal.authorities import connections, envelope, registry, tables
from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotOffered, NotSent, Route
from fiscal.authorities.sefaz import Sefaz
from fiscal.authorities.transport import Limits

NS = "http://www.portalfiscal.inf.br/nfe"
TABLE: Any = yaml.safe_load(
    (Path(tables.__file__).parent.parent / "tables" / "sefaz-endpoints.yaml").read_text()
)
NOBODY = Credentials("", b"", b"")
AMBIENTES = ("homologacao", "producao")
HOME = {
    "status_servico", "autorizacao", "ret_autorizacao", "consulta_protocolo", "inutilizacao",
    "recepcao_evento",
}  # fmt: skip
SVC = HOME - {"inutilizacao"}
KEY = "35261112ABC34501DE35550010000000011123456784"


@pytest.fixture(autouse=True)
def _published(settings: Any) -> None:
    settings.FISCAL_ENDPOINTS_BASE = settings.FISCAL_CA_FILE = ""


def sefaz(uf: str, modelo: int = 55, ambiente: str = "homologacao", tp_emis: int = 1) -> Sefaz:
    return registry.sefaz(
        uf=uf, modelo=modelo, ambiente=ambiente, credentials=NOBODY, tp_emis=tp_emis
    )


# --- the table


@pytest.mark.parametrize("ambiente", AMBIENTES)
@pytest.mark.parametrize("modelo", [55, 65])
@pytest.mark.parametrize("uf", list(TABLE["uf"]))
def test_every_uf_has_every_service_it_needs(uf: str, modelo: int, ambiente: str) -> None:
    found = sefaz(uf, modelo, ambiente)

    assert found.route.authority == TABLE["uf"][uf]["nfce" if modelo == 65 else "nfe"]
    assert set(found.addresses) >= HOME
    for name, address in found.addresses.items():
        assert re.fullmatch(r"https://[a-z0-9.-]+(:\d+)?/\S+", address)
        assert tables.service(name).resposta.startswith("ret")


@pytest.mark.parametrize("ambiente", AMBIENTES)
@pytest.mark.parametrize("uf", list(TABLE["uf"]))
def test_every_uf_has_its_svc_and_no_other(uf: str, ambiente: str) -> None:
    ours = TABLE["uf"][uf]["tpEmis_svc"]
    found = sefaz(uf, 55, ambiente, tp_emis=ours)

    assert found.route == registry.svc_route(uf=uf, ambiente=ambiente)
    assert found.route.authority == TABLE["uf"][uf]["svc"] == registry.SVC[ours]
    assert set(found.addresses) == SVC
    with pytest.raises(NotOffered, match=found.route.authority):
        sefaz(uf, 55, ambiente, tp_emis=13 - ours)
    with pytest.raises(NotOffered, match="NFC-e"):
        sefaz(uf, 65, ambiente, tp_emis=ours)


@pytest.mark.parametrize("tp_emis", [1, 4, 9])
def test_every_other_form_of_issue_goes_home(tp_emis: int) -> None:
    assert sefaz("SP", tp_emis=tp_emis).route.authority == "SP"


def test_every_address_of_the_table_is_served_by_a_route() -> None:
    for kind, modelo in (("nfe", 55), ("nfce", 65)):
        for authority, of in TABLE[kind].items():
            for ambiente, services in of.items():
                found = registry.at(Route(authority, "SP", modelo, ambiente), NOBODY)
                assert found.addresses == services


def test_environments_never_share_an_address() -> None:
    for kind in ("nfe", "nfce"):
        for of in TABLE[kind].values():
            assert not set(of["homologacao"].values()) & set(of["producao"].values())


def test_a_service_that_is_not_offered_is_said_to_be_absent() -> None:
    for absent in (
        lambda: sefaz("MA").register(ie="1"),
        lambda: sefaz("SP", tp_emis=6).void(b"<inutNFe/>"),
        lambda: sefaz("RJ").distribution(KEY[6:20]),
        lambda: sefaz("RJ", 65).epec(b"<evento/>", id_lote="1"),
        lambda: registry.an(uf="SP", ambiente="producao", credentials=NOBODY).status(),
    ):
        with pytest.raises(NotOffered, match="não oferece"):
            absent()


def test_an_unknown_uf_or_event_is_not_offered() -> None:
    with pytest.raises(NotOffered):
        sefaz("XX")
    with pytest.raises(NotOffered):
        registry.event_route("999999", uf="SP", modelo=55, ambiente="producao")


@pytest.mark.parametrize(
    ("tp_evento", "modelo", "tp_emis", "authority"),
    [
        ("110110", 55, 1, "SP"),
        ("110111", 55, 1, "SP"),
        ("110111", 55, 6, "SVC-AN"),
        ("110111", 65, 1, "SP"),
        ("110112", 65, 9, "SP"),
        ("110140", 55, 4, "AN"),
        ("210200", 55, 1, "AN"),
        ("110750", 55, 1, "SVRS"),
        ("110750", 65, 1, "SP"),
        ("112110", 55, 1, "SVRS"),
    ],
)
def test_events_go_where_the_table_says(
    tp_evento: str, modelo: int, tp_emis: int, authority: str
) -> None:
    where = {"uf": "SP", "modelo": modelo, "ambiente": "producao", "tp_emis": tp_emis}

    assert registry.event_route(tp_evento, **where).authority == authority  # type: ignore[arg-type]
    found = registry.for_event(tp_evento, credentials=NOBODY, **where)  # type: ignore[arg-type]
    assert "recepcao_evento" in found.addresses


def test_settings_send_every_call_elsewhere(settings: Any) -> None:
    settings.FISCAL_ENDPOINTS_BASE = "https://127.0.0.1:9443/"
    settings.FISCAL_CA_FILE = "/tmp/ca.pem"

    at_home = sefaz("RJ", 65)
    an = registry.an(uf="RJ", ambiente="producao", credentials=NOBODY)

    base = "https://127.0.0.1:9443"
    assert at_home.addresses["autorizacao"] == f"{base}/homologacao/SVRS/65/autorizacao"
    assert set(at_home.addresses) == set(TABLE["nfce"]["SVRS"]["homologacao"])
    assert an.addresses["recepcao_evento"] == f"{base}/producao/AN/55/recepcao_evento"
    assert at_home.ca_file == "/tmp/ca.pem"


# --- envelopes


def wsdl(operation: str) -> str:
    return f"http://www.portalfiscal.inf.br/nfe/wsdl/{operation}"


def test_the_envelope_is_the_one_of_the_manual() -> None:
    sealed = envelope.seal(b"<enviNFe/>", name="autorizacao", uf="SP")

    assert sealed.content_type == (
        'application/soap+xml; charset=utf-8; action="http://www.portalfiscal.inf.br/nfe/wsdl/'
        'NFeAutorizacao4/nfeAutorizacaoLote"'
    )
    assert sealed.body == (
        b'<?xml version="1.0" encoding="utf-8"?><soap12:Envelope '
        b'xmlns:soap12="http://www.w3.org/2003/05/soap-envelope"><soap12:Body><nfeDadosMsg '
        b'xmlns="http://www.portalfiscal.inf.br/nfe/wsdl/NFeAutorizacao4"><enviNFe/></nfeDadosMsg>'
        b"</soap12:Body></soap12:Envelope>"
    )
    assert sealed.expected == "retEnviNFe"


def test_signed_bytes_are_not_touched() -> None:
    odd = "<NFe  a='1'>\n é &#xD; PAYLOAD {ns} </NFe>".encode()

    assert odd in envelope.seal(odd, name="autorizacao", uf="SP").body


@pytest.mark.parametrize(
    "head", [b'<?xml version="1.0" encoding="UTF-8"?>', b'\xef\xbb\xbf<?xml version="1.0"?>\n', b""]
)
def test_a_declaration_does_not_enter_the_envelope(head: bytes) -> None:
    sealed = envelope.seal(head + b"<a/>", name="inutilizacao", uf="SP")

    assert sealed.body == envelope.seal(b"<a/>", name="inutilizacao", uf="SP").body


@pytest.mark.parametrize(
    ("uf", "method"), [("PR", "nfeRetAutorizacao"), ("SP", "nfeRetAutorizacaoLote")]
)
def test_parana_names_the_receipt_otherwise(uf: str, method: str) -> None:
    sealed = envelope.seal(b"<a/>", name="ret_autorizacao", uf=uf)

    assert sealed.content_type.endswith(f'/{method}"')


def test_mato_grosso_nests_the_register() -> None:
    body = envelope.seal(b"<a/>", name="consulta_cadastro", uf="MT").body

    assert f'<consultaCadastro xmlns="{wsdl("CadConsultaCadastro4")}">'.encode() in body
    assert b"<nfeDadosMsg><a/></nfeDadosMsg></consultaCadastro>" in body


def test_the_distribution_is_nested_in_its_method() -> None:
    body = envelope.seal(b"<a/>", name="distribuicao_dfe", uf="SP").body

    assert f'<nfeDistDFeInteresse xmlns="{wsdl("NFeDistribuicaoDFe")}">'.encode() in body
    assert b"<nfeDadosMsg><a/></nfeDadosMsg></nfeDistDFeInteresse>" in body


def test_a_zipped_batch_is_the_same_payload() -> None:
    body = envelope.seal(b"<enviNFe/>", name="autorizacao_zip", uf="SP").body

    found = re.search(rb"<nfeDadosMsgZip [^>]*>([^<]+)</nfeDadosMsgZip>", body)
    assert found
    assert gzip.decompress(base64.b64decode(found.group(1))) == b"<enviNFe/>"


# --- over the wire


def result(inner: str) -> bytes:
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>'
        f'<nfeResultMsg xmlns="x">{inner}</nfeResultMsg></e:Body></e:Envelope>'
    ).encode()


def answering(tag: str, code: str = "107") -> Any:
    body = result(f'<{tag} xmlns="{NS}"><cStat>{code}</cStat><xMotivo>ok</xMotivo></{tag}>')
    return lambda call: call.answer(body)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(answering("retConsStatServ"), tmp_path) as running:
        yield running
    connections.drop(client("PADARIA").thumbprint)


@pytest.fixture
def here(server: Server, settings: Any) -> Server:
    settings.FISCAL_ENDPOINTS_BASE = server.url("")
    settings.FISCAL_CA_FILE = server.ca_file
    return server


def reached(uf: str = "SP", modelo: int = 55, **also: Any) -> Sefaz:
    return registry.sefaz(
        uf=uf, modelo=modelo, ambiente="homologacao", credentials=client("PADARIA"), **also
    )


def payload(call: Call) -> str:
    found = re.search(r"<nfeDadosMsg[^>]*>(.*)</nfeDadosMsg>", call.body.decode())
    assert found
    return found.group(1)


def test_a_status_is_asked_and_read(here: Server, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "fiscal.authorities.sefaz"):
        answer = reached().status()

    assert (answer.c_stat, answer.x_motivo) == ("107", "ok")
    assert here.calls[0].path == "/homologacao/SP/55/status_servico"
    assert payload(here.calls[0]) == (
        f'<consStatServ xmlns="{NS}" versao="4.00"><tpAmb>2</tpAmb><cUF>35</cUF>'
        "<xServ>STATUS</xServ></consStatServ>"
    )
    (record,) = caplog.records
    assert (record.msg, record.service, record.cstat) == (  # type: ignore[attr-defined]
        "sefaz.answered",
        "status_servico",
        "107",
    )


def test_an_svc_is_asked_about_the_uf(here: Server) -> None:
    reached("AM", tp_emis=7).status()

    assert here.calls[0].path == "/homologacao/SVC-RS/55/status_servico"
    assert "<cUF>13</cUF>" in payload(here.calls[0])


NFE = f'<NFe xmlns="{NS}"><infNFe Id="NFe{KEY}"></infNFe></NFe>'.encode()


def test_one_document_is_sent_synchronously_with_its_bytes(here: Server) -> None:
    here.do = answering("retEnviNFe", "104")

    reached().authorize(NFE, id_lote="202611211")

    assert here.calls[0].path == "/homologacao/SP/55/autorizacao"
    assert payload(here.calls[0]) == (
        f'<enviNFe xmlns="{NS}" versao="4.00"><idLote>202611211</idLote><indSinc>1</indSinc>'
        f"{NFE.decode()}</enviNFe>"
    )


def test_a_batch_is_sent_asynchronously_and_its_receipt_asked(here: Server) -> None:
    here.do = answering("retEnviNFe", "103")
    reached().authorize([NFE, NFE], id_lote="2", sync=False)
    here.do = answering("retConsReciNFe", "105")

    assert reached().receipt("351000000000001").c_stat == "105"

    assert "<indSinc>0</indSinc>" + NFE.decode() * 2 + "</enviNFe>" in payload(here.calls[0])
    assert payload(here.calls[1]) == (
        f'<consReciNFe xmlns="{NS}" versao="4.00"><tpAmb>2</tpAmb><nRec>351000000000001</nRec>'
        "</consReciNFe>"
    )


def test_a_zipped_batch_goes_to_the_address_of_authorization(here: Server) -> None:
    here.do = answering("retEnviNFe", "103")

    reached().authorize(NFE, id_lote="3", zipped=True)

    assert here.calls[0].path == "/homologacao/SP/55/autorizacao"
    assert b"<nfeDadosMsgZip " in here.calls[0].body
    assert here.calls[0].headers["content-type"].endswith('/nfeAutorizacaoLoteZip"')


def test_a_key_with_letters_is_queried(here: Server) -> None:
    here.do = answering("retConsSitNFe", "217")

    assert reached().consult(KEY).c_stat == "217"

    assert payload(here.calls[0]) == (
        f'<consSitNFe xmlns="{NS}" versao="4.00"><tpAmb>2</tpAmb><xServ>CONSULTAR</xServ>'
        f"<chNFe>{KEY}</chNFe></consSitNFe>"
    )


def test_a_voiding_is_sent_as_signed(here: Server) -> None:
    here.do = lambda call: call.answer(
        result(f'<retInutNFe xmlns="{NS}"><infInut><cStat>102</cStat></infInut></retInutNFe>')
    )
    inut = f'<inutNFe xmlns="{NS}" versao="4.00"></inutNFe>'

    assert reached().void(inut.encode()).c_stat == "102"
    assert payload(here.calls[0]) == inut


def test_events_are_sent_in_their_batch(here: Server) -> None:
    here.do = answering("retEnvEvento", "128")
    evento = f'<evento xmlns="{NS}" versao="1.00"></evento>'

    reached().event(evento.encode(), id_lote="4")
    reached().event([evento.encode()] * 2, id_lote="5")

    assert payload(here.calls[0]) == (
        f'<envEvento xmlns="{NS}" versao="1.00"><idLote>4</idLote>{evento}</envEvento>'
    )
    assert payload(here.calls[1]).count(evento) == 2


def test_the_epec_of_nfce_goes_to_its_own_service(here: Server) -> None:
    here.do = answering("retEnvEvento", "128")

    reached("SP", 65).epec(b"<evento></evento>", id_lote="6")

    assert here.calls[0].path == "/homologacao/SP/65/recepcao_epec"
    assert f'action="{wsdl("RecepcaoEvento")}/' in here.calls[0].headers["content-type"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"ult_nsu": "15"}, "<distNSU><ultNSU>000000000000015</ultNSU></distNSU>"),
        ({}, "<distNSU><ultNSU>000000000000000</ultNSU></distNSU>"),
        ({"nsu": "7"}, "<consNSU><NSU>000000000000007</NSU></consNSU>"),
        ({"chave": KEY}, f"<consChNFe><chNFe>{KEY}</chNFe></consChNFe>"),
    ],
)
def test_the_distribution_asks_in_one_of_three_ways(
    here: Server, asked: dict[str, str], told: str
) -> None:
    here.do = answering("retDistDFeInt", "137")
    an = registry.an(uf="SP", ambiente="homologacao", credentials=client("PADARIA"))

    assert an.distribution("12ABC34501DE35", **asked).c_stat == "137"

    assert here.calls[0].path == "/homologacao/AN/55/distribuicao_dfe"
    assert payload(here.calls[0]) == (
        f'<distDFeInt xmlns="{NS}" versao="1.01"><tpAmb>2</tpAmb><cUFAutor>35</cUFAutor>'
        f"<CNPJ>12ABC34501DE35</CNPJ>{told}</distDFeInt>"
    )


def test_the_distribution_of_a_person_asks_by_cpf(here: Server) -> None:
    here.do = answering("retDistDFeInt", "137")
    an = registry.an(uf="SP", ambiente="homologacao", credentials=client("PADARIA"))

    an.distribution("12345678909")

    assert "<CPF>12345678909</CPF>" in payload(here.calls[0])


def test_the_register_is_asked_by_one_document(here: Server) -> None:
    here.do = lambda call: call.answer(
        result(f'<retConsCad xmlns="{NS}"><infCons><cStat>111</cStat></infCons></retConsCad>')
    )

    assert reached().register(cnpj="12ABC34501DE35").c_stat == "111"

    assert payload(here.calls[0]) == (
        f'<ConsCad xmlns="{NS}" versao="2.00"><infCons><xServ>CONS-CAD</xServ><UF>SP</UF>'
        "<CNPJ>12ABC34501DE35</CNPJ></infCons></ConsCad>"
    )


@pytest.mark.parametrize("value", ["", "1</nRec><x>", "1 2", "a&b"])
def test_nothing_but_codes_enters_a_request(here: Server, value: str) -> None:
    with pytest.raises(ValueError):
        reached().receipt(value)

    assert here.calls == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Service Unavailable</body></html>",
        result("<retOutro/>"),
        result(f'<retEnviNFe xmlns="{NS}"><cStat>104</cStat></retEnviNFe>')[:-30],
        result("<s:Fault xmlns:s='s'><faultstring>erro</faultstring></s:Fault>"),
    ],
)
def test_an_unreadable_answer_to_an_authorization_is_lost(here: Server, body: bytes) -> None:
    here.do = lambda call: call.answer(body)

    with pytest.raises(Lost) as lost:
        reached().authorize(NFE, id_lote="7")

    assert lost.value.raw == body
    assert len(here.calls) == 1


def test_a_lost_call_is_logged_without_its_content(
    here: Server, caplog: pytest.LogCaptureFixture
) -> None:
    here.do = lambda call: call.hang_up()

    with caplog.at_level(logging.INFO, "fiscal"), pytest.raises(Lost):
        reached().authorize(NFE, id_lote="8")

    (record,) = caplog.records
    assert (record.msg, record.kind) == ("sefaz.failed", "Lost")  # type: ignore[attr-defined]
    assert KEY not in str(record.__dict__)


def test_questions_are_waited_for_less_than_changes(here: Server) -> None:
    here.do = lambda call: (time.sleep(0.4), call.answer(b""))  # type: ignore[func-returns-value]
    impatient = Sefaz(
        reached().route, reached().addresses, client("PADARIA"), here.ca_file,
        asking=Limits(read=0.1), changing=Limits(read=5),
    )  # fmt: skip

    with pytest.raises(Lost, match="timed out"):
        impatient.consult(KEY)
    with pytest.raises(Lost, match="vazia"):
        impatient.authorize(NFE, id_lote="9")


def test_the_three_failures_are_told_apart(here: Server, settings: Any) -> None:
    here.do = lambda call: call.answer(b"", status="403 Forbidden")
    with pytest.raises(Misconfigured):
        reached().status()

    here.do = lambda call: call.hang_up()
    with pytest.raises(Lost):
        reached().status()

    here.refuse_handshake = True
    with pytest.raises(NotSent):
        reached().status()


def test_credentials_are_never_shown() -> None:
    shown = repr(reached()) + str(reached())

    assert "PRIVATE KEY" not in shown
    assert "BEGIN" not in shown
