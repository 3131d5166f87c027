"""Reading the body of a national note: what is mended, refused and filled in (fiscal-api §5)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from support.national_notes import BODY, FEDERAL, ISSUER, NOW, REFORM, read

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfsen import rate_rules, reading
from fiscal.errors import InvalidRequest, SchemaInvalid

MINIMUM = [name for name in BODY if not name.endswith("_tomador")]
SUPPLIER = {"cnpj_fornecedor": "11444777000161", "razao_social_fornecedor": "Obra Ltda"}
DEDUCTION = {
    "numero_documento": "1",
    "tipo_deducao": "01",
    "data_emissao": "2026-11-01",
    "valor_dedutivel": 10,
    "valor_deducao": 5,
    **SUPPLIER,
}


def _refused(**changes: Any) -> dict[str, str]:
    with pytest.raises(SchemaInvalid) as refused:
        read(**changes)
    return {error.campo: error.mensagem for error in refused.value.erros}


def test_the_minimum_body_is_enough() -> None:
    note = read(cnpj_tomador=None, razao_social_tomador=None)

    assert note.competence == date(2026, 11, 20)
    assert note.issued_at.isoformat() == "2026-11-20T10:00:00-03:00"
    assert note.data["emitente_dps"] == "1"
    assert note.data["valor_servico"] == Decimal("1000.00")


@pytest.mark.parametrize("name", MINIMUM)
def test_the_first_missing_field_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(**{name: None})

    assert refused.value.mensagem == f'Parâmetro "{name}" não informado'


def test_something_that_is_no_body_is_refused() -> None:
    for body in ({}, [], "x", None):
        with pytest.raises(InvalidRequest):
            reading.read(body, issuer=ISSUER, ambiente="producao", now=NOW)  # type: ignore[arg-type]


def test_masks_and_lost_zeros_are_mended_and_texts_cleaned() -> None:
    note = read(
        cep_tomador="01.001-000",
        codigo_municipio_tomador=3550308,
        logradouro_tomador="  Praça\tda  Sé ",
        numero_tomador=1,
        bairro_tomador="Sé",
        telefone_tomador="(11) 4004-0001",
        codigo_tributacao_nacional_iss="01.01.01",
        cnpj_tomador="12.abc.345/01DE-35",
        descricao_servico="a – b\r\n\r\n  c…  ",
        informacoes_complementares="x\ny",
        razao_social_tomador="T" * 299 + " fim",
    )

    data = note.data
    assert data["cep_tomador"] == "01001000"
    assert data["telefone_tomador"] == "1140040001"
    assert data["codigo_tributacao_nacional_iss"] == "010101"
    assert data["cnpj_tomador"] == "12ABC34501DE35"
    assert data["descricao_servico"] == "a - b\n\nc..."
    assert data["informacoes_complementares"] == "x | y"
    assert data["logradouro_tomador"] == "Praça da Sé"
    assert len(data["razao_social_tomador"]) == 299
    assert {"campo": "razao_social_tomador", "mensagem": "Texto reduzido a 300 caracteres."} in (
        note.notes
    )


def test_all_faults_come_at_once_under_their_fields() -> None:
    found = _refused(
        cnpj_tomador="123",
        valor_servico="1,5",
        tributacao_iss="9",
        codigo_moeda="dólar",
        data_competencia="2026-02-30",
        documentos=[DEDUCTION, {"numero_documento": "1"}, "x"],
        campo_novo="?",
    )

    assert set(found) == {
        "cnpj_tomador",
        "valor_servico",
        "tributacao_iss",
        "codigo_moeda",
        "data_competencia",
        "documentos[2]",
        "documentos[1].tipo_deducao",
        "documentos[1].data_emissao",
        "documentos[1].valor_dedutivel",
        "documentos[1].valor_deducao",
    }
    assert found["cnpj_tomador"] == "CNPJ inválido."


def test_unknown_fields_and_the_one_without_a_tag_are_noted() -> None:
    note = read(campo_novo="?", indicador_operacao_zfm_alc="1")

    told = {each["campo"] for each in note.notes}
    assert {"campo_novo", "indicador_operacao_zfm_alc"} <= told
    assert "indicador_operacao_zfm_alc" not in note.data


def test_the_name_and_address_of_the_issuer_are_left_to_the_system() -> None:
    """NAC-5, E0121, E0128."""
    data = read(
        razao_social_prestador="Nome",
        logradouro_prestador="Rua",
        cep_prestador="88801000",
        inscricao_municipal_prestador="123",
        email_prestador="a@b.com",
    ).data

    assert {name for name in data if name.endswith("_prestador")} == {
        "cnpj_prestador",
        "inscricao_municipal_prestador",
        "email_prestador",
    }


def test_pis_and_cofins_are_computed_to_even_and_told() -> None:
    note = read(**{**FEDERAL, "base_calculo_pis_cofins": "100.50"})

    assert note.data["valor_pis"] == Decimal("0.65")
    assert note.data["valor_cofins"] == Decimal("3.02")  # 3.015: a tie, to even
    assert [line["valor"] for line in note.memory] == ["valor_pis", "valor_cofins"]


def test_the_codes_of_the_reform_complete_their_group() -> None:
    assert read(**REFORM).data["indicador_destinatario"] == "0"
    other = read(**REFORM, cnpj_destinatario="11444777000161", razao_social_destinatario="D")
    assert other.data["indicador_destinatario"] == "1"
    assert other.data["finalidade_emissao"] == "0"


def test_one_form_of_the_total_of_taxes_is_always_there() -> None:
    fields = {
        1: ("percentual_total_tributos_federais", Decimal("0.00")),
        2: ("indicador_total_tributacao", "0"),
        3: ("percentual_total_tributos_simples_nacional", Decimal("0.00")),
    }
    for option, (name, value) in fields.items():
        data = read(codigo_opcao_simples_nacional=option, regime_tributario_simples_nacional=1).data
        assert data[name] == value


def test_a_clock_a_little_ahead_is_set_right() -> None:
    note = read(data_emissao="2026-11-21T09:02:00-03:00")

    assert note.data["data_emissao"] == "2026-11-21T08:59:59-03:00"
    assert "E0008" in _refused(data_emissao="2026-11-21T09:06:00-03:00")["data_emissao"]


ADDRESS = {"logradouro_tomador": "R", "numero_tomador": "1", "bairro_tomador": "B"}
RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"emitente_dps": "2"}, "emitente_dps", "E9996"),
    ({"serie_dps": 50000}, "serie_dps", "E0010"),
    ({"data_competencia": "2026-11-21"}, "data_competencia", "E0015"),
    ({"codigo_municipio_emissora": "9999998"}, "codigo_municipio_emissora", "IBGE"),
    ({"chave_nfse_substituida": "1" * 50}, "codigo_justificativa_substituicao", "substituição"),
    ({"codigo_justificativa_substituicao": 99}, "motivo_substituicao", "99"),
    ({"cpf_tomador": "52998224725"}, "cpf_tomador", "um só documento"),
    ({"cnpj_tomador": None}, "cnpj_tomador", "nif_tomador"),
    ({"razao_social_tomador": None}, "razao_social_tomador", "Preencha"),
    ({"cnpj_tomador": "11222333000181"}, "cnpj_tomador", "E0202"),
    ({"cep_tomador": "01001000"}, "codigo_municipio_tomador", "Preencha"),
    (
        {**ADDRESS, "cep_tomador": "01001000", "codigo_pais_ext_tomador": "US"},
        "codigo_pais_ext_tomador",
        "um só endereço",
    ),
    (ADDRESS, "cep_tomador", "Preencha"),
    ({"nif_prestador": "X", "cnpj_prestador": None}, "cnpj_prestador", "CNPJ ou o CPF"),
    ({"codigo_pais_prestacao": "US"}, "codigo_pais_prestacao", "Informe só um"),
    ({"codigo_obra": "1", "codigo_cib_obra": "A1B2C3D4"}, "codigo_cib_obra", "Informe só um"),
    ({"valor_servico": 0}, "valor_servico", "maior que zero"),
    ({"desconto_incondicionado": 1001}, "valor_servico", "E0427"),
    ({"percentual_deducao_servico": "101"}, "percentual_deducao_servico", "0 a 100"),
    ({"documentos": [{**DEDUCTION, "numero_nota": "0000001"}]}, "documentos[0]", "um só destes"),
    (
        {"documentos": [{**DEDUCTION, "valor_deducao": 11}]},
        "documentos[0].valor_deducao",
        "dedutível",
    ),
    (
        {"documentos": [{**DEDUCTION, "tipo_deducao": 99}]},
        "documentos[0].descricao_deducao",
        "99",
    ),
    ({"tributacao_iss": 3}, "codigo_pais_exportacao", "exportação"),
    ({"tributacao_iss": 2}, "tipo_imunidade", "imunidade"),
    ({"tipo_exigibilidade_suspensao": 1}, "numero_processo_suspensao", "suspensão"),
    ({"tipo_retencao_iss": 3}, "cnpj_intermediario", "falta"),
    (
        {"tipo_retencao_iss": 2, "cnpj_tomador": None, "razao_social_tomador": None},
        "cnpj_tomador",
        "E0204",
    ),
    (
        {"codigo_opcao_simples_nacional": 2, "tipo_retencao_iss": 2},
        "tipo_retencao_iss",
        "E0583",
    ),
    (
        {"codigo_opcao_simples_nacional": 3},
        "regime_tributario_simples_nacional",
        "Simples",
    ),
    (
        {"percentual_aliquota_relativa_municipio": 2, "regime_especial_tributacao": 1},
        "percentual_aliquota_relativa_municipio",
        "E0604",
    ),
    (
        {"percentual_aliquota_relativa_municipio": "5.01"},
        "percentual_aliquota_relativa_municipio",
        "E0595",
    ),
    ({"valor_pis": 1}, "situacao_tributaria_pis_cofins", "valor_pis"),
    ({**FEDERAL, "valor_pis": "6.52"}, "valor_pis", "E0694"),
    ({**FEDERAL, "valor_cofins": "29.98"}, "valor_cofins", "E0696"),
    ({**FEDERAL, "tipo_retencao_pis_cofins": 0, "valor_csll": 1}, "valor_csll", "E0720"),
    ({**FEDERAL, "tipo_retencao_pis_cofins": 3}, "valor_csll", "E0724"),
    ({"indicador_total_tributacao": 0}, "indicador_total_tributacao", "E0713"),
    (
        {"valor_total_tributos_federais": 1},
        "valor_total_tributos_estaduais",
        "total dos tributos",
    ),
    (
        {
            "indicador_total_tributacao": 0,
            "percentual_total_tributos_simples_nacional": 6,
            "codigo_opcao_simples_nacional": 3,
            "regime_tributario_simples_nacional": 1,
        },
        "percentual_total_tributos_simples_nacional",
        "uma só forma",
    ),
    ({**REFORM, "codigo_nbs": None}, "codigo_nbs", "E0322"),
    ({**REFORM, "codigo_indicador_operacao": None}, "codigo_indicador_operacao", "IBS/CBS"),
    (
        {**REFORM, "ibs_cbs_classificacao_tributaria": "999999"},
        "ibs_cbs_classificacao_tributaria",
        "E0958",
    ),
    (
        {**REFORM, "ibs_cbs_situacao_tributaria": "200"},
        "ibs_cbs_situacao_tributaria",
        "E0959",
    ),
    (
        {**REFORM, "data_competencia": "2025-12-31"},
        "data_competencia",
        "E0850",
    ),
    ({"tipo_ente_governamental": 9, **REFORM}, "tipo_ente_governamental", "1, 2, 3, 4"),
    ({"chave_nfse_substituida": "123"}, "chave_nfse_substituida", "50 caracteres"),
    ({"itens_pedido_compra": ["x"] * 100}, "itens_pedido_compra", "99"),
]


@pytest.mark.parametrize(("changes", "campo", "said"), RULES)
def test_what_sefin_would_refuse_is_told_before(
    changes: dict[str, Any], campo: str, said: str
) -> None:
    found = _refused(**changes)

    assert said in found[campo]


@pytest.mark.parametrize(
    ("option", "regime", "withheld", "is_active", "wanted"),
    [
        (1, None, 1, True, (False, "E0617")),
        (1, None, 1, False, (True, "E0619")),
        (3, 1, 2, True, (True, "E0621")),
        (3, 1, 1, True, (False, "E0625")),
        (3, 1, 2, False, (True, "E0628")),
        (3, 1, 1, False, (False, "E0631")),
        (3, 2, 1, True, (False, "E0635")),
        (3, 3, 1, False, (True, "E0640")),
        (2, None, 1, True, (False, "E0600")),
    ],
)
def test_the_rate_follows_the_agreement_of_the_city(
    option: int, regime: int | None, withheld: int, is_active: bool, wanted: tuple[bool, str]
) -> None:
    data = read(
        codigo_opcao_simples_nacional=option,
        regime_tributario_simples_nacional=regime,
        tipo_retencao_iss=withheld,
    ).data
    with_rate = {**data, rate_rules.RATE: Decimal("2.00")}
    is_wanted, code = wanted

    for sent, is_faulty in ((data, is_wanted), (with_rate, not is_wanted)):
        faults = Faults()
        rate_rules.check_agreement(sent, faults, is_active=is_active)
        assert [code in fault.mensagem for fault in faults.values()] == [True] * is_faulty
    assert rate_rules.is_wanted(data, is_active=is_active) is is_wanted
    unknown = Faults()
    rate_rules.check_agreement(with_rate, unknown, is_active=None)
    assert unknown == {}
