"""/v2/nfce through HTTP, the database and the real sandbox (fiscal-api §1.8, §3.3)."""

from __future__ import annotations

import pytest
from support.certificates import moment_after
from support.issuing import nfce_body, refuses, says
from support.v2 import fiscal_token, v2

from fiscal.models import FiscalDocument


@pytest.mark.django_db(transaction=True)
def test_the_post_answers_the_authorized_document(company, sandbox, nfe):
    response = nfe.post("nfce", nfce_body(), ref="venda-1")

    told = response.json()
    held = sandbox.documents()[0]
    assert response.status_code == 201, told
    assert (told["status"], told["status_sefaz"]) == ("autorizado", "100")
    assert (told["serie"], told["numero"]) == ("1", "1")
    assert told["chave_nfe"] == f"NFe{held['chave']}"
    assert told["protocolo"] == held["protocolo"]
    assert held["chave"] in told["qrcode_url"]
    assert told["url_consulta_nf"].startswith("http")
    assert told["caminho_danfe"] == f"/notas_fiscais_consumidor/NFe{held['chave']}.html"
    assert "contingencia_offline" not in told
    assert nfe.get(told["caminho_xml_nota_fiscal"]).status_code == 200
    assert nfe.get("nfce/venda-1").json() == told


@pytest.mark.django_db(transaction=True)
def test_completa_works_on_the_post(company, sandbox, nfe):
    told = nfe.post("nfce", nfce_body(), ref="r1", completa=1).json()

    assert told["requisicao_nota_fiscal"]["modelo"] == "65"
    assert told["protocolo_nota_fiscal"]["numero_protocolo"] == told["protocolo"]


def test_a_ref_is_needed_and_said_in_its_own_code(company, nfe):
    response = nfe.post("nfce", nfce_body())

    assert response.status_code == 400
    assert response.json() == {
        "codigo": "ref_ausente",
        "mensagem": 'Parâmetro "ref" não informado',
    }


def test_an_unknown_ref(company, nfe):
    response = nfe.get("nfce/outra")

    assert response.status_code == 404
    assert response.json() == {
        "codigo": "nfce_nao_encontrada",
        "mensagem": "NFCe não encontrada",
    }


def test_a_company_without_csc(company, nfe):
    for name in ("homologacao", "producao"):
        setattr(company, f"csc_nfce_{name}", "")
    company.save()

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (422, "empresa_nao_configurada")


def test_an_environment_without_csc(company, nfe):
    company.csc_nfce_homologacao = ""
    company.save()

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (422, "ambiente_nao_configurado")


def test_a_company_that_is_not_enabled(company, nfe):
    company.habilita_nfce = False
    company.save()

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (400, "empresa_nao_habilitada")


def test_a_certificate_that_ended(company, nfe, at_moment):
    at_moment(moment_after(company.certificates.get()))

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (400, "certificado_vencido")


def test_a_refusal_is_an_answer_and_not_an_error(company, authority, nfe):
    authority.next("authorize", refuses("767", "Somatorio dos pagamentos difere"))

    response = nfe.post("nfce", nfce_body(), ref="r1")

    told = response.json()
    assert response.status_code == 201
    assert (told["status"], told["status_sefaz"]) == ("erro_autorizacao", "767")
    assert "chave_nfe" not in told
    again = nfe.post("nfce", nfce_body(), ref="r1")
    assert again.json()["status"] == "autorizado"
    assert again.json()["numero"] == "1"


def test_a_document_without_answer_yet_is_202(company, authority, nfe):
    authority.next("authorize", says("108"))

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert response.status_code == 202
    assert response.json()["status"] == "processando_autorizacao"


def test_an_authorized_ref_is_refused(company, authority, nfe):
    nfe.post("nfce", nfce_body(), ref="r1")

    response = nfe.post("nfce", nfce_body(), ref="r1")

    assert (response.status_code, response.json()["codigo"]) == (422, "nfe_autorizada")
    assert FiscalDocument.objects.count() == 1


def test_another_tenant_finds_nothing(company, authority, nfe, other_account):
    from factories import FiscalCompanyFactory

    told = nfe.post("nfce", nfce_body(), ref="r1").json()
    neighbour = v2(fiscal_token(FiscalCompanyFactory(account=other_account)))

    assert neighbour.get("nfce/r1").status_code == 404
    assert neighbour.get(told["caminho_xml_nota_fiscal"]).status_code == 404
