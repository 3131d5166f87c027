"""Cities on a real TLS port: what each answer means to the engine (ABR-5…ABR-7, REC-8, REC-9)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from support import a1
from support.authority import Server, client, serving
from support.city_declarations import (
    CITIES,
    ISSUER,
    MOMENT,
    SAO_PAULO,
    declared,
    identity,
    note,
    provider,
    rsa_client,
)

from fiscal import xml
from fiscal.authorities import connections
from fiscal.authorities.base import Credentials, Lost, Misconfigured, NotSent
from fiscal.authorities.provider import Kind
from fiscal.xml import escape

ISSNET, WEBISS, OLD = CITIES.values()
NS = "http://www.abrasf.org.br/nfse.xsd"
OLD_NS = "http://www.abrasf.org.br/ABRASF/arquivos/nfse.xsd"
SP = "http://www.prefeitura.sp.gov.br/nfe"
NOTE = (
    '<Nfse versao="2.04"><InfNfse Id="n1"><Numero>202600000000010</Numero>'
    "<CodigoVerificacao>ABC123</CodigoVerificacao><DataEmissao>2026-11-20T10:00:05</DataEmissao>"
    "<NfseSubstituida>9</NfseSubstituida>"
    "<OutrasInformacoes>https://notas.exemplo/10</OutrasInformacoes>"
    "<ValoresNfse><BaseCalculo>1000.00</BaseCalculo><Aliquota>5.00</Aliquota>"
    "<ValorIss>50.00</ValorIss><ValorLiquidoNfse>950.00</ValorLiquidoNfse></ValoresNfse>"
    "<DeclaracaoPrestacaoServico><InfDeclaracaoPrestacaoServico><Rps><IdentificacaoRps>"
    "<Numero>1</Numero><Serie>OL03</Serie><Tipo>1</Tipo></IdentificacaoRps></Rps><Servico>"
    "<Valores><ValorServicos>1000.00</ValorServicos></Valores></Servico><TomadorServico>"
    "<IdentificacaoTomador><CpfCnpj><Cnpj>11444777000161</Cnpj></CpfCnpj></IdentificacaoTomador>"
    "</TomadorServico></InfDeclaracaoPrestacaoServico></DeclaracaoPrestacaoServico></InfNfse></Nfse>"
)
CANCELLED = (
    "<NfseCancelamento><Confirmacao><Pedido/><DataHora>2026-11-20T11:00:00-03:00</DataHora>"
    "</Confirmacao></NfseCancelamento>"
)
REPLACED = (
    "<NfseSubstituicao><SubstituicaoNfse><NfseSubstituidora>11</NfseSubstituidora>"
    "</SubstituicaoNfse></NfseSubstituicao>"
)


def comp(*more: str) -> str:
    return f"<CompNfse>{NOTE}{''.join(more)}</CompNfse>"


def fault(code: str, text: str = "", correction: str = "", of: str = "ListaMensagemRetorno") -> str:
    fix = f"<Correcao>{correction}</Correcao>" if correction else ""
    return (
        f"<{of}><MensagemRetorno><Codigo>{code}</Codigo><Mensagem>{text}</Mensagem>{fix}"
        f"</MensagemRetorno></{of}>"
    )


def abrasf(root: str, content: str, *, literal: bool = False, ns: str = NS) -> bytes:
    """As the canonical service answers: the message as text of outputXML."""
    message = f'<?xml version="1.0" encoding="utf-8"?><{root} xmlns="{ns}">{content}</{root}>'
    inside = message.partition("?>")[2] if literal else escape(message)
    return (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<Response xmlns="http://nfse.abrasf.org.br"><outputXML xmlns="">{inside}</outputXML>'
        "</Response></soap:Body></soap:Envelope>"
    ).encode()


def sao_paulo(root: str, content: str, *, success: bool) -> bytes:
    head = f'<Cabecalho xmlns="" Versao="2"><Sucesso>{str(success).lower()}</Sucesso></Cabecalho>'
    message = f'<{root} xmlns="{SP}">{head}{content}</{root}>'
    return (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<EnvioRPSResponse xmlns="{SP}"><RetornoXML>{escape(message)}</RetornoXML>'
        "</EnvioRPSResponse></soap:Body></soap:Envelope>"
    ).encode()


def event(tag: str, code: str) -> str:
    return f'<{tag} xmlns=""><Codigo>{code}</Codigo><Descricao>texto</Descricao></{tag}>'


KEYS = (
    '<ChaveNFeRPS xmlns=""><ChaveNFe><InscricaoPrestador>31000000</InscricaoPrestador>'
    "<NumeroNFe>10</NumeroNFe><CodigoVerificacao>ABCD1234</CodigoVerificacao></ChaveNFe><ChaveRPS>"
    "<InscricaoPrestador>31000000</InscricaoPrestador><SerieRPS>OL03</SerieRPS>"
    "<NumeroRPS>1</NumeroRPS></ChaveRPS></ChaveNFeRPS>"
)


def nfe(status: str = "N", number: str = "10") -> str:
    return (
        '<NFe xmlns=""><ChaveNFe><InscricaoPrestador>31000000</InscricaoPrestador>'
        f"<NumeroNFe>{number}</NumeroNFe><CodigoVerificacao>ABCD1234</CodigoVerificacao></ChaveNFe>"
        "<DataEmissaoNFe>2026-11-20T10:00:05</DataEmissaoNFe><ChaveRPS><InscricaoPrestador>31000000"
        "</InscricaoPrestador><SerieRPS>OL03</SerieRPS><NumeroRPS>1</NumeroRPS></ChaveRPS>"
        f"<TipoRPS>RPS</TipoRPS><StatusNFe>{status}</StatusNFe>"
        "<DataCancelamento>2026-11-20T12:00:00</DataCancelamento>"
        "<ValorServicos>1000.00</ValorServicos><ValorISS>50</ValorISS></NFe>"
    )


class City:
    """A server that gives the answers in turn, and what it was asked."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.answers: list[tuple[str, bytes]] = []
        server.do = self._do

    def _do(self, call: Any) -> None:
        status, body = self.answers.pop(0)
        call.answer(body, status=status, kind="text/xml; charset=utf-8")

    def will(self, *bodies: bytes, status: str = "200 OK") -> None:
        self.answers = [(status, body) for body in bodies]

    @property
    def actions(self) -> list[str]:
        return [call.headers["soapaction"].strip('"').rpartition("/")[2] for call in self._calls]

    @property
    def _calls(self) -> list[Any]:
        return self.server.calls

    def message(self) -> bytes:
        """The last message, out of its envelope."""
        texts = etree.fromstring(self._calls[-1].body).itertext()
        return next(text for text in reversed(list(texts)) if text.startswith("<")).encode()

    def body(self, index: int = -1) -> str:
        return str(self._calls[index].body.decode())


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("city")
    with serving(lambda call: None, folder) as running:
        yield running
    for thumbprint, _ in list(connections._own.sessions):
        connections.drop(thumbprint)


