"""São Paulo in layouts 1 and 2: signed strings, repeated RPS, questions, cancellation."""

from __future__ import annotations

import pytest
from support import city_notes as notes
from support.city_notes import SaoPaulo, texts


@pytest.mark.parametrize("layout", ["1", "2"])
def test_an_rps_becomes_a_note_and_a_repeated_one_another(sandbox, layout):
    city = SaoPaulo(sandbox.client(), layout)

    first = city.send(1)
    asked = city.ask(1)
    again = city.send(1)
    rows = sandbox.told("GET", "notas", autorizador="M3550308")

    assert texts(first, "Sucesso") == ["true"]
    assert texts(asked, "CodigoVerificacao") == texts(first, "CodigoVerificacao")
    assert texts(asked, "ValorISS") == ["775.00"]
    assert texts(again.find("Alerta"), "Codigo") == ["217"]
    assert [row["situacao"] for row in rows] == ["cancelado", "autorizado"]
    assert texts(city.ask(1), "NumeroNFe") == texts(again, "NumeroNFe")


def test_what_is_signed_must_be_what_is_sent(sandbox):
    city = SaoPaulo(sandbox.client(), "2")
    other = SaoPaulo(sandbox.client("12ABC34501DE35"), "2")

    wrong = city.send(1, text="0" * 90)
    foreign = other.send(1)
    message = city.message(
        "PedidoEnvioRPS", notes.paulistana_rps("2", city.identity, 1, notes.today())
    )
    changed = city.call("EnvioRPS", message.replace("Análise", "Outra"))

    assert texts(wrong, "Codigo") == ["1206"]
    assert texts(foreign, "Codigo") == ["1201"]
    assert texts(changed, "Codigo") == ["1050"]
    assert texts(city.ask(1), "Codigo") == ["1106"]


def test_layout_1_ends_with_2025_and_dates_are_not_in_the_future(sandbox):
    assert texts(SaoPaulo(sandbox.client(), "1").send(1, day="2026-01-01"), "Codigo") == ["631"]
    assert texts(SaoPaulo(sandbox.client(), "2").send(1, day="2099-01-01"), "Codigo") == ["313"]


def test_a_note_is_cancelled_by_its_signed_number(sandbox):
    city = SaoPaulo(sandbox.client(), "2")
    (number,) = texts(city.send(1), "NumeroNFe")

    wrong = city.cancel(number, text="0" * 20)
    done = city.cancel(number)
    again = city.cancel(number)
    absent = city.cancel("999999")

    assert (texts(wrong, "Codigo"), texts(absent, "Codigo")) == (["1305"], ["1105"])
    assert (texts(done, "Sucesso"), texts(done, "Codigo")) == (["true"], [])
    assert (texts(again, "Sucesso"), texts(again, "Codigo")) == (["true"], ["1301"])
    assert texts(city.ask(1), "StatusNFe") == ["C"]


def test_a_test_issues_nothing_and_the_taker_sees_what_was_issued(sandbox):
    city = SaoPaulo(sandbox.client(), "2")
    rps = notes.paulistana_rps("2", city.identity, 5, notes.today())
    day = notes.today()
    head = f"<transacao>true</transacao><dtInicio>{day}</dtInicio><dtFim>{day}</dtFim>"
    head += "<QtdRPS>1</QtdRPS>"
    lot = city.message("PedidoEnvioLoteRPS", rps, head)

    tried = city.call("TesteEnvioLoteRPS", lot)
    before = sandbox.told("GET", "notas")
    sent = city.call("EnvioLoteRPS", lot)
    taker = SaoPaulo(sandbox.client(notes.TAKER), "2", notes.TAKER)
    period = f"<CPFCNPJ><CNPJ>{notes.TAKER}</CNPJ></CPFCNPJ><dtInicio>{day}</dtInicio>"
    period += f"<dtFim>{day}</dtFim><NumeroPagina>1</NumeroPagina>"
    listed = taker.call(
        "ConsultaNFeRecebidas", taker.message("PedidoConsultaNFePeriodo", "", period)
    )

    assert (texts(tried, "Sucesso"), before) == (["true"], [])
    assert texts(listed, "NumeroNFe") == texts(sent, "NumeroNFe")
