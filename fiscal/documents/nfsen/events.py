"""Requests about an issued note: cancellation and its fiscal analysis (NAC-11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fiscal import xml
from fiscal.documents.nfsen import keys
from fiscal.documents.nfsen.writing import TP_AMB, VER_APLIC, VERSION
from fiscal.errors import InvalidRequest
from fiscal.signing import CLASSIC, Profile, Signer
from fiscal.xml import NFSE, escape

CANCELLATION, ANALYSIS = "101101", "101103"
REPLACEMENT = "105102"  # registered by the system itself when a DPS with subst is accepted
GRANTED, DENIED = "105104", "105105"  # what the city answers to an analysis
BY_OFFICE = "305101"

# xDesc is a fixed text of the schema.
DESCRIPTIONS: Mapping[str, str] = {
    CANCELLATION: "Cancelamento de NFS-e",
    ANALYSIS: "Solicitação de Análise Fiscal para Cancelamento de NFS-e",
}
REASONS = ("1", "2", "9")  # error of issue, service not rendered, other
_SHORTEST, _LONGEST = 15, 255  # TSMotivo


@dataclass(frozen=True)
class EventRequest:
    """A signed pedRegEvento, without XML declaration."""

    id: str
    xml: bytes
    digest_value: str


def request(
    kind: str,
    *,
    key: str,
    author: str,
    ambiente: str,
    code: str,
    reason: str,
    moment: datetime,
    signer: Signer,
    profile: Profile = CLASSIC,
) -> EventRequest:
    """The signed request of `kind` about the note `key`.

    `author` is the CNPJ or CPF of its issuer, `code` one of REASONS ("" for 1), `moment` in the
    offset of the issuer. Raises InvalidRequest for a reason that the layout does not take, and
    ValueError for a key that is none.
    """
    element_id = keys.event_request_id(key, kind)
    content = _content(kind, code or REASONS[0], reason)
    tag = "CPFAutor" if len(author) == 11 else "CNPJAutor"
    inner = (
        f'<infPedReg xmlns="{NFSE}" Id="{element_id}"><tpAmb>{TP_AMB[ambiente]}</tpAmb>'
        f"<verAplic>{VER_APLIC}</verAplic><dhEvento>{moment.isoformat(timespec='seconds')}"
        f"</dhEvento><{tag}>{author}</{tag}><chNFSe>{key}</chNFSe>{content}</infPedReg>"
    ).encode()
    signature, digest = signer.signature(inner, element_id=element_id, profile=profile)
    bare = inner.replace(f' xmlns="{NFSE}"'.encode(), b"", 1)
    opening = f'<pedRegEvento xmlns="{NFSE}" versao="{VERSION}">'.encode()
    raw = b"".join((opening, bare, signature, b"</pedRegEvento>"))
    if found := xml.faults(raw, "pedRegEvento"):
        raise ValueError(f"the request is not valid: {found[0].path}: {found[0].detail}")
    return EventRequest(element_id, raw, digest)


def _content(kind: str, code: str, reason: str) -> str:
    if code not in REASONS:
        raise InvalidRequest(
            f"Código de cancelamento inválido. Use um destes: {', '.join(REASONS)}."
        )
    text = xml.text(reason)
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise InvalidRequest('Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.')
    return (
        f"<e{kind}><xDesc>{DESCRIPTIONS[kind]}</xDesc><cMotivo>{code}</cMotivo>"
        f"<xMotivo>{escape(text)}</xMotivo></e{kind}>"
    )
