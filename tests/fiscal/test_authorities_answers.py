"""Answers in every shape that authorities use (ANS-1…ANS-6); their bytes are kept (ANS-4)."""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime
from html import escape

import pytest
from lxml import etree

from fiscal.authorities import answers
from fiscal.authorities.base import Answer, Message, quoted_keys, quoted_receipts
from fiscal.authorities.wire import Unreadable

NS = "http://www.portalfiscal.inf.br/nfe"
WSDL = "http://www.portalfiscal.inf.br/nfe/wsdl/NFeAutorizacao4"
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
S12 = "http://www.w3.org/2003/05/soap-envelope"
KEY = "35261112ABC34501DE35550010000000011123456784"
DIGEST = "vFL68WETQ+mvj1aJAMDx+oVi928="
INF = (
    f"<infProt><tpAmb>2</tpAmb><verAplic>SP_1</verAplic><chNFe>{KEY}</chNFe>"
    f"<dhRecbto>2026-11-21T10:00:00-03:00</dhRecbto><nProt>135260000000001</nProt>"
    f"<digVal>{DIGEST}</digVal><cStat>100</cStat><xMotivo>Autorizado o uso da NF-e</xMotivo>"
    "</infProt>"
)
PROT = f'<protNFe versao="4.00">{INF}</protNFe>'
HEAD = (
    "<tpAmb>2</tpAmb><verAplic>SP_1</verAplic><cStat>104</cStat><xMotivo>Lote processado</xMotivo>"
    "<cUF>35</cUF><dhRecbto>2026-11-21T10:00:01-03:00</dhRecbto>"
)
RET = f'<retEnviNFe xmlns="{NS}" versao="4.00">{HEAD}{PROT}</retEnviNFe>'
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def soap(inner: str, *, ns: str = S12, prefix: str = "soap", wrapper: str = "") -> str:
    result = f'<nfeResultMsg xmlns="{WSDL}">{wrapper or "{}"}</nfeResultMsg>'.format(inner)
    return (
        f'{DECLARATION}<{prefix}:Envelope xmlns:{prefix}="{ns}" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><{prefix}:Header/>'
        f"<{prefix}:Body>{result}</{prefix}:Body></{prefix}:Envelope>"
    )


def read(text: str | bytes, expected: str = "retEnviNFe", charset: str = "") -> Answer:
    raw = text if isinstance(text, bytes) else text.encode()
    return answers.answer(raw, expected=expected, charset=charset)


SHAPES = {
    "SOAP 1.2": soap(RET),
    "SOAP 1.1": soap(RET, ns=S11, prefix="S"),
    "another prefix": soap(RET, prefix="env"),
    "one more wrapper": soap(
        RET, wrapper="<nfeAutorizacaoLoteResult>{}</nfeAutorizacaoLoteResult>"
    ),
    "escaped": soap(escape(RET)),
    "escaped with declaration": soap(escape(DECLARATION + RET)),
    "CDATA": soap(f"<![CDATA[{RET}]]>"),
    "CDATA with declaration": soap(f"<![CDATA[{DECLARATION}{RET}]]>"),
    "escaped in a wrapper": soap(escape(RET), wrapper="<resultado>\n {} </resultado>"),
    "no envelope": RET,
    "namespace of the service": soap(RET.replace(f' xmlns="{NS}"', "")),
    "no namespace": soap(RET.replace(f'xmlns="{NS}"', 'xmlns=""')),
    "prefixed": soap(
        RET.replace("</", "</n:")
        .replace("<", "<n:")
        .replace("<n:/n:", "</n:")
        .replace("xmlns=", "xmlns:n=")
    ),
    "line breaks": soap(RET.replace("><", ">\n  <")),
    "own namespace on protNFe": soap(RET.replace("<protNFe ", f'<protNFe xmlns="{NS}" ')),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SHAPES.items()])
