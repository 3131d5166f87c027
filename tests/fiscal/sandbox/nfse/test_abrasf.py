"""Cities of ABRASF in three versions: sending, lots, questions, cancellation, substitution."""

from __future__ import annotations

import pytest
from support import city_notes as notes
from support.city_notes import City, texts


@pytest.fixture
def city(sandbox):
    return lambda version, **how: City(sandbox.client(), version, **how)


@pytest.mark.parametrize(("version", "soap"), [("2.04", "1.1"), ("2.02", "1.1"), ("2.02", "1.2")])
def test_one_rps_becomes_a_note_once(city, version, soap):
    there = city(version, soap=soap)
    message = notes.generate(version, there.identity, 7)

    first = there.call("GerarNfse", message)
    again = there.call("GerarNfse", message)
    asked = there.call("ConsultarNfsePorRps", notes.by_rps(version, 7))
    unknown = there.call("ConsultarNfsePorRps", notes.by_rps(version, 8))

    assert texts(first, "ValorIss") == ["50.00"]
    assert texts(again, "Codigo") == ["E10"]
    assert texts(asked, "CodigoVerificacao") == texts(first, "CodigoVerificacao")
    assert texts(unknown, "Codigo") == ["E89" if version == "2.02" else "E4"]


def test_a_lot_at_once_is_all_or_nothing(city):
    there = city("2.04")
    good = notes.lot("2.04", there.identity, 1, 2, at_once=True)
    mixed = notes.lot("2.04", there.identity, 2, 3, at_once=True)

    first = there.call("RecepcionarLoteRpsSincrono", good)
    second = there.call("RecepcionarLoteRpsSincrono", mixed)
    other = city("2.02")
    third = other.call(
        "RecepcionarLoteRpsSincrono", notes.lot("2.02", other.identity, 1, at_once=True)
    )
    fourth = other.call(
        "RecepcionarLoteRpsSincrono", notes.lot("2.02", other.identity, 1, 4, at_once=True)
    )

    assert len(texts(first, "CodigoVerificacao")) == 2
    assert texts(second, "Codigo") == ["E10"]
    assert texts(there.call("ConsultarNfsePorRps", notes.by_rps("2.04", 3)), "Codigo") == ["E4"]
    assert len(texts(third, "CodigoVerificacao")) == 1
    assert texts(fourth, "Codigo") == ["E10"]
    assert fourth.find("{*}ListaMensagemRetornoLote") is not None


def test_a_lot_stays_in_the_queue_for_hours_and_then_is_there(city, sandbox):
    there = city("1.00")
    sandbox.fault("lote_em_processamento", parametros={"segundos": 7200})

    taken = there.call("RecepcionarLoteRps", notes.lot("1.00", there.identity, 1, 2))
    (protocol,) = texts(taken, "Protocolo")
    state = notes.by_protocol("1.00", "ConsultarSituacaoLoteRps", protocol)
    whole = notes.by_protocol("1.00", "ConsultarLoteRps", protocol)
    waiting = texts(there.call("ConsultarSituacaoLoteRps", state), "Situacao")
    early = texts(there.call("ConsultarLoteRps", whole), "Codigo")
    by_rps = texts(there.call("ConsultarNfsePorRps", notes.by_rps("1.00", 1)), "Codigo")
    again = there.call("RecepcionarLoteRps", notes.lot("1.00", there.identity, 1))
    sandbox.clock(avancar=7201)
    done = texts(there.call("ConsultarSituacaoLoteRps", state), "Situacao")
    found = there.call("ConsultarLoteRps", whole)

    assert (waiting, early, by_rps, done) == (["2"], ["E92"], ["E92"], ["4"])
    assert texts(found, "ValorIss") == ["50.00", "50.00"]
    (second,) = texts(again, "Protocolo")
    wrong = notes.by_protocol("1.00", "ConsultarSituacaoLoteRps", second)
    assert texts(there.call("ConsultarSituacaoLoteRps", wrong), "Situacao") == ["3"]
    wrong = notes.by_protocol("1.00", "ConsultarLoteRps", second)
    assert texts(there.call("ConsultarLoteRps", wrong), "Codigo") == ["E10"]


