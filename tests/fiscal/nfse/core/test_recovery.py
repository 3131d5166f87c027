"""Answers that are lost, late or about something else: ask, adopt, send the same again (§8.5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from support.service_notes import (
    CITY,
    issues,
    loses,
    nfse_body,
    refusal,
    refuses,
    says,
    takes_lot,
    unreachable,
)

from fiscal.authorities.base import Misconfigured
from fiscal.authorities.provider import Features, Kind
from fiscal.models import AuthorityStatus, NoteState, ServiceAttempt, ServiceNote
from fiscal.services import company_queue
from fiscal.services.nfse import dispatch, files, issue, recovery, sending
from fiscal.services.sweeps import claim_due
from lib import clock

pytestmark = pytest.mark.django_db
Result = ServiceAttempt.Outcome


@pytest.fixture
def accepted(issuer, city):
    """Accept a note: accepted("r1") answers its row."""

    def accept(ref="r1", **fields):
        return issue.issue_note(
            issuer, ambiente="homologacao", tipo="nfse", ref=ref, body=nfse_body(**fields)
        )

    return accept


def fresh(note):
    return ServiceNote.objects.select_related("company").get(pk=note.pk)


def outcomes(note):
    return list(note.attempts.order_by("id").values_list("outcome", flat=True))


def test_a_lost_answer_is_asked_about_and_adopted(accepted, city, at_moment):
    city.next("send", loses(after=True))
    note = sending.advance(accepted().pk)
    assert note.state == NoteState.INDEFINIDO
    assert note.next_attempt_at > clock.now()
    assert city.names() == ["send"]  # REC-1: never sent first

    at_moment(clock.now() + timedelta(seconds=10))
    assert claim_due() == 1
    sending.resume(note.pk)
    note = fresh(note)
    assert (note.state, note.number) == (NoteState.AUTORIZADO, "1000")
    assert city.names() == ["send", "find"]
    assert outcomes(note) == [Result.ANSWERED]
    assert files.note_xml(note)


def test_what_did_not_arrive_is_sent_again_byte_for_byte(accepted, city):
    city.next("send", loses(after=False), unreachable)
    note = sending.advance(accepted().pk)
    sending.resume(note.pk)  # asked: not found; sent again: not even a connection
    assert fresh(note).state == NoteState.ASSINADO
    ServiceNote.objects.update(next_attempt_at=clock.now())
    sending.resume(note.pk)
    assert fresh(note).state == NoteState.AUTORIZADO
    assert len(set(city.sent())) == 1
    assert outcomes(note) == [Result.NOT_PROCESSED, Result.NOT_SENT, Result.ANSWERED]
    assert fresh(note).rps_number == 1


def test_an_asynchronous_city_is_asked_twice_before(accepted, city, at_moment):
    """REC-2: it may still be about to take what it does not know yet."""
    city.features = Features(polls=True)
    city.next("send", loses(after=False))
    note = sending.advance(accepted().pk)
    sending.resume(note.pk)
    assert fresh(note).state == NoteState.INDEFINIDO
    at_moment(clock.now() + timedelta(seconds=20))
    sending.resume(note.pk)
    assert fresh(note).state == NoteState.AUTORIZADO
    assert city.names() == ["send", "find", "find", "send"]


def test_where_sending_again_is_dangerous_a_person_does_it(accepted, city):
    """São Paulo cancels a note whose RPS comes again (217)."""
    city.features = Features(resends_safely=False)
    city.next("send", loses(after=False))
    note = sending.advance(accepted().pk)
    sending.resume(note.pk)
    note = fresh(note)
    assert note.state == NoteState.INDEFINIDO
    assert "por uma pessoa" in note.last_message
    assert city.names() == ["send", "find"]
    recovery.allow_resending(note.pk, now=clock.now())
    assert sending.advance(note.pk).state == NoteState.AUTORIZADO


def test_a_used_number_is_ours_or_a_matter_for_a_person(accepted, city, at_moment):
    """E10, E0014: adopted when what was signed or declared agrees, `conflito` otherwise."""
    ours, other, unseen = accepted("ours"), accepted("other"), accepted("unseen")
    for number, amount in ((1, "100.00"), (2, "999.00")):
        call = type("C", (), {"key": (CITY, "1", number), "content": b""})()
        city.take(call, xml=b"<other/>", service_amount=Decimal(amount))
    assert sending.advance(ours.pk).state == NoteState.AUTORIZADO
    assert sending.advance(other.pk).state == NoteState.CONFLITO
    assert fresh(other).errors[0]["codigo"] == "conflito"
    assert fresh(other).status == "processando_autorizacao"
    assert city.names() == ["send", "find", "send", "find"]

    city.next("send", lambda script, call: refusal(Kind.DUPLICATE, "E10"))
    assert sending.advance(unseen.pk).state == NoteState.INDEFINIDO  # the query may be behind
    at_moment(clock.now() + timedelta(minutes=31))
    sending.resume(unseen.pk)
    assert fresh(unseen).state == NoteState.CONFLITO
    assert city.names().count("send") == 3
    # The person found it out: asked again, it is there.
    call = type("C", (), {"key": (CITY, "1", 3), "content": files.declared_xml(fresh(unseen))})()
    city.take(call)
    recovery.recover(unseen.pk)
    assert fresh(unseen).state == NoteState.AUTORIZADO


def test_a_lot_is_asked_about_until_it_is_answered(accepted, city, at_moment):
    """ABR-5: 5, 10, 20, 40, 60… seconds, for hours."""
    city.features = Features(polls=True)
    city.next("send", takes_lot)
    city.next("find", *[says(Kind.IN_PROCESS)] * 4)
    note = sending.advance(accepted().pk)
    assert (note.state, note.protocol) == (NoteState.EM_LOTE, "P1")
    start, pauses = clock.now(), []
    for seconds in (6, 16, 36, 76):
        at_moment(start + timedelta(seconds=seconds))
        sending.resume(note.pk)
        pauses.append((fresh(note).next_attempt_at - clock.now()).total_seconds())
    assert all(
        0.7 < found / wanted < 1.3 for found, wanted in zip(pauses, (10, 20, 40, 60), strict=True)
    )
    assert fresh(note).state == NoteState.EM_LOTE
    at_moment(start + timedelta(hours=5))
    sending.resume(note.pk)
    assert fresh(note).state == NoteState.AUTORIZADO

    city.next("send", lambda script, call: says(Kind.IN_PROCESS, protocol="P2")(script, call))
    city.next("find", refuses("E12", "Inscrição inválida."))
    note = sending.advance(accepted("r2").pk)
    sending.resume(note.pk)
    assert fresh(note).state == NoteState.REJEITADO
    assert fresh(note).errors[0]["codigo"] == "E12"

    city.next("send", lambda script, call: says(Kind.IN_PROCESS, protocol="P3")(script, call))
    note = sending.advance(accepted("r3").pk)
    at_moment(clock.now() + timedelta(seconds=30))
    sending.resume(note.pk)  # the lot is unknown (E86): by our number from now on
    assert (fresh(note).state, fresh(note).protocol) == (NoteState.INDEFINIDO, "")
    sending.resume(note.pk)  # and that is unknown as well: the same bytes go again
    assert fresh(note).state == NoteState.AUTORIZADO


def test_an_answer_about_something_else_is_asked_about(accepted, city):
    from fiscal.documents.service import RpsIdentity

    city.next("send", issues(identity=RpsIdentity("homologacao", "1", 77)))
    note = sending.advance(accepted().pk)
    assert note.state == NoteState.CONFLITO

    city.next("send", says(Kind.AUTHORIZED))  # no note in it: proves nothing
    note = sending.advance(accepted("r2").pk)
    assert note.state == NoteState.INDEFINIDO


def test_found_cancelled_is_adopted_as_such(accepted, city):
    city.next("send", loses(after=True))
    note = sending.advance(accepted().pk)
    held = city.held[(CITY, "1", 1)]
    city.next("find", says(Kind.CANCELLED, note=held.note, event_xml=b"<cancelada/>"))
    sending.resume(note.pk)
    note = fresh(note)
    assert (note.state, note.number) == (NoteState.CANCELADO, "1000")
    assert files.cancellation_xml(note) == b"<cancelada/>"


def test_nobody_is_called_while_the_breaker_is_open_or_the_company_stopped(
    accepted, city, issuer, at_moment
):
    city.next("send", *[unreachable] * 5)
    notes = [accepted(f"r{n}") for n in range(6)]
    for note in notes[:5]:
        sending.advance(note.pk)
    assert AuthorityStatus.objects.get(authority=f"M{CITY}").open_until
    assert sending.advance(notes[5].pk).state == NoteState.ASSINADO
    assert len(city.calls) == 5
    at_moment(clock.now() + timedelta(minutes=20))  # closed by time: one tries
    assert sending.advance(notes[5].pk).state == NoteState.AUTORIZADO
    assert sending.advance(notes[0].pk).state == NoteState.AUTORIZADO

    def refused(script, call):
        raise Misconfigured("certificado recusado", elapsed_ms=4)

    city.next("send", refused)
    sending.advance(notes[1].pk)
    assert fresh(notes[1]).state == NoteState.ASSINADO
    assert company_queue.stopped_until(issuer, ambiente="homologacao", now=clock.now())
    n_calls = len(city.calls)
    sending.advance(notes[2].pk)
    assert len(city.calls) == n_calls
    company_queue.resume(issuer, at=clock.now())
    dispatch.work()
    assert fresh(notes[2]).state == NoteState.AUTORIZADO


def test_a_certificate_that_ended_meanwhile_holds_the_note_up(accepted, city, issuer, at_moment):
    note = accepted()
    now = clock.now()
    at_moment(now + timedelta(days=5000))
    sending.advance_next()
    assert fresh(note).state == NoteState.RECEBIDO
    assert "certificado novo" in fresh(note).last_message
    at_moment(now)
    ServiceNote.objects.update(next_attempt_at=now)
    dispatch.work()
    assert fresh(note).state == NoteState.AUTORIZADO


def test_an_error_of_ours_sets_one_note_aside_and_no_other(accepted, city):
    first, second = accepted("r1"), accepted("r2")

    def breaks(script, call):
        raise RuntimeError("not foreseen")

    city.next("send", breaks)
    assert dispatch.work() == 2
    assert fresh(first).state == NoteState.TRANSMITINDO
    assert fresh(second).state == NoteState.AUTORIZADO
    ServiceAttempt.objects.filter(note=first).update(started_at=clock.now() - timedelta(hours=1))
    sending.resume(first.pk)
    assert fresh(first).state == NoteState.AUTORIZADO