def test_every_shape_reads_the_same(body: str) -> None:
    answer = read(body)

    assert (answer.c_stat, answer.x_motivo, answer.tp_amb) == ("104", "Lote processado", "2")
    assert answer.raw == body.encode()
    assert answer.dh_recbto == datetime(2026, 11, 21, 13, 0, 1, tzinfo=UTC)
    protocol = answer.protocol
    assert protocol is not None
    assert (protocol.chave, protocol.c_stat) == (KEY, "100")
    assert (protocol.protocolo, protocol.digest_value) == ("135260000000001", DIGEST)
    assert protocol.dh_recbto == datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert protocol.x_motivo == "Autorizado o uso da NF-e"
    # The first level says nothing about the document (ANS-2).
    assert answer.c_stat != protocol.c_stat


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in SHAPES.items()])
def test_the_protocol_of_every_shape_stands_in_an_nfe_proc(body: str) -> None:
    nfe = f'<NFe xmlns="{NS}"><infNFe Id="NFe{KEY}" versao="4.00"></infNFe></NFe>'.encode()
    protocol = read(body).protocol
    assert protocol is not None

    proc = answers.nfe_proc(nfe, protocol.xml)

    assert nfe in proc
    root = etree.fromstring(proc)
    assert root.tag == f"{{{NS}}}nfeProc"
    assert root.get("versao") == "4.00"
    assert [child.tag for child in root] == [f"{{{NS}}}NFe", f"{{{NS}}}protNFe"]
    assert root.findtext(f".//{{{NS}}}nProt") == "135260000000001"


def test_the_protocol_is_the_bytes_of_the_authority_with_the_inherited_namespace() -> None:
    strange = PROT.replace('versao="4.00"', "versao='4.00' ").replace("<tpAmb>", "<tpAmb  >")
    body = soap(RET.replace(PROT, strange))

    protocol = read(body).protocol

    assert protocol is not None
    assert protocol.xml == strange.replace("<protNFe ", f'<protNFe xmlns="{NS}" ').encode()


def test_a_namespace_of_its_own_is_not_declared_twice() -> None:
    own = PROT.replace("<protNFe ", f'<protNFe xmlns="{NS}" ')

    protocol = read(soap(RET.replace(PROT, own))).protocol

    assert protocol is not None
    assert protocol.xml == own.encode()


def test_prefixes_used_below_are_declared_on_the_slice() -> None:
    marked = PROT.replace("<infProt>", '<infProt xsi:type="x"><empty/><e2 a="1>/>"/>')

    protocol = read(soap(RET.replace(PROT, marked))).protocol

    assert protocol is not None
    root = etree.fromstring(protocol.xml)
    assert root.tag == f"{{{NS}}}protNFe"
    assert protocol.xml.endswith(b"</protNFe>")


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", "UTF-8"),
        ("latin-1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
    ],
)
def test_other_encodings_are_read_and_kept_as_utf8(encoding: str, declared: str) -> None:
    text = soap(RET.replace("Autorizado o uso", "Autorização é"))
    raw = text.replace("UTF-8", declared).encode(encoding)

    answer = read(raw)

    assert answer.protocol is not None
    assert answer.protocol.x_motivo == "Autorização é da NF-e"
    assert "Autorização é".encode() in answer.protocol.xml
    assert answer.raw == raw


def test_the_transport_names_the_encoding_of_a_body_that_does_not() -> None:
    raw = RET.replace("Autorizado o uso", "Autorização é").encode("latin-1")

    answer = read(raw, charset="ISO-8859-1")

    assert answer.protocol is not None
    assert answer.protocol.x_motivo == "Autorização é da NF-e"


FAULT12 = (
    f'<s:Envelope xmlns:s="{S12}"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>'
    "<s:Reason><s:Text>Server was unable</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
)
FAULT11 = (
    f'<s:Envelope xmlns:s="{S11}"><s:Body><s:Fault><faultcode>s:Server</faultcode>'
    "<faultstring>Server was unable</faultstring></s:Fault></s:Body></s:Envelope>"
)


@pytest.mark.parametrize("body", [FAULT12, FAULT11])
def test_a_fault_is_not_an_answer_and_says_why(body: str) -> None:
    with pytest.raises(Unreadable, match="SOAP Fault: Server was unable"):
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=name)
        for name, body in {
            "HTML": "<html><head></head><body><h1>503 Service Unavailable</h1></body></html>",
            "HTML that is not XML": "<!DOCTYPE html><html><br><p>Erro",
            "empty result": soap(""),
            "truncated": soap(RET)[:-40],
            "truncated inside": soap(RET)[: len(soap(RET)) // 2],
            "another service": soap(f'<retConsStatServ xmlns="{NS}"/>'),
            "no cStat": soap(f'<retEnviNFe xmlns="{NS}"><tpAmb>2</tpAmb></retEnviNFe>'),
            "text": "Service Unavailable",
            "escaped truncated": soap(escape(RET[:-5])),
            "escaped without end": soap(escape(escape(escape(escape(RET))))),
            "two documents": RET + RET,
            "garbage": "\x00\x01\x02",
            "unknown encoding": '<?xml version="1.0" encoding="x-none"?>' + RET,
            "external entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            "too deep": "<a>" * 200 + "</a>" * 200,
        }.items()
    ],
)
def test_what_is_not_an_answer_is_never_taken_for_one(body: str) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_wrong_bytes_for_the_declared_encoding_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        read(soap(RET.replace("Lote", "Loté")).encode("latin-1"))


