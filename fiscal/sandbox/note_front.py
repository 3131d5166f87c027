"""The authorities of service notes: SEFIN, ADN and cities, from a path to an answer.

`/{ambiente}/SEFIN/…`, `/{ambiente}/ADN/…` and `/{ambiente}/M{ibge}`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from fiscal.sandbox import damage, journal, note_facts, tables
from fiscal.sandbox.certificates import Certificate
from fiscal.sandbox.faults import DURING, Facts, Fault
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services import abrasf, adn, national, sao_paulo
from fiscal.sandbox.wire import Reply, Request
from fiscal.sandbox.world import World

_CITY = re.compile(r"M[0-9]{7}")
_DOWN = {"pausado": 503, "parado": 503, "consumo_indevido": 429}
SAO_PAULO = "M3550308"


def serves(target: str) -> bool:
    """Whether the path is of an authority of service notes."""
    parts = urlsplit(target).path.strip("/").split("/")
    if len(parts) < 2 or parts[0] not in tables.AMBIENTES:
        return False
    return parts[1] in ("SEFIN", "ADN") or bool(_CITY.fullmatch(parts[1]))


def handle(world: World, request: Request, sender: Certificate | None) -> Reply:
    """Answer one request and enter it in the journal before the answer leaves."""
    started = time.perf_counter()
    target = urlsplit(request.target)
    ambiente, authority, *rest = [unquote(part) for part in target.path.strip("/").split("/")]
    call = NoteCall(
        world=world,
        ambiente=ambiente,
        authority=authority,
        modelo="",
        service=note_facts.service_of(authority, request, rest),
        sender=sender,
        now=world.clock.now(),
        payload=request.body,
        request=request,
        parts=tuple(rest),
        query=dict(parse_qsl(target.query)),
    )
    facts = note_facts.facts_of(call)
    call.faults = world.faults.take(facts, call.now.timestamp())
    reply = _answered(call)
    elapsed = (time.perf_counter() - started) * 1000
    journal.enter(call, request, reply, facts, codes=call.codes, elapsed=elapsed)
    return reply


def _answered(call: NoteCall) -> Reply:
    fault = next((each for each in call.faults if each.tipo not in DURING), None)
    if fault is None:
        return _handler(call)(call)
    early = damage.before(fault, call.world.naps)
    if early is not None:
        return early
    if fault.tipo in _DOWN:
        return Reply(_DOWN[fault.tipo], "text/html; charset=utf-8", b"<h1>Indispon\xc3\xadvel</h1>")
    return _damaged(fault, _handler(call)(call), call)


def _damaged(fault: Fault, reply: Reply, call: NoteCall) -> Reply:
    before = reply.body
    reply = damage.to_reply(fault, reply, call.world.naps)
    if fault.tipo == "mal_formado" and reply.body == before:
        reply.body = before[:-1]  # JSON: the last brace is gone
    return reply


def _handler(call: NoteCall) -> Callable[[NoteCall], Reply]:
    if call.authority == "SEFIN":
        return national.answer
    if call.authority == "ADN":
        return adn.answer
    if call.authority == SAO_PAULO:
        return sao_paulo.answer
    return abrasf.answer


__all__ = ["Facts", "handle", "serves"]
