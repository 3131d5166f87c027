"""What a print must say about its document beyond the values: marks, phrases, protocol (PDF-5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fiscal.documents.nfe.danfe.tags import Tag, moment
from fiscal.xml import parse

NO_VALUE = "SEM VALOR FISCAL"
CANCELLED = "CANCELADA"
DENIED = "USO DENEGADO"

CANCELLING = ("110111", "110112")  # cancellation, cancellation by substitution (MOC, events)
_EPEC = "110140"
_REGISTERED = ("124", "135", "136", "155")  # 124 is said of an EPEC
_DENIED = ("110", "205", "301", "302", "303")
_OFFLINE = "9"
_BY_EPEC = "4"
# CON-8, by tpEmis.
_CONTINGENCY = {
    "2": "DANFE em contingência – impresso em decorrência de problemas técnicos",
    "4": "DANFE impresso em contingência – EPEC regularmente recebido pela Receita Federal",
    "5": "DANFE em contingência – impresso em decorrência de problemas técnicos",
    "9": "EMITIDA EM CONTINGÊNCIA – Pendente de autorização",
}


@dataclass(frozen=True)
class Event:
    """A registered event of the document."""

    tp_evento: str
    protocolo: str
    registered_at: str  # dd/mm/aaaa hh:mm:ss, as written
    body: Tag


@dataclass(frozen=True)
class Cancellation:
    """A cancellation that only a query told of, without its event; either text may be empty."""

    protocolo: str = ""
    registered_at: str = ""  # dd/mm/aaaa hh:mm:ss


@dataclass(frozen=True)
class Standing:
    """`marks` go across the page, `phrases` to the top of it."""

    marks: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    protocol_label: str = "PROTOCOLO DE AUTORIZAÇÃO DE USO"
    protocolo: str = ""
    protocol_moment: str = ""
    consultation: tuple[str, str] = (
        "Consulta de autenticidade no portal nacional da NF-e",
        "www.nfe.fazenda.gov.br/portal ou no site da Sefaz Autorizadora",
    )

    @property
    def protocol_line(self) -> str:
        return " - ".join(filter(None, (self.protocolo, self.protocol_moment)))


def event_of(raw: bytes) -> Event:
    """The event inside procEventoNFe, whichever wrapper it came in. Raises BadXml."""
    root = Tag(parse(raw))
    answer = root.anywhere("retEvento").anywhere("infEvento")
    return Event(
        tp_evento=root.anywhere("evento").anywhere("tpEvento").text,
        protocolo=answer("nProt") if answer("cStat") in _REGISTERED else "",
        registered_at=moment(answer("dhRegEvento")),
        body=root.anywhere("evento").tag("infEvento"),
    )


def standing_of(
    root: Tag, events: Iterable[bytes], *, cancellation: Cancellation | None, preview: bool
) -> Standing:
    """Read protocol, environment, contingency and the registered events of the document.

    Events that were not registered, or are about another key, count for nothing. `cancellation`
    stands in for an event that never reached the archive.
    """
    ide, protocol = root.anywhere("ide"), root.anywhere("protNFe").tag("infProt")
    chave = root.anywhere("infNFe").attribute("Id")[3:]
    known = {
        event.tp_evento: event
        for event in map(event_of, events)
        if event.protocolo and event.body("chNFe") == chave
    }
    told = (_cancelling(known[kind]) for kind in CANCELLING if kind in known)
    seen = _Seen(ide, protocol, next(told, cancellation), known.get(_EPEC), preview)
    return Standing(marks=_marks(seen), phrases=_phrases(seen), **_protocol(seen))


@dataclass(frozen=True)
class _Seen:
    """What the XML, its events and the caller said."""

    ide: Tag
    protocol: Tag
    cancelled: Cancellation | None
    epec: Event | None
    preview: bool

    @property
    def is_authorized(self) -> bool:
        return bool(self.protocol("nProt"))

    @property
    def is_denied(self) -> bool:
        return self.protocol("cStat") in _DENIED


def _cancelling(event: Event) -> Cancellation:
    return Cancellation(event.protocolo, event.registered_at)


def _marks(seen: _Seen) -> tuple[str, ...]:
    marks = []
    # A document that waits for its authorization out in the world is one in contingency.
    is_valid = seen.is_authorized or seen.ide("tpEmis") == _OFFLINE or seen.epec
    if seen.preview or seen.ide("tpAmb") == "2" or not is_valid:
        marks.append(NO_VALUE)
    if seen.is_denied:
        marks.append(DENIED)
    if seen.cancelled:
        marks.append(CANCELLED)
    return tuple(marks)


def _phrases(seen: _Seen) -> tuple[str, ...]:
    phrases = ["PRÉ-VISUALIZAÇÃO – DOCUMENTO NÃO EMITIDO"] if seen.preview else []
    if seen.cancelled:
        phrases.append(_cancelled_phrase(seen.cancelled))
    if seen.ide("tpAmb") == "2":
        phrases.append("EMITIDA EM AMBIENTE DE HOMOLOGAÇÃO – SEM VALOR FISCAL")
    phrases.append(_contingency_phrase(seen))
    return tuple(filter(None, phrases))


def _cancelled_phrase(cancelled: Cancellation) -> str:
    protocol = f" – protocolo {cancelled.protocolo}" if cancelled.protocolo else ""
    when = f" de {cancelled.registered_at}" if protocol and cancelled.registered_at else ""
    return f"NOTA CANCELADA{protocol}{when}"


def _contingency_phrase(seen: _Seen) -> str:
    kind = seen.ide("tpEmis")
    if kind == _OFFLINE and seen.is_authorized:
        return "EMITIDA EM CONTINGÊNCIA"  # and authorized since
    if kind == _BY_EPEC and not (seen.epec or seen.is_authorized):
        return ""  # nobody has received anything yet
    return _CONTINGENCY.get(kind, "")


def _protocol(seen: _Seen) -> dict[str, Any]:
    if seen.is_authorized:
        what = "DENEGAÇÃO" if seen.is_denied else "AUTORIZAÇÃO"
        return {
            "protocol_label": f"PROTOCOLO DE {what} DE USO",
            "protocolo": seen.protocol("nProt"),
            "protocol_moment": moment(seen.protocol("dhRecbto")),
        }
    if seen.ide("tpEmis") == _BY_EPEC and seen.epec:
        return {
            "protocol_label": "PROTOCOLO DE AUTORIZAÇÃO DO EPEC",
            "protocolo": seen.epec.protocolo,
            "protocol_moment": seen.epec.registered_at,
            # The home authority does not know the document yet (MOC 7.0, Anexo II, 3.9.3).
            "consultation": (
                "Consulta de autenticidade no portal da NF-e",
                "www.nfe.fazenda.gov.br/portal",
            ),
        }
    return {}
