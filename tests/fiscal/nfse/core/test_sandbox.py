"""Whole ways through the sandbox over real TLS: the national system, and cities (§20.5)."""

from __future__ import annotations

import pytest
from support.service_notes import national_body, nfse_body

from fiscal.models import NoteState, OrderState, Regime, ServiceNote
from fiscal.services.nfse import dispatch, files, orders, sending
from fiscal.services.nfse.cancel import request_analysis

REASON = {"justificativa": "Servico nao foi prestado"}
pytestmark = pytest.mark.django_db(transaction=True)


def settled(ref="r1"):
    dispatch.work()
    note = ServiceNote.objects.get(ref=ref)
    for _ in range(5):
        if note.state == NoteState.EM_LOTE:
            sending.resume(note.pk)
        note = ServiceNote.objects.select_related("company").get(ref=ref)
    assert note.state == NoteState.AUTORIZADO, (note.last_message, note.errors)
    return note


@pytest.fixture
def national(company):
    """A company that issues through the national system in homologação."""
    company.habilita_nfsen_homologacao = True
    company.save()
    return company


def test_a_national_note_is_issued_cancelled_and_replaced(nfe, national, sandbox):
    answer = nfe.post("nfsen", national_body(), ref="r1")
    assert answer.status_code == 202, answer.json()
    note = settled()
    shown = nfe.get("nfsen/r1").json()
    assert shown["status"] == "autorizado"
    assert shown["codigo_verificacao"] == note.key
    assert len(note.key) == 50
    assert (shown["numero_rps"], shown["serie_rps"], shown["tipo_rps"]) == ("1", "1", "1")
    assert note.key in shown["caminho_xml_nota_fiscal"]
    xml = files.note_xml(note)
    assert note.digest_value.encode() in xml
    assert "avisos" not in shown
    assert note.returned["valor_servicos"] == "1000.00"

    assert nfe.post(
        "nfsen",
        national_body(chave_nfse_substituida=note.key, codigo_justificativa_substituicao="99",
                      motivo_substituicao="Correcao dos dados da nota"),
        ref="r2",
    ).status_code == 202  # fmt: skip
    second = settled("r2")
    assert nfe.get("nfsen/r1").json()["status"] == "substituido"
    assert nfe.get("nfsen/r1").json()["numero_nfse_substituta"] == second.number

    answer = nfe.delete("nfsen/r2", REASON)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelado"), answer.json()
    assert answer.json()["caminho_xml_cancelamento"].endswith(f"{second.key}-can.xml")
    assert nfe.delete("nfsen/r2", REASON).json()["codigo"] == "nfe_cancelada"


def test_notes_of_three_generations_of_cities_are_issued_and_cancelled(nfe, company, sandbox):
    """ABRASF 2.02, 2.04 and 1.00, whose lots are answered later."""
    company.habilita_nfse = True
    company.save()
    for city in ("4301602", "5208707", "3104205"):
        body = nfse_body(prestador={"codigo_municipio": city})
        answer = nfe.post("nfse", body, ref=city)
        assert answer.status_code == 202, answer.json()
        note = settled(city)
        shown = nfe.get(f"nfse/{city}").json()
        assert shown["numero"]
        assert shown["codigo_verificacao"]
        assert files.note_xml(note)
        assert note.returned["valor_servicos"] == "100.00"
        answer = nfe.delete(f"nfse/{city}", REASON)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelado"), answer.json()


def test_the_municipal_body_of_a_mei_goes_to_the_national_system(nfe, company, sandbox):
    """§12.1; the answer is the one of a municipal note."""
    company.habilita_nfse, company.regime_tributario = True, Regime.MEI
    company.save()
    body = nfse_body(
        prestador={"codigo_municipio": "3550308"},
        servico={"aliquota": None, "codigo_municipio": "3550308"},
        tomador={"endereco": {"logradouro": "Praca da Se", "numero": "10", "bairro": "Se",
                              "codigo_municipio": "3550308", "uf": "SP", "cep": "01001000"}},
    )  # fmt: skip
    answer = nfe.post("nfse", body, ref="r1")
    assert answer.status_code == 202, answer.json()
    note = settled()
    assert (note.tipo, note.provider, len(note.key)) == ("nfse", "nacional", 50)
    assert nfe.get("nfse/r1").json()["codigo_verificacao"] == note.key
    assert nfe.delete("nfse/r1", REASON).json()["status"] == "cancelado"


def test_a_late_cancellation_is_decided_by_somebody(nfe, national, sandbox):
    """NAC-11: 101103, answered by 105104 or 105105."""
    nfe.post("nfsen", national_body(), ref="r1")
    note = settled()
    order = request_analysis(note, justificativa=REASON["justificativa"])
    assert (order.state, order.kind) == (OrderState.EM_ANALISE, "analise"), order.errors
    assert nfe.get("nfsen/r1").json()["status"] == "autorizado"
    orders.resume(order.pk)
    assert orders.current(order.pk).state == OrderState.EM_ANALISE
    assert nfe.delete("nfsen/r1", REASON).status_code == 202  # it waits for the one that is there
