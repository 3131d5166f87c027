"""What goes to an authority and what comes back, as plain values (fiscal-engine §8)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from lib.errors import GatewayRefused, GatewayUnavailable

TP_AMB = {"producao": "1", "homologacao": "2"}
_KEY = re.compile(r"\[chNFe:\s*([0-9]{6}[0-9A-Z]{12}[0-9]{26})\s*\]", re.IGNORECASE)
_RECEIPT = re.compile(r"\[nRec:\s*([0-9]{15})\s*\]", re.IGNORECASE)


class NotSent(GatewayUnavailable):
    """Provably nothing was taken: the connection never came to be (REC-8), or we were told so.

    `wait` is the number of seconds that the other side asked for, 0 when it did not.
    """

    def __init__(self, reason: str, *, elapsed_ms: int = 0, wait: int = 0) -> None:
        super().__init__(reason)
        self.elapsed_ms = elapsed_ms
        self.wait = wait


class Lost(GatewayUnavailable):
    """The outcome is unknown: ask before sending again (REC-1, REC-9).

    `raw` is what came before the loss, for the record of the attempt; it proves nothing.
    """

    def __init__(self, reason: str, *, raw: bytes = b"", elapsed_ms: int = 0) -> None:
        super().__init__(reason)
        self.raw = raw
        self.elapsed_ms = elapsed_ms


class Misconfigured(GatewayRefused):
    """Nothing was processed and nothing will be until an operator acts (CONFIG_ERROR)."""

    def __init__(self, reason: str, *, elapsed_ms: int = 0) -> None:
        super().__init__(reason)
        self.elapsed_ms = elapsed_ms


class NotOffered(Misconfigured):
    """That authority has no such service, model or form of issue."""


@dataclass(frozen=True)
class Credentials:
    """The certificate that opens the connection: PEM, leaf first; the key without password."""

    thumbprint: str  # SHA-256 of the leaf: what tells one taxpayer's connections from another's
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)


@dataclass(frozen=True)
class Route:
    """Who serves a UF: what a status, a breaker and a contingency are about (§8.7)."""

    authority: str  # SP, SVRS, SVC-AN, AN…
    uf: str
    modelo: int
    ambiente: str


@dataclass(frozen=True)
class Message:
    """cMsg and xMsg that accompany an answer (ANS-5)."""

    codigo: str
    texto: str


@dataclass(frozen=True)
class Protocol:
    """protNFe/infProt; `xml` is protNFe byte for byte, with the namespace it inherited (ANS-4)."""

    chave: str
    c_stat: str
    x_motivo: str
    protocolo: str  # nProt; empty for a refusal
    digest_value: str
    dh_recbto: datetime | None
    tp_amb: str
    xml: bytes = field(repr=False)
    messages: tuple[Message, ...] = ()

    def differences(self, *, chave: str, digest_value: str, ambiente: str) -> tuple[str, ...]:
        """The tags in which an authorization is not about our document (ANS-3): empty, believe it.

        Some authorities leave digVal out of the answer to a query: absent is not different.
        """
        faults = {
            "chNFe": self.chave != chave,
            "digVal": bool(self.digest_value) and self.digest_value != digest_value,
            "tpAmb": self.tp_amb != TP_AMB[ambiente],
            "nProt": len(self.protocolo) not in (15, 17),
        }
        return tuple(tag for tag, wrong in faults.items() if wrong)


@dataclass(frozen=True)
class EventAnswer:
    """retEvento/infEvento. From a query, `evento` and `proc` hold what was registered."""

    chave: str
    tp_evento: str
    n_seq: int | None
    c_stat: str
    x_motivo: str
    protocolo: str
    dh_registro: datetime | None
    tp_amb: str
    c_orgao: str
    xml: bytes = field(repr=False)  # retEvento
    evento: bytes = field(default=b"", repr=False)
    proc: bytes = field(default=b"", repr=False)  # procEventoNFe


@dataclass(frozen=True)
class VoidAnswer:
    """retInutNFe/infInut; numbers are None where a refusal leaves them out."""

    c_stat: str
    x_motivo: str
    protocolo: str
    dh_recbto: datetime | None
    tp_amb: str
    cnpj: str
    ano: int | None
    modelo: int | None
    serie: int | None
    first: int | None
    last: int | None
    xml: bytes = field(repr=False)


@dataclass(frozen=True)
class DistributedDocument:
    """A docZip, unpacked; `schema` is the attribute that routes it (DIS-3).

    Where it cannot be unpacked `fault` says why, in pt-BR, and `content` is the text as it came:
    its NSU counts all the same, and the documents beside it are good.
    """

    nsu: str
    schema: str
    content: bytes = field(repr=False)
    fault: str = ""


@dataclass(frozen=True)
class Distribution:
    """Where the taxpayer stands in the distribution, and the documents of this page."""

    ult_nsu: str
    max_nsu: str
    documents: tuple[DistributedDocument, ...]


@dataclass(frozen=True)
class Registration:
    """infCad of the register of contributors; `is_enabled` is cSit 1."""

    uf: str
    ie: str
    document: str
    nome: str
    is_enabled: bool


@dataclass(frozen=True)
class Answer:
    """A readable answer. c_stat and x_motivo are of the batch, never of a document (ANS-2).

    `raw` is the body as received. `protocol` is there when the answer speaks of exactly one.
    """

    c_stat: str
    x_motivo: str
    raw: bytes = field(repr=False)
    elapsed_ms: int = 0
    tp_amb: str = ""
    dh_recbto: datetime | None = None
    protocols: tuple[Protocol, ...] = ()
    receipt: str = ""
    t_med: int | None = None  # seconds
    events: tuple[EventAnswer, ...] = ()
    void: VoidAnswer | None = None
    messages: tuple[Message, ...] = ()
    distribution: Distribution | None = None
    registrations: tuple[Registration, ...] = ()

    @property
    def protocol(self) -> Protocol | None:
        return self.protocols[0] if len(self.protocols) == 1 else None

    def protocol_of(self, chave: str) -> Protocol | None:
        """The protocol of that key; a batch answers in any order."""
        return next((found for found in self.protocols if found.chave == chave), None)


def quoted_keys(x_motivo: str) -> tuple[str, ...]:
    """Access keys that the authority names: [chNFe: …] of 539 and 613 (NUM-9)."""
    return tuple(key.upper() for key in _KEY.findall(x_motivo))


def quoted_receipts(x_motivo: str) -> tuple[str, ...]:
    """Receipts that the authority names: [nRec: …] of 204, 205 and 218 (REC-4)."""
    return tuple(_RECEIPT.findall(x_motivo))
