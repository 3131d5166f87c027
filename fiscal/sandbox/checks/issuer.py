"""Row 13: the issuer may issue, and unit and municipality agree.

The check digits of state registrations differ in every unit and are not verified: 209 is said of
a registration of zeros alone, and 230 of one that differs from the one told to the control API.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.sandbox import br, tables
from fiscal.sandbox.document import Document, Refusal
from fiscal.sandbox.world import Call


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """203, 781, 209, 230, 266, 247, 272, 273, 270, 271."""
    head, issuer = document.head, document.issuer
    if not call.world.is_enabled(issuer, document.modelo):
        yield Refusal(781 if document.modelo == "65" else 203)
    ie, registered = head.text("emit/IE"), call.world.registered_ie(issuer)
    if set(ie) == {"0"}:
        yield Refusal(209)
    elif registered and ie != registered:
        yield Refusal(230)
    yield from _series(document)
    yield from _places(document)


def _series(document: Document) -> Iterator[Refusal]:
    """NUM-7: 890-919 are the authority's, 920-969 of issuers identified by CPF."""
    serie = int(document.head.text("ide/serie"))
    is_person = bool(document.head.text("emit/CPF"))
    if 890 <= serie <= 919 or (920 <= serie <= 969) != is_person:
        yield Refusal(266)


def _places(document: Document) -> Iterator[Refusal]:
    head = document.head
    cuf, city = head.text("ide/cUF"), head.text("emit/enderEmit/cMun")
    uf = tables.by_code().get(cuf)
    if uf is None or head.text("emit/enderEmit/UF") != uf.sigla:
        yield Refusal(247)
    if not br.is_municipality(city):
        yield Refusal(272)
    elif city[:2] != cuf:
        yield Refusal(273)
    event_city = head.text("ide/cMunFG")
    if not br.is_municipality(event_city):
        yield Refusal(270)
    elif event_city[:2] != cuf:
        yield Refusal(271)
