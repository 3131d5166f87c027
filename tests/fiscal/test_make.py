"""check and make: a body to a valid document, or to every fault by the name of its field."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from typing import Any

import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier
from support import nfelib_reading
from support.a1 import signer
from support.nfe_documents import CSC, ISSUER, NOW, body, document, identity, item, signed

from fiscal import access_key, xml
from fiscal.documents.nfe import make as making
from fiscal.documents.nfe import schema_faults
from fiscal.documents.nfe.groups import places
from fiscal.documents.nfe.make import check, key_of, make, prepare
from fiscal.documents.types import Data
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.signing import verify
from lib.errors import FieldError


def checked(request: Any, modelo: int = 55, **changes: Any) -> Data:
    values: dict[str, Any] = {"ambiente": "producao", "issuer": ISSUER, "now": NOW, **changes}
    return check(request, modelo=modelo, **values)


def refusals(data: Data) -> dict[str, str]:
    """What the schema says of data that reading would not have let through."""
    with pytest.raises(SchemaInvalid) as refusal:
        signed(data)
    return {error.campo: error.mensagem for error in refusal.value.erros}


# --- the way through -------------------------------------------------------------------------


@pytest.mark.parametrize("modelo", [55, 65])
def test_a_body_becomes_a_signed_document_that_others_verify_and_read(modelo: int) -> None:
    data = checked(body(modelo=modelo), modelo)

    made = make(data, identity(modelo), signer=signer(), csc=CSC, qr_version=2)

    assert xml.faults(made.xml, "nfe") == []
    assert verify(made.xml).signed_id == f"NFe{made.chave}"
    assert verify(made.xml).digest_value == made.digest_value
    total = nfelib_reading.read(made.xml).total
    assert (total.ICMSTot.vProd, total.ICMSTot.vICMS, total.ICMSTot.vNF) == (
        "20.00",
        "3.60",
        "20.00",
    )
    assert made.dh_emi == "2026-11-21T10:00:00-03:00"


def test_the_signature_holds_for_two_independent_verifiers() -> None:
    made = signed(document(item(descricao='Prego "10x10" & <arruela> çã')))
    certificate = x509.load_der_x509_certificate(signer().certificate_der)
    pem = certificate.public_bytes(Encoding.PEM)
    root = etree.fromstring(made.xml)
    xmlsec.tree.add_ids(root, ["Id"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
    verifier = XMLVerifier()
    verifier.excise_empty_xmlns_declarations = True  # SIG-6: it cuts the element out with lxml

    context.verify(xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature))  # raises if bad
    verified = verifier.verify(
        made.xml,
        x509_cert=certificate,
        id_attribute="Id",
        expect_config=SignatureConfiguration(
            signature_methods=frozenset({SignatureMethod.RSA_SHA1}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA1}),
        ),
    )

    assert isinstance(verified, VerifyResult)
    assert verified.signed_xml is not None
    assert verified.signed_xml.get("Id") == f"NFe{made.chave}"


def test_making_changes_nothing_in_the_data_and_gives_the_same_bytes_again() -> None:
    data = document()
    before = copy.deepcopy(data)

    first, second = signed(data, ambiente="homologacao"), signed(data, ambiente="homologacao")

    assert data == before
    assert first == second


def test_an_issuer_with_letters_in_the_cnpj() -> None:
    made = signed(document(cnpj_emitente="12ABC34501DE35"))

    assert made.chave[6:20] == "12ABC34501DE35"
    assert access_key.is_valid(made.chave)
    assert verify(made.xml).signed_id == f"NFe{made.chave}"


def test_an_issuer_with_cpf_fills_the_key_with_zeros() -> None:
    data = document(cpf_emitente="52998224725")
    del data["cnpj_emitente"]

    made = signed(data, serie=920)

    assert made.chave[6:20] == "00052998224725"
    assert b"<emit><CPF>52998224725</CPF>" in made.xml


def test_the_month_of_the_key_is_the_one_written_in_the_document() -> None:
    data = document(data_emissao="2026-12-31T23:30:00-03:00")

    assert key_of(data, identity())[2:6] == "2612"


# --- QR code ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("is_offline", [False, True])
def test_nfce_carries_its_qr_code_between_document_and_signature(
    version: int, is_offline: bool
) -> None:
    offline = {"tp_emis": 9, "dh_cont": NOW, "x_just": "Sem conexão na loja"}
    who = identity(65, **(offline if is_offline else {}))

    made = make(document(modelo=65), who, signer=signer(), csc=CSC, qr_version=version)

    after = (
        rb"</infNFe><infNFeSupl><qrCode>.*</qrCode><urlChave>.*</urlChave></infNFeSupl><Signature"
    )
    assert re.search(after, made.xml)
    assert f"?p={made.chave}|{version}|1" in made.qrcode_url
    assert made.url_consulta
    assert ("|21|20.00|" in made.qrcode_url) is is_offline


def test_nfe_has_no_qr_code_but_that_of_the_simplified_danfe() -> None:
    plain = signed(document())
    simplified = make(document(), identity(), signer=signer(), csc=None, qr_version=3, tp_imp="6")

    assert (plain.qrcode_url, b"infNFeSupl" in plain.xml) == ("", False)
    assert simplified.qrcode_url.endswith(f"?p={simplified.chave}|3|1")
    assert b"<tpImp>6</tpImp>" in simplified.xml


def test_version_2_without_csc_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="CSC"):
        make(document(modelo=65), identity(65), signer=signer(), qr_version=2)


# --- KEY-9 -----------------------------------------------------------------------------------


def test_a_document_whose_fields_do_not_make_its_key_is_not_signed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Staged: no input reaches a writer and a key that disagree.
    true_key = key_of(document(), identity())
    other = key_of(document(), identity(numero=124))
    monkeypatch.setattr(making, "key_of", lambda data, who: other)

    with pytest.raises(ValueError, match="do not say the same"):
        signed(document())

    assert true_key != other


# --- check -----------------------------------------------------------------------------------


def test_check_computes_what_the_body_leaves_out() -> None:
    data = checked(body())

    assert data["items"][0]["icms_valor"] == Decimal("3.60")
    assert data["valor_total"] == Decimal("20.00")
    assert data["ibs_uf_valor_total"] == Decimal("0.01")
    assert data["nome_emitente"] == "Empresa de Teste Ltda"


def test_check_offline_needs_no_certificate() -> None:
    data = checked(body(modelo=65), 65, offline=True)

    assert data["valor_total"] == Decimal("20.00")


def test_check_names_the_fields_of_reading_and_of_the_schema_alike() -> None:
    wrong = body(cest="1", natureza_operacao="x" * 61)
    wrong["items"][0]["codigo_ncm"] = "123"
    wrong["items"][0]["cfop"] = "9999"

    with pytest.raises(SchemaInvalid) as refusal:
        checked(wrong)

    assert {"items[0].codigo_ncm", "items[0].cfop"} <= {e.campo for e in refusal.value.erros}
    assert (refusal.value.codigo, refusal.value.http_status) == ("erro_validacao_schema", 422)


def test_check_refuses_what_only_the_schema_knows() -> None:
    wrong = body()
    wrong["items"][0] |= {"icms_situacao_tributaria": "20"}  # pRedBC is missing

    with pytest.raises(SchemaInvalid) as refusal:
        checked(wrong)

    assert [e.campo for e in refusal.value.erros] == ["items[0].icms_reducao_base_calculo"]


@pytest.mark.parametrize("nothing", [None, [], "texto", 5])
def test_a_body_that_is_no_object_is_refused(nothing: Any) -> None:
    with pytest.raises((InvalidRequest, SchemaInvalid)):
        checked(nothing)


def test_prepare_is_check_without_the_trial_build() -> None:
    data = prepare(body(), modelo=55, ambiente="producao", issuer=ISSUER, now=NOW)

    assert data == checked(body())


def test_a_trial_build_that_cannot_be_signed_never_leaves_check() -> None:
    """The straw signature has the shape of one and convinces nobody."""
    made = make(document(), identity(), signer=making._STRAW)

    with pytest.raises(ValueError):
        verify(made.xml)


# --- faults in the words of the request (XSD-5) ----------------------------------------------


def without(level: dict[str, Any], *names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in level.items() if name not in names} | changes


def test_a_missing_value_names_its_field_and_what_it_takes() -> None:
    found = refusals(without(document(), "nome_emitente"))

    assert found == {
        "nome_emitente": "Informe este campo. Use de 2 a 60 caracteres, sem espaços nas pontas."
    }


def test_faults_of_several_items_are_told_apart() -> None:
    items = [item(1), item(2, codigo_ncm="123"), without(item(3), "cfop", "icms_aliquota")]

    found = refusals(document(*items))

    assert set(found) == {
        "items[1].codigo_ncm",
        "items[2].cfop",
        "items[2].icms_aliquota",
    }
    assert found["items[1].codigo_ncm"] == "Use 2 ou 8 dígitos."


def test_a_fault_in_a_list_inside_a_list_has_both_positions() -> None:
    lots = places(55).lists["det/prod/rastro"].name
    batch = {
        "numero_lote": "L1",
        "quantidade_lote": Decimal(1),
        "data_fabricacao": "2026-01-01",
        "data_validade": "2027-01-01",
    }
    wrong = {**batch, "data_validade": "amanhã"}

    found = refusals(document(item(), item(2, **{lots: [batch, wrong]})))

    assert found == {f"items[1].{lots}[1].data_validade": "Use uma data, como em 2026-01-31."}


def test_a_value_beside_which_another_has_no_place() -> None:
    found = refusals(document(cpf_destinatario="52998224725"))

    assert found == {
        "cpf_destinatario": "Este campo não cabe junto com os outros que foram informados."
    }


def test_a_value_outside_of_its_list_and_a_number_out_of_form() -> None:
    data = document(item(valor_bruto=Decimal("-1.00")), modalidade_frete="7")

    assert refusals(data) == {
        "items[0].valor_bruto": "Use um número sem sinal, com até 2 decimais.",
        "modalidade_frete": "Use um destes valores: 0, 1, 2, 3, 4, 9.",
    }


def test_an_absent_list_is_named_itself() -> None:
    assert set(refusals(document(formas_pagamento=[]))) == {"formas_pagamento"}
    assert set(refusals(document(items=[]))) == {"items"}


def test_a_tax_without_its_cst_asks_for_the_cst() -> None:
    data = document(item(ipi_codigo_enquadramento_legal="999"))

    assert refusals(data) == {"items[0].ipi_situacao_tributaria": "Informe este campo."}


def test_a_fault_of_an_attribute_names_its_field() -> None:
    note = {"campo": "x" * 21, "texto": "texto"}
    data = document(item(numero_item="0"), observacoes_contribuinte=[note])

    found = refusals(data)

    assert set(found) == {"items[0].numero_item", "observacoes_contribuinte[0].campo"}
    assert found["observacoes_contribuinte[0].campo"].startswith("Use de 1 a 20 caracteres")


def test_a_group_that_nfce_cannot_have_is_a_fault_without_tags() -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        signed(document(item(icms_situacao_tributaria="10_partilha"), modelo=65), modelo=65)

    assert refusal.value.erros
    assert all("/" not in error.mensagem for error in refusal.value.erros)
    assert all(error.campo.startswith("items[0].") for error in refusal.value.erros)


def test_half_a_block_asks_for_the_other_half() -> None:
    data = document(item(fcp_valor=Decimal("1.00")))

    assert refusals(data) == {
        "items[0].fcp_percentual": (
            "Informe este campo. Use um número sem sinal, com até 4 decimais."
        )
    }


def test_a_zero_where_the_layout_wants_more_says_so() -> None:
    data = document(duplicatas=[{"numero": "001", "valor": Decimal("0.00")}])

    assert refusals(data) == {
        "duplicatas[0].valor": (
            "Informe este campo. Use um número sem sinal, com até 2 decimais, maior que zero."
        )
    }


def test_a_refusal_is_a_field_error_of_the_house() -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        signed(without(document(), "natureza_operacao"))

    assert all(isinstance(error, FieldError) for error in refusal.value.erros)
    assert refusal.value.codigo == "erro_validacao_schema"


def test_formats_are_told_in_words() -> None:
    found = [
        schema_faults._formats(["[0-9]{11}", "[0-9]{13}", "ISENTO"]),
        schema_faults._formats([r"\d{3}"]),
        schema_faults._formats(["[A-F0-9]{8}-[A-F0-9]{4}"]),
    ]

    assert found == [
        "Use 11 ou 13 dígitos ou ISENTO.",
        "Use 3 dígitos.",
        "Formato fora do que o leiaute aceita.",
    ]
