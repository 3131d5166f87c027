"""What a service note is made of, whoever takes it: plain values, no Django (fiscal-engine §12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from fiscal.documents.types import Data

NFSE, NFSEN = "nfse", "nfsen"


@dataclass(frozen=True)
class ServiceIssuer:
    """The company record, for what a body leaves out."""

    cnpj: str  # one of cnpj and cpf is empty
    cpf: str
    nome: str
    nome_fantasia: str
    inscricao_municipal: str
    regime_tributario: int  # CRT
    email: str
    telefone: str
    logradouro: str
    numero: str
    complemento: str
    bairro: str
    cep: str
    municipio: str
    codigo_municipio: str  # IBGE, 7 digits
    uf: str
    # `login_responsavel`, `senha_responsavel` and other options of the company that some providers
    # ask for, by their API names; opened, never logged.
    secrets: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def document(self) -> str:
        return self.cnpj or self.cpf


@dataclass(frozen=True)
class RpsIdentity:
    """What tells our declaration from all others: fixed under the lock of its series.

    An RPS of a municipality, or a DPS of the national system, where `kind` is always 1.
    """

    ambiente: str  # homologacao, producao
    series: str  # as it is written in the body, without padding
    number: int
    kind: int = 1  # 1 RPS, 2 conjugated, 3 coupon
    batch: int = 0  # NumeroLote, where a provider wants lots


@dataclass(frozen=True)
class Declared:
    """A body that was read, with everything that a provider needs to build its document.

    `data` is keyed by the paths of the catalogue of `tipo` (`servico.valor_servicos` of nfse,
    `valor_servico` of nfsen); values as in `fiscal.documents.types.Data`.
    """

    tipo: str  # NFSE, NFSEN
    issuer: ServiceIssuer
    data: Data
    issued_at: datetime  # wall clock of the issuer, whole seconds
    competence: date
    notes: list[dict[str, str]] = field(default_factory=list)
    # What staff read to understand a value: one line per computation (fiscal-engine §13).
    memory: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Summary:
    """What lists, hooks and searches show without opening the XML."""

    taker_document: str = ""
    taker_name: str = ""
    taker_email: str = ""
    total: Decimal = Decimal("0.00")


@dataclass(frozen=True)
class Prepared:
    """A document ready to be sent: bytes that never change again.

    `id` is the Id of the DPS, or what identifies the RPS with its provider.
    """

    id: str
    xml: bytes
    digest_value: str = ""
    summary: Summary = Summary()


@dataclass(frozen=True)
class NoteRef:
    """An issued note, or one that may be: what queries, cancellations and links need.

    Empty values are those that are not known (yet).
    """

    issuer: ServiceIssuer
    municipality: str
    identity: RpsIdentity
    id: str = ""
    number: str = ""  # of the NFS-e
    key: str = ""  # 50 digits, national
    verification_code: str = ""
    protocol: str = ""  # of an asynchronous lot
    issued_at: datetime | None = None
