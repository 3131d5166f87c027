"""Events of NFS-e, substitution, the boxes of the ADN and the parameters of cities."""

from __future__ import annotations

import pytest
from lxml import etree
from support import signed_service_notes as service

from fiscal.sandbox import schemas

from .conftest import codes, note_of

NS = f"{{{service.NATIONAL}}}"


def opened(answer) -> etree._Element:
    """The evento of an answer, valid against the published schema."""
    root = etree.fromstring(service.unpacked(answer.json()["eventoXmlGZipB64"]))
    assert schemas.first_fault(root, "eventoNfse") == ""
    return root


@pytest.mark.parametrize("algorithms", [service.SHA1, service.SHA256])
def test_a_note_is_cancelled_once(taxpayer, sandbox, algorithms):
    key = taxpayer.issue(1).json()["chaveAcesso"]

    done = taxpayer.order(key, algorithms=algorithms)
    again = taxpayer.order(key)

    assert done.status_code == 201
    assert opened(done).find(f"{NS}infEvento").get("Id") == f"EVT{key}101101001"
    assert codes(again) == ["E0840"]
    listed = taxpayer.ask(f"nfse/{key}/eventos").json()["eventos"]
    assert [each["tipoEvento"] for each in listed] == ["101101"]
    assert opened(taxpayer.ask(f"nfse/{key}/eventos/101101/1")) is not None
    assert taxpayer.ask(f"nfse/{key}/eventos/101103").status_code == 404
    assert sandbox.told("GET", "notas")[0]["situacao"] == "cancelado"


def test_past_the_deadline_the_city_decides(taxpayer, sandbox):
    keys = [taxpayer.issue(number).json()["chaveAcesso"] for number in (1, 2)]
    sandbox.told("POST", "municipios", {service.CITY: {"prazo_horas": 1}})
    sandbox.clock(avancar=3700)

    assert codes(taxpayer.order(keys[0])) == ["E0822"]
    for key, result in zip(keys, ("deferido", "indeferido"), strict=True):
        assert taxpayer.order(key, "101103").status_code == 201
        assert codes(taxpayer.order(key, "101103")) == ["E0848"]
        sandbox.told("POST", "analise", {"chave": key, "resultado": result})
    kinds = [
        [each["tipo"] for each in row["eventos"]] + [row["situacao"]]
        for row in sandbox.told("GET", "notas")
    ]
    assert kinds == [["101103", "105104", "cancelado"], ["101103", "105105", "autorizado"]]


def test_who_may_not_ask_is_refused(taxpayer, sandbox):
    key = taxpayer.issue(1).json()["chaveAcesso"]
    taker = type(taxpayer)(sandbox.client(service.TAKER))

    assert codes(taker.order(key, author=service.TAKER)) == ["E0813"]
    assert codes(taker.order(key)) == ["E1991"]
    assert codes(taxpayer.order(key, amb="1")) == ["E0831"]
    sandbox.fault("cancelamento_recusado")
    assert codes(taxpayer.order(key)) == ["E0827"]
    assert sandbox.told("GET", "notas")[0]["situacao"] == "autorizado"


def subst(key: str) -> str:
    return (
        f"<subst><chSubstda>{key}</chSubstda><cMotivo>99</cMotivo>"
        "<xMotivo>Valor do serviço errado</xMotivo></subst>"
    )


def test_a_note_takes_the_place_of_another(taxpayer, sandbox):
    old = taxpayer.issue(1).json()["chaveAcesso"]
    moved = (("<cTribNac>010101", "<cTribNac>010102"),)

    assert codes(taxpayer.issue(2, subst=subst(old), replace=moved)) == ["E0060"]
    assert codes(taxpayer.issue(2, subst=subst(f"{old[:-1]}{9 - int(old[-1])}"))) == ["E0044"]
    assert codes(taxpayer.issue(2, subst=subst("1" * 50))) == ["E0042"]
    made = taxpayer.issue(2, subst=subst(old))

    assert note_of(made).findtext(f"{NS}infNFSe/{NS}cStat") == "100"
    event = opened(taxpayer.ask(f"nfse/{old}/eventos/105102/1"))
    assert event.findtext(f".//{NS}chSubstituta") == made.json()["chaveAcesso"]
    assert codes(taxpayer.issue(3, subst=subst(old))) == ["E0046"]
    states = [row["situacao"] for row in sandbox.told("GET", "notas")]
    assert states == ["substituido", "autorizado"]