@pytest.fixture
def city(_server: Server, settings: Any) -> City:
    settings.FISCAL_ENDPOINTS_BASE = _server.url("").rstrip("/")
    settings.FISCAL_CA_FILE = _server.ca_file
    _server.calls.clear()
    return City(_server)


@pytest.fixture
def who() -> Credentials:
    return client("PRESTADOR:11222333000181")


@pytest.fixture
def signing() -> Credentials:
    """Questions in São Paulo are signed with the certificate of the connection: an RSA one."""
    return rsa_client()


def sent(municipality: str, who: Credentials) -> Any:
    service = provider(municipality)
    made = service.build(declared(municipality), identity(), signer=a1.signer())
    return service.send(made, credentials=who)


# --- issuing -------------------------------------------------------------------------------------


def test_an_issued_note_is_read_whatever_the_form_of_the_answer(city, who):
    for literal in (False, True):
        city.will(abrasf("GerarNfseResposta", f"<ListaNfse>{comp()}</ListaNfse>", literal=literal))

        outcome = sent(ISSNET, who)

        found = outcome.note
        assert outcome.kind is Kind.AUTHORIZED
        assert (found.number, found.verification_code) == ("202600000000010", "ABC123")
        assert found.issued_at.isoformat() == "2026-11-20T10:00:05-03:00"
        assert (found.identity.series, found.identity.number) == ("OL03", 1)
        assert (found.service_amount, found.base, found.iss, found.net) == (
            Decimal("1000.00"), Decimal("1000.00"), Decimal("50.00"), Decimal("950.00"),
        )  # fmt: skip
        assert (found.taker_document, found.replaces) == ("11444777000161", "9")
        assert found.url == "https://notas.exemplo/10"
        assert found.xml.startswith(f'<CompNfse xmlns="{NS}">'.encode())

    assert city.actions == ["GerarNfse", "GerarNfse"]
    assert '<nfseDadosMsg xmlns="">&lt;GerarNfseEnvio' in city.body()
    assert 'versao="2.04"' in city.body()


