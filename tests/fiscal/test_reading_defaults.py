"""What a body may leave out (fiscal-api §2.2, §3.2, §21.3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from support.note_bodies import ISSUER, faults_of, item, nfce_body, nfe_body, read_note


def test_issuer_data_left_out_come_from_the_record():
    data = read_note(nfe_body())

    found = {name: value for name, value in data.items() if name.endswith("_emitente")}
    assert found == {
        "cnpj_emitente": "11222333000181",
        "nome_emitente": "Loja Exemplo Ltda",
        "nome_fantasia_emitente": "Loja Exemplo",
        "inscricao_estadual_emitente": "123456789012",
        "regime_tributario_emitente": "3",
        "telefone_emitente": "1133334444",
        "logradouro_emitente": "Rua A",
        "numero_emitente": "10",
        "complemento_emitente": "Sala 1",
        "bairro_emitente": "Centro",
        "cep_emitente": "01310100",
        "municipio_emitente": "São Paulo",
        "codigo_municipio_emitente": "3550308",
        "uf_emitente": "SP",
    }
    assert data["municipio"] == "3550308"


def test_a_number_and_a_complement_of_the_record_do_not_join_another_street():
    data = read_note(nfe_body(logradouro_emitente="Rua Z", numero_emitente="99"))

    assert (data["numero_emitente"], data.get("complemento_emitente")) == ("99", None)


def test_a_city_that_was_sent_brings_its_own_code():
    data = read_note(nfe_body(municipio_emitente="Campinas"))

    assert data["codigo_municipio_emitente"] == data["municipio"] == "3509502"


def test_an_issuer_that_is_a_person_is_named_by_cpf():
    person = replace(ISSUER, cnpj="", cpf="52998224725")

    data = read_note(nfe_body(), issuer=person)

    assert (data["cpf_emitente"], "cnpj_emitente" in data) == ("52998224725", False)


def test_a_record_name_beyond_the_layout_is_cut_on_a_word():
    data = read_note(nfe_body(), issuer=replace(ISSUER, nome="Comercial " * 10))

    assert data["nome_emitente"] == ("Comercial " * 6).strip()


def test_what_the_record_lacks_is_asked_for():
    assert faults_of(nfe_body(), issuer=replace(ISSUER, cep="", bairro="")) == {
        "bairro_emitente": "Preencha bairro_emitente ou complete o cadastro da empresa.",
        "cep_emitente": "Preencha cep_emitente ou complete o cadastro da empresa.",
    }


def test_the_municipal_registration_goes_only_with_services():
    service = item(
        issqn_aliquota="5",
        issqn_codigo_municipio="3550308",
        issqn_item_lista_servico="14.01",
        issqn_indicador_incentivo=2,
    )

    assert "inscricao_municipal_emitente" not in read_note(nfe_body())
    assert read_note(nfe_body(items=[service]))["inscricao_municipal_emitente"] == "55"


# --- items ---------------------------------------------------------------------------------------


def test_items_are_numbered_and_taxed_as_sold():
    plain = item()
    del plain["numero_item"]

    second = read_note(nfe_body(items=[plain, plain]))["items"][1]

    assert second["numero_item"] == "2"
    assert second["unidade_tributavel"] == "UN"
    assert second["quantidade_tributavel"] == Decimal("10")
    assert second["valor_unitario_tributavel"] == Decimal("1.50")
    assert second["inclui_no_total"] == "1"
    assert second["codigo_barras_comercial"] == second["codigo_barras_tributavel"] == "SEM GTIN"


def test_what_was_sent_of_the_taxable_unit_is_kept():
    sent = item(unidade_tributavel="KG", quantidade_tributavel="0.5")

    found = read_note(nfe_body(items=[sent]))["items"][0]

    assert (found["unidade_tributavel"], found["quantidade_tributavel"]) == ("KG", Decimal("0.5"))
    assert found["valor_unitario_tributavel"] == Decimal("1.50")


def test_a_barcode_counts_for_the_taxable_unit_too():
    found = read_note(nfe_body(items=[item(codigo_barras_comercial="7891000315507")]))["items"][0]

    assert found["codigo_barras_tributavel"] == "7891000315507"


# --- addresses -----------------------------------------------------------------------------------


def test_a_city_gets_its_code_and_a_code_its_city():
    by_name = read_note(nfe_body(municipio_destinatario="GUARULHOS"))
    by_code = read_note(
        nfe_body(
            municipio_destinatario=None,
            uf_destinatario=None,
            codigo_municipio_destinatario="3304557",
        )
    )

    assert by_name["codigo_municipio_destinatario"] == "3518800"
    assert by_code["municipio_destinatario"] == "Rio de Janeiro"
    assert by_code["uf_destinatario"] == "RJ"


@pytest.mark.parametrize(
    "abroad",
    [
        {"pais_destinatario": "Estados Unidos"},
        {"codigo_pais_destinatario": "2496"},
        {"pais_destinatario": "2496"},
    ],
)
def test_a_buyer_abroad_is_written_as_the_manual_wants(abroad):
    body = nfe_body(
        local_destino="3",
        cpf_destinatario=None,
        id_estrangeiro_destinatario="AB12345",
        uf_destinatario=None,
        municipio_destinatario="Miami",
        indicador_inscricao_estadual_destinatario=None,
        **abroad,
    )

    data = read_note(body)

    assert (data["uf_destinatario"], data["municipio_destinatario"]) == ("EX", "EXTERIOR")
    assert data["codigo_municipio_destinatario"] == "9999999"
    assert data["codigo_pais_destinatario"] == "2496"
    assert data["pais_destinatario"].upper() == "ESTADOS UNIDOS"
    assert data["indicador_inscricao_estadual_destinatario"] == "9"


def test_brazil_is_not_abroad():
    data = read_note(nfe_body(codigo_pais_destinatario="1058"))

    assert (data["uf_destinatario"], data["pais_destinatario"]) == ("SP", "BRASIL")


# --- payments ------------------------------------------------------------------------------------


def test_an_nfe_without_payments_says_so():
    assert read_note(nfe_body())["formas_pagamento"] == [
        {"forma_pagamento": "90", "valor_pagamento": Decimal("0.00")}
    ]


def test_a_card_is_not_integrated_unless_said():
    cards = [{"forma_pagamento": means, "valor_pagamento": 5} for means in ("3", "04", "17")]

    payments = read_note(nfe_body(formas_pagamento=cards))["formas_pagamento"]

    assert [payment.get("tipo_integracao") for payment in payments] == ["2", "2", None]


@pytest.mark.parametrize(
    ("presence", "stated"), [("1", None), ("2", "0"), ("3", "0"), ("5", None), ("9", "0")]
)
def test_the_intermediary_is_stated_in_remote_sales(presence, stated):
    data = read_note(nfe_body(presenca_comprador=presence))

    assert data.get("indicador_intermediario") == stated


def test_nfce_has_its_fixed_values():
    data = read_note(nfce_body(), 65)

    assert data["natureza_operacao"] == "VENDA AO CONSUMIDOR"
    assert data["tipo_documento"] == "1"
    assert data["finalidade_emissao"] == "1"
    assert data["consumidor_final"] == "1"


def test_a_consumer_without_document_is_no_recipient():
    body = nfce_body(indicador_inscricao_estadual_destinatario="9", cpf_destinatario="")

    assert not [name for name in read_note(body, 65) if name.endswith("_destinatario")]


def test_an_identified_consumer_is_no_taxpayer():
    data = read_note(nfce_body(cpf_destinatario="52998224725"), 65)

    assert data["indicador_inscricao_estadual_destinatario"] == "9"
