"""DANFE previews and the prints at the published paths (fiscal-api §1.10, §2.13; PDF-1)."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from factories import FiscalCompanyFactory
from lxml import html as lxml_html
from pypdf import PdfReader
from support.companies import png
from support.foreign_notes import foreign_nfe
from support.issuing import nfce_body, nfe_body
from support.signed_notes import XCOND
from support.v2 import fiscal_token, v2

from fiscal.documents.nfe.danfe import cce_html, danfe_html, label_html
from fiscal.models import (
    Archive,
    Company,
    EventState,
    FiscalDocument,
    FiscalEvent,
    PrintCache,
    Series,
)
from fiscal.services import archive, preview, print_cache, printing
from fiscal.services.company_readers import orientation
from fiscal.xml import NFE
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def real_pdf() -> None:
    """For the tests that want a PDF; the others make do with the page that it is made from."""


@pytest.fixture(autouse=True)
def _pages(request: Any, monkeypatch: Any) -> None:
    if "real_pdf" in request.fixturenames:
        return
    for module, name, page in (
        (preview, "danfe_pdf", danfe_html),
        (printing, "danfe_pdf", danfe_html),
        (printing, "label_pdf", label_html),
        (printing, "cce_pdf", cce_html),
    ):
        monkeypatch.setattr(module, name, _as_bytes(page))


def _as_bytes(page: Any) -> Any:
    return lambda *given, **named: page(*given, **named).encode()


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/pdf"
    if not answer.content.startswith(b"%PDF"):
        return " ".join(
            lxml_html.document_fromstring(answer.content.decode()).text_content().split()
        )
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return "\n".join(page.extract_text() for page in pages)


def imported(client: Any, company: Company, **fields: Any) -> FiscalDocument:
    """A document with a whole archive, without an authority."""
    note = foreign_nfe(company, **fields)
    answer = client.call("POST", "nfe/importacao", note.proc, type="application/xml")
    assert answer.status_code == 201
    return FiscalDocument.objects.get(chave=note.chave)


def proc_evento(document: FiscalDocument, tp_evento: str, n_seq: int, detail: str) -> bytes:
    """A registered event as the authority's archive has it; prints ask for no signature."""
    return (
        f'<procEventoNFe xmlns="{NFE}" versao="1.00"><evento versao="1.00"><infEvento>'
        f"<cOrgao>35</cOrgao><tpAmb>2</tpAmb><CNPJ>{document.company.cnpj}</CNPJ>"
        f"<chNFe>{document.chave}</chNFe><dhEvento>2026-11-21T10:00:00-03:00</dhEvento>"
        f"<tpEvento>{tp_evento}</tpEvento><nSeqEvento>{n_seq}</nSeqEvento>"
        f'<verEvento>1.00</verEvento><detEvento versao="1.00">{detail}</detEvento></infEvento>'
        f'</evento><retEvento versao="1.00"><infEvento><cStat>135</cStat>'
        f"<chNFe>{document.chave}</chNFe><nProt>135260000099999</nProt>"
        "<dhRegEvento>2026-11-21T10:00:01-03:00</dhRegEvento></infEvento></retEvento>"
        "</procEventoNFe>"
    ).encode()


def keep_event(document: FiscalDocument, end: str, content: bytes) -> None:
    name = f"{document.chave}-{end}.xml"
    archive.keep(document, Archive.Kind.EVENT, name, content, at=clock.now())


def danfe_path(client: Any, document: FiscalDocument) -> str:
    path: str = client.get(f"nfe/{document.ref}").json()["caminho_danfe"]
    return path


# --- preview -----------------------------------------------------------------------------------


def test_a_preview_of_a_body_keeps_nothing(company, nfe, real_pdf):
    answer = nfe.post("nfe/danfe", nfe_body())

    text = text_of(answer)
    assert "SEM VALOR FISCAL" in text
    assert "CADERNO UNIVERSITARIO" in text.upper()
    for model in (FiscalDocument, Archive, Series, PrintCache):
        assert not model.objects.exists()


def test_a_preview_in_producao_has_no_value_either(company, nfe_token_producao):
    answer = v2(nfe_token_producao).post("nfe/danfe", nfe_body(nome_destinatario="Comprador"))

    assert "SEM VALOR FISCAL" in text_of(answer)


def test_a_preview_needs_no_certificate(account):
    company = FiscalCompanyFactory(account=account)

    assert text_of(v2(fiscal_token(company)).post("nfe/danfe", nfe_body()))


def test_a_preview_of_an_xml(company, nfe):
    note = foreign_nfe(company, numero=77)
    declared = b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n' + note.proc

    for raw in (note.nfe, note.proc, declared):
        text = text_of(nfe.call("POST", "nfe/danfe", raw, type="application/xml"))
        assert "SEM VALOR FISCAL" in text
        assert "000.000.077" in text
        assert note.protocolo not in text