def test_every_prefix_of_an_answer_is_unreadable() -> None:
    raw = soap(RET).encode()

    for size in range(len(raw)):
        with pytest.raises(Unreadable):
            read(raw[:size])


def test_unknown_codes_and_stray_fields_are_read() -> None:
    body = soap(
        RET.replace(">100<", ">1999<").replace("<cUF>", "<novidade a='1'><x/></novidade><cUF>")
    )

    answer = read(body)

    assert answer.protocol is not None
    assert answer.protocol.c_stat == "1999"


def test_a_refusal_without_protocol_number_is_read() -> None:
    refused = PROT.replace("<nProt>135260000000001</nProt>", "").replace(
        f"<digVal>{DIGEST}</digVal>", ""
    )
    answer = read(soap(RET.replace(PROT, refused)))

    assert answer.protocol is not None
    assert (answer.protocol.protocolo, answer.protocol.digest_value) == ("", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T10:00:00-03:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("2026-11-21T10:00:00.123-04:00", datetime(2026, 11, 21, 14, 0, 0, 123000, tzinfo=UTC)),
        ("2026-11-21T13:00:00Z", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("2026-11-21T10:00:00", datetime(2026, 11, 21, 13, tzinfo=UTC)),
        ("21/11/2026 10:00", None),
        ("", None),
    ],
)
def test_moments_are_aware_or_absent(text: str, expected: datetime | None) -> None:
    answer = read(RET.replace("2026-11-21T10:00:00-03:00", text))

    assert answer.protocol is not None
    assert answer.protocol.dh_recbto == expected


def test_messages_come_in_pairs_of_their_own_level() -> None:
    messages = "".join(f"<cMsg>20{i}</cMsg><xMsg>Aviso {i}</xMsg>" for i in range(5))
    body = RET.replace("</infProt>", messages + "</infProt>").replace(
        "<cUF>", "<cMsg>1</cMsg><xMsg>Do lote</xMsg><xMsg>Sem código</xMsg><cUF>"
    )

    answer = read(body)

    assert answer.protocol is not None
    assert answer.protocol.messages == tuple(Message(f"20{i}", f"Aviso {i}") for i in range(5))
    assert answer.messages == (Message("1", "Do lote"), Message("", "Sem código"))


def test_a_batch_is_found_by_key_in_any_order() -> None:
    other = KEY.replace("0000000011", "0000000021")
    second = PROT.replace(KEY, other).replace(">100<", ">204<")
    answer = read(RET.replace(PROT, second + PROT))

    assert answer.protocol is None
    assert [each.chave for each in answer.protocols] == [other, KEY]
    found = answer.protocol_of(KEY)
    assert found is not None
    assert found.c_stat == "100"
    assert answer.protocol_of("x") is None


def test_a_receipt_and_its_time_are_read() -> None:
    body = (
        f'<retEnviNFe xmlns="{NS}" versao="4.00"><tpAmb>2</tpAmb><cStat>103</cStat>'
        "<xMotivo>Lote recebido com sucesso</xMotivo><infRec><nRec>351000000000001</nRec>"
        "<tMed>3</tMed></infRec></retEnviNFe>"
    )

    answer = read(soap(body))

    assert (answer.c_stat, answer.receipt, answer.t_med) == ("103", "351000000000001", 3)
    assert answer.protocol is None


EVENT_INF = (
    f"<tpAmb>2</tpAmb><cOrgao>35</cOrgao><cStat>135</cStat><xMotivo>Evento registrado</xMotivo>"
    f"<chNFe>{KEY}</chNFe><tpEvento>110111</tpEvento><xEvento>Cancelamento</xEvento>"
    "<nSeqEvento>1</nSeqEvento><dhRegEvento>2026-11-21T11:00:00-03:00</dhRegEvento>"
    "<nProt>135260000000002</nProt>"
)
RET_EVENTO = f'<retEvento versao="1.00"><infEvento>{EVENT_INF}</infEvento></retEvento>'
EVENTO = f'<evento versao="1.00"><infEvento Id="ID110111{KEY}01"></infEvento></evento>'


