"""What passes between the steps of the pipeline: plain values, no Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# A document between reading and writing: API names → text, Decimal or lists of such. Enumerations
# and digits are text; moments are text as the layout writes them (AAAA-MM-DDTHH:MM:SS±HH:MM).
Data = dict[str, Any]


@dataclass(frozen=True)
class Issuer:
    """What the company record gives to a document that leaves it out."""

    cnpj: str  # one of cnpj and cpf is empty
    cpf: str
    nome: str
    nome_fantasia: str
    inscricao_estadual: str
    inscricao_municipal: str
    regime_tributario: int  # CRT
    telefone: str
    logradouro: str
    numero: str
    complemento: str
    bairro: str
    cep: str
    municipio: str
    codigo_municipio: str  # IBGE, 7 digits
    uf: str

    @property
    def document(self) -> str:
        return self.cnpj or self.cpf


@dataclass(frozen=True)
class Identity:
    """What makes a document this one: fixed under the lock of its series (NUM-2)."""

    modelo: int
    ambiente: str  # homologacao, producao
    serie: int
    numero: int
    cnf: str  # 8 digits
    tp_emis: int = 1
    dh_cont: datetime | None = None  # with dh_cont and x_just from CON-1
    x_just: str = ""


@dataclass(frozen=True)
class Csc:
    """The taxpayer's security code of NFC-e; the id without leading zeros (QR-1)."""

    id: str
    code: str = field(repr=False)


@dataclass(frozen=True)
class SignedXml:
    """A document ready to be sent: bytes that never change again."""

    chave: str
    xml: bytes  # <NFe …> … </NFe>, no declaration
    digest_value: str
    dh_emi: str
    qrcode_url: str = ""
    url_consulta: str = ""
