"""Bodies of /v2/empresas."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from support.certificates import PASSWORD, issued


def company_body(cnpj: str = "11222333000181", **changes: Any) -> dict[str, Any]:
    """A company in São Paulo that issues NF-e and NFC-e; None takes an attribute out."""
    body = {
        "nome": "Padaria Aurora Ltda",
        "nome_fantasia": "Padaria Aurora",
        "cnpj": cnpj,
        "inscricao_estadual": "110.042.490.114",
        "inscricao_municipal": 46532,
        "regime_tributario": 3,
        "email": "fiscal@aurora.test",
        "telefone": "(11) 3000-1000",
        "logradouro": "Avenida Paulista",
        "numero": 1000,
        "bairro": "Bela Vista",
        "cep": "01310-100",
        "municipio": "São Paulo",
        "uf": "SP",
        "habilita_nfe": True,
        "habilita_nfce": True,
        "csc_nfce_producao": "CODIGO-SECRETO-1",
        "id_token_nfce_producao": "000001",
    } | changes
    return {name: value for name, value in body.items() if value is not None}


def certificate_body(document: str = "11222333000181", **options: Any) -> dict[str, Any]:
    """A certificate to send along."""
    pfx = issued(document, **options).pfx
    return {
        "arquivo_certificado_base64": base64.b64encode(pfx).decode(),
        "senha_certificado": PASSWORD,
    }


def png(width: int, height: int) -> str:
    """A grey PNG of that size, in base64."""
    rows = b"".join(b"\x00" + b"\x80" * width for _ in range(height))
    pieces = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in pieces
    )
    return base64.b64encode(data).decode()


def faults(answer: Any) -> dict[str, str]:
    """campo → mensagem of an answer's `erros`."""
    return {one["campo"]: one["mensagem"] for one in answer.json()["erros"]}
