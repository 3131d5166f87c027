"""The municipal body issued through the national system (natureza_operacao_to_dps, NT 007)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from support.national_notes import CITY, CNPJ, ISSUER, NOW

from fiscal.authorities.national import sefin
from fiscal.documents.nfse import reading
from fiscal.documents.nfsen import make, neutral
from fiscal.documents.service import Declared, ServiceIssuer
from fiscal.errors import SchemaInvalid

BODY: dict[str, Any] = {
    "data_emissao": "2026-11-20T10:00:00-03:00",
    "natureza_operacao": "1",
    "optante_simples_nacional": False,
    "prestador": {"cnpj": CNPJ, "inscricao_municipal": "123", "codigo_municipio": CITY},
    "tomador": {
        "cnpj": "11444777000161",
        "razao_social": "Tomador Ltda",
        "telefone": "1140040001",
        "email": "a@b.com",
        "endereco": {
            "logradouro": "Praça da Sé",
            "numero": "1",
            "bairro": "Sé",
            "codigo_municipio": "3550308",
            "uf": "SP",
            "cep": "01001000",
        },
    },
    "servico": {
        "valor_servicos": "1000.00",
        "iss_retido": False,
        "item_lista_servico": "1.07",
        "discriminacao": "Suporte técnico",
        "codigo_municipio": CITY,
        "aliquota": "2.00",
    },
}


def _declared(*, servico: Any = None, issuer: ServiceIssuer = ISSUER, **top: Any) -> Declared:
    body = {**BODY, **top, "servico": {**BODY["servico"], **(servico or {})}}
    return reading.read(
        {k: v for k, v in body.items() if v is not None},
        issuer=issuer,
        ambiente="homologacao",
        now=NOW,
    )


def _data(*, is_active: bool | None = None, extra: Any = None, **how: Any) -> dict[str, Any]:
    declared = _declared(**how)
    declared = replace(declared, data={**declared.data, **(extra or {})})
    made = neutral.to_national(declared, is_active=is_active)
    assert make.rehearse(made, ambiente="homologacao") == []
    return made.data


def test_the_same_service_is_a_valid_dps() -> None:
    data = _data()

    assert data["cnpj_prestador"] == CNPJ
    assert data["codigo_municipio_emissora"] == CITY
    assert data["inscricao_municipal_prestador"] == "123"
    assert (data["data_competencia"], data["emitente_dps"]) == ("2026-11-20", "1")
    assert data["codigo_tributacao_nacional_iss"] == "010701"
    assert data["logradouro_tomador"] == "Praça da Sé"
    assert data["descricao_servico"] == "Suporte técnico"
    assert data["tipo_retencao_iss"] == "1"
    assert data["valor_servico"] == Decimal("1000.00")
    assert "percentual_aliquota_relativa_municipio" not in data
    assert (
        sefin.provider("nacional", municipality=CITY, ambiente="homologacao").check(_declared())
        == []
    )


@pytest.mark.parametrize(
    ("nature", "extra", "wanted"),
    [
        ("1", {}, {"tributacao_iss": "1"}),
        ("2", {}, {"tributacao_iss": "1", "codigo_municipio_prestacao": CITY}),
        (
            "3",
            {"numero_beneficio_municipal": "42046080100001"},
            {"tributacao_iss": "1", "numero_beneficio_municipal": "42046080100001"},
        ),
        ("4", {"tipo_imunidade": "3"}, {"tributacao_iss": "2", "tipo_imunidade": "3"}),
        (
            "5",
            {"numero_processo_suspensao": "1" * 30},
            {"tributacao_iss": "1", "tipo_exigibilidade_suspensao": "1"},
        ),
        (
            "6",
            {"numero_processo_suspensao": "1" * 30},
            {"tributacao_iss": "1", "tipo_exigibilidade_suspensao": "2"},
        ),
    ],
)
def test_the_nature_of_the_operation_is_told_as_the_dps_tells_it(
    nature: str, extra: dict[str, str], wanted: dict[str, str]
) -> None:
    data = _data(natureza_operacao=nature, extra=extra)

    assert wanted.items() <= data.items()


@pytest.mark.parametrize(
    ("nature", "field"),
    [
        ("3", "numero_beneficio_municipal"),
        ("4", "tipo_imunidade"),
        ("5", "numero_processo_suspensao"),
        ("6", "numero_processo_suspensao"),
    ],
)
def test_what_the_nature_does_not_tell_is_asked_for(nature: str, field: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        neutral.to_national(_declared(natureza_operacao=nature))

    assert [error.campo for error in refused.value.erros] == [field]


@pytest.mark.parametrize(
    ("withheld", "kind", "total"),
    [
        ({"valor_pis": 6.5, "valor_cofins": 30, "valor_csll": 10}, "3", "46.50"),
        ({"valor_pis": 6.5, "valor_cofins": 30}, "4", "36.50"),
        ({"valor_pis": 6.5}, "5", "6.50"),
        ({"valor_cofins": 30}, "6", "30.00"),
        ({"valor_cofins": 30, "valor_csll": 10}, "7", "40.00"),
        ({"valor_csll": 10}, "8", "10.00"),
        ({"valor_pis": 6.5, "valor_csll": 10}, "9", "16.50"),
    ],
)
def test_withheld_contributions_are_one_sum(
    withheld: dict[str, Any], kind: str, total: str
) -> None:
    data = _data(servico={**withheld, "valor_ir": "15", "valor_inss": "110"})

    assert (data["tipo_retencao_pis_cofins"], data["valor_csll"]) == (kind, Decimal(total))
    assert not data.keys() & {"valor_pis", "valor_cofins"}
    assert (data["valor_irrf"], data["valor_cp"]) == (15, 110)


def test_without_withholding_there_is_no_group() -> None:
    data = _data(servico={"valor_pis": 0, "valor_cofins": 0, "valor_ir": 0})

    assert not data.keys() & {"tipo_retencao_pis_cofins", "valor_csll", "valor_irrf"}


@pytest.mark.parametrize(
    ("regime", "crt", "simples", "wanted"),
    [
        ("", 3, False, ("1", "0")),
        ("", 1, True, ("3", "0")),
        ("", 4, True, ("2", "0")),
        ("6", 1, True, ("3", "0")),
        ("5", 1, True, ("2", "0")),
        ("1", 3, False, ("1", "3")),
        ("2", 3, False, ("1", "2")),
        ("3", 3, False, ("1", "6")),
        ("4", 3, False, ("1", "1")),
    ],
)
def test_the_regime_is_told_in_two_fields(
    regime: str, crt: int, simples: bool, wanted: tuple[str, str]
) -> None:
    data = _data(
        regime_especial_tributacao=regime or None,
        optante_simples_nacional=simples,
        issuer=replace(ISSUER, regime_tributario=crt),
    )

    fields = ("codigo_opcao_simples_nacional", "regime_especial_tributacao")
    assert tuple(data[name] for name in fields) == wanted


def test_the_rate_goes_where_the_city_wants_it() -> None:
    rate = "percentual_aliquota_relativa_municipio"

    assert rate not in _data(is_active=True)
    assert _data(is_active=False)[rate] == Decimal("2.00")
    immune = {"tipo_imunidade": "3"}
    assert rate not in _data(is_active=False, natureza_operacao="4", extra=immune)
    withheld = {"iss_retido": True}
    assert _data(is_active=True, optante_simples_nacional=True, servico=withheld)[rate] == 2


def test_the_total_of_taxes_follows_the_regime() -> None:
    told = {"percentual_total_tributos": "12.5"}

    simples = _data(optante_simples_nacional=True, servico=told)
    normal = _data(servico=told)

    assert simples["percentual_total_tributos_simples_nacional"] == Decimal("12.5")
    assert normal["percentual_total_tributos_federais"] == Decimal("12.5")
    assert normal["percentual_total_tributos_municipais"] == 0


def test_codes_of_the_reform_make_their_group() -> None:
    data = _data(
        servico={
            "codigo_nbs": "115022000",
            "codigo_indicador_operacao": "100301",
            "ibs_cbs_situacao_tributaria": "000",
            "ibs_cbs_classificacao_tributaria": "000001",
        }
    )

    assert (data["finalidade_emissao"], data["indicador_destinatario"]) == ("0", "0")
    assert data["codigo_indicador_operacao"] == "100301"


def test_an_item_of_no_list_is_refused_under_its_own_field() -> None:
    with pytest.raises(SchemaInvalid) as refused:
        neutral.to_national(_declared(servico={"item_lista_servico": "abc"}))

    assert [error.campo for error in refused.value.erros] == ["servico.item_lista_servico"]
