"""From data to the canonical bytes of infNFe (XML-1, SIG-5): what is digested is what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from fiscal.access_key import nfe_id
from fiscal.documents.nfe import generator
from fiscal.documents.types import Data, Identity
from fiscal.xml import NFE, escape, text

VERSION = "4.00"
VER_PROC = "faturamento 0.1"  # 1-20 characters; the name under which authorities know the program

# XML-8, cStat 598: in homologação these texts stand in place of the true ones.
TEST_RECIPIENT = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
TEST_ITEM = "NOTA FISCAL EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"

_TP_AMB = {"producao": "1", "homologacao": "2"}
_TP_IMP = {55: "1", 65: "4"}  # portrait; NFC-e


def write(data: Data, identity: Identity, *, chave: str, tp_imp: str = "") -> bytes:
    """Canonical `<infNFe xmlns=… Id=… versao="4.00">…</infNFe>` of `data`.

    `data` is complete (read, with taxes and totals); `tp_imp` is the print format of the layout,
    by default portrait, or NFC-e. What is absent or does not belong to the CST is not written; the
    schema judges the rest. Only the shape of what the caller sent is copied, never changed.
    """
    pieces = [f'<infNFe xmlns="{NFE}" Id="{nfe_id(chave)}" versao="{VERSION}">']
    engine = _engine(data, identity, chave, tp_imp)
    shown = data if identity.ambiente == "producao" else _for_tests(data, identity.modelo)
    _writer(identity.modelo)(shown, engine, pieces)
    pieces.append("</infNFe>")
    return "".join(pieces).encode()


def load(modelo: int) -> None:
    """Compile the layout of a model now instead of with its first document."""
    _writer(modelo)


@cache
def _writer(modelo: int) -> generator.Writer:
    return generator.compiled(modelo)


def _engine(data: Data, identity: Identity, chave: str, tp_imp: str) -> dict[str, str]:
    """What the layout wants in `ide` and the request does not say."""
    return {
        "cUF": chave[:2],
        "cNF": identity.cnf,
        "mod": str(identity.modelo),
        "serie": str(identity.serie),
        "nNF": str(identity.numero),
        "cMunFG": data.get("municipio") or data.get("codigo_municipio_emitente") or "",
        "tpImp": tp_imp or _TP_IMP[identity.modelo],
        "tpEmis": str(identity.tp_emis),
        "cDV": chave[43],
        "tpAmb": _TP_AMB[identity.ambiente],
        "procEmi": "0",
        "verProc": VER_PROC,
        "dhCont": _dh_cont(data, identity),
        "xJust": escape(text(identity.x_just)),
    }


def _dh_cont(data: Mapping[str, Any], identity: Identity) -> str:
    """When contingency began, in the offset of dhEmi (XML-7); empty in normal emission."""
    if identity.dh_cont is None:
        return ""
    zone = datetime.fromisoformat(data["data_emissao"]).tzinfo
    return identity.dh_cont.astimezone(zone).isoformat(timespec="seconds")


def _for_tests(data: Data, modelo: int) -> Data:
    """The data as homologação wants it; what the caller sent stays as it was."""
    shown = dict(data)
    if shown.get("nome_destinatario"):
        shown["nome_destinatario"] = TEST_RECIPIENT
    items = shown.get("items")
    if modelo == 65 and items:
        shown["items"] = [{**items[0], "descricao": TEST_ITEM}, *items[1:]]
    return shown
