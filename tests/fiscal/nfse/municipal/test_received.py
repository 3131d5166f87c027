"""What a taker reads out of a city's note (fiscal-api §7, received_fields)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from fiscal.documents.received.municipal import read_note
from fiscal.tables.loaders import FOLDER
from fiscal.xml import BadXml

ABRASF = """<CompNfse xmlns="http://www.abrasf.org.br/nfse.xsd"><Nfse><InfNfse Id="n1">
<Numero>202600000000010</Numero><CodigoVerificacao>ABC123</CodigoVerificacao>
<DataEmissao>2026-11-20T10:00:05</DataEmissao><ValoresNfse><BaseCalculo>1000.00</BaseCalculo>
<Aliquota>5.00</Aliquota><ValorIss>50.00</ValorIss><ValorLiquidoNfse>950.00</ValorLiquidoNfse>
</ValoresNfse><PrestadorServico><IdentificacaoPrestador><CpfCnpj><Cnpj>12ABC34501DE35</Cnpj>
</CpfCnpj><InscricaoMunicipal>123</InscricaoMunicipal></IdentificacaoPrestador>
<RazaoSocial>Prestador Ltda</RazaoSocial><Endereco><Endereco>Rua A</Endereco><Numero>1</Numero>
<CodigoMunicipio>4301602</CodigoMunicipio><Uf>RS</Uf></Endereco></PrestadorServico>
<DeclaracaoPrestacaoServico><InfDeclaracaoPrestacaoServico><Rps><IdentificacaoRps>
<Numero>7</Numero><Serie>A</Serie><Tipo>1</Tipo></IdentificacaoRps>
<DataEmissao>2026-11-19</DataEmissao></Rps><Competencia>2026-11-19</Competencia><Servico><Valores>
<ValorServicos>1000.00</ValorServicos></Valores><IssRetido>1</IssRetido>
<ItemListaServico>1.07</ItemListaServico><Discriminacao>x</Discriminacao></Servico><Tomador>
<IdentificacaoTomador><CpfCnpj><Cnpj>11222333000181</Cnpj></CpfCnpj></IdentificacaoTomador>
<RazaoSocial>Tomador</RazaoSocial></Tomador><OptanteSimplesNacional>1</OptanteSimplesNacional>
</InfDeclaracaoPrestacaoServico></DeclaracaoPrestacaoServico></InfNfse></Nfse>{more}</CompNfse>"""
SAO_PAULO = """<NFe xmlns=""><ChaveNFe><InscricaoPrestador>31000000</InscricaoPrestador>
<NumeroNFe>10</NumeroNFe><CodigoVerificacao>ABCD1234</CodigoVerificacao></ChaveNFe>
<DataEmissaoNFe>2026-11-20T10:00:05</DataEmissaoNFe><ChaveRPS><SerieRPS>A</SerieRPS>
<NumeroRPS>7</NumeroRPS></ChaveRPS><TipoRPS>RPS</TipoRPS>
<CPFCNPJPrestador><CNPJ>12ABC34501DE35</CNPJ></CPFCNPJPrestador>
<RazaoSocialPrestador>Prestador Ltda</RazaoSocialPrestador><EnderecoPrestador>
<Cidade>3550308</Cidade><UF>SP</UF></EnderecoPrestador><StatusNFe>{status}</StatusNFe>
<DataCancelamento>2026-11-21T09:00:00</DataCancelamento><OpcaoSimples>0</OpcaoSimples>
<ValorServicos>1000.00</ValorServicos><CodigoServico>2658</CodigoServico>
<AliquotaServicos>0.05</AliquotaServicos><ValorISS>50.00</ValorISS><ISSRetido>false</ISSRetido>
<CPFCNPJTomador><CPF>13167474254</CPF></CPFCNPJTomador><Discriminacao>a|b</Discriminacao></NFe>"""
CANCELLED = (
    "<NfseCancelamento><Confirmacao><DataHora>2026-11-21T09:00:00-03:00</DataHora></Confirmacao>"
    "</NfseCancelamento>"
)


def test_a_note_of_abrasf_is_read_for_its_taker():
    note = read_note(ABRASF.format(more="").encode(), municipality="4301602")
    gone = read_note(ABRASF.format(more=CANCELLED).encode(), municipality="4301602")

    assert note.chave == "NFSe12ABC34501DE354301602202600000000010ABC123"
    assert (note.number, note.issuer_document, note.taker_document, note.total) == (
        "202600000000010", "12ABC34501DE35", "11222333000181", Decimal("1000.00"),
    )  # fmt: skip
    assert note.summary["numero_rps"] == "7"
    assert note.summary["nome_municipio"] == "Bagé"
    assert note.complete["data_emissao"] == "2026-11-20T10:00:05-03:00"
    assert note.complete["prestador"]["endereco"]["logradouro"] == "Rua A"
    (service,) = note.complete["servicos"]
    assert (service["iss_retido"], service["valor_iss_retido"]) == (True, "50.00")
    assert not note.is_cancelled
    assert (gone.is_cancelled, gone.cancelled_at.isoformat()) == (True, "2026-11-21T09:00:00-03:00")
    assert gone.chave == note.chave


def test_documents_of_the_issuer_may_be_in_the_declaration_alone():
    identity = "<IdentificacaoPrestador>"
    start, end = ABRASF.index(identity), ABRASF.index("</IdentificacaoPrestador>")
    apart = ABRASF[start + len(identity) : end]
    moved = ABRASF[:start] + ABRASF[end + len("</IdentificacaoPrestador>") :]
    moved = moved.replace("<Tomador>", f"<Prestador>{apart}</Prestador><Tomador>")

    note = read_note(moved.format(more="").encode(), municipality="4301602")

    assert note.issuer_document == "12ABC34501DE35"
    assert note.complete["prestador"]["razao_social"] == "Prestador Ltda"


def test_a_note_of_sao_paulo_is_read_for_its_taker():
    note = read_note(SAO_PAULO.format(status="N").encode(), municipality="3550308")

    assert note.chave == "NFSe12ABC34501DE35355030810ABCD1234"
    assert (note.taker_document, note.is_cancelled) == ("13167474254", False)
    (service,) = note.complete["servicos"]
    assert (service["aliquota"], service["discriminacao"]) == ("5.00", "a\nb")
    assert read_note(SAO_PAULO.format(status="C").encode(), municipality="3550308").is_cancelled


@pytest.mark.parametrize("form", [ABRASF, SAO_PAULO])
def test_the_complete_answer_has_every_published_field(form):
    note = read_note(form.format(more="", status="N").encode(), municipality="3550308")
    catalogue = yaml.safe_load(Path(FOLDER / "fields" / "nfse.yaml").read_text("utf-8"))
    flat = set()
    for name, value in note.complete.items():
        flat |= {name}
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            flat |= {f"{name}.{below}" for below in inner}
            place = inner.get("endereco") or {}
            flat |= {f"{name}.endereco.{below}" for below in place}

    wanted = {one["path"].replace("[]", "") for one in catalogue["received_fields"]}
    # `versao`, `status` and `chave` are the row's; `erros` is of a question that failed.
    assert wanted - flat == {"chave", "versao", "status", "erros"}


@pytest.mark.parametrize("content", [b"<x", b"<CompNfse/>", b"<NFe/>", b"<!DOCTYPE x><x/>"])
def test_what_is_no_note_is_refused(content):
    with pytest.raises(BadXml):
        read_note(content, municipality="4301602")
