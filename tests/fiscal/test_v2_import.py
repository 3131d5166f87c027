"""POST /v2/nfe/importacao (fiscal-api §2.12)."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import threading
import tracemalloc
import zlib
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.db import IntegrityError, connection, transaction
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.companies import company_body
from support.foreign_notes import foreign_nfe
from support.issuing import nfe_body
from support.v2 import fiscal_token, v2

from accounts.models import AuditEvent
from fiscal.models import Archive, Company, FiscalDocument, Series
from fiscal.services.delivery import advance
from fiscal.services.gaps import gaps_of
from fiscal.xml import NFE

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
    advance(FiscalDocument.objects.get().pk)
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
    advance(FiscalDocument.objects.get().pk)
    for numero in (5, 9):
        post(nfe, foreign_nfe(company, numero=numero).proc)
    nfe.post("nfe", nfe_body(), ref="outra")
    advance(FiscalDocument.objects.get(ref="outra").pk)

    series = Series.objects.get()

    assert series.next_number == 11
    assert gaps_of(series) == []


def test_a_number_that_another_document_has_is_refused(company, authority, nfe):
    nfe.post("nfe", nfe_body(), ref="minha")
    advance(FiscalDocument.objects.get().pk)

    answer = post(nfe, foreign_nfe(company, numero=1).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert answer.json()["erros"][0]["campo"] == "numero"
    assert FiscalDocument.objects.count() == 1


# --- who may -----------------------------------------------------------------------------------


def test_the_document_of_another_issuer_is_refused(company, other_account, nfe):
    other = FiscalCompanyFactory(account=other_account)
    certify(other)

    answer = post(nfe, foreign_nfe(other).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (403, "permissao_negada")
    assert answer.json()["erros"][0]["campo"] == "cnpj_emitente"
    assert nothing_written()


def test_a_company_without_nfe_is_refused(company, nfe):
    note = foreign_nfe(company)
    Company.objects.update(habilita_nfe=False)

    answer = post(nfe, note.proc)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "empresa_nao_habilitada")


def test_the_same_company_in_two_accounts_has_its_note_in_both(company, account, other_account):
    """Its accountant's account and its own, or the one it left: neither learns of the other."""
    note = foreign_nfe(company)
    twin = FiscalCompanyFactory(account=other_account, cnpj=company.cnpj)
    clients = [v2(fiscal_token(one)) for one in (company, twin)]

    answers = [post(client, note.proc, ref=f"r{n}") for n, client in enumerate(clients)]
    again = [post(client, note.proc) for client in clients]

    assert [one.status_code for one in (*answers, *again)] == [201, 201, 200, 200]
    assert [one.json()["ref"] for one in (*answers, *again)] == ["r0", "r1", "r0", "r1"]
    assert {(row.account, row.chave) for row in FiscalDocument.objects.all()} == {
        (account, note.chave), (other_account, note.chave),
    }  # fmt: skip
    assert clients[0].get("nfe/r1").status_code == 404
    for client, one in zip(clients, reversed(answers), strict=True):
        assert client.get(one.json()["caminho_xml_nota_fiscal"]).status_code in (403, 404)


def test_a_company_that_was_removed_and_comes_back_has_its_notes(company, master, nfe):
    note = foreign_nfe(company)
    post(nfe, note.proc)
    master.delete(f"empresas/{company.pk}")
    made = Company.objects.get(pk=int(master.post("empresas", company_body()).json()["id"]))

    assert post(v2(fiscal_token(made)), note.proc).status_code == 201
    assert FiscalDocument.objects.filter(chave=note.chave).count() == 2


def test_the_guard_of_a_key_inside_a_company(company, nfe):
    """Whatever a caller does, the database keeps one row for a key (decision 0019)."""
    post(nfe, foreign_nfe(company).proc)
    twin = FiscalDocument.objects.get()
    twin.pk, twin.ref, twin.numero = None, "outra", 77

    with pytest.raises(IntegrityError, match="chave"), transaction.atomic():
        twin.save()


