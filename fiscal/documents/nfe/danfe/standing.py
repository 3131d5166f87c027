"""What a print must say about its document beyond the values: marks, phrases, protocol (PDF-5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fiscal.documents.nfe.danfe.tags import Tag, moment
from fiscal.xml import parse

NO_VALUE = "SEM VALOR FISCAL"
CANCELLED = "CANCELADA"
DENIED = "USO DENEGADO"

CANCELLING = ("110111", "110112")  # cancellation, cancellation by substitution (MOC, events)
_EPEC = "110140"
_REGISTERED = ("135", "136", "155")
_DENIED = ("110", "205", "301", "302", "303")
_OFFLINE = "9"
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
class Standing:
    """`marks` go across the page, `phrases` to the top of it."""

    marks: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    protocol_label: str = "PROTOCOLO DE AUTORIZAÇÃO DE USO"
    protocolo: str = ""
    protocol_moment: str = ""

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


def standing_of(root: Tag, events: Iterable[bytes], *, preview: bool) -> Standing:
    """Read protocol, environment, contingency and the registered events of the document.

    Events that were not registered, or are about another key, count for nothing.
    """
    ide, protocol = root.anywhere("ide"), root.anywhere("protNFe").tag("infProt")
    chave = root.anywhere("infNFe").attribute("Id")[3:]
    known = {
        event.tp_evento: event
        for event in map(event_of, events)
        if event.protocolo and event.body("chNFe") == chave
    }
    cancelled = next((known[kind] for kind in CANCELLING if kind in known), None)
    return Standing(
        marks=_marks(ide, protocol, cancelled, is_epec=_EPEC in known, preview=preview),
        phrases=_phrases(ide, protocol, cancelled),
        **_protocol(ide, protocol, known.get(_EPEC)),
    )


def _marks(
    ide: Tag, protocol: Tag, cancelled: Event | None, *, is_epec: bool, preview: bool
) -> tuple[str, ...]:
    marks = []
    # A document that waits for its authorization out in the world is one in contingency.
    is_valid = bool(protocol("nProt")) or ide("tpEmis") == _OFFLINE or is_epec
    if preview or ide("tpAmb") == "2" or not is_valid:
        marks.append(NO_VALUE)
    if protocol("cStat") in _DENIED:
        marks.append(DENIED)
    if cancelled:
        marks.append(CANCELLED)
    return tuple(marks)


def _phrases(ide: Tag, protocol: Tag, cancelled: Event | None) -> tuple[str, ...]:
    phrases = []
    if cancelled:
        phrases.append(
            f"NOTA CANCELADA – protocolo {cancelled.protocolo} de {cancelled.registered_at}"
        )
    if ide("tpAmb") == "2":
        phrases.append("EMITIDA EM AMBIENTE DE HOMOLOGAÇÃO – SEM VALOR FISCAL")
    phrase = _CONTINGENCY.get(ide("tpEmis"), "")
    if phrase and protocol("nProt") and ide("tpEmis") == _OFFLINE:
        phrase = "EMITIDA EM CONTINGÊNCIA"  # and authorised since
    if phrase:
        phrases.append(phrase)
    return tuple(phrases)


def _protocol(ide: Tag, protocol: Tag, epec: Event | None) -> dict[str, str]:
    if protocol("nProt"):
        is_denied = protocol("cStat") in _DENIED
        return {
            "protocol_label": f"PROTOCOLO DE {'DENEGAÇÃO' if is_denied else 'AUTORIZAÇÃO'} DE USO",
            "protocolo": protocol("nProt"),
            "protocol_moment": moment(protocol("dhRecbto")),
        }
    if ide("tpEmis") == "4" and epec:
        return {
            "protocol_label": "PROTOCOLO DO EPEC",
            "protocolo": epec.protocolo,
            "protocol_moment": epec.registered_at,
        }
    return {}