@pytest.mark.parametrize("version", ["2.02", "2.04"])
def test_a_lot_for_later_tells_its_state_with_its_notes(city, sandbox, version):
    there = city(version)
    sandbox.fault("em_processamento", servico="nota_envio", parametros={"n": 1})

    taken = there.call("RecepcionarLoteRps", notes.lot(version, there.identity, 1))
    message = notes.by_protocol(version, "ConsultarLoteRps", texts(taken, "Protocolo")[0])
    first, second = (there.call("ConsultarLoteRps", message) for _ in range(2))

    assert texts(first, "Situacao") == ["2"]
    assert (texts(second, "Situacao"), len(texts(second, "CodigoVerificacao"))) == (["4"], 1)
    unknown = notes.by_protocol(version, "ConsultarLoteRps", "outro")
    assert texts(there.call("ConsultarLoteRps", unknown), "Codigo") == ["E86"]


@pytest.mark.parametrize("version", ["1.00", "2.02", "2.04"])
def test_a_note_is_cancelled_once(city, version):
    there = city(version)
    number = issued(there, 1)

    done = there.call("CancelarNfse", notes.cancel(version, there.identity, number))
    again = there.call("CancelarNfse", notes.cancel(version, there.identity, number))
    absent = there.call("CancelarNfse", notes.cancel(version, there.identity, "99"))
    found = there.call("ConsultarNfsePorRps", notes.by_rps(version, 1))

    assert texts(done, "CodigoCancelamento") == ["1"]
    assert (texts(again, "Codigo"), texts(absent, "Codigo")) == (["E79"], ["E78"])
    assert found.find(".//{*}NfseCancelamento") is not None


def issued(there: City, number: int) -> str:
    """A note of that RPS; its number."""
    if there.version == "1.00":
        there.call("RecepcionarLoteRps", notes.lot("1.00", there.identity, number))
        found = there.call("ConsultarNfsePorRps", notes.by_rps("1.00", number))
    else:
        found = there.call("GerarNfse", notes.generate(there.version, there.identity, number))
    return found.findtext(".//{*}InfNfse/{*}Numero", "")


def test_a_person_of_the_city_decides_about_a_cancellation(city, sandbox):
    there = city("2.04")
    numbers = [issued(there, number) for number in (1, 2, 3)]
    sandbox.fault("cancelamento_pendente", vezes=2)
    sandbox.fault("cancelamento_pendente", depois_de=2, parametros={"segundos": 60})

    told = [
        texts(there.call("CancelarNfse", notes.cancel("2.04", there.identity, each)), "Codigo")
        for each in numbers
    ]
    for number, result in zip(numbers, ("deferido", "indeferido"), strict=False):
        decision = {"documento": notes.ISSUER, "numero": number, "resultado": result}
        sandbox.told("POST", "analise", {"autorizador": "M5208707", **decision})
    before = asked(there, 3)
    sandbox.clock(avancar=61)

    assert told == [["A01"]] * 3
    assert (asked(there, 1), asked(there, 2), before, asked(there, 3)) == (True, False, False, True)
    states = [row["situacao"] for row in sandbox.told("GET", "notas")]
    assert states == ["cancelado", "autorizado", "cancelado"]


def asked(there: City, number: int) -> bool:
    """Whether a query shows the note as cancelled."""
    found = there.call("ConsultarNfsePorRps", notes.by_rps("2.04", number))
    return found.find(".//{*}NfseCancelamento") is not None


def test_a_cancellation_may_be_refused_or_too_late(city, sandbox):
    there = city("2.02")
    number = issued(there, 1)
    sandbox.fault("cancelamento_recusado")
    message = notes.cancel("2.02", there.identity, number)
    refused = texts(there.call("CancelarNfse", message), "Codigo")
    sandbox.told("POST", "municipios", {"4301602": {"prazo_horas": 24}})
    sandbox.clock(avancar=25 * 3600)
    late = there.call("CancelarNfse", message)

    assert (refused, texts(late, "Codigo")) == (["E6"], ["E6"])
    assert "Prazo" in texts(late, "Mensagem")[0]


