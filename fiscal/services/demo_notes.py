"""A service note of the demonstration that the national system has issued already.

Everything is as in its real issue but the journey: the stand-in of the national system answers in
this process, under a number of our choice. The note has no legal effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fiscal import xml
from fiscal.authorities.national import sefin
from fiscal.authorities.provider import Kind, Outcome
from fiscal.documents.nfsen import showing
from fiscal.models import Company, ServiceNote
from fiscal.sandbox.certificates import Trust
from fiscal.sandbox.clock import Clock
from fiscal.sandbox.faults import Faults
from fiscal.sandbox.note_call import NoteCall
from fiscal.sandbox.services import national_note, national_values
from fiscal.sandbox.store import Store
from fiscal.sandbox.world import World
from fiscal.services.certificates import opened
from fiscal.services.demo import authority
from fiscal.services.nfse import choice, signing, verdicts

TIPO, AMBIENTE = "nfsen", "homologacao"


def issued_note(
    company: Company, *, ref: str, body: Mapping[str, Any], number: int, now: datetime
) -> ServiceNote:
    """The note of `body` (fiscal-api §5.2), authorized under `number`; the same `ref` only once.

    Inside a transaction. Raises what reading and signing of a body raise.
    """
    known = ServiceNote.objects.filter(company=company, ref=ref, tipo=TIPO).first()
    if known is not None:
        return known
    declared = choice.read(company, body, tipo=TIPO, ambiente=AMBIENTE, now=now)
    provider = choice.choose(declared, ambiente=AMBIENTE, now=now)
    note = ServiceNote.objects.create(
        account=company.account,
        company=company,
        ambiente=AMBIENTE,
        tipo=TIPO,
        ref=ref,
        payload=dict(body),
        created_at=now,
    )
    certificate = opened(company, at=now)
    signed = signing.sign_row(note, declared, provider, now=now, certificate=certificate)
    note.begin(again_at=now)
    note.save()
    signed.keep()
    answer = showing.read_note(_answer(signed.prepared.xml, number, now))
    verdicts.apply(note, Outcome(Kind.AUTHORIZED, note=sefin.issued(answer)), now=now)
    return note


def _answer(declaration: bytes, number: int, now: datetime) -> bytes:
    """What the national system makes of the declaration."""
    made = authority()
    store = Store(Path(":memory:"))
    try:
        trust = Trust((made.root, made.intermediate), [])
        world = World(store, Clock(store), trust, Faults(store), made)
        call = NoteCall(world, AMBIENTE, "AN", "", "nfse", None, now)
        dps = national_values.Dps(xml.parse(declaration))
        values = national_values.compute(dps, call)
        return national_note.compose(
            call,
            dps,
            declaration,
            key=national_note.new_key(call, dps, number),
            nnfse=number,
            values=values,
            reform=national_values.reform(dps, values),
        )
    finally:
        store.close()