def test_all_faults_of_a_body_are_told(company, nfe):
    answer = nfe.post("nfe/danfe", nfe_body(natureza_operacao="", uf_destinatario="XX"))

    assert (answer.status_code, answer.json()["codigo"]) == (422, "erro_validacao_schema")
    assert {"natureza_operacao", "uf_destinatario"} <= {
        one["campo"] for one in answer.json()["erros"]
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"<",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><NFe>&x;</NFe>',
        b"<NFe><infNFe></NFe>",
        "<NFe><infNFe>ação</infNFe></NFe>".encode("latin-1"),
        f'<NFe xmlns="{NFE}"><infNFe><ide><mod>65</mod></ide></infNFe></NFe>'.encode(),
    ],
)
def test_an_xml_that_cannot_be_printed(company, nfe, raw):
    answer = nfe.call("POST", "nfe/danfe", raw)

    assert (answer.status_code, answer.json()["codigo"]) == (422, "erro_validacao_xml")


@pytest.mark.parametrize("name", ["NFe1", "NFe" + "ç" * 44, ""])
@pytest.mark.parametrize("moment", ["ontem", "9999-99-99T00:00:00-03:00", ""])
def test_an_xml_with_senseless_content_is_no_fault_of_ours(company, nfe, name, moment):
    raw = (
        f'<NFe xmlns="{NFE}"><infNFe Id="{name}"><ide><mod>55</mod><dhEmi>{moment}</dhEmi></ide>'
        f"<emit><CNPJ>{company.cnpj}</CNPJ></emit><total><ICMSTot><vNF>muito</vNF></ICMSTot>"
        "</total></infNFe></NFe>"
    )

    answer = nfe.call("POST", "nfe/danfe", raw.encode())

    if answer.status_code == 422:
        assert answer.json()["codigo"] == "erro_validacao_xml"
    else:
        assert "SEM VALOR FISCAL" in text_of(answer)


def test_a_body_that_is_neither(company, nfe):
    answer = nfe.call("POST", "nfe/danfe", b"nada")

    assert answer.status_code == 415


def test_another_issuer_is_not_printed(company, other_account, nfe):
    from support.certificates import certify

    other = FiscalCompanyFactory(account=other_account)
    certify(other)
    by_xml = nfe.call("POST", "nfe/danfe", foreign_nfe(other).nfe)
    by_body = nfe.post("nfe/danfe", nfe_body(cnpj_emitente=other.cnpj))

    for answer in (by_xml, by_body):
        assert (answer.status_code, answer.json()["codigo"]) == (403, "permissao_negada")


# --- published paths ---------------------------------------------------------------------------


def test_the_danfe_is_made_once(company, nfe, monkeypatch, real_pdf):
    path = danfe_path(nfe, imported(nfe, company))
    first = nfe.get(path)
    assert "SEM VALOR FISCAL" in text_of(first)  # homologação

    monkeypatch.setattr(printing, "danfe_pdf", lambda *_, **__: pytest.fail("made again"))
    again = nfe.get(path)

    assert again.content == first.content
    assert again["Cache-Control"] == "private, no-store"
    row = PrintCache.objects.get()
    PrintCache.objects.update(data=b"corrupt")
    with pytest.raises(pytest.fail.Exception):
        nfe.get(path)
    assert PrintCache.objects.get().pk == row.pk


def test_a_cancellation_marks_the_print(company, nfe):
    document = imported(nfe, company)
    path = danfe_path(nfe, document)
    assert "CANCELADA" not in text_of(nfe.get(path))

    keep_event(document, "can", proc_evento(document, "110111", 1, "<xJust>Erro</xJust>"))

    assert "CANCELADA" in text_of(nfe.get(path))
    assert PrintCache.objects.count() == 1


def test_a_cancellation_without_an_event_marks_the_print(company, nfe):
    document = imported(nfe, company)
    path = danfe_path(nfe, document)
    nfe.get(path)
    cancelled = {"c_stat": "101", "x_motivo": "Cancelamento de NF-e homologado"}
    event = FiscalEvent.objects.create(
        account_id=document.account_id,
        document=document,
        tp_evento="110111",
        n_seq=1,
        state=EventState.REGISTRADO,
        protocolo="135260000077777",
        dh_evento=clock.now(),
        registered_at=datetime(2026, 11, 21, 13, 0, 5, tzinfo=UTC),
        xml=b"",
        created_at=clock.now(),
        **cancelled,
    )
    document.cancel(**cancelled)
    document.save()

    told = "NOTA CANCELADA – protocolo 135260000077777 de 21/11/2026 10:00:05"
    assert told in text_of(nfe.get(path))
    event.delete()
    assert "NOTA CANCELADA" in (unknown := text_of(nfe.get(path)))
    assert "NOTA CANCELADA – protocolo" not in unknown


