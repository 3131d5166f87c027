"""A scripted national system: what it was asked, and answers in the shapes that were seen."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fiscal.authorities.base import Credentials
from fiscal.authorities.transport import Limits, Reply
from fiscal.documents.nfsen import keys
from fiscal.xml import NFSE

WHO = Credentials("thumb", b"", b"")


def key_of(document: str = "11222333000181", number: int = 1) -> str:
    """A key of Criciúma with its digit."""
    kind = "1" if len(document) == 11 else "2"
    body = f"42046082{kind}{document.rjust(14, '0')}{number:013d}2611123456789"
    return body + keys.check_digit(body)


def packed(xml: bytes) -> str:
    return base64.b64encode(gzip.compress(xml)).decode()


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


def nfse(dps: bytes, *, key: str = "", c_stat: str = "100") -> bytes:
    """A small NFS-e around a signed DPS."""
    return (
        (
            f'<?xml version="1.0" encoding="UTF-8"?><NFSe xmlns="{NFSE}" versao="1.01">'
            f'<infNFSe Id="NFS{key or key_of()}"><xLocEmi>Criciúma</xLocEmi>'
            f"<xLocPrestacao>Criciúma</xLocPrestacao><nNFSe>15</nNFSe><xTribNac>Serviço</xTribNac>"
            f"<verAplic>S</verAplic><ambGer>2</ambGer><tpEmis>1</tpEmis><cStat>{c_stat}</cStat>"
            "<dhProc>2026-11-21T09:00:01-03:00</dhProc><nDFSe>1</nDFSe><emit>"
            "<CNPJ>11222333000181</CNPJ><xNome>P</xNome></emit><valores><vBC>1000.00</vBC>"
            "<pAliqAplic>2.00</pAliqAplic><vISSQN>20.00</vISSQN><vLiq>980.00</vLiq></valores>"
        ).encode()
        + dps
        + b"</infNFSe></NFSe>"
    )


def evento(kind: str, *, request_id: str = "", key: str = "", more: str = "", at: int = 0) -> bytes:
    """A small registered event of that kind."""
    key = key or key_of()
    return (
        f'<evento xmlns="{NFSE}" versao="1.01"><infEvento Id="EVT{key}{kind}001"><verAplic>S'
        f"</verAplic><ambGer>2</ambGer><nSeqEvento>001</nSeqEvento>"
        f"<dhProc>2026-11-21T10:00:{at:02d}-03:00</dhProc><nDFSe>2</nDFSe>"
        f'<pedRegEvento versao="1.01"><infPedReg Id="{request_id or f"PRE{key}{kind}"}">'
        f"<tpAmb>2</tpAmb><CNPJAutor>11222333000181</CNPJAutor><chNFSe>{key}</chNFSe>"
        f"<e{kind}><xDesc>x</xDesc><cMotivo>1</cMotivo><xMotivo>Motivo dado</xMotivo>{more}"
        f"</e{kind}></infPedReg></pedRegEvento></infEvento></evento>"
    ).encode()


def listed(*events: bytes) -> dict[str, Any]:
    """GET eventos."""
    return {"eventos": [{"chaveAcesso": key_of(), "arquivoXml": packed(xml)} for xml in events]}


@dataclass
class Script:
    """Stands in for `transport.request`: answers in order, and remembers what was asked."""

    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[dict[str, str]] = field(default_factory=list)

    def says(self, status: int, body: Any = None, *, charset: str = "utf-8") -> Script:
        """`body`: JSON, text, or bytes."""
        if isinstance(body, bytes):
            raw = body
        elif isinstance(body, str):
            raw = body.encode(charset)
        else:
            raw = b"" if body is None else json.dumps(body, ensure_ascii=False).encode(charset)
        self.answers.append(Reply(raw, charset, 7, status))
        return self

    def fails(self, error: Exception) -> Script:
        self.answers.append(error)
        return self

    def __call__(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str],
        credentials: Credentials,
        limits: Limits,
        ca_file: str = "",
    ) -> Reply:
        self.asked.append((method, url))
        if body is not None:
            assert headers["Content-Type"] == "application/json"
            self.bodies.append(json.loads(body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reply)
        return answer