def test_each_family_speaks_in_its_own_envelope(city, who):
    lot = "<NumeroLote>1</NumeroLote><DataRecebimento/><Protocolo>P-1</Protocolo>"
    city.will(abrasf("EnviarLoteRpsResposta", lot, ns=OLD_NS))
    taken = sent(OLD, who)
    assert (taken.kind, taken.protocol, city.actions) == (
        Kind.IN_PROCESS, "P-1", ["RecepcionarLoteRps"],
    )  # fmt: skip
    assert "<cabec><![CDATA[<cabecalho" in city.body()
    assert '<RecepcionarLoteRps xmlns="http://tempuri.org/">' in city.body()

    city.will(abrasf("EnviarLoteRpsSincronoResposta", f"<ListaNfse>{comp()}</ListaNfse>"))
    assert sent(WEBISS, who).kind is Kind.AUTHORIZED
    assert '<nfseDadosMsg xmlns=""><![CDATA[<EnviarLoteRpsSincronoEnvio' in city.body()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("E10", Kind.DUPLICATE), ("E010 ", Kind.DUPLICATE), ("E31", Kind.REJECTED)],
)
def test_an_error_is_told_with_its_correction(city, who, code, kind):
    city.will(abrasf("GerarNfseResposta", fault(code)))

    outcome = sent(ISSNET, who)

    assert outcome.kind is kind
    (message,) = outcome.messages
    assert message.code in ("E10", "E31")
    assert message.text
    assert message.correction


def test_a_code_that_nobody_knows_keeps_its_own_words(city, who):
    city.will(abrasf("GerarNfseResposta", fault("EL01", "Só deles", of="ListaMensagemRetornoLote")))
    (own,) = sent(ISSNET, who).messages
    city.will(abrasf("GerarNfseResposta", fault("E1010", "use o nacional", "Consulte o site")))
    (national,) = sent(ISSNET, who).messages

    assert (own.code, own.text, own.correction) == ("EL1", "Só deles", None)
    assert "/v2/nfsen" in national.correction


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"<html><body>Manuten&ccedil;&atilde;o</body></html>", "200 OK"),
        (b"<html><body>em manutencao</body></html>", "200 OK"),
        (abrasf("GerarNfseResposta", ""), "200 OK"),
        (b"<Envelope><Body><R><outputXML/></R></Body></Envelope>", "200 OK"),
        (b"", "200 OK"),
        (b"<Envelope><Fault><faultstring>x</faultstring></Fault></Envelope>", "200 OK"),
        (b"<Envelope><Body><Fault/></Body></Envelope>", "500 Internal Server Error"),
        (abrasf("Qualquer", "<Numero>1</Numero>"), "200 OK"),
        (b"<outputXML>&lt;GerarNfseResposta&gt;", "200 OK"),
    ],
)
def test_what_is_no_answer_leaves_the_outcome_unknown(city, who, signing, body, status):
    city.will(body, status=status)
    with pytest.raises(Lost) as lost:
        sent(ISSNET, who)
    assert lost.value.raw == body

    city.will(body, status=status)
    with pytest.raises(Lost):
        sent(SAO_PAULO, signing)


