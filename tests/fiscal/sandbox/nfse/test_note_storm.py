"""The soak of service notes in small: four authorities, lost answers, equal books at the end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import FiscalCompanyFactory
from soak import note_worker
from soak.note_faults import AUTHORITIES
from soak.note_proof import prove
from support.certificates import certify

from fiscal.models import NoteState, ServiceNote
from fiscal.services.nfse import cancel, dispatch, recovery, sending
from lib import clock

FAULTS = (
    {"tipo": "queda_depois"},
    {"tipo": "http_html", "parametros": {"quando": "depois"}},
    {"tipo": "truncado"},
    {"tipo": "queda_antes"},
)
pytestmark = pytest.mark.django_db(transaction=True)


def test_after_lost_answers_both_sides_hold_the_same_notes(account, sandbox, at_moment):
    companies = [
        FiscalCompanyFactory(account=account, habilita_nfse=True, habilita_nfsen_homologacao=True)
        for _ in note_worker.PLACES
    ]
    for company in companies:
        certify(company)
    n = len(AUTHORITIES) * len(FAULTS)
    for number in range(n):
        authority = AUTHORITIES[number % len(AUTHORITIES)]
        fault = FAULTS[number // len(AUTHORITIES)]
        sandbox.fault(**fault, servico="nota_envio", autorizador=authority)
        note_worker.hand_in(number, companies=companies)
        dispatch.work()

    settle(at_moment)
    for note in ServiceNote.objects.select_related("company").filter(ref__in=("s0", "s1", "s2")):
        cancel.cancel_note(note, justificativa=note_worker.REASON)
    prove(sandbox.told, n)


def test_the_proof_sees_a_note_that_only_one_side_has(account, sandbox):
    """What ends the storm must be able to fail."""
    from soak.fiscal_proof import Wrong

    company = FiscalCompanyFactory(account=account, habilita_nfsen_homologacao=True)
    certify(company)
    note_worker.hand_in(0, companies=[company])
    dispatch.work()
    prove(sandbox.told, 1)
    sandbox.running.world.store.run("UPDATE notas SET situacao = 'cancelado'")

    with pytest.raises(Wrong, match="diferentes 1"):
        prove(sandbox.told, 1)


def settle(at_moment) -> None:
    """Time goes by until every note is decided; a person lets São Paulo have one again."""
    begin = clock.now()
    for hour in range(1, 12):
        waiting = ServiceNote.objects.exclude(next_attempt_at=None)
        if not waiting.exists():
            return
        at_moment(begin + timedelta(hours=hour))
        for note in waiting:
            sending.resume(note.pk)
            row = ServiceNote.objects.get(pk=note.pk)
            if row.state == NoteState.INDEFINIDO and row.last_message == recovery.NOT_FOUND:
                recovery.allow_resending(row.pk, now=clock.now())
        dispatch.work()
    raise AssertionError([(row.ref, row.state, row.last_message) for row in waiting])
