"""/v2/nfe through HTTP, the database and the real sandbox (fiscal-api §1.7, §2.3, §2.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lxml import etree
from support.certificates import moment_after
from support.issuing import item, nfe_body, refuses
from support.v2 import fiscal_token, v2

from fiscal.models import Company, FiscalDocument
from fiscal.services.delivery import advance
from fiscal.services.events import register_cancellation
from fiscal.signing import verify
from fiscal.xml import cut_out


def work_off() -> None:
    for pk in FiscalDocument.objects.filter(state="recebido").values_list("pk", flat=True):
        advance(pk)


@pytest.mark.django_db(transaction=True)
def test_from_the_request_to_the_authorized_xml(company, sandbox, nfe):
    response = nfe.post("nfe", nfe_body(), ref="pedido-1")

    assert response.status_code == 202
    assert response.json() == {
        "cnpj_emitente": company.cnpj,
        "ref": "pedido-1",
        "status": "processando_autorizacao",
    }
    work_off()
    told = nfe.get("nfe/pedido-1").json()
    held = sandbox.documents()[0]
    assert told == {
        "cnpj_emitente": company.cnpj,
        "ref": "pedido-1",
        "status": "autorizado",
        "status_sefaz": "100",
        "mensagem_sefaz": "Autorizado o uso da NF-e",
        "serie": "1",
        "numero": "1",
        "chave_nfe": f"NFe{held['chave']}",
        "protocolo": held["protocolo"],
        "caminho_xml_nota_fiscal": told["caminho_xml_nota_fiscal"],
        "caminho_danfe": told["caminho_danfe"],
    }
    month = f"20{held['chave'][2:6]}"
    folder = f"/arquivos_development/{company.cnpj}_{company.pk}/{month}"
    assert told["caminho_xml_nota_fiscal"] == f"{folder}/XMLs/{held['chave']}-nfe.xml"
    assert told["caminho_danfe"] == f"{folder}/DANFEs/{held['chave']}.pdf"
    xml = nfe.get(told["caminho_xml_nota_fiscal"])
    assert xml["Content-Type"] == "application/xml; charset=utf-8"
    assert etree.fromstring(xml.content).tag == "{http://www.portalfiscal.inf.br/nfe}nfeProc"
    assert verify(cut_out(xml.content, "NFe")).digest_value == held["digval"]


@pytest.fixture
def authorized(company: Company, authority: Any, nfe: Any) -> dict[str, Any]:
    nfe.post("nfe", nfe_body(), ref="r1")
    work_off()
    told: dict[str, Any] = nfe.get("nfe/r1").json()
    return told


def test_a_ref_is_needed(company, nfe):
    response = nfe.post("nfe", nfe_body())

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": 'Parâmetro "ref" não informado.',
    }


@pytest.mark.parametrize("ref", ["a" * 256, "a" * 10_000, "a b", "ação", "a/b", "a;b"])
def test_a_ref_has_plain_characters_and_an_end(company, nfe, ref):
    response = nfe.post("nfe", nfe_body(), ref=ref)

    assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert not FiscalDocument.objects.exists()


def test_a_company_that_is_not_enabled(company, nfe):
    company.habilita_nfe = False
    company.save()

    response = nfe.post("nfe", nfe_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (400, "empresa_nao_habilitada")


def test_a_certificate_that_ended(company, nfe, at_moment):
    at_moment(moment_after(company.certificates.get()))

    response = nfe.post("nfe", nfe_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (400, "certificado_vencido")
    assert not FiscalDocument.objects.exists()


def test_the_issuer_is_the_company_of_the_token(company, nfe):
    response = nfe.post("nfe", nfe_body(cnpj_emitente="11.444.777/0001-61"), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (403, "permissao_negada")
    assert not FiscalDocument.objects.exists()


def test_the_masked_cnpj_of_the_company_is_its_own(company, authority, nfe):
    response = nfe.post("nfe", nfe_body(cnpj_emitente="11.222.333/0001-81"), ref="r1")

    assert response.status_code == 202


def test_faults_of_the_body_name_request_fields_all_at_once(company, nfe):
    body = nfe_body(items=[item(cfop="51"), item(2, codigo_ncm="1")])

    response = nfe.post("nfe", body, ref="r1")

    told = response.json()
    assert (response.status_code, told["codigo"]) == (422, "erro_validacao_schema")
    assert {"items[0].cfop", "items[1].codigo_ncm"} <= {one["campo"] for one in told["erros"]}
    assert not FiscalDocument.objects.exists()


def test_a_recipient_needs_a_document(company, nfe):
    body = nfe_body()
    del body["cnpj_destinatario"]

    told = nfe.post("nfe", body, ref="r1").json()

    assert told["codigo"] == "erro_validacao_schema"
    assert any("cnpj_destinatario ou cpf_destinatario" in one["mensagem"] for one in told["erros"])


def test_what_is_no_json_is_415(company, nfe):
    assert nfe.post("nfe?ref=r1", "{not json").status_code == 415


def test_a_ref_in_processing_and_an_authorized_one(company, authority, nfe):
    nfe.post("nfe", nfe_body(), ref="r1")
    waiting = nfe.post("nfe", nfe_body(), ref="r1")
    work_off()
    done = nfe.post("nfe", nfe_body(), ref="r1")

    assert (waiting.status_code, waiting.json()["codigo"]) == (422, "em_processamento")
    assert (done.status_code, done.json()["codigo"]) == (422, "nfe_autorizada")
    assert FiscalDocument.objects.count() == 1


def test_a_refusal_is_told_and_the_ref_may_come_again(company, authority, nfe):
    authority.next("authorize", refuses("598", "Nome do destinatario invalido"))
    nfe.post("nfe", nfe_body(), ref="r1")
    work_off()

    assert nfe.get("nfe/r1").json() == {
        "cnpj_emitente": company.cnpj,
        "ref": "r1",
        "status": "erro_autorizacao",
        "status_sefaz": "598",
        "mensagem_sefaz": "Nome do destinatario invalido",
    }
    again = nfe.post("nfe", nfe_body(), ref="r1")
    assert (again.status_code, again.json()["status"]) == (202, "processando_autorizacao")


def test_an_unknown_ref_is_not_found(company, nfe):
    response = nfe.get("nfe/outra")

    assert response.status_code == 404
    assert response.json() == {
        "codigo": "nao_encontrado",
        "mensagem": "Nota fiscal não encontrada.",
    }


def test_the_wrong_method_names_the_right_one(company, nfe):
    response = nfe.get("nfe")

    assert response.status_code == 404
    assert response.json() == {"codigo": "nao_encontrado", "mensagem": "Utilize o método POST."}


def test_another_tenant_finds_neither_document_nor_file(
    company, authority, nfe, authorized, other_account
):
    from factories import FiscalCompanyFactory

    neighbour = v2(fiscal_token(FiscalCompanyFactory(account=other_account)))
    production = v2(fiscal_token(company, "producao"))

    for client in (neighbour, production):
        assert client.get("nfe/r1").status_code == 404
        assert client.get(authorized["caminho_xml_nota_fiscal"]).status_code == 404
    assert v2("").get(authorized["caminho_xml_nota_fiscal"]).status_code == 401
    assert nfe.get(authorized["caminho_xml_nota_fiscal"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_completa_tells_the_document_in_the_names_of_the_request(company, sandbox, nfe):
    body = nfe_body(informacoes_adicionais_contribuinte="Pedido 7 & filho")
    nfe.post("nfe", body, ref="r1")
    work_off()

    told = nfe.get("nfe/r1", completa=1).json()

    asked = told["requisicao_nota_fiscal"]
    assert asked["natureza_operacao"] == "Venda de mercadoria"
    assert asked["informacoes_adicionais_contribuinte"] == "Pedido 7 & filho"
    assert (asked["modelo"], asked["numero"], asked["forma_emissao"]) == ("55", "1", "1")
    assert asked["cnpj_destinatario"] == "11444777000161"
    first = asked["items"][0]
    assert (first["numero_item"], first["cfop"], first["valor_bruto"]) == ("1", "5102", "20.00")
    assert (first["icms_situacao_tributaria"], first["icms_aliquota"]) == ("00", "18.0000")
    assert asked["formas_pagamento"] == [{"forma_pagamento": "01", "valor_pagamento": "20.00"}]
    protocol = told["protocolo_nota_fiscal"]
    assert protocol["numero_protocolo"] == told["protocolo"]
    assert protocol["chave_nfe"] == told["chave_nfe"].removeprefix("NFe")
    assert protocol["status"] == "100"
    assert "requisicao_cancelamento" not in told


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_document_tells_of_its_event(company, sandbox, nfe):
    nfe.post("nfe", nfe_body(), ref="r1")
    work_off()
    register_cancellation(FiscalDocument.objects.get().pk, "Venda desfeita pelo cliente")

    told = nfe.get("nfe/r1", completa=1).json()

    assert (told["status"], told["status_sefaz"]) == ("cancelado", "135")
    assert told["caminho_xml_cancelamento"].endswith("-can.xml")
    assert "caminho_danfe" not in told
    asked = told["requisicao_cancelamento"]
    assert (asked["tipo_evento"], asked["descricao_evento"]) == ("110111", "Cancelamento")
    assert asked["justificativa"] == "Venda desfeita pelo cliente"
    assert told["protocolo_cancelamento"]["status"] == "135"
    xml = nfe.get(told["caminho_xml_cancelamento"])
    assert verify(cut_out(xml.content, "evento")).signed_id.startswith("ID110111")
    assert sandbox.documents()[0]["situacao"] != "autorizado"


@pytest.mark.django_db(transaction=True)
def test_numbers_of_json_are_taken_and_kept_exactly(company, sandbox, nfe):
    sold = item(quantidade_comercial=2, valor_unitario_comercial=10.5, valor_bruto=21.0)

    assert nfe.post("nfe", nfe_body(items=[sold]), ref="numeros").status_code == 202

    work_off()
    assert nfe.get("nfe/numeros").json()["status"] == "autorizado"
    document = FiscalDocument.objects.get()
    assert str(document.total) == "21.00"
    assert document.payload["items"][0]["valor_unitario_comercial"] == "10.5"


@pytest.mark.django_db(transaction=True)
def test_a_number_means_the_same_when_the_queue_reads_it_again(sandbox, nfe):
    body = json.dumps(nfe_body(modalidade_frete="FRETE", items=[item(quantidade_comercial="QTD")]))
    raw = body.replace('"FRETE"', "9.0").replace('"QTD"', "2e0")

    assert nfe.post("nfe", raw, ref="n1").status_code == 202
    work_off()

    assert nfe.get("nfe/n1").json()["status"] == "autorizado"