def test_events_of_a_batch_are_read_at_the_second_level() -> None:
    body = (
        f'<retEnvEvento xmlns="{NS}" versao="1.00"><idLote>1</idLote><cStat>128</cStat>'
        f"<xMotivo>Lote de Evento Processado</xMotivo>{RET_EVENTO}</retEnvEvento>"
    )

    answer = read(soap(body), "retEnvEvento")

    (event,) = answer.events
    assert (answer.c_stat, event.c_stat) == ("128", "135")
    assert (event.chave, event.tp_evento, event.n_seq) == (KEY, "110111", 1)
    assert (event.protocolo, event.c_orgao) == ("135260000000002", "35")
    assert event.dh_registro == datetime(2026, 11, 21, 14, tzinfo=UTC)
    assert event.xml == RET_EVENTO.replace("<retEvento ", f'<retEvento xmlns="{NS}" ').encode()
    assert (event.evento, event.proc) == (b"", b"")
    root = etree.fromstring(answers.proc_evento(EVENTO.encode(), event.xml))
    assert root.tag == f"{{{NS}}}procEventoNFe"
    assert [child.tag for child in root] == [f"{{{NS}}}evento", f"{{{NS}}}retEvento"]


def test_a_query_brings_protocol_and_registered_events() -> None:
    proc = f'<procEventoNFe versao="1.00">{EVENTO}{RET_EVENTO}</procEventoNFe>'
    body = (
        f'<retConsSitNFe xmlns="{NS}" versao="4.00"><tpAmb>2</tpAmb><cStat>101</cStat>'
        f"<xMotivo>Cancelamento de NF-e homologado</xMotivo><chNFe>{KEY}</chNFe>{PROT}{proc}"
        "</retConsSitNFe>"
    )

    answer = read(soap(body), "retConsSitNFe")

    assert answer.c_stat == "101"
    assert answer.protocol is not None
    assert answer.protocol.c_stat == "100"
    (event,) = answer.events
    assert (event.tp_evento, event.c_stat) == ("110111", "135")
    assert event.evento == EVENTO.replace("<evento ", f'<evento xmlns="{NS}" ').encode()
    assert event.proc == proc.replace("<procEventoNFe ", f'<procEventoNFe xmlns="{NS}" ').encode()


def test_a_query_of_nothing_has_no_protocol() -> None:
    body = (
        f'<retConsSitNFe xmlns="{NS}" versao="4.00"><cStat>217</cStat>'
        "<xMotivo>Rejeição: NF-e não consta na base de dados da SEFAZ</xMotivo></retConsSitNFe>"
    )

    answer = read(soap(body), "retConsSitNFe")

    assert (answer.c_stat, answer.protocols, answer.events) == ("217", (), ())


def test_a_voiding_is_read_from_inside() -> None:
    ret = (
        f'<retInutNFe xmlns="{NS}" versao="4.00"><infInut Id="ID1"><tpAmb>2</tpAmb>'
        "<cStat>102</cStat><xMotivo>Inutilização de número homologado</xMotivo><cUF>35</cUF>"
        "<ano>26</ano><CNPJ>12ABC34501DE35</CNPJ><mod>55</mod><serie>1</serie><nNFIni>10</nNFIni>"
        "<nNFFin>12</nNFFin><dhRecbto>2026-11-21T10:00:00-03:00</dhRecbto>"
        "<nProt>135260000000003</nProt></infInut></retInutNFe>"
    )

    answer = read(soap(ret), "retInutNFe")

    void = answer.void
    assert void is not None
    assert (answer.c_stat, void.c_stat, void.protocolo) == ("102", "102", "135260000000003")
    assert (void.cnpj, void.ano, void.modelo, void.serie) == ("12ABC34501DE35", 26, 55, 1)
    assert (void.first, void.last) == (10, 12)
    assert void.xml == ret.encode()
    inut = f'<inutNFe xmlns="{NS}" versao="4.00"></inutNFe>'.encode()
    root = etree.fromstring(answers.proc_inut(inut, void.xml))
    assert root.tag == f"{{{NS}}}ProcInutNFe"
    assert len(root) == 2


def test_a_refused_voiding_has_no_numbers() -> None:
    body = (
        f'<retInutNFe xmlns="{NS}" versao="4.00"><infInut><tpAmb>2</tpAmb><cStat>241</cStat>'
        "<xMotivo>Rejeição: Um número da faixa já foi utilizado</xMotivo></infInut></retInutNFe>"
    )

    void = read(soap(body), "retInutNFe").void

    assert void is not None
    assert (void.c_stat, void.first, void.protocolo, void.dh_recbto) == ("241", None, "", None)


