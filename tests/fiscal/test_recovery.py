"""The table of §8.5 and REC-1 to REC-9, with an authority that says what is to be believed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.issuing import loses, nfe_body, refuses, says, told, unreachable

from fiscal.authorities.base import EventAnswer
from fiscal.models import (
    Archive,
    Attempt,
    Company,
    EventState,
    FiscalDocument,
    FiscalEvent,
    State,
)
from fiscal.services import issue, recovery
from fiscal.services.delivery import advance
from fiscal.services.resuming import resume
from lib import clock


@pytest.fixture
def unknown(company: Company, authority: Any) -> FiscalDocument:
    """A document that was authorized while its answer was lost."""
    return lost(company, authority, after=True)


def lost(company: Company, authority: Any, *, after: bool, ref: str = "r1") -> FiscalDocument:
    document = issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body()
    )
    authority.next("authorize", loses(after=after))
    return advance(document.pk)


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


def test_another_digest_under_our_key_is_a_conflict(company, authority, unknown):
    authority.held[unknown.chave] = ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "135260000000009")

    resume(unknown.pk)

    assert fresh(unknown).state == State.CONFLITO


def test_a_cancellation_found_by_the_query_is_adopted_with_the_authorization(
    company, authority, unknown
):
    chave = unknown.chave or ""
    event = EventAnswer(
        chave=chave, tp_evento="110111", n_seq=1, c_stat="135", x_motivo="Evento registrado",
        protocolo="135260000000077", dh_registro=clock.now(), tp_amb="2", c_orgao="35",
        xml=b"<retEvento/>", evento=b"<evento/>", proc=b"<procEventoNFe/>",
    )  # fmt: skip

    def cancelled(scripted: Any, call: Any) -> Any:
        one = scripted.protocol(chave, call.route)
        return told("101", "Cancelamento homologado", (one,), events=(event,))

    authority.next("consult", cancelled)
    resume(unknown.pk)

    document = fresh(unknown)
    assert (document.state, document.protocolo) == (State.CANCELADO, authority.held[chave][1])
    found = FiscalEvent.objects.get(document=document)
    assert (found.state, found.protocolo) == (EventState.REGISTRADO, "135260000000077")
    kinds = set(Archive.objects.filter(document=document).values_list("kind", flat=True))
    assert kinds == {"signed", "authorized", "event"}


@pytest.mark.parametrize("code", ["110", "205"])
def test_a_denial_found_by_the_query_is_final(company, authority, unknown, code):
    authority.next("consult", says(code))

    resume(unknown.pk)

    assert fresh(unknown).state == State.DENEGADO


def test_a_key_too_old_to_be_queried_is_for_an_operator(company, authority, unknown):
    """526."""
    authority.next("consult", says("526"))

    resume(unknown.pk)

    assert fresh(unknown).state == State.CONFLITO


def test_613_leads_to_the_key_that_the_authority_names(company, authority, unknown):
    other = (unknown.chave or "")[:35] + "99999999"
    from fiscal.access_key import check_digit

    other += check_digit(other)
    authority.next("consult", says("613", f"Chave difere [chNFe: {other}]"))

    resume(unknown.pk)

    assert [call.subject for call in authority.calls[1:]] == [unknown.chave, other]
    assert fresh(unknown).state == State.CONFLITO


def test_a_query_that_is_behind_does_not_bring_a_second_document(company, authority, unknown):
    """consulta_atrasada: 217, the same bytes again, 204, and waiting until the query knows."""
    authority.next("consult", says("217"), says("217"), says("217"))

    for _ in range(4):
        resume(unknown.pk)

    document = fresh(unknown)
    assert document.state == State.AUTORIZADO
    assert len(set(authority.sent())) == 1
    assert len(authority.sent()) == 2
    assert len(authority.held) == 1


def test_539_adopts_an_earlier_signature_of_the_same_document(company, authority):
    """NUM-9: the authority holds bytes that we signed before."""
    document = issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref="r1", body=nfe_body()
    )
    authority.next("authorize", refuses("778"))
    document = advance(document.pk)
    earlier = (document.chave, document.digest_value)
    issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref="r1",
        body=nfe_body(natureza_operacao="Outra venda"),
    )  # fmt: skip
    authority.held[earlier[0]] = (earlier[1], "135260000000042")

    document = advance(document.pk)

    assert (document.state, document.digest_value) == (State.AUTORIZADO, earlier[1])
    assert document.protocolo == "135260000000042"


def test_539_with_a_key_of_nobody_is_a_conflict(company, authority):
    """duplicado_fantasma."""
    phantom = "35261111222333000181550010000000011987654321"
    from fiscal.access_key import check_digit

    phantom = phantom[:43] + check_digit(phantom[:43])
    authority.next("authorize", refuses("539", f"Duplicidade [chNFe: {phantom}]"))
    document = issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref="r1", body=nfe_body()
    )

    document = advance(document.pk)

    assert document.state == State.CONFLITO
    assert [call.subject for call in authority.calls[1:]] == [document.chave, phantom]


def test_a_worker_that_died_is_found_after_its_deadline(company, authority, at_moment):
    document = issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref="r1", body=nfe_body()
    )

    def dies(scripted: Any, call: Any) -> Any:
        scripted.take(call)
        raise SystemExit

    authority.next("authorize", dies)
    with pytest.raises(SystemExit):
        advance(document.pk)
    resume(document.pk)
    assert fresh(document).state == State.TRANSMITINDO

    at_moment(clock.now() + timedelta(minutes=3))
    resume(document.pk)

    assert fresh(document).state == State.AUTORIZADO
    assert authority.names() == ["authorize", "consult"]
    assert Attempt.objects.get(document=document).outcome == Attempt.Outcome.ANSWERED


def test_pauses_grow_as_the_silence_lasts(company, authority, unknown):
    """REC-6, with its fifth of jitter."""
    began = Attempt.objects.get(document=unknown).started_at
    expected = {0: 5, 6: 15, 30: 30, 60: 60, 200: 120, 300: 300, 1000: 600, 4000: 900}

    for since, seconds in expected.items():
        pause = recovery.pause(unknown, now=began + timedelta(seconds=since)).total_seconds()
        assert 0.8 * seconds <= pause <= 1.2 * seconds


def test_questions_about_one_key_stay_below_the_ceiling(company, authority, unknown):
    """§8.6: ten an hour, and we keep to half at once."""
    authority.next("consult", *[loses(after=False)] * 20)

    for _ in range(20):
        resume(unknown.pk)

    assert authority.names().count("consult") == 5


def test_a_question_that_never_left_is_not_counted(company, authority, unknown):
    authority.next("consult", *[unreachable] * 8)

    for _ in range(8):
        resume(unknown.pk)

    assert authority.names().count("consult") == 8


def test_656_on_a_question_waits_an_hour(company, authority, unknown):
    authority.next("consult", says("656"))

    resume(unknown.pk)
    resume(unknown.pk)

    document = fresh(unknown)
    assert document.state == State.INDEFINIDO
    assert authority.names().count("consult") == 1
    assert document.next_attempt_at > clock.now() + timedelta(minutes=59)