# --- ADN ---------------------------------------------------------------------------------------


def test_documents_come_in_order_to_those_they_concern(taxpayer, sandbox):
    taker = type(taxpayer)(sandbox.client(service.TAKER))

    def box(who, nsu: int, **given: str):
        return who.call("GET", f"ADN/contribuintes/DFe/{nsu}", params=given)

    start = 0
    assert box(taker, start).status_code == 404
    assert [each["Codigo"] for each in box(taker, start).json()["Erros"]] == ["E2220"]
    key = taxpayer.issue(1).json()["chaveAcesso"]
    taxpayer.order(key)
    for number in range(2, 52):
        taxpayer.issue(number)
    first = box(taker, start, cnpjConsulta=service.TAKER).json()
    kinds = [(each["TipoDocumento"], each["TipoEvento"]) for each in first["LoteDFe"][:2]]
    last = first["LoteDFe"][-1]["NSU"]

    assert first["StatusProcessamento"] == "DOCUMENTOS_LOCALIZADOS"
    assert kinds == [("NFSE", None), ("EVENTO", "101101")]
    assert len(first["LoteDFe"]) == 50
    assert len(box(taker, last).json()["LoteDFe"]) == 2
    assert b"<NFSe" in service.unpacked(first["LoteDFe"][0]["ArquivoXml"])
    assert box(taker, last + 2).status_code == 404
    assert box(taker, start, cnpjConsulta=service.ISSUER).status_code == 403
    events = taker.call("GET", f"ADN/contribuintes/NFSe/{key}/Eventos").json()
    assert [each["TipoEvento"] for each in events["LoteDFe"]] == ["101101"]


def test_cities_tell_their_parameters(taxpayer, sandbox):
    sandbox.told(
        "POST", "municipios", {"3304557": {"convenio": None}, "4204608": {"aliquota": "3"}}
    )

    def told(path: str):
        return taxpayer.call("GET", f"ADN/parametrizacao/{path}")

    agreed = told("4204608/convenio").json()["parametrosConvenio"]
    assert agreed["aderenteAmbienteNacional"] == 1
    assert told("3304557/convenio").status_code == 404
    rates = told("4204608/01.01.01.000/2026-11-01/aliquota").json()["aliquotas"]
    assert rates["01.01.01.000"][0]["Aliq"] == 3.0
    assert told("4204608/010101/2026-11-01/aliquota").status_code == 400


def test_faults_strike_before_and_after_the_note_is_made(taxpayer, sandbox):
    identity = service.dps_id(series=1, number=1)
    sandbox.fault("http_503", servico="nota_envio", autorizador="SEFIN", numero="1")
    sandbox.fault("http_html", servico="nota_envio", numero="2", parametros={"quando": "depois"})
    sandbox.fault("truncado", servico="nota_envio", serie="1", numero="3")
    sandbox.fault("duplicado_fantasma", servico="nota_envio", numero="4")
    sandbox.fault("mal_formado", servico="nota_envio", numero="5")
    sandbox.fault("resposta_trocada", servico="nota_envio", numero="6")
    sandbox.fault("erro", servico="nota_envio", numero="7", parametros={"codigo": "E0714"})
    sandbox.fault("consulta_atrasada", servico="nota_envio", numero="8")

    assert taxpayer.issue(1).status_code == 503
    assert taxpayer.ask(f"dps/{identity}").status_code == 404
    assert taxpayer.issue(2).text.startswith("<html>")
    with pytest.raises(Exception, match=r"(?i)connection|incomplete|broken"):
        taxpayer.issue(3)
    assert codes(taxpayer.issue(4)) == ["E0014"]
    assert not taxpayer.issue(5).text.endswith("}")
    mixed = taxpayer.issue(6).json()
    assert mixed["idDps"] != service.dps_id(series=1, number=6)
    assert codes(taxpayer.issue(7)) == ["E0714"]
    assert taxpayer.issue(8).status_code == 201
    assert taxpayer.ask(f"dps/{service.dps_id(series=1, number=8)}").status_code == 404
    kept = [row["numero_rps"] for row in sandbox.told("GET", "notas")]
    assert kept == [2, 3, 5, 6, 8]
    struck = [row["falha"] for row in sandbox.requests(autorizador="SEFIN") if row["falha"]]
    assert struck[0] == "http_503"
