"""The element NFe of São Paulo in both layouts."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from decimal import Decimal

from lxml import etree

from fiscal.sandbox import note_books
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services.sao_paulo_message import Message, Rps, leaf, note_key, rps_key

# Elements of the RPS that the note repeats, around those the city adds, in the order of the schema.
_TAXES = ("ValorDeducoes", "ValorPIS", "ValorCOFINS", "ValorINSS", "ValorIR", "ValorCSLL")
_PARTIES = (
    "CPFCNPJTomador", "InscricaoMunicipalTomador", "InscricaoEstadualTomador",
    "RazaoSocialTomador", "EnderecoTomador", "EmailTomador", "CPFCNPJIntermediario",
    "InscricaoMunicipalIntermediario", "ISSRetidoIntermediario", "EmailIntermediario",
    "Discriminacao", "ValorCargaTributaria", "PercentualCargaTributaria", "FonteCargaTributaria",
    "CodigoCEI", "MatriculaObra", "MunicipioPrestacao", "NumeroEncapsulamento",
    "ValorTotalRecebido",
)  # fmt: skip
_SECOND = (
    "RetencaoPisCofins", "ValorInicialCobrado", "ValorFinalCobrado", "ValorMulta", "ValorJuros",
    "ValorIPI", "ExigibilidadeSuspensa", "PagamentoParceladoAntecipado", "NCM", "NBS", "atvEvento",
    "cLocPrestacao", "cPaisPrestacao", "IBSCBS",
)  # fmt: skip
STATUS = "<StatusNFe>N</StatusNFe>"


def compose(
    call: NoteCall, message: Message, rps: Rps, *, number: int, code: str, iss: Decimal
) -> str:
    """NFe of an RPS, live."""
    moment, sender = call.local()[:19], message.sender
    kind = "CNPJ" if len(sender) == 14 else "CPF"
    fact = "" if rps.layout == "1" else leaf("DataFatoGeradorNFe", moment)
    rate = rps.text("AliquotaServicos")
    inner = (
        note_key(rps.registration, number, code)
        + leaf("DataEmissaoNFe", moment)
        + rps_key(rps.registration, rps.series, rps.number)
        + _copied(rps, "TipoRPS")
        + leaf("DataEmissaoRPS", rps.text("DataEmissao"))
        + fact
        + f"<CPFCNPJPrestador>{leaf(kind, sender)}</CPFCNPJPrestador>"
        + leaf("RazaoSocialPrestador", _name(call, sender))
        + "<EnderecoPrestador><Logradouro>do Cadastro</Logradouro><Cidade>3550308</Cidade>"
        "<UF>SP</UF></EnderecoPrestador>"
        + STATUS
        + leaf("TributacaoNFe", rps.text("TributacaoRPS"))
        + "<OpcaoSimples>0</OpcaoSimples>"
        + leaf("ValorServicos", f"{rps.service:.2f}")
        + "".join(_copied(rps, name) for name in _TAXES)
        + _copied(rps, "CodigoServico")
        + leaf("AliquotaServicos", rate)
        + leaf("ValorISS", f"{iss:.2f}")
        + "<ValorCredito>0.00</ValorCredito>"
        + _copied(rps, "ISSRetido")
        + "".join(_copied(rps, name) for name in _PARTIES)
    )
    if rps.layout == "2":
        inner += "".join(_copied(rps, name) for name in _SECOND)
    return f"<NFe>{inner}</NFe>"


def _name(call: NoteCall, document: str) -> str:
    known = call.setting("contribuintes", {}).get(document, {})
    return str(known.get("nome", f"CONTRIBUINTE {document}"))


def _copied(rps: Rps, name: str) -> str:
    found = rps.element.find(name)
    if found is None:
        return ""
    made = etree.tostring(found, encoding="unicode", with_tail=False)
    # Namespaces of the message's root, which a bare element drags along.
    for prefix, uri in found.nsmap.items():
        made = made.replace(f' xmlns{":" + prefix if prefix else ""}="{uri}"', "")
    return made


def shown(call: NoteCall, row: sqlite3.Row) -> str:
    """NFe as it stands now."""
    text = bytes(row["xml"]).decode()
    if row["situacao"] != note_books.CANCELLED:
        return text
    moment = datetime.fromtimestamp(row["encerrada_em"], call.now.tzinfo)
    ended = leaf("DataCancelamento", call.local(moment)[:19])
    return text.replace(STATUS, f"<StatusNFe>C</StatusNFe>{ended}", 1)