def test_a_note_takes_the_place_of_another(city, sandbox):
    there = city("2.04")
    old = issued(there, 1)

    made = there.call("SubstituirNfse", notes.substitute(there.identity, old, 2))
    again = there.call("SubstituirNfse", notes.substitute(there.identity, old, 3))
    first, second = sandbox.told("GET", "notas")

    assert texts(made, "NfseSubstituida")[-1] == old
    assert texts(again, "Codigo") == ["E7"]
    assert (first["situacao"], first["substituida_por"]) == ("substituido", str(second["numero"]))
    assert second["substitui"] == old


def test_notes_are_listed_for_who_issued_and_for_who_took(city, sandbox):
    there = city("2.04")
    numbers = [issued(there, number) for number in (1, 2)]
    taker = City(sandbox.client(notes.TAKER), "2.04")
    period = f"<DataInicial>{notes.today()}</DataInicial><DataFinal>{notes.today()}</DataFinal>"
    period = f"<PeriodoEmissao>{period}</PeriodoEmissao><Pagina>1</Pagina>"
    who = f"<CpfCnpj><Cnpj>{notes.TAKER}</Cnpj></CpfCnpj>"
    mine = f"<Prestador>{notes.WHO}</Prestador>{period}"
    theirs = f"<Consulente>{who}</Consulente>{period}"

    def ask(client: City, name: str, inner: str) -> list[str]:
        message = f'<{name}Envio xmlns="{notes.NFSE}">{inner}</{name}Envio>'
        return texts(client.call(name, message), "CodigoVerificacao")

    assert len(ask(there, "ConsultarNfseServicoPrestado", mine)) == len(numbers)
    assert len(ask(taker, "ConsultarNfseServicoTomado", theirs)) == len(numbers)
    message = (
        f'<ConsultarNfseServicoTomadoEnvio xmlns="{notes.NFSE}">{theirs}'
        "</ConsultarNfseServicoTomadoEnvio>"
    )
    assert texts(there.call("ConsultarNfseServicoTomado", message), "Codigo") == ["E157"]


def test_what_is_not_ours_or_not_in_order_is_refused(city, sandbox):
    there = city("2.04")
    message = notes.generate("2.04", there.identity, 1)
    other = sandbox.client("12ABC34501DE35").identity

    def codes(text: str) -> list[str]:
        return texts(there.call("GerarNfse", text), "Codigo")

    assert codes(message.replace("Análise", "Outra")) == ["E1"]
    assert codes(notes.generate("2.04", other, 1)) == ["E157"]
    assert codes(message.replace("<Status>1", "<Status>9")) == ["E160"]
    assert codes(notes.generate("2.04", there.identity, 1, amount="0.00")) == ["E18"]
    head = '<cabecalho versao="2.02"><versaoDados>2.02</versaoDados></cabecalho>'
    assert texts(there.call("GerarNfse", message, head=head), "Codigo") == ["E160"]
    assert there.post("GerarNfse", message, action="http://outra").status_code == 500
    assert sandbox.told("GET", "notas") == []


def test_faults_strike_before_and_after_the_note_is_made(city, sandbox):
    there = city("2.04")
    sandbox.fault("http_html", servico="nota_envio", parametros={"quando": "depois"})
    sandbox.fault("retorno_vazio", servico="nota_envio")
    sandbox.fault("erro", servico="nota_envio", parametros={"codigo": "E1010", "mensagem": "x"})

    html = there.post("GerarNfse", notes.generate("2.04", there.identity, 1))
    empty = there.post("GerarNfse", notes.generate("2.04", there.identity, 2))
    told = there.post("GerarNfse", notes.generate("2.04", there.identity, 3))

    assert (html.status_code, html.text[:6]) == (200, "<html>")
    assert '<outputXML xmlns=""></outputXML>' in empty.text
    assert "E1010" in told.text
    rows = sandbox.told("GET", "notas", autorizador="M5208707")
    assert [row["numero_rps"] for row in rows] == [1, 2]
