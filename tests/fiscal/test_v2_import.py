"""POST /v2/nfe/importacao (fiscal-api §2.12)."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.db import connection
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.foreign_notes import foreign_nfe
from support.issuing import nfe_body
from support.v2 import fiscal_token, v2

from accounts.models import AuditEvent
from fiscal.models import Archive, Company, FiscalDocument, Series
from fiscal.services.gaps import gaps_of
from fiscal.tasks import process_document

pytestmark = pytest.mark.django_db
CODE = "erro_validacao_xml"


def post(client: Any, xml: bytes, **query: Any) -> Any:
    return client.call("POST", "nfe/importacao", xml, type="application/xml", **query)


def nothing_written() -> bool:
    rows = (FiscalDocument, Archive, Series)
    return not any(model.objects.exists() for model in rows)


# --- what is taken over ------------------------------------------------------------------------


def test_an_authorized_nfe_becomes_a_document(company, nfe):
    note = foreign_nfe(company, numero=41)

    answer = post(nfe, note.proc)

    assert answer.status_code == 201
    told = answer.json()
    assert told | {"caminho_xml_nota_fiscal": "", "caminho_danfe": ""} == {
        "cnpj_emitente": company.cnpj,
        "ref": f"NFe{note.chave}",
        "status": "autorizado",
        "status_sefaz": "100",
        "mensagem_sefaz": "Autorizado o uso da NF-e",
        "serie": "1",
        "numero": "41",
        "chave_nfe": f"NFe{note.chave}",
        "protocolo": note.protocolo,
        "caminho_xml_nota_fiscal": "",
        "caminho_danfe": "",
    }
    assert nfe.get(f"nfe/NFe{note.chave}").json() == told
    assert nfe.get(told["caminho_xml_nota_fiscal"]).content.endswith(note.proc)
    row = FiscalDocument.objects.get()
    assert row.is_imported
    assert str(row.total) == "20.00"
    assert row.dh_emi == note.dh_emi
    assert AuditEvent.objects.filter(action="nota.importada", object_id=row.pk).exists()


def test_no_certificate_is_needed_and_the_ref_may_be_chosen(account):
    company = FiscalCompanyFactory(account=account)
    certificate = certify(company)
    note = foreign_nfe(company)
    certificate.delete()

    answer = post(v2(fiscal_token(company)), note.proc, ref="antiga-1")

    assert answer.status_code == 201
    assert answer.json()["ref"] == "antiga-1"


def test_nfe_and_protocol_without_a_wrapper(company, nfe):
    note = foreign_nfe(company)
    declared = b'<?xml version="1.0" encoding="UTF-8"?>\n' + note.nfe + b"\n" + note.prot

    answer = post(nfe, declared)

    assert answer.status_code == 201
    kept = nfe.get(answer.json()["caminho_xml_nota_fiscal"]).content
    assert note.nfe in kept
    assert note.prot in kept


def test_completa_tells_what_the_xml_says(company, nfe):
    body = post(nfe, foreign_nfe(company).proc, completa=1).json()

    assert body["requisicao_nota_fiscal"]["natureza_operacao"] == "Venda de mercadoria"


def test_the_same_key_again_is_the_same_document(company, nfe):
    note = foreign_nfe(company)
    first = post(nfe, note.proc, ref="a")

    again = post(nfe, note.proc, ref="b")

    assert again.status_code == 200
    assert again.json() == first.json()
    assert FiscalDocument.objects.count() == 1
    assert Archive.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_was_issued_here_is_not_imported_twice(company, sandbox, nfe):
    nfe.post("nfe", nfe_body(), ref="minha")
    process_document(FiscalDocument.objects.get().pk)
    told = nfe.get("nfe/minha").json()
    xml = nfe.get(told["caminho_xml_nota_fiscal"]).content

    answer = post(nfe, xml)

    assert answer.status_code == 200
    assert answer.json() == told
    assert not FiscalDocument.objects.get().is_imported


# --- numbers -----------------------------------------------------------------------------------


def test_the_series_never_falls_behind_an_imported_number(company, nfe):
    for numero in (50, 12):
        assert post(nfe, foreign_nfe(company, numero=numero).proc).status_code == 201

    assert Series.objects.get().next_number == 51


def test_numbers_around_imported_documents_are_not_voided(company, authority, nfe):
    nfe.post("nfe", nfe_body(), ref="minha")
    process_document(FiscalDocument.objects.get().pk)
    for numero in (5, 9):
        post(nfe, foreign_nfe(company, numero=numero).proc)
    nfe.post("nfe", nfe_body(), ref="outra")
    process_document(FiscalDocument.objects.get(ref="outra").pk)

    series = Series.objects.get()

    assert series.next_number == 11
    assert gaps_of(series) == []


def test_a_number_that_another_document_has_is_refused(company, authority, nfe):
    nfe.post("nfe", nfe_body(), ref="minha")
    process_document(FiscalDocument.objects.get().pk)

    answer = post(nfe, foreign_nfe(company, numero=1).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert FiscalDocument.objects.count() == 1


# --- who may -----------------------------------------------------------------------------------


def test_the_document_of_another_issuer_is_refused(company, other_account, nfe):
    other = FiscalCompanyFactory(account=other_account)
    certify(other)

    answer = post(nfe, foreign_nfe(other).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (403, "permissao_negada")
    assert nothing_written()


def test_a_company_without_nfe_is_refused(company, nfe):
    note = foreign_nfe(company)
    Company.objects.update(habilita_nfe=False)

    answer = post(nfe, note.proc)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "empresa_nao_habilitada")


def test_another_tenant_with_the_same_cnpj_learns_nothing(company, other_account, nfe):
    note = foreign_nfe(company)
    post(nfe, note.proc)
    twin = FiscalCompanyFactory(account=other_account, cnpj=company.cnpj)

    answer = post(v2(fiscal_token(twin)), note.proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert FiscalDocument.objects.filter(company=twin).count() == 0


def test_a_ref_that_another_document_has_is_refused(company, nfe):
    post(nfe, foreign_nfe(company, numero=1).proc, ref="x")

    answer = post(nfe, foreign_nfe(company, numero=2).proc, ref="x")

    assert (answer.status_code, answer.json()["codigo"]) == (422, "nfe_autorizada")
    assert Series.objects.get().next_number == 2


@pytest.mark.parametrize("ref", ["a/b", "ç", "x" * 256])
def test_a_ref_that_cannot_be_one(company, nfe, ref):
    answer = post(nfe, foreign_nfe(company).proc, ref=ref)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert nothing_written()


def test_the_other_environment_is_refused(company, nfe_token_producao):
    answer = post(v2(nfe_token_producao), foreign_nfe(company).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert "ambiente" in answer.json()["erros"][0]["mensagem"]
    assert nothing_written()


# --- hostile files -----------------------------------------------------------------------------


def entities(raw: bytes) -> bytes:
    bomb = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>'
    return bomb + raw.replace(b"Venda de mercadoria", b"&d;")


def external(raw: bytes) -> bytes:
    return b'<!DOCTYPE a SYSTEM "file:///etc/passwd">' + raw


def other_value(raw: bytes) -> bytes:
    return raw.replace(b"<vNF>20.00</vNF>", b"<vNF>90.00</vNF>")


def wrapped(raw: bytes) -> bytes:
    """XSW: the signed NFe is moved aside and a forged one takes its place."""
    nfe = raw[raw.index(b"<NFe") : raw.index(b"</NFe>") + 6]
    return raw.replace(nfe, other_value(nfe) + nfe)


def nested(raw: bytes) -> bytes:
    """XSW: the signed element goes into the signature of a forged document."""
    inner = raw[raw.index(b"<infNFe") : raw.index(b"</infNFe>") + 9]
    forged = raw.replace(inner, other_value(inner).replace(b'Id="NFe', b'Id="XFe'))
    return forged.replace(b"</KeyInfo>", b"</KeyInfo><Object>" + inner + b"</Object>")


def commented(raw: bytes) -> bytes:
    return raw.replace(b"<vNF>20.00", b"<vNF>2<!-- -->0.00")


def unsigned(raw: bytes) -> bytes:
    return re.sub(rb"<Signature.*?</Signature>", b"", raw)


def beside(raw: bytes) -> bytes:
    return raw.replace(b"<protNFe", b"<extra/><protNFe")


def styled(raw: bytes) -> bytes:
    return b'<?xml-stylesheet href="http://evil.test/x.xsl" type="text/xsl"?>' + raw


def latin(raw: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="ISO-8859-1"?>' + raw


def refused_protocol(raw: bytes) -> bytes:
    return raw.replace(b"<cStat>100</cStat>", b"<cStat>204</cStat>")


def other_protocol(raw: bytes) -> bytes:
    return re.sub(rb"<digVal>[^<]+", b"<digVal>AAAAAAAAAAAAAAAAAAAAAAAAAAA=", raw)


def no_digest(raw: bytes) -> bytes:
    return re.sub(rb"<digVal>[^<]+</digVal>", b"", raw)


def injected_protocol(raw: bytes) -> bytes:
    return re.sub(rb"<nProt>[0-9]+", b"<nProt>1&lt;/nProt&gt;2345", raw)


def without_protocol(raw: bytes) -> bytes:
    return re.sub(rb"<protNFe.*?</protNFe>", b"", raw)


DAMAGES = [
    entities, external, other_value, wrapped, nested, commented, unsigned, beside, styled, latin,
    refused_protocol, other_protocol, no_digest, injected_protocol, without_protocol,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_a_file_that_was_tampered_with(company, nfe, damage):
    note = foreign_nfe(company)
    raw = damage(note.proc)
    assert raw != note.proc

    answer = post(nfe, raw)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert answer.json()["mensagem"].startswith("O XML não pode ser interpretado")
    assert nothing_written()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nada",
        b'{"natureza_operacao": "Venda"}',
        b"<nfeProc/>",
        b"<nfeProc>" * 5000,
        "<NFe>ação</NFe>".encode("latin-1"),
        "<?xml version='1.0'?><NFe/>".encode("utf-16"),
        b"\x00\x00\x00<\x00\x00\x00N",
    ],
    ids=["empty", "text", "json", "bare", "deep", "latin-1", "utf-16", "utf-32"],
)
def test_a_file_that_is_no_nfe(company, nfe, raw):
    answer = post(nfe, raw)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert nothing_written()


def test_a_hundred_megabytes_are_not_read(company, nfe):
    answer = post(nfe, b"<a>" + b" " * 100_000_000)

    assert (answer.status_code, answer.json()["codigo"]) == (413, "requisicao_invalida")


def test_the_signature_of_somebody_else(company, other_account, nfe):
    """A stranger's certificate signs a document in the name of the company."""
    stranger = FiscalCompanyFactory(account=other_account)
    certify(stranger)

    answer = post(nfe, foreign_nfe(company, signer=stranger).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert "certificado" in answer.json()["erros"][0]["mensagem"]
    assert nothing_written()


def test_an_nfce_is_not_for_this_address(company, nfe):
    answer = post(nfe, foreign_nfe(company, modelo=65).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert nothing_written()


@pytest.mark.django_db(transaction=True)
def test_four_imports_at_once_make_one_document(company, nfe_token):
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    note = foreign_nfe(company, numero=7)
    statuses: list[int] = []

    def run() -> None:
        try:
            statuses.append(post(v2(nfe_token), note.proc).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 200, 200, 201]
    assert FiscalDocument.objects.count() == 1
    assert Series.objects.get().next_number == 8