def test_the_label_of_a_danfe(company, nfe):
    document = imported(nfe, company)
    path = danfe_path(nfe, document)
    nfe.get(path)

    label = nfe.get(f"{path}?formato=etiqueta")

    assert "DANFE SIMPLIFICADO – ETIQUETA" in text_of(label)
    assert "DADOS ADICIONAIS" in text_of(nfe.get(path))
    assert set(PrintCache.objects.values_list("name", flat=True)) == {"danfe", "etiqueta"}
    unknown = nfe.get(f"{path}?formato=cartaz")
    assert (unknown.status_code, unknown.json()["codigo"]) == (400, "requisicao_invalida")


@pytest.mark.parametrize("sent", ["landscape", "ladscape", " Paisagem "])
def test_the_orientation_as_clients_write_it(sent):
    assert orientation(sent) == "landscape"


def test_logo_and_options_are_part_of_the_source(company, nfe):
    from base64 import b64decode

    document = imported(nfe, company)
    path = danfe_path(nfe, document)
    prints = {nfe.get(path).content}
    Company.objects.update(logo=b64decode(png(20, 20)))
    prints.add(nfe.get(path).content)
    company.options = {"orientacao_danfe": "landscape"}
    company.save(update_fields=["options"])
    prints.add(nfe.get(path).content)

    assert len(prints) == 3
    assert b"297.0mm 210.0mm" in nfe.get(path).content


def test_a_carta_de_correcao_is_printed(company, nfe):
    document = imported(nfe, company)
    detail = (
        "<descEvento>Carta de Correcao</descEvento><xCorrecao>Onde se le A leia-se B</xCorrecao>"
        f"<xCondUso>{XCOND}</xCondUso>"
    )
    keep_event(document, "cce-01", proc_evento(document, "110110", 1, detail))

    path = f"/notas_fiscais/NFe{document.chave}/cartas_correcao/1.pdf"

    assert "leia-se B" in text_of(nfe.get(path))
    missing = nfe.get(path.replace("1.pdf", "2.pdf"))
    assert (missing.status_code, missing.json()["codigo"]) == (404, "nao_encontrado")


def test_the_page_of_an_nfce(company, authority, nfe):
    nfe.post("nfce", nfce_body(), ref="c")
    path = nfe.get("nfce/c").json()["caminho_danfe"]

    answer = nfe.get(path)

    assert path.endswith(".html")
    assert answer["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "Documento Auxiliar" in answer.content.decode()


def test_nobody_else_gets_a_print(company, other_account, account, nfe, nfe_token_producao):
    document = imported(nfe, company)
    strangers = [
        v2(fiscal_token(FiscalCompanyFactory(account=other_account))),
        v2(fiscal_token(FiscalCompanyFactory(account=account))),
        v2(nfe_token_producao),
    ]
    keep_event(document, "cce-01", proc_evento(document, "110110", 1, "<xCorrecao>x</xCorrecao>"))
    paths = [
        danfe_path(nfe, document),
        danfe_path(nfe, document).replace("arquivos_development", "arquivos"),
        f"/notas_fiscais/NFe{document.chave}/cartas_correcao/1.pdf",
        f"/notas_fiscais_consumidor/NFe{document.chave}.html",
    ]

    for path in paths:
        assert [client.get(path).status_code for client in strangers] == [404, 404, 404]
        assert v2().get(path).status_code == 401


def test_a_document_without_an_xml_has_no_print(company, nfe):
    document = imported(nfe, company)
    path = danfe_path(nfe, document)
    Archive.objects.all().delete()

    assert nfe.get(path).status_code == 404


def test_no_renderer_is_told(company, nfe, monkeypatch):
    path = danfe_path(nfe, imported(nfe, company))

    def fails(*_: Any, **__: Any) -> bytes:
        raise OSError("no renderer")

    monkeypatch.setattr(printing, "danfe_pdf", fails)

    answer = nfe.get(path)

    assert (answer.status_code, answer.json()["codigo"]) == (503, "pdf_indisponivel")
    assert not PrintCache.objects.exists()


def test_old_unread_and_too_many_prints_are_dropped(company, nfe, monkeypatch, settings):
    monkeypatch.setattr(printing, "danfe_pdf", lambda *_, **__: b"x" * 100)
    documents = [imported(nfe, company, numero=n) for n in range(1, 5)]
    for document in documents:
        nfe.get(danfe_path(nfe, document))
    now = clock.now()
    rows = list(PrintCache.objects.order_by("pk"))
    PrintCache.objects.filter(pk=rows[0].pk).update(created_at=now - timedelta(days=91))
    PrintCache.objects.filter(pk=rows[1].pk).update(last_accessed=now - timedelta(days=31))
    PrintCache.objects.filter(pk=rows[2].pk).update(last_accessed=now - timedelta(days=1))
    settings.PDF_CACHE_MAX_BYTES = 150

    assert print_cache.purge(now=now) == 3

    assert [row.pk for row in PrintCache.objects.all()] == [rows[3].pk]