def test_a_certificate_that_is_refused_and_a_chain_that_is_broken_send_nothing(city, who, settings):
    city.will(b"<html/>", status="403 Forbidden")
    with pytest.raises(Misconfigured):
        sent(ISSNET, who)

    settings.FISCAL_CA_FILE = ""
    with pytest.raises(NotSent):
        sent(ISSNET, client("OUTRA:11222333000181"))
    assert len(city.server.calls) == 1


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (comp(), Kind.AUTHORIZED),
        (comp(CANCELLED), Kind.CANCELLED),
        (comp(CANCELLED, REPLACED), Kind.REPLACED),
        (fault("E4"), Kind.NOT_FOUND),
        (fault("E92"), Kind.IN_PROCESS),
    ],
)
def test_a_question_by_rps_finds_what_became_of_it(city, who, content, kind):
    city.will(abrasf("ConsultarNfseRpsResposta", content))

    outcome = provider(ISSNET).find(note(ISSNET), credentials=who)

    assert outcome.kind is kind
    assert outcome.replaced_by == ("11" if kind is Kind.REPLACED else "")
    if kind is Kind.CANCELLED:
        assert outcome.registered_at.isoformat() == "2026-11-20T11:00:00-03:00"
        assert outcome.event_xml.startswith(f'<NfseCancelamento xmlns="{NS}">'.encode())
    assert "&lt;Serie&gt;OL03&lt;/Serie&gt;" in city.body()


def test_a_question_that_is_refused_says_nothing_about_the_note(city, who):
    city.will(abrasf("ConsultarNfseRpsResposta", fault("E45")))

    with pytest.raises(Lost, match="E45"):
        provider(ISSNET).find(note(ISSNET), credentials=who)


def test_a_lot_is_asked_for_until_it_is_processed(city, who):
    of = note(OLD, protocol="P-1")

    def found(*bodies: bytes) -> Any:
        city.server.calls.clear()
        city.will(*bodies)
        return provider(OLD).find(of, credentials=who)

    def situation(value: int) -> bytes:
        content = f"<NumeroLote>1</NumeroLote><Situacao>{value}</Situacao>"
        return abrasf("ConsultarSituacaoLoteRpsResposta", content, ns=OLD_NS)

    def lot(content: str) -> bytes:
        return abrasf("ConsultarLoteRpsResposta", content, ns=OLD_NS)

    waiting = found(situation(2))
    assert (waiting.kind, waiting.protocol) == (Kind.IN_PROCESS, "P-1")
    assert found(situation(3), lot(fault("E31"))).kind is Kind.REJECTED
    assert found(situation(4), lot(f"<ListaNfse>{comp()}</ListaNfse>")).kind is Kind.AUTHORIZED
    assert city.actions == ["ConsultarSituacaoLoteRps", "ConsultarLoteRps"]
    # The RPS was used before, or the lot is not known: the RPS itself is asked about.
    of_rps = abrasf("ConsultarNfseRpsResposta", comp(), ns=OLD_NS)
    assert found(situation(3), lot(fault("E10")), of_rps).kind is Kind.AUTHORIZED
    unknown = abrasf("ConsultarNfseRpsResposta", fault("E4"), ns=OLD_NS)
    assert found(situation(1)).kind is Kind.IN_PROCESS
    assert found(situation(3), lot(fault("E86")), unknown).kind is Kind.NOT_FOUND


