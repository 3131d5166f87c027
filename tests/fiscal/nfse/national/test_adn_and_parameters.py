"""The distribution and the parameters in every shape that was seen (NAC-12, NAC-13)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.certificates import certify
from support.national_answers import WHO, Script, key_of, packed
from support.national_notes import CITY, NOW, read

from fiscal.authorities import rest
from fiscal.authorities.base import Lost, Misconfigured
from fiscal.authorities.national import adn, parameters
from fiscal.models import MunicipalParameter
from fiscal.services import nfse_parameters

BOX = adn.Adn("producao", WHO)
AGREED = {"parametrosConvenio": {"aderenteAmbienteNacional": 1, "aderenteEmissorNacional": 0}}
HOMOLOGACAO = "homologacao"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(rest.transport, "request", made)
    return made


def _row(nsu: int, **more: Any) -> dict[str, Any]:
    return {
        "NSU": nsu,
        "ChaveAcesso": key_of(number=nsu),
        "TipoDocumento": "NFSE",
        "TipoEvento": None,
        "ArquivoXml": packed(b"<NFSe/>"),
        "DataHoraGeracao": "2026-11-20T10:00:00-03:00",
        **more,
    }


def test_documents_come_in_the_order_of_their_nsu(script: Script) -> None:
    script.says(200, {"StatusProcessamento": "X", "LoteDFe": [_row(3), _row(2)]})

    page = BOX.distributed(1, document="12ABC34501DE35")

    assert script.asked == [
        (
            "GET",
            "https://adn.nfse.gov.br/contribuintes/DFe/1?lote=true&cnpjConsulta=12ABC34501DE35",
        )
    ]
    assert [(each.nsu, each.kind, each.content) for each in page.documents] == [
        (2, "NFSE", b"<NFSe/>"),
        (3, "NFSE", b"<NFSe/>"),
    ]
    assert page.documents[0].generated_at is not None
    assert page.is_last


def test_camel_case_a_full_page_and_a_damaged_document_are_read(script: Script) -> None:
    rows = [{k[0].lower() + k[1:]: v for k, v in _row(n).items()} for n in range(1, 51)]
    rows[7]["arquivoXml"] = "AAAA"
    script.says(200, {"loteDFe": rows})

    page = BOX.distributed(0)

    assert not page.is_last
    assert page.documents[7].nsu == 8
    assert page.documents[7].content == b"AAAA"  # as it came
    assert page.documents[7].fault


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"Erros": [{"Codigo": "E2220"}]}),
        (400, {"erros": [{"codigo": "E2215"}]}),
        (204, None),
        (200, {"StatusProcessamento": "NENHUM_DOCUMENTO_LOCALIZADO", "LoteDFe": None}),
    ],
)
def test_nothing_new_is_no_failure(script: Script, status: int, body: Any) -> None:
    script.says(status, body)

    assert BOX.distributed(5).documents == ()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "<html>", Lost),
        (404, {"Erros": [{"Codigo": "E2406"}]}, Lost),
        (200, "<html>", Lost),
        (500, "", Lost),
        (403, "", Misconfigured),
    ],
)
def test_anything_else_is_asked_again(
    script: Script, status: int, body: Any, error: type[Exception]
) -> None:
    script.says(status, body)

    with pytest.raises(error):
        BOX.distributed(5)


def test_names_and_answers_of_parameters() -> None:
    on = date(2026, 11, 20)
    rates = {"aliquotas": {"01.07.01.000": [{"Incidencia": "SIM", "Aliq": 5.0}]}}

    assert parameters.rate_name(CITY, "010701", on) == f"{CITY}/01.07.01.000/2026-11-20/aliquota"
    assert parameters.spelled("010701123") == "01.07.01.123"
    assert parameters.rate(rates) == Decimal("5.0")
    assert parameters.rate({"aliquotas": {}}) is None
    assert parameters.agreement(AGREED) == parameters.Agreement(True, False)
    assert parameters.agreement({"parametrosConvenio": None}) is None


# --- the cache ---------------------------------------------------------------------------------


@pytest.fixture
def certified(account: Any) -> None:
    """A company of the city, with whose certificate questions are asked."""
    from factories import FiscalCompanyFactory

    certify(FiscalCompanyFactory(account=account, cnpj="11222333000181", codigo_municipio=CITY))


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As outside of the transaction that every test is in."""
    monkeypatch.setattr(nfse_parameters, "_is_inside", lambda: False)


@pytest.mark.django_db
def test_a_city_is_asked_once_a_day_and_its_last_answer_counts(
    script: Script, certified: None, outside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[tuple[str, int]] = []
    monkeypatch.setattr(nfse_parameters, "enqueue", lambda *told: queued.append(told))
    script.says(200, AGREED)

    def known(hours: float) -> bool | None:
        at = NOW + timedelta(hours=hours)
        return nfse_parameters.has_agreement(CITY, ambiente=HOMOLOGACAO, now=at)

    assert [known(0), known(1), known(23)] == [True, True, True]
    assert len(script.asked) == 1
    assert nfse_parameters.adopts_national_emitter(CITY, ambiente=HOMOLOGACAO, now=NOW) is False

    assert [known(25), known(25.1)] == [True, True]  # old, and in use until there is another
    row = MunicipalParameter.objects.get()
    assert queued == [("fiscal.services.nfse_parameters.refresh", row.pk)]
    script.says(500, "")
    nfse_parameters.refresh(row.pk)
    assert known(25.1) is True
    script.says(404, {"parametrosConvenio": None})
    nfse_parameters.refresh(row.pk)
    assert known(25.2) is False


@pytest.mark.django_db
def test_what_nobody_knows_blocks_nothing(
    script: Script, certified: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = read(percentual_aliquota_relativa_municipio=2)
    queued: list[tuple[str, int]] = []
    monkeypatch.setattr(nfse_parameters, "enqueue", lambda *told: queued.append(told))

    def faults() -> list[Any]:
        return nfse_parameters.faults_of(declared, CITY, ambiente=HOMOLOGACAO, now=NOW)

    assert faults() == []  # inside a transaction nothing is asked
    assert (script.asked, len(queued)) == ([], 1)
    monkeypatch.setattr(nfse_parameters, "_is_inside", lambda: False)
    MunicipalParameter.objects.all().delete()
    script.fails(Lost("x"))
    assert faults() == []
    MunicipalParameter.objects.all().delete()
    script.says(200, AGREED)
    assert [error.campo for error in faults()] == ["percentual_aliquota_relativa_municipio"]


@pytest.mark.django_db
def test_without_a_certificate_of_the_city_nobody_is_asked(script: Script, outside: None) -> None:
    known = nfse_parameters.adopts_national_emitter(CITY, ambiente=HOMOLOGACAO, now=NOW)

    assert known is None
    assert script.asked == []
