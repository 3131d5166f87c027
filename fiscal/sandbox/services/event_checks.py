"""What an event is refused for, in the order of the guide (§20.3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from fiscal.sandbox import books, schemas
from fiscal.sandbox.checks import signing
from fiscal.sandbox.checks.contingency import EPEC_DELIVERY
from fiscal.sandbox.document import NS, Group, Key, Refusal
from fiscal.sandbox.services import event_kinds
from fiscal.sandbox.services.event_kinds import ISSUER, KINDS, RECIPIENT, Kind
from fiscal.sandbox.world import Call

TOLERANCE = timedelta(minutes=5)
_CONCLUSIVE_CANCELLED = 651


@dataclass
class Event:
    """One received evento and the document it speaks of."""

    raw: bytes
    root: etree._Element
    fields: Group
    row: sqlite3.Row | None

    @property
    def tipo(self) -> str:
        return self.fields.text("tpEvento")

    @property
    def sequence(self) -> int:
        return int(self.fields.text("nSeqEvento"))

    @property
    def key(self) -> Key:
        return Key(self.fields.text("chNFe"))

    @property
    def author(self) -> str:
        return self.fields.text("CNPJ") or self.fields.text("CPF")

    @property
    def kind(self) -> Kind:
        return KINDS[self.tipo]

    @property
    def happened_at(self) -> datetime:
        return datetime.fromisoformat(self.fields.text("dhEvento"))

    @property
    def authorised_at(self) -> datetime:
        """Whole seconds, as dhRecbto says it."""
        seconds = 0 if self.row is None else int(self.row["recebido_em"])
        return datetime.fromtimestamp(seconds, UTC)

    @property
    def is_cancellation(self) -> bool:
        return self.tipo in books.CANCELLATIONS


def check(event: Event, call: Call) -> Iterator[Refusal]:
    """Every refusal, the first of which is the answer."""
    if event.tipo not in KINDS:
        yield Refusal(491)
        return
    if not event_kinds.is_placed(call, event.tipo, event.fields.text("cOrgao"), event.key.modelo):
        yield Refusal(657)
    yield from _form(event, call)
    yield from _author(event, call)
    yield from _sequence(event, call)
    yield from _dates(event, call)
    if event.tipo == "110140":
        yield from _epec(event, call)
    elif event.row is not None:
        yield from _state(event, call)
        yield from _deadline(event, call)
    elif event.kind.place == event_kinds.HOME:
        yield Refusal(494)


def _form(event: Event, call: Call) -> Iterator[Refusal]:
    detail = event.root.find(f"{NS}infEvento/{NS}detEvento")
    if schemas.has_schema(event.tipo) and detail is not None:
        fault = schemas.first_fault(_alone(detail), event.tipo)
        if fault:
            yield Refusal(493, f"[{fault}]")
    wanted = f"ID{event.tipo}{event.key.text}{event.sequence:02d}"
    if event.root[0].get("Id") != wanted:
        yield Refusal(572)
    unsigned = signing.check(event.root, "infEvento", event.author, call)
    if unsigned is not None:
        yield unsigned


def _alone(detail: etree._Element) -> etree._Element:
    """The element as the root of a document, which is what its schema describes."""
    return etree.fromstring(etree.tostring(detail))


def _author(event: Event, call: Call) -> Iterator[Refusal]:
    row, author = event.row, event.author
    if event.kind.author == ISSUER and author != event.key.document:
        yield Refusal(574)
    if event.kind.author == RECIPIENT and row is not None:
        # A branch may answer for another: the base decides.
        if author[:8] != row["destinatario"][:8]:
            yield Refusal(575)
    elif event.kind.author == RECIPIENT and author == event.key.document:
        yield Refusal(575)
    if call.sender is not None and not call.sender.base_is(author):
        call.remarks.append(f"transmitido por {call.sender.document}")


def _sequence(event: Event, call: Call) -> Iterator[Refusal]:
    if books.event(call, event.key.text, event.tipo, event.sequence) is not None:
        yield Refusal(573)
    if event.sequence > event.kind.most:
        yield Refusal(594)


def _dates(event: Event, call: Call) -> Iterator[Refusal]:
    if event.happened_at > call.now + TOLERANCE:
        yield Refusal(578)
    if event.row is None:
        return
    if event.happened_at < datetime.fromisoformat(event.row["dh_emi"]):
        yield Refusal(577)
    elif event.happened_at < event.authorised_at and event.row["tp_emis"] == "1":
        yield Refusal(579)


def _state(event: Event, call: Call) -> Iterator[Refusal]:
    row = event.row
    if row is None:
        return
    if row["situacao"] == "cancelado":
        if event.kind.author == RECIPIENT:
            yield Refusal(650 if event.tipo == "210210" else _CONCLUSIVE_CANCELLED)
        else:
            yield Refusal(218 if event.is_cancellation else 580)
    if event.tipo == "210210" and _is_concluded(call, event.key.text):
        yield Refusal(655)
    if event.is_cancellation and books.event(call, event.key.text, "210200") is not None:
        yield Refusal(221)
    if event.tipo == "110110" and event.key.modelo == "65":
        yield Refusal(784)
    if event.is_cancellation and event.fields.text("detEvento/nProt") != row["protocolo"]:
        yield Refusal(222)
    if event.tipo == "110112":
        yield from _substitute(event, call)


def _is_concluded(call: Call, chave: str) -> bool:
    """Has the recipient said what became of the operation? (NT 2020.001)"""
    return any(
        books.event(call, chave, tipo) is not None for tipo in ("210200", "210220", "210240")
    )


def _substitute(event: Event, call: Call) -> Iterator[Refusal]:
    """110112 names another NFC-e of the issuer, authorised here."""
    named = event.fields.text("detEvento/chNFeRef")
    found = books.find(call, named)
    if named == event.key.text or found is None or found["documento"] != event.key.document:
        yield Refusal(494, "[chNFeRef]")
    elif found["situacao"] != "autorizado":
        yield Refusal(580, "[chNFeRef]")


def _deadline(event: Event, call: Call) -> Iterator[Refusal]:
    age = call.now - event.authorised_at
    cancellable = {
        "110111": event_kinds.cancel_windows(call, event.key.modelo)[1],
        "110112": event_kinds.SUBSTITUTION,
    }
    limit = cancellable.get(event.tipo, event.kind.within)
    if limit is not None and age > limit:
        yield Refusal(501 if event.is_cancellation else 596)


def is_late(event: Event, call: Call) -> bool:
    """A cancellation past its deadline that the unit accepts all the same (155)."""
    if event.tipo != "110111":
        return False
    on_time, _ = event_kinds.cancel_windows(call, event.key.modelo)
    return call.now - event.authorised_at > on_time


def _epec(event: Event, call: Call) -> Iterator[Refusal]:
    if event.key.tp_emis != "4":
        yield Refusal(572, "[tpEmis]")
    same = [
        row["chave"]
        for row in books.epecs_of(call.world.store, call.ambiente, event.key)
        if row["chave"][20:34] == event.key.text[20:34]
    ]
    if same and same[0] != event.key.text:
        yield Refusal(485, f"[chNFe: {same[0]}]")
    known = books.same_number(call, event.key)
    if known:
        yield Refusal(661, f"[chNFe: {known[0]['chave']}]")
    if books.voided(call, event.key) is not None:
        yield Refusal(662)
    late = books.undelivered(call, event.key, before=call.now - EPEC_DELIVERY)
    if late:
        yield Refusal(142, f"[chNFe: {late[0]}]")