def doc_zip(nsu: str, schema: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content)).decode()
    return f'<docZip NSU="{nsu}" schema="{schema}">{packed}</docZip>'


def test_a_distribution_is_unpacked() -> None:
    zips = doc_zip("000000000000002", "procNFe_v4.00.xsd", RET.encode())
    body = (
        f'<retDistDFeInt xmlns="{NS}" versao="1.01"><tpAmb>2</tpAmb><cStat>138</cStat>'
        "<xMotivo>Documento(s) localizado(s)</xMotivo><dhResp>2026-11-21T10:00:00-03:00</dhResp>"
        "<ultNSU>000000000000002</ultNSU><maxNSU>000000000000009</maxNSU>"
        f"<loteDistDFeInt>{zips}</loteDistDFeInt></retDistDFeInt>"
    )

    found = read(soap(body), "retDistDFeInt").distribution

    assert found is not None
    assert (found.ult_nsu, found.max_nsu) == ("000000000000002", "000000000000009")
    (document,) = found.documents
    assert (document.nsu, document.schema) == ("000000000000002", "procNFe_v4.00.xsd")
    assert document.content == RET.encode()


@pytest.mark.parametrize("broken", ["AAAA", "H4sI", "%%%"])
def test_a_damaged_doc_zip_spares_those_beside_it(broken: str) -> None:
    """DIS-3: it is kept as it came, and does not stop the distribution for ever."""
    body = (
        f'<retDistDFeInt xmlns="{NS}" versao="1.01"><cStat>138</cStat><ultNSU>2</ultNSU>'
        f'<loteDistDFeInt><docZip NSU="1" schema="x">{broken}</docZip>{doc_zip("2", "y", b"<y/>")}'
        "</loteDistDFeInt></retDistDFeInt>"
    )

    found = read(soap(body), "retDistDFeInt").distribution

    assert found is not None
    damaged, good = found.documents
    assert (damaged.nsu, damaged.content) == ("1", broken.encode())
    assert "docZip" in damaged.fault
    assert (good.content, good.fault) == (b"<y/>", "")


def test_a_doc_zip_that_grows_without_end_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "MAX_UNPACKED", 1000)
    body = (
        f'<retDistDFeInt xmlns="{NS}"><cStat>138</cStat>{doc_zip("1", "x", b"0" * 5000)}'
        "</retDistDFeInt>"
    )

    found = read(body, "retDistDFeInt").distribution

    assert found is not None
    assert "grande demais" in found.documents[0].fault
    assert len(found.documents[0].content) < 100


def test_the_register_is_read() -> None:
    body = (
        f'<retConsCad xmlns="{NS}" versao="2.00"><infCons><cStat>111</cStat><xMotivo>Consulta'
        "</xMotivo><UF>SP</UF><infCad><IE>111222333444</IE><CNPJ>12ABC34501DE35</CNPJ><UF>SP</UF>"
        "<cSit>1</cSit><xNome>PADARIA</xNome></infCad></infCons></retConsCad>"
    )

    answer = read(soap(body), "retConsCad")

    assert answer.c_stat == "111"
    (found,) = answer.registrations
    assert (found.ie, found.document, found.nome) == ("111222333444", "12ABC34501DE35", "PADARIA")
    assert found.is_enabled


def test_keys_and_receipts_quoted_in_messages_are_found() -> None:
    told = (
        f"Rejeição: Duplicidade de NF-e, com diferença na Chave de Acesso [chNFe: {KEY}]"
        "[nRec:351000000000001]"
    )

    assert quoted_keys(told) == (KEY,)
    assert quoted_keys(told.replace("[chNFe: ", "[chNFe:").lower()) == (KEY,)
    assert quoted_receipts(told) == ("351000000000001",)
    assert quoted_keys("[chNFe: 123]") == ()


def test_an_authorization_is_believed_only_when_it_is_ours() -> None:
    protocol = read(RET).protocol
    assert protocol is not None
    ours = {"chave": KEY, "digest_value": DIGEST, "ambiente": "homologacao"}

    assert protocol.differences(**ours) == ()
    assert protocol.differences(**{**ours, "chave": "x"}) == ("chNFe",)
    assert protocol.differences(**{**ours, "digest_value": "x"}) == ("digVal",)
    assert protocol.differences(**{**ours, "ambiente": "producao"}) == ("tpAmb",)
    other = read(RET.replace("135260000000001", "1")).protocol
    assert other is not None
    assert other.differences(**ours) == ("nProt",)