# --- cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (f"<RetCancelamento>{CANCELLED}</RetCancelamento>", Kind.CANCELLED),
        (fault("E79"), Kind.CANCELLED),
        (fault("E6"), Kind.REJECTED),
        ("<RetCancelamento/>", None),
        (CANCELLED.replace("<Pedido/>", "<Sucesso>false</Sucesso>"), None),
    ],
)
def test_a_cancellation_is_done_refused_or_unknown(city, who, content, kind):
    city.will(abrasf("CancelarNfseResposta", content))
    service, of = provider(ISSNET), note(ISSNET, number="10")
    order = service.build_cancellation(of, code="", reason="x" * 15, now=MOMENT, signer=a1.signer())

    if kind is None:
        with pytest.raises(Lost):
            service.send_cancellation(order, of, credentials=who)
        return
    outcome = service.send_cancellation(order, of, credentials=who)

    assert outcome.kind is kind
    assert city.actions == ["CancelarNfse"]
    assert bool(outcome.event_xml) == ("RetCancelamento" in content)


def test_a_lost_cancellation_is_looked_up_by_rps(city, who):
    of = note(ISSNET, number="10", protocol="P-1")
    for content, kind in ((comp(), Kind.AUTHORIZED), (comp(CANCELLED), Kind.CANCELLED)):
        city.will(abrasf("ConsultarNfseRpsResposta", content))
        assert provider(ISSNET).find_cancellation(of, credentials=who).kind is kind
    assert set(city.actions) == {"ConsultarNfsePorRps"}


def test_a_taker_is_told_its_notes_page_by_page(city, who, signing):
    asked: dict[str, Any] = {"first": date(2026, 11, 1), "last": date(2026, 11, 30)}

    def page(municipality: str, body: bytes, page: int = 1) -> Any:
        city.will(body)
        by = signing if municipality == SAO_PAULO else who
        return provider(municipality).received(ISSUER, page=page, credentials=by, **asked)

    def told(content: str) -> bytes:
        return abrasf("ConsultarNfseServicoTomadoResposta", content)

    two = told(f"<ListaNfse>{comp()}{comp(CANCELLED)}<ProximaPagina>2</ProximaPagina></ListaNfse>")
    first = page(WEBISS, two)
    assert (len(first.notes), first.next_page) == (2, 2)
    assert first.notes[1].startswith(f'<CompNfse xmlns="{NS}">'.encode())
    assert "<DataInicial>2026-11-01</DataInicial>" in city.body()
    assert (
        page(ISSNET, told(f"<ListaNfse>{comp()}<Pagina>2</Pagina></ListaNfse>"), 2).next_page == 0
    )
    assert page(ISSNET, told(fault("E89"))).notes == ()
    with pytest.raises(Lost, match="E45"):
        page(ISSNET, told(fault("E45")))

    many = page(SAO_PAULO, sao_paulo("RetornoConsulta", nfe() * 50, success=True))
    assert (len(many.notes), many.next_page) == (50, 2)
    assert city.actions[-1] == "consultaNFeRecebidas"
    assert not xml.faults(city.message(), "spPedidoConsultaNFePeriodo2")
    assert page(SAO_PAULO, sao_paulo("RetornoConsulta", "", success=True), 2).next_page == 0
    with pytest.raises(Lost, match="1403"):
        page(SAO_PAULO, sao_paulo("RetornoConsulta", event("Erro", "1403"), success=False))


# --- São Paulo -----------------------------------------------------------------------------------


def test_sao_paulo_tells_keys_and_is_asked_for_the_note(city, signing):
    city.will(
        sao_paulo("RetornoEnvioRPS", event("Alerta", "217") + KEYS, success=True),
        sao_paulo("RetornoConsulta", nfe(), success=True),
    )

    outcome = sent(SAO_PAULO, signing)

    assert outcome.kind is Kind.AUTHORIZED
    assert [message.code for message in outcome.messages] == ["217"]
    found = outcome.note
    assert (found.number, found.verification_code) == ("10", "ABCD1234")
    assert found.issued_at.isoformat() == "2026-11-20T10:00:05-03:00"
    assert (found.service_amount, found.iss) == (Decimal("1000.00"), Decimal("50"))
    assert found.url.endswith("inscricao=31000000&nf=10&verificacao=ABCD1234")
    assert found.xml.startswith(b'<NFe xmlns="">')
    assert city.actions == ["envioRPS", "consultaNFe"]
    assert "<VersaoSchema>2</VersaoSchema><MensagemXML>&lt;PedidoEnvioRPS" in city.body(0)


