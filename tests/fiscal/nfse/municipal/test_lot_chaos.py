"""kill -9 between a lot, its protocol and its notes: one note there and here (ABR-5, ABR-6)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from support.service_notes import nfse_body

from fiscal.authorities.municipal.abrasf import Abrasf
from fiscal.authorities.municipal.sao_paulo import SaoPaulo
from fiscal.models import Archive, Company, NoteState, ServiceAttempt, ServiceNote, ServiceSeries
from fiscal.services.nfse import files, issue, recovery, sending, transmit, verdicts
from lib import clock

LOTS, SAO_PAULO = "3104205", "3550308"
REFORM = {
    "codigo_tributario_municipio": "2658", "codigo_nbs": "115022000",
    "codigo_indicador_operacao": "100301", "ibs_cbs_classificacao_tributaria": "000001",
}  # fmt: skip
pytestmark = pytest.mark.django_db(transaction=True)

# Who is killed at which step, before or after it, and what is left.
SENDING: list[tuple[str, Any, str, bool, str]] = [
    ("nothing sent", Abrasf, "send", True, NoteState.TRANSMITINDO),
    ("the protocol was not read", Abrasf, "send", False, NoteState.TRANSMITINDO),
    ("the protocol was not recorded", transmit, "record_outcome", True, NoteState.TRANSMITINDO),
    ("recorded, not asked about", transmit, "record_outcome", False, NoteState.EM_LOTE),
]
ASKING: list[tuple[str, Any, str, bool, str]] = [
    ("not asked", Abrasf, "find", True, NoteState.EM_LOTE),
    ("asked, the answer was not read", Abrasf, "find", False, NoteState.EM_LOTE),
    ("answered, not believed", recovery, "settle", True, NoteState.EM_LOTE),
    ("adopted, not committed", verdicts, "adopt", False, NoteState.EM_LOTE),
    ("archived, not committed", files, "keep", False, NoteState.EM_LOTE),
    ("settled", recovery, "settle", False, NoteState.AUTORIZADO),
]


@pytest.fixture
def issuer(company: Company, sandbox: Any) -> Company:
    company.habilita_nfse = True
    company.save()
    sandbox.set(municipios={SAO_PAULO: {"convenio": 1, "emissor": 0}})
    return company


def accepted(company: Company, ref: str, city: str) -> ServiceNote:
    body = nfse_body(prestador={"codigo_municipio": city}, servico=REFORM)
    return issue.issue_note(company, ambiente="homologacao", tipo="nfse", ref=ref, body=body)


def fresh(note: ServiceNote) -> ServiceNote:
    return ServiceNote.objects.select_related("company").get(pk=note.pk)


def killed(owner: Any, name: str, before: bool, work: Any) -> bool:
    """Run `work` in a process of its own; whether it was killed at the step."""

    def life() -> None:
        original = getattr(owner, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            if not before:
                original(*args, **kwargs)
            return os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, step)
        work()

    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=life)
    process.start()
    process.join(30)
    return process.exitcode == -signal.SIGKILL


def settled(note: ServiceNote) -> ServiceNote:
    for _ in range(8):
        if fresh(note).state == NoteState.AUTORIZADO:
            break
        sending.resume(note.pk)
    return fresh(note)


def test_a_worker_killed_around_a_lot_loses_nothing_and_numbers_nothing_twice(
    issuer, sandbox, at_moment
):
    notes = []
    for n, (what, owner, name, before, left) in enumerate(SENDING):
        note = accepted(issuer, f"s{n}", LOTS)
        assert killed(owner, name, before, lambda pk=note.pk: sending.advance(pk)), what
        assert fresh(note).state == left, what
        notes.append(note)
    for n, (what, owner, name, before, left) in enumerate(ASKING):
        note = accepted(issuer, f"a{n}", LOTS)
        sending.advance(note.pk)
        assert fresh(note).state == NoteState.EM_LOTE, what
        assert killed(owner, name, before, lambda pk=note.pk: sending.resume(pk)), what
        assert fresh(note).state == left, what
        notes.append(note)

    at_moment(clock.now() + timedelta(minutes=3))
    rows = [settled(note) for note in notes]

    assert {row.state for row in rows} == {NoteState.AUTORIZADO}, [row.last_message for row in rows]
    assert [row.rps_number for row in rows] == list(range(1, len(rows) + 1))
    assert ServiceSeries.objects.get().next_number == len(rows) + 1
    there = sandbox.told("GET", "notas", autorizador=f"M{LOTS}")
    assert sorted(one["numero"] for one in there) == sorted(int(row.number) for row in rows)
    assert not ServiceAttempt.objects.filter(outcome__in=("open", "lost")).exists()
    for row in rows:
        assert row.archives.filter(kind=Archive.Kind.NOTE).count() == 1


def test_sao_paulo_is_asked_and_never_sent_to_twice(issuer, sandbox, at_moment):
    taken, lost = (accepted(issuer, ref, SAO_PAULO) for ref in ("taken", "lost"))
    assert killed(SaoPaulo, "send", False, lambda: sending.advance(taken.pk))
    assert killed(SaoPaulo, "send", True, lambda: sending.advance(lost.pk))

    at_moment(clock.now() + timedelta(minutes=3))
    assert settled(taken).state == NoteState.AUTORIZADO
    assert settled(lost).state == NoteState.INDEFINIDO  # a person says whether it goes again
    recovery.allow_resending(lost.pk, now=clock.now())
    assert settled(lost).state == NoteState.AUTORIZADO

    there = sandbox.told("GET", "notas", autorizador=f"M{SAO_PAULO}")
    assert [one["situacao"] for one in there] == ["autorizado", "autorizado"]
    assert sorted(row.rps_number or 0 for row in ServiceNote.objects.all()) == [1, 2]
