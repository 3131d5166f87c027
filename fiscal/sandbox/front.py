"""From a request to an answer: the path, the envelope, the service, the script, the journal."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from fiscal.sandbox import damage, journal, note_front, soap, tables
from fiscal.sandbox.certificates import Certificate
from fiscal.sandbox.faults import DURING, Facts, facts_of
from fiscal.sandbox.services import respond
from fiscal.sandbox.wire import Reply, Request
from fiscal.sandbox.world import Call, World

_CSTAT = re.compile(r"<cStat>([0-9]{3,4})</cStat>")


@dataclass(frozen=True)
class Address:
    """/{ambiente}/{authority}/{modelo}/{service}."""

    ambiente: str
    authority: str
    modelo: str
    service: str


def address_of(target: str) -> Address | None:
    """The service that a path names, or None."""
    parts = target.partition("?")[0].strip("/").split("/")
    if len(parts) != 4 or parts[0] not in tables.AMBIENTES or parts[2] not in ("55", "65"):
        return None
    found = Address(*parts)
    return found if tables.offers(found.authority, found.service) else None


def handle(world: World, request: Request, sender: Certificate | None) -> Reply:
    """Answer one request and enter it in the journal before the answer leaves."""
    if note_front.serves(request.target):
        return note_front.handle(world, request, sender)
    started = time.perf_counter()
    address = address_of(request.target)
    if address is None:
        return Reply(404, "text/plain; charset=utf-8", "Serviço inexistente".encode())
    if request.method != "POST":
        return Reply(405, "text/plain; charset=utf-8", b"POST")
    call = Call(
        world=world,
        ambiente=address.ambiente,
        authority=address.authority,
        modelo=address.modelo,
        service=address.service,
        sender=sender,
        now=world.clock.now(),
    )
    reply, facts = _answered(call, request)
    elapsed = (time.perf_counter() - started) * 1000
    codes = _CSTAT.findall(call.answered)
    journal.enter(call, request, reply, facts, codes=codes, elapsed=elapsed)
    return reply


def _answered(call: Call, request: Request) -> tuple[Reply, Facts]:
    who = call.sender.document if call.sender else ""
    try:
        call.payload = soap.payload_of(request.body, call.service)
    except soap.NotSoap as error:
        kind, body = soap.fault(str(error))
        return Reply(500, kind, body), Facts(call.service, cnpj=who)
    facts = facts_of(call.service, call.payload, who, call.authority)
    call.faults = call.world.faults.take(facts, call.now.timestamp())
    fault = next((each for each in call.faults if each.tipo not in DURING), None)
    if fault is None:
        return _sealed(call, respond(call)), facts
    early = damage.before(fault, call.world.naps)
    if early is not None:
        return early, facts
    payload = respond(call, damage.instead(fault))
    payload = damage.to_payload(fault, payload, call)
    return damage.to_reply(fault, _sealed(call, payload), call.world.naps), facts


def _sealed(call: Call, payload: str) -> Reply:
    call.answered = payload
    kind, body = soap.sealed(payload, service=call.service, cuf=call.cuf or call.orgao)
    return Reply(200, kind, body)