def test_a_note_that_cannot_be_fetched_at_once_is_issued_all_the_same(city, signing):
    city.will(sao_paulo("RetornoEnvioRPS", KEYS, success=True), b"<html/>")

    outcome = sent(SAO_PAULO, signing)

    assert (outcome.kind, outcome.note.number) == (Kind.AUTHORIZED, "10")
    assert outcome.note.identity.number == 1


@pytest.mark.parametrize(
    ("content", "success", "kind"),
    [
        (event("Erro", "1206"), False, Kind.REJECTED),
        (event("Alerta", "216"), True, Kind.DUPLICATE),
        (event("Erro", "9999"), False, Kind.REJECTED),
    ],
)
def test_a_refusal_of_sao_paulo(city, signing, content, success, kind):
    city.will(sao_paulo("RetornoEnvioRPS", content, success=success))

    outcome = sent(SAO_PAULO, signing)

    assert outcome.kind is kind
    assert outcome.messages[0].text == "texto"


@pytest.mark.parametrize(
    ("content", "success", "kind"),
    [
        (nfe(), True, Kind.AUTHORIZED),
        (nfe("C"), True, Kind.CANCELLED),
        (event("Erro", "1106"), False, Kind.NOT_FOUND),
    ],
)
def test_sao_paulo_is_asked_by_rps_before_anything_is_sent_again(
    city, signing, content, success, kind
):
    service = provider(SAO_PAULO)
    city.will(sao_paulo("RetornoConsulta", content, success=success))

    outcome = service.find(note(SAO_PAULO), credentials=signing)

    assert outcome.kind is kind
    assert not service.features.resends_safely
    assert "&lt;NumeroRPS&gt;1&lt;/NumeroRPS&gt;" in city.body()
    city.will(sao_paulo("RetornoConsulta", event("Erro", "1201"), success=False))
    with pytest.raises(Lost, match="1201"):
        service.find(note(SAO_PAULO), credentials=signing)


@pytest.mark.parametrize(
    ("content", "success", "kind"),
    [
        ("", True, Kind.CANCELLED),
        (event("Alerta", "1301"), False, Kind.CANCELLED),
        (event("Erro", "1305"), False, Kind.REJECTED),
    ],
)
def test_a_cancellation_in_sao_paulo(city, signing, content, success, kind):
    service, of = provider(SAO_PAULO), note(SAO_PAULO, number="10")
    city.will(
        sao_paulo("RetornoCancelamentoNFe", content, success=success),
        sao_paulo("RetornoConsulta", nfe("C"), success=True),
    )
    order = service.build_cancellation(of, code="", reason="x" * 15, now=MOMENT, signer=a1.signer())

    assert service.send_cancellation(order, of, credentials=signing).kind is kind
    assert service.find_cancellation(of, credentials=signing).kind is Kind.CANCELLED
    assert "&lt;NumeroNFe&gt;10&lt;/NumeroNFe&gt;" in city.body()


def test_threads_do_not_share_a_connection_of_a_city(city, who):
    city.will(*[abrasf("GerarNfseResposta", f"<ListaNfse>{comp()}</ListaNfse>")] * 2)
    before = city.server.n_connections
    results: list[Any] = []

    workers = [
        threading.Thread(target=lambda: results.append(sent(ISSNET, who).kind)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
        worker.join()

    assert results == [Kind.AUTHORIZED, Kind.AUTHORIZED]
    assert city.server.n_connections == before + 2
