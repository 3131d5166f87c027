"""The request body → Data: values, defaults, and every fault at once (fiscal-api §2.2, XML-5–7)."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.note_bodies import ISSUER, NOW, faults_of, item, nfe_body, read_note

from fiscal.documents.nfe.catalogue import catalogue
from fiscal.documents.nfe.make import check
from fiscal.errors import InvalidRequest, SchemaInvalid
from lib.errors import FieldError


def one(**changed: Any) -> dict[str, Any]:
    """A body of one item with these fields."""
    return nfe_body(items=[item(**changed)])


def first(**changed: Any) -> dict[str, Any]:
    """The item of such a body, read."""
    found: dict[str, Any] = read_note(one(**changed))["items"][0]
    return found


# --- shape -------------------------------------------------------------------------------------


def test_a_minimum_body_makes_a_document_that_the_schema_takes():
    data = check(nfe_body(), modelo=55, ambiente="producao", issuer=ISSUER, now=NOW)

    assert data["valor_total"] == Decimal("15.00")
    assert data.notes == []


@pytest.mark.parametrize("body", [[], "x", None, 1])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequest):
        read_note(body)


def test_all_faults_come_at_once_and_name_request_fields():
    body = nfe_body(uf_destinatario="XX", items=[item(), item(cfop="9999", descricao=None), 5])
    del body["natureza_operacao"]

    assert faults_of(body) == {
        "uf_destinatario": "UF inválida: informe a sigla, como SP.",
        "items[1].cfop": "Informe 4 dígitos.",
        "items[2]": "Informe um objeto com os campos da entrada.",
        "natureza_operacao": "Preencha natureza_operacao.",
        "items[1].descricao": "Preencha descricao.",
        "items[1].numero_item": "O item 1 está repetido.",
    }


def test_the_refusal_is_the_published_one():
    with pytest.raises(SchemaInvalid) as refusal:
        read_note(nfe_body(cpf_destinatario=" "))

    assert (refusal.value.codigo, refusal.value.http_status) == ("erro_validacao_schema", 422)
    assert refusal.value.erros == [
        FieldError(
            "cnpj_destinatario",
            "Preencha pelo menos um documento do destinatário: "
            "cnpj_destinatario ou cpf_destinatario",
        )
    ]


def test_the_minimum_set_of_the_contract_is_required():
    found = faults_of({"items": [{}]}, issuer=replace(ISSUER, logradouro="", uf="", municipio=""))

    assert found.keys() == {
        "natureza_operacao",
        "data_emissao",
        "tipo_documento",
        "local_destino",
        "finalidade_emissao",
        "consumidor_final",
        "presenca_comprador",
        "modalidade_frete",
        "logradouro_emitente",
        "cnpj_destinatario",
        "nome_destinatario",
        "logradouro_destinatario",
        "numero_destinatario",
        "bairro_destinatario",
        "municipio_destinatario",
        "uf_destinatario",
        "indicador_inscricao_estadual_destinatario",
        "items[0].codigo_produto",
        "items[0].descricao",
        "items[0].cfop",
        "items[0].quantidade_comercial",
        "items[0].valor_unitario_comercial",
        "items[0].unidade_comercial",
        "items[0].codigo_ncm",
        "items[0].icms_origem",
        "items[0].icms_situacao_tributaria",
        "items[0].pis_situacao_tributaria",
        "items[0].cofins_situacao_tributaria",
    }


def test_items_may_be_called_itens():
    body = nfe_body(itens=[item(descricao="Lápis")])
    del body["items"]

    assert read_note(body)["items"][0]["descricao"] == "Lápis"


def test_old_names_are_read_under_the_new_ones():
    payment = {"forma_pagamento": "01", "valor_pagamento": "20", "troco": "5"}
    body = nfe_body(items=[item(codigo_beneficio_fiscal_uf="SP000001")], formas_pagamento=[payment])

    data = read_note(body)

    assert data["items"][0]["codigo_beneficio_fiscal"] == "SP000001"
    assert data["valor_troco"] == Decimal(5)
    assert data["formas_pagamento"] == [{"forma_pagamento": "01", "valor_pagamento": Decimal("20")}]


def test_a_field_under_both_its_names_must_be_the_same():
    """Nobody can tell which one was meant: neither silently wins."""
    body = nfe_body()

    same = read_note({**body, "itens": body["items"]})
    blank = read_note({**body, "itens": []})
    faults = faults_of({**body, "itens": [item(descricao="velho")]})

    assert same["items"] == blank["items"] == read_note(body)["items"]
    assert not [note for note in (*same.notes, *blank.notes) if note.campo == "itens"]
    assert faults == {"itens": "Informe só um: items ou itens; os dois diferem."}


@pytest.mark.parametrize(
    ("name", "sent", "read"),
    [
        ("quantidade_comercial", 0.1 + 0.2, "0.3"),
        ("quantidade_comercial", Decimal("10.10000000000001"), "10.1"),
        ("quantidade_comercial", "10.10000000000001", "10.1"),  # as a kept body has it
        ("valor_frete", Decimal("3000.2999999999997"), "3000.30"),
        ("quantidade_comercial", Decimal("33.333333333333336"), None),  # a third was meant
        ("valor_frete", Decimal("10.105"), None),
        ("valor_frete", Decimal("10.1000001"), None),  # somebody wrote that
    ],
)
def test_the_noise_of_binary_arithmetic_is_no_decimal_too_many(name, sent, read):
    body = one(**{name: sent})

    if read is None:
        assert faults_of(body)[f"items[0].{name}"].startswith("Casas decimais demais")
    else:
        assert read_note(body)["items"][0][name] == Decimal(read)


def test_unknown_fields_are_ignored_and_named():
    data = read_note(one(cor="azul", ipi_classe_enquadramento="1") | {"ref": "1"})

    assert [note.campo for note in data.notes] == [
        "items[0].cor",
        "items[0].ipi_classe_enquadramento",
        "ref",
    ]
    assert "ref" not in data


@pytest.mark.parametrize("absent", [None, "", "   ", "\t"])
def test_blanks_count_as_absent(absent):
    assert faults_of(nfe_body(natureza_operacao=absent)) == {
        "natureza_operacao": "Preencha natureza_operacao."
    }
    assert "complemento_destinatario" not in read_note(nfe_body(complemento_destinatario=absent))


def test_the_body_is_never_changed():
    body = nfe_body(formas_pagamento=[{"forma_pagamento": "03", "valor_pagamento": 15, "troco": 0}])
    before = json.dumps(body)

    read_note(body)

    assert json.dumps(body) == before


def test_more_than_990_items_are_refused_at_once():
    assert faults_of(nfe_body(items=[item()] * 991)) == {
        "items": "Informe no máximo 990 entradas (vieram 991)."
    }


@pytest.mark.parametrize("items", [[], None, "x", {}, {"0": {}}, 3, True])
def test_a_document_without_a_list_of_items_is_refused(items):
    assert faults_of(nfe_body(items=items)).keys() == {"items"}


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("10", "10"),
        ("10.5", "10.5"),
        ("010.5", "10.5"),
        (10, "10"),
        (Decimal("10.5000"), "10.5"),
        (Decimal("1E+3"), "1000"),
        ("10.123400000", "10.1234"),
        (0.1, "0.1"),
        (" 7 ", "7"),
        ("99999999999.9999", "99999999999.9999"),
    ],
)
def test_a_quantity_is_read_exactly(sent, read):
    assert first(quantidade_comercial=sent)["quantidade_comercial"] == Decimal(read)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("10.12345", "Casas decimais demais"),
        (Decimal("10.12345"), "Casas decimais demais"),
        ("100000000000", "Número grande demais"),
        ("-1", "O valor não pode ser negativo"),
        (-1, "O valor não pode ser negativo"),
        ("1,5", "Número inválido: use ponto decimal"),
        ("1.000,00", "Número inválido: use ponto decimal"),
        ("1e3", "Número inválido: use ponto decimal"),
        ("NaN", "Número inválido: use ponto decimal"),
        ("Infinity", "Número inválido: use ponto decimal"),
        ("１２", "Número inválido: use ponto decimal"),
        ("abc", "Número inválido: use ponto decimal"),
        ("9" * 100_000, "Número"),
        (float("nan"), "Número inválido ou grande demais."),
        (float("inf"), "Número inválido ou grande demais."),
        (Decimal("NaN"), "Número inválido ou grande demais."),
        (Decimal("sNaN"), "Número inválido ou grande demais."),
        (Decimal("1E+999999"), "Número inválido ou grande demais."),
        (Decimal("1E-999999"), "Número inválido ou grande demais."),
        pytest.param(10**5000, "Número grande demais.", id="huge"),
        (True, "Tipo inválido"),
        ([1], "Tipo inválido"),
        ({"a": 1}, "Tipo inválido"),
    ],
)
def test_a_quantity_that_does_not_fit_is_refused_with_what_would(sent, message):
    found = faults_of(one(quantidade_comercial=sent))

    assert found.keys() == {"items[0].quantidade_comercial"}
    assert found["items[0].quantidade_comercial"].startswith(message)


def test_a_percentage_has_its_ceiling():
    found = faults_of(one(icms_situacao_tributaria="51", icms_percentual_diferimento="100.01"))

    assert found == {"items[0].icms_percentual_diferimento": "Informe um número de 0 a 100."}


@pytest.mark.parametrize(
    ("campo", "sent", "read"),
    [
        ("tipo_documento", 1, "1"),
        ("tipo_documento", Decimal("1.0"), "1"),
        ("modalidade_frete", 9.0, "9"),
        ("cpf_destinatario", "529.982.247-25", "52998224725"),
        ("cep_destinatario", "01310-100", "01310100"),
        ("cep_destinatario", 1310100, "01310100"),
        ("telefone_destinatario", "+55 (11) 91234-5678", "5511912345678"),
        ("serie", "001", "1"),
        ("numero", 7, "7"),
        ("uf_destinatario", " sp ", "SP"),
        ("numero_destinatario", 12, "12"),
        ("veiculo_placa", "abc-1d23", "ABC1D23"),
        ("data_previsao_entrega_bem", "2026-12-01T00:00:00-03:00", "2026-12-01"),
    ],
)
def test_a_value_may_come_as_number_or_masked(campo, sent, read):
    assert read_note(nfe_body(**{campo: sent}))[campo] == read


@pytest.mark.parametrize(
    ("campo", "sent", "read"),
    [
        ("icms_situacao_tributaria", 0, "00"),
        ("pis_situacao_tributaria", "7", "07"),
        ("cfop", "5.102", "5102"),
        ("codigo_ncm", "9608.10.00", "96081000"),
        ("codigo_ncm", 1012100, "01012100"),  # a number has lost its zero
        ("codigo_barras_comercial", "7891000315507", "7891000315507"),
        ("codigo_barras_comercial", "sem gtin", "SEM GTIN"),
        ("numero_item", "01", "1"),
        ("escala_relevante", False, "N"),
        ("escala_relevante", "true", "S"),
    ],
)
def test_a_value_of_an_item_may_come_as_number_or_masked(campo, sent, read):
    body = {"cest": "2803800", "cnpj_fabricante": "11222333000181", campo: sent}

    assert first(**body)[campo] == read


@pytest.mark.parametrize(
    ("campo", "sent"),
    [
        ("tipo_documento", "2"),
        ("tipo_documento", True),
        ("tipo_documento", []),
        ("local_destino", "１"),
        ("cpf_destinatario", "52998224724"),
        ("cpf_destinatario", "11111111111"),
        ("cep_destinatario", "0131010"),
        ("telefone_destinatario", "123"),
        ("serie", "1000"),
        ("numero", "0"),
        ("email_destinatario", "a" * 61),
        ("data_previsao_entrega_bem", "2026-02-30"),
        ("data_previsao_entrega_bem", "01/12/2026"),
        ("codigo_municipio_destinatario", "355030"),
        ("codigo_municipio_destinatario", "3304557"),  # Rio de Janeiro, in SP
        ("municipio_destinatario", "Atlântida do Sul do Norte"),
        ("inscricao_estadual_destinatario", "ISENTO"),
        ("volumes", {"quantidade": 1}),
        ("veiculo_placa", "AB"),
    ],
)
def test_a_value_outside_of_its_field_is_a_fault_of_that_field(campo, sent):
    found = faults_of(nfe_body(**{campo: sent}))

    assert list(found) in ([campo], ["codigo_municipio_destinatario"])


def test_a_cnpj_may_hold_letters():
    body = nfe_body(cpf_destinatario=None, cnpj_destinatario="12.abc.345/01DE-35")

    assert read_note(body)["cnpj_destinatario"] == "12ABC34501DE35"
    assert faults_of(nfe_body(cpf_destinatario="", cnpj_destinatario="12ABC34501DE36")) == {
        "cnpj_destinatario": "CNPJ inválido."
    }


def test_text_is_cleaned_as_the_layout_wants_it():
    data = read_note(
        nfe_body(
            natureza_operacao=" \x00Venda\r\n  “boa” – já\ud800 ",
            informacoes_adicionais_contribuinte="linha um\n\nlinha  dois",
        )
    )

    assert data["natureza_operacao"] == 'Venda "boa" - já'
    assert data["informacoes_adicionais_contribuinte"] == "linha um | linha dois"


def test_a_free_text_too_long_is_cut_on_a_word_and_told():
    data = read_note(one(descricao="palavra " * 20))

    assert data["items"][0]["descricao"] == "palavra " * 14 + "palavra"
    assert [(note.campo, note.mensagem) for note in data.notes] == [
        ("items[0].descricao", "Texto reduzido a 120 caracteres.")
    ]


def test_a_code_too_long_is_refused_not_cut():
    assert faults_of(one(codigo_produto="9" * 61)) == {
        "items[0].codigo_produto": "Informe até 60 caracteres, ao menos um visível."
    }


def test_faults_deep_in_lists_name_their_place():
    declaration = {
        "numero": "1",
        "data_registro": "2026-11-01",
        "local_desembaraco_aduaneiro": "Santos",
        "uf_desembaraco_aduaneiro": "SP",
        "data_desembaraco_aduaneiro": "2026-11-02",
        "codigo_exportador": "E1",
        "valor_afrmm": "1.00",
        "adicoes": [{"numero": "1", "numero_sequencial_item": "0"}, None],
    }

    assert faults_of(one(documentos_importacao=[declaration])).keys() == {
        "items[0].documentos_importacao[0].adicoes[0].numero_sequencial_item",
        "items[0].documentos_importacao[0].adicoes[0].codigo_fabricante_estrangeiro",
        "items[0].documentos_importacao[0].adicoes[1]",
    }


def test_a_list_of_single_values_may_come_without_objects():
    assert first(nves=["AA0001", {"nve": "BB0002"}])["nves"] == [
        {"nve": "AA0001"},
        {"nve": "BB0002"},
    ]


# --- moments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("2016-12-25T12:00-0300", "2016-12-25T12:00:00-03:00"),
        ("2016-12-25T12:00:30.123-03:00", "2016-12-25T12:00:30-03:00"),
        ("2016-12-25T15:00:00Z", "2016-12-25T12:00:00-03:00"),
        ("2016-12-25 12:00:00", "2016-12-25T12:00:00-03:00"),
        ("2016-12-31T23:30:00-05:00", "2017-01-01T01:30:00-03:00"),
        ("2016-12-25", "2016-12-25T00:00:00-03:00"),
        ("2026-11-21", "2026-11-21T10:02:00-03:00"),  # today: now
        ("2026-11-21T10:07:00-03:00", "2026-11-21T10:07:00-03:00"),  # 703 begins after this
    ],
)
def test_the_moment_of_issue_is_written_in_the_time_of_the_issuer(sent, written):
    assert read_note(nfe_body(data_emissao=sent))["data_emissao"] == written


def test_the_offset_is_the_one_of_the_issuers_state():
    acre = replace(ISSUER, uf="AC", municipio="Rio Branco", codigo_municipio="1200401")

    data = read_note(nfe_body(data_emissao="2026-11-21T10:00:00-03:00"), issuer=acre)

    assert data["data_emissao"] == "2026-11-21T08:00:00-05:00"


@pytest.mark.parametrize(
    "sent",
    [
        "2026-13-01",
        "2026-11-21T25:00:00",
        "2026-11-21T10:00:00+99:00",
        "1999-12-31",
        "2000-01-01T00:00:00Z",  # still 1999 in São Paulo
        "ontem",
        "2026-11-21T10:07:01-03:00",
        20261121,
        [],
        "2" * 10_000,
    ],
)
def test_a_moment_that_cannot_be_is_refused(sent):
    assert faults_of(nfe_body(data_emissao=sent)).keys() == {"data_emissao"}


# --- nothing crashes -----------------------------------------------------------------------------

_NONSENSE = [
    None,
    True,
    -1,
    10**30,
    1e308,
    float("nan"),
    Decimal("1E+400"),
    "\x00",
    "\ud800",
    "x" * 70_000,
    [],
    {},
    [[[[{}]]]],
    {"a": {"b": []}},
    [None, 1, "x", {"numero": {"x": 1}}],
]


def _everywhere(modelo: int, value: Any, *parents: str) -> dict[str, Any]:
    """A body with `value` in every field of every level."""
    return {
        name: [_everywhere(modelo, value, *parents, name), value]
        if field.kind == "array"
        else value
        for name, field in catalogue(modelo).level(*parents).items()
    }


@pytest.mark.parametrize("modelo", [55, 65])
@pytest.mark.parametrize("nonsense", _NONSENSE, ids=range(len(_NONSENSE)))
def test_nonsense_in_every_field_ends_in_faults_that_can_be_sent(modelo, nonsense):
    found = faults_of(_everywhere(modelo, nonsense), modelo)

    assert "items[0].cfop" in found
    assert "items[0].rastros[0].data_validade" in found
    json.dumps(found, ensure_ascii=False).encode()


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=40)
    | st.sampled_from(["01", "1", "10.00", "2026-11-21", "SP", "55", "90", "S", "SEM GTIN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), modelo=st.sampled_from([55, 65]))
def test_any_json_in_any_field_is_read_or_refused(data, modelo):
    source = catalogue(modelo)
    header = data.draw(st.dictionaries(st.sampled_from(sorted(source.level())), _JSON, max_size=6))
    of_item = st.dictionaries(st.sampled_from(sorted(source.level("items"))), _JSON, max_size=6)
    body = nfe_body() | header | {"items": [item() | data.draw(of_item)]}

    found = faults_of(body, modelo)

    json.dumps(found, ensure_ascii=False).encode()
    assert all(message for message in found.values())