def test_a_ref_that_another_document_has_is_refused(company, nfe):
    post(nfe, foreign_nfe(company, numero=1).proc, ref="x")

    answer = post(nfe, foreign_nfe(company, numero=2).proc, ref="x")

    assert (answer.status_code, answer.json()["codigo"]) == (422, "nfe_autorizada")
    assert answer.json()["erros"][0]["campo"] == "ref"
    assert Series.objects.get().next_number == 2


@pytest.mark.parametrize("ref", ["a/b", "ç", "x" * 256])
def test_a_ref_that_cannot_be_one(company, nfe, ref):
    answer = post(nfe, foreign_nfe(company).proc, ref=ref)

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert nothing_written()


def test_the_other_environment_is_refused(company, nfe_token_producao):
    answer = post(v2(nfe_token_producao), foreign_nfe(company).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert answer.json()["erros"] == [
        {"mensagem": "A nota não é do ambiente de producao.", "campo": "ambiente"}
    ]
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


def hidden(raw: bytes) -> bytes:
    """XSW: the signed NFe lies in a CDATA of the protocol, where only a look at bytes sees it."""
    nfe = raw[raw.index(b"<NFe") : raw.index(b"</NFe>") + 6]
    forged = other_value(nfe).replace(b"<NFe ", b'<n:NFe xmlns:n="' + NFE.encode() + b'" ')
    forged = forged.replace(b"</NFe>", b"</n:NFe>")
    inside = b"<xMotivo><![CDATA[" + nfe + b"]]></xMotivo>"
    return re.sub(rb"<xMotivo>[^<]*</xMotivo>", lambda _: inside, raw.replace(nfe, forged))


def hidden_protocol(raw: bytes) -> bytes:
    """The same with the protocol, in the text that no signature covers."""
    prot = raw[raw.index(b"<protNFe") : raw.index(b"</protNFe>") + 10]
    forged = prot.replace(b"<protNFe ", b'<n:protNFe xmlns:n="' + NFE.encode() + b'" ')
    forged = forged.replace(b"</protNFe>", b"</n:protNFe>").replace(b"<nProt>1", b"<nProt>9")
    inside = b"<xMotivo><![CDATA[" + prot + b"]]></xMotivo>"
    return raw.replace(prot, re.sub(rb"<xMotivo>[^<]*</xMotivo>", lambda _: inside, forged))


def torn(raw: bytes) -> bytes:
    return raw.replace(b"Caderno", b"Cadern\xc3")


def declared_latin_after_a_mark(raw: bytes) -> bytes:
    return b"\xef\xbb\xbf" + latin(raw)


def undefined_entity(raw: bytes) -> bytes:
    return raw.replace(b"Caderno", b"&x;")


def two_protocols(raw: bytes) -> bytes:
    prot = raw[raw.index(b"<protNFe") : raw.index(b"</protNFe>") + 10]
    return raw.replace(prot, prot + prot)


def protocol_of_another_key(raw: bytes) -> bytes:
    return re.sub(rb"(<chNFe>[0-9]{43})[0-9]", rb"\g<1>x", raw)


def no_date(raw: bytes) -> bytes:
    return re.sub(rb"<dhRecbto>[^<]+", b"<dhRecbto>ontem", raw)


# What is done to the file → the field that the refusal names.
DAMAGES = {
    entities: "xml", external: "xml", undefined_entity: "xml", other_value: "assinatura",
    wrapped: "xml", nested: "assinatura", commented: "assinatura", unsigned: "assinatura",
    beside: "xml", styled: "xml", latin: "xml", declared_latin_after_a_mark: "xml", torn: "xml",
    refused_protocol: "protocolo", other_protocol: "protocolo", no_digest: "protocolo",
    injected_protocol: "protocolo", protocol_of_another_key: "protocolo", no_date: "protocolo",
    two_protocols: "xml", hidden: "xml", hidden_protocol: "xml", without_protocol: "xml",
    gzip.compress: "xml", bz2.compress: "xml", lzma.compress: "xml", zlib.compress: "xml",
}  # fmt: skip


def test_a_file_that_was_tampered_with(company, nfe):
    note = foreign_nfe(company)
    told = {}
    for damage in DAMAGES:
        raw = damage(note.proc)
        assert raw != note.proc

        answer = post(nfe, raw)

        assert (answer.status_code, answer.json()["codigo"]) == (422, CODE), damage
        assert answer.json()["mensagem"].startswith("O XML não pode ser interpretado")
        (fault,) = answer.json()["erros"]
        assert fault["mensagem"]
        told[damage] = fault["campo"]
    assert told == DAMAGES
    assert nothing_written()


def zipped(raw: bytes) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as target:
        target.writestr("nota.xml", raw)
    return file.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, zipped], ids=["gzip", "zip"])
