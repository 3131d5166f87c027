"""Rules between fields: NF-e, NFC-e (XML-8 to XML-11) and payments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.note_bodies import ISSUER, NOW, faults_of, item, nfce_body, nfe_body, read_note

from fiscal.documents.nfe.item_rules import is_gtin
from fiscal.documents.nfe.make import check
from fiscal.errors import SchemaInvalid


def of_item(modelo: int = 55, **changed: Any) -> dict[str, str]:
    body = nfe_body if modelo == 55 else nfce_body
    return faults_of(body(items=[item(**changed)]), modelo)


# --- NF-e ----------------------------------------------------------------------------------------


def test_a_recipient_has_one_document():
    assert faults_of(nfe_body(cnpj_destinatario="11222333000181")) == {
        "cpf_destinatario": "Informe um só documento do destinatário."
    }


def test_a_document_that_is_wrong_is_not_also_missing():
    assert faults_of(nfe_body(cpf_destinatario="1")) == {"cpf_destinatario": "CPF inválido."}


def test_a_taxpayer_has_a_registration():
    found = faults_of(nfe_body(indicador_inscricao_estadual_destinatario="1"))

    assert found.keys() == {"inscricao_estadual_destinatario"}


def test_an_issuer_is_never_abroad():
    with pytest.raises(SchemaInvalid) as refusal:
        check(
            nfe_body(codigo_pais_emitente="2496"),
            modelo=55, ambiente="producao", issuer=ISSUER, now=NOW,
        )  # fmt: skip

    assert [(e.campo, e.mensagem) for e in refusal.value.erros] == [
        ("codigo_pais_emitente", "Use um destes valores: 1058."),
        ("pais_emitente", "Use um destes valores: Brasil, BRASIL."),
    ]


def test_a_foreigner_may_have_no_document():
    abroad = {"local_destino": "3", "cpf_destinatario": None, "uf_destinatario": None}
    body = nfe_body(**abroad, codigo_pais_destinatario="2496", municipio_destinatario="Miami")

    assert faults_of(body) == {}


def test_an_import_brings_its_total():
    body = nfe_body(items=[item(cfop="3102", icms_base_calculo="20")])

    def faults(**changed: Any) -> list[str]:
        try:
            check(body | changed, modelo=55, ambiente="producao", issuer=ISSUER, now=NOW)
        except SchemaInvalid as refusal:
            return [error.campo for error in refusal.erros]
        return []

    assert faults() == ["valor_total"]
    assert faults(valor_total="20") == []


def test_a_consumer_note_is_not_asked_for_what_it_refuses():
    assert faults_of(nfce_body(finalidade_emissao="4"), 65).keys() == {"finalidade_emissao"}


@pytest.mark.parametrize("purpose", ["2", "4"])
def test_a_return_and_a_complement_cite_the_earlier_document(purpose):
    assert faults_of(nfe_body(finalidade_emissao=purpose)).keys() == {"notas_referenciadas"}


def test_the_notes_of_the_reform_have_their_kind():
    assert faults_of(nfe_body(finalidade_emissao="5")).keys() == {"tipo_nota_credito"}
    assert faults_of(nfe_body(finalidade_emissao="6")).keys() == {"tipo_nota_debito"}


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"uf": "SP", "mes": "2610"},
        {"chave_nfe": "35261112ABC34501DE35550010000000011234567899", "numero": "1"},
    ],
)
def test_a_reference_has_one_form(note):
    found = faults_of(nfe_body(notas_referenciadas=[note]))

    assert [path.partition(".")[0] for path in found] == ["notas_referenciadas[0]"]


def test_a_key_may_hold_letters_and_its_digit_is_checked():
    from fiscal import access_key

    body = "35261112ABC34501DE3555001000000001112345678"
    key = body + access_key.check_digit(body)
    wrong = body + str((int(key[-1]) + 1) % 10)

    data = read_note(nfe_body(notas_referenciadas=[{"chave_nfe": f"NFe{key}"}]))

    assert data["notas_referenciadas"] == [{"chave_nfe": key}]
    assert faults_of(nfe_body(notas_referenciadas=[{"chave_nfe": wrong}])) == {
        "notas_referenciadas[0].chave_nfe": "Chave de acesso inválida: informe os 44 caracteres."
    }


def test_an_intermediary_is_named():
    assert faults_of(nfe_body(presenca_comprador="2", indicador_intermediario=1)).keys() == {
        "cnpj_intermediario",
        "id_intermediario",
    }


@pytest.mark.parametrize(
    ("sent", "missing"),
    [
        ({"local_embarque": "Santos"}, {"uf_local_embarque"}),
        ({"veiculo_uf": "SP"}, {"veiculo_placa"}),
        ({"identificador_csrt": "01"}, {"hash_csrt"}),
        ({"cnpj_responsavel_tecnico": "11222333000181"}, {"contato_responsavel_tecnico"}),
        ({"cep_entrega": "01310100"}, {"logradouro_entrega", "bairro_entrega", "uf_entrega"}),
    ],
)
def test_a_group_comes_whole(sent, missing):
    assert missing <= faults_of(nfe_body(**sent)).keys()


def test_a_place_of_delivery_has_a_document():
    place = {
        "logradouro_entrega": "Rua C",
        "numero_entrega": "3",
        "bairro_entrega": "Centro",
        "municipio_entrega": "Campinas",
        "uf_entrega": "SP",
    }

    assert faults_of(nfe_body(**place)) == {"cnpj_entrega": "Preencha cnpj_entrega ou cpf_entrega."}
    assert faults_of(nfe_body(**place, cpf_entrega="52998224725")) == {}


# --- items ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"icms_aliquota": None}, {"icms_aliquota"}),
        (
            {"icms_situacao_tributaria": "20"},
            {"icms_reducao_base_calculo"},
        ),
        (
            {"icms_situacao_tributaria": "10"},
            {"icms_modalidade_base_calculo_st", "icms_aliquota_st"},
        ),
        ({"icms_situacao_tributaria": "61"}, {"icms_aliquota_retido"}),
        ({"icms_situacao_tributaria": "10_partilha"}, {"icms_uf_st"}),
        ({"icms_situacao_tributaria": "101"}, {"icms_aliquota_credito_simples"}),
        ({"pis_situacao_tributaria": "01"}, {"pis_aliquota_porcentual"}),
        ({"cofins_situacao_tributaria": "03"}, {"cofins_quantidade_vendida"}),
        ({"ipi_situacao_tributaria": "99"}, {"ipi_codigo_enquadramento_legal"}),
        ({"pis_situacao_tributaria": None}, {"pis_situacao_tributaria"}),
        ({"escala_relevante": False}, {"cest", "cnpj_fabricante"}),
        ({"combustivel_codigo_anp": "210203001"}, {"combustivel_sigla_uf"}),
        ({"issqn_aliquota": "5"}, {"issqn_item_lista_servico", "issqn_indicador_incentivo"}),
    ],
)
def test_an_item_has_what_its_tax_group_needs(changed, missing):
    assert {f"items[0].{name}" for name in missing} <= of_item(**changed).keys()


def test_values_that_are_computed_are_not_asked_for():
    assert of_item(icms_situacao_tributaria="41", icms_aliquota=None) == {}
    assert of_item(pis_situacao_tributaria="01", pis_aliquota_porcentual="1.65") == {}


def test_a_service_has_issqn_instead_of_icms():
    service = {
        "icms_origem": None,
        "icms_situacao_tributaria": None,
        "issqn_aliquota": "5.00",
        "issqn_codigo_municipio": "3550308",
        "issqn_item_lista_servico": "14.01",
        "issqn_indicador_incentivo": "2",
        "codigo_ncm": "00",
    }

    assert of_item(**service) == {}


def test_a_barcode_has_its_check_digit():
    assert of_item(codigo_barras_comercial="7891000315508") == {
        "items[0].codigo_barras_comercial": "Rejeição 611: dígito verificador do GTIN inválido."
    }
    assert of_item(codigo_barras_tributavel="7891000315508") == {
        "items[0].codigo_barras_tributavel": "Rejeição 612: dígito verificador do GTIN inválido."
    }


@pytest.mark.parametrize("code", ["96385074", "036000291452", "7891000315507", "17891000315504"])
def test_the_four_kinds_of_gtin(code):
    assert is_gtin(code)
    assert not is_gtin(code[:-1] + str((int(code[-1]) + 1) % 10))


def test_item_numbers_are_within_the_layout():
    assert of_item(numero_item="991") == {"items[0].numero_item": "Informe um número de 1 a 990."}
    assert of_item(numero_item="0") == {"items[0].numero_item": "Informe um número de 1 a 990."}


def test_what_only_the_authority_can_judge_is_a_warning():
    simples = replace(ISSUER, regime_tributario=1)

    data = read_note(nfe_body(items=[item(cfop="6102")]), issuer=simples)
    regular = read_note(nfe_body(items=[item(icms_situacao_tributaria="102")]))

    assert [note.campo for note in data.notes] == [
        "items[0].icms_situacao_tributaria",
        "items[0].cfop",
    ]
    assert [note.campo for note in regular.notes] == ["items[0].icms_situacao_tributaria"]


# --- NFC-e ---------------------------------------------------------------------------------------


def test_a_minimum_nfce_makes_a_document_that_the_schema_takes():
    data = check(nfce_body(), modelo=65, ambiente="homologacao", issuer=ISSUER, now=NOW)

    assert data.notes == []


@pytest.mark.parametrize(
    ("changed", "path", "code"),
    [
        ({"local_destino": "2"}, "local_destino", "707"),
        ({"presenca_comprador": "2"}, "presenca_comprador", "717"),
        ({"data_entrada_saida": "2026-11-21"}, "data_entrada_saida", "705"),
        ({"notas_referenciadas": [{"chave_nfe": "x"}]}, "notas_referenciadas", "708"),
        ({"inscricao_estadual_destinatario": "123"}, "inscricao_estadual_destinatario", "729"),
        ({"duplicatas": [{"valor": 1}]}, "duplicatas", "760"),
        ({"modalidade_frete": "0"}, "modalidade_frete", "753"),
        ({"valor_frete": "1.00"}, "valor_frete", "753"),
        ({"nome_transportador": "Fulano"}, "nome_transportador", "754"),
        ({"data_emissao": "2026-11-21T09:56:59-03:00"}, "data_emissao", "704"),
        ({"data_emissao": "2026-11-21T10:07:01-03:00"}, "data_emissao", "703"),
    ],
)
def test_nfce_refuses_with_the_code_of_the_authority(changed, path, code):
    found = faults_of(nfce_body(**changed), 65)

    assert found.keys() == {path}
    assert found[path].startswith(f"Rejeição {code}: ")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"inclui_no_total": "0"}, "774"),
        ({"codigo_ncm": "00"}, "777"),
        ({"cfop": "6102"}, "725"),
        ({"ipi_valor": "0.00"}, "742"),
        ({"icms_situacao_tributaria": "50"}, "766"),
        ({"icms_situacao_tributaria": "51"}, "740"),
        ({"valor_frete": "1"}, "753"),
    ],
)
def test_nfce_refuses_items_with_the_code_of_the_authority(changed, code):
    found = of_item(65, **changed)

    assert found.keys() == {f"items[0].{name}" for name in changed}
    assert next(iter(found.values())).startswith(f"Rejeição {code}: ")


@pytest.mark.parametrize("campo", ["tipo_documento", "finalidade_emissao", "consumidor_final"])
def test_nfce_fixed_values_cannot_be_others(campo):
    assert faults_of(nfce_body(**{campo: "0"}), 65).keys() == {campo}
    assert faults_of(nfce_body(**{campo: 1}), 65) == {}


def test_an_offline_nfce_may_lie_in_the_past():
    body = nfce_body(data_emissao="2026-11-20T09:00:00-03:00")

    assert faults_of(body, 65, offline=True) == {}
    assert faults_of(body, 65).keys() == {"data_emissao"}


def test_nfce_wants_the_time_of_day():
    assert faults_of(nfce_body(data_emissao="2026-11-21"), 65).keys() == {"data_emissao"}


def test_a_buyer_with_cnpj_gets_an_nfe_since_may_2026():
    buyer = {"cnpj_destinatario": "11222333000181"}
    before = nfce_body(data_emissao="2026-05-03T23:59:00-03:00", **buyer)

    assert faults_of(nfce_body(**buyer), 65).keys() == {"cnpj_destinatario"}
    assert faults_of(before, 65, offline=True) == {}


def test_a_buyer_is_named_by_a_document():
    assert faults_of(nfce_body(nome_destinatario="Fulano"), 65).keys() == {"cpf_destinatario"}


def test_an_address_of_the_buyer_comes_whole():
    body = nfce_body(cpf_destinatario="52998224725", uf_destinatario="SP")

    assert faults_of(body, 65).keys() == {
        "logradouro_destinatario",
        "numero_destinatario",
        "bairro_destinatario",
        "municipio_destinatario",
    }


def test_home_delivery_names_carrier_and_buyer():
    found = faults_of(nfce_body(presenca_comprador="4", modalidade_frete="0"), 65)

    assert {"cnpj_transportador", "nome_transportador", "cpf_destinatario"} <= found.keys()
    assert found["cnpj_transportador"].startswith("Rejeição 786")


def test_home_delivery_is_accepted():
    body = nfce_body(
        presenca_comprador="4",
        modalidade_frete="0",
        cpf_destinatario="52998224725",
        nome_destinatario="Fulano",
        logradouro_destinatario="Rua B",
        numero_destinatario="1",
        bairro_destinatario="Centro",
        municipio_destinatario="São Paulo",
        uf_destinatario="SP",
        cnpj_transportador="11222333000181",
        nome_transportador="Entregas",
        inscricao_estadual_transportador="ISENTO",
        endereco_transportador="Rua C",
        municipio_transportador="São Paulo",
        uf_transportador="SP",
    )

    data = check(body, modelo=65, ambiente="homologacao", issuer=ISSUER, now=NOW)

    assert data["codigo_municipio_destinatario"] == "3550308"


def test_a_number_of_the_client_comes_with_its_series():
    found = faults_of(nfce_body(codigo_unico="12345671"), 65, offline=True)

    assert found.keys() == {"serie", "numero"}


# --- payments -----------------------------------------------------------------------------------


def paid(**changed: Any) -> dict[str, Any]:
    return nfce_body(formas_pagamento=[{"valor_pagamento": "15.00", **changed}])


def test_nfce_has_a_payment():
    assert faults_of(nfce_body(formas_pagamento=[]), 65).keys() == {"formas_pagamento"}
    assert faults_of(paid(), 65).keys() == {"formas_pagamento[0].forma_pagamento"}


def test_an_integrated_card_names_acquirer_and_authorization():
    assert faults_of(paid(forma_pagamento="03", tipo_integracao="1"), 65).keys() == {
        "formas_pagamento[0].cnpj_credenciadora",
        "formas_pagamento[0].numero_autorizacao",
    }


def test_cash_is_not_integrated():
    assert faults_of(paid(forma_pagamento="01", tipo_integracao="2"), 65).keys() == {
        "formas_pagamento[0].tipo_integracao"
    }


def test_another_means_is_described():
    assert faults_of(paid(forma_pagamento="99"), 65).keys() == {
        "formas_pagamento[0].descricao_pagamento"
    }


@pytest.mark.parametrize(("paid_value", "change"), [("15.00", None), ("20.00", "5.00")])
def test_what_is_paid_less_the_change_is_the_total(paid_value, change):
    body = nfce_body(
        formas_pagamento=[{"forma_pagamento": "01", "valor_pagamento": paid_value}],
        valor_troco=change,
    )

    data = check(body, modelo=65, ambiente="homologacao", issuer=ISSUER, now=NOW)

    assert str(data["valor_total"]) == "15.00"


def test_a_wrong_sum_of_payments_is_refused_before_the_authority_does():
    body = nfce_body(formas_pagamento=[{"forma_pagamento": "01", "valor_pagamento": "20.00"}])

    with pytest.raises(SchemaInvalid) as refusal:
        check(body, modelo=65, ambiente="homologacao", issuer=ISSUER, now=NOW)

    assert [(fault.campo, fault.mensagem[:13]) for fault in refusal.value.erros] == [
        ("formas_pagamento", "Rejeição 767:")
    ]


def test_a_large_sale_names_its_buyer():
    body = nfce_body(
        items=[item(valor_unitario_comercial="1000.00")],
        formas_pagamento=[{"forma_pagamento": "01", "valor_pagamento": "10000.00"}],
    )

    with pytest.raises(SchemaInvalid) as refusal:
        check(body, modelo=65, ambiente="homologacao", issuer=ISSUER, now=NOW)

    assert [fault.campo for fault in refusal.value.erros] == ["cpf_destinatario"]