def test_a_bomb_is_not_opened(company, nfe, pack):
    """Thirty megabytes of blanks in thirty kilobytes."""
    bomb = pack(b"<a>" + b" " * 30_000_000)

    tracemalloc.start()
    answer = post(nfe, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert answer.json()["erros"] == [
        {"mensagem": "O arquivo está compactado: envie o próprio XML.", "campo": "xml"}
    ]
    assert peak < 10_000_000


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
    assert answer.json()["erros"][0]["campo"] == "xml"
    assert nothing_written()


def test_a_hundred_megabytes_are_not_read(company, nfe):
    answer = post(nfe, b"<a>" + b" " * 100_000_000)

    assert (answer.status_code, answer.json()["codigo"]) == (413, "requisicao_invalida")
    assert answer.json()["erros"] == [{"mensagem": "O XML deve ter até 1024 KB.", "campo": "xml"}]


def test_the_signature_of_somebody_else(company, other_account, nfe):
    """A stranger's certificate signs a document in the name of the company."""
    stranger = FiscalCompanyFactory(account=other_account)
    certify(stranger)

    answer = post(nfe, foreign_nfe(company, signer=stranger).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert answer.json()["erros"][0]["campo"] == "assinatura"
    assert "certificado" in answer.json()["erros"][0]["mensagem"]
    assert nothing_written()


def test_an_nfce_is_not_for_this_address(company, nfe):
    answer = post(nfe, foreign_nfe(company, modelo=65).proc)

    assert (answer.status_code, answer.json()["codigo"]) == (422, CODE)
    assert answer.json()["erros"][0]["campo"] == "modelo"
    assert nothing_written()


def at_once(*posts: tuple[str, bytes, str]) -> list[Any]:
    """The answers to several imports that begin at the same moment: (token, file, ref)."""
    start, answers = threading.Barrier(len(posts), timeout=20), [None] * len(posts)

    def run(n: int, token: str, raw: bytes, ref: str) -> None:
        try:
            start.wait()
            answers[n] = post(v2(token), raw, ref=ref)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n, *one)) for n, one in enumerate(posts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
def test_four_imports_at_once_make_one_document_in_each_account(company, other_account, nfe_token):
    note = foreign_nfe(company, numero=7)
    twin = FiscalCompanyFactory(account=other_account, cnpj=company.cnpj)
    theirs = fiscal_token(twin)

    answers = at_once(*[(nfe_token, note.proc, "")] * 3, *[(theirs, note.proc, "")] * 3)

    statuses = [one.status_code for one in answers]
    assert (sorted(statuses[:3]), sorted(statuses[3:])) == ([200, 200, 201], [200, 200, 201])
    assert FiscalDocument.objects.count() == 2
    assert set(Series.objects.values_list("next_number", flat=True)) == {8}


@pytest.mark.django_db(transaction=True)
def test_two_notes_at_once_under_one_ref(company, nfe_token):
    notes = [foreign_nfe(company, numero=n) for n in (1, 2)]

    answers = at_once(*((nfe_token, note.proc, "x") for note in notes))

    assert sorted(one.status_code for one in answers) == [201, 422]
    refused = next(one for one in answers if one.status_code == 422)
    assert (refused.json()["codigo"], refused.json()["erros"][0]["campo"]) == (
        "nfe_autorizada", "ref",
    )  # fmt: skip
    assert FiscalDocument.objects.count() == 1
