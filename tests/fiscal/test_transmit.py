"""What each answer does to a document (fiscal-engine §8.3 to §8.5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django_q.models import OrmQ
from support.issuing import (
    differs,
    loses,
    nfe_body,
    refuses,
    says,
    takes_time,
    unreachable,
)

from fiscal.models import Archive, Attempt, Company, FiscalDocument, State
from fiscal.services import archive, company_queue, dispatch, issue, recovery, transmit
from fiscal.services.delivery import advance
from fiscal.services.resuming import resume
from fiscal.services.sweeps import claim_due
from lib import clock

Outcome = Attempt.Outcome


def queued(company: Company, ref: str = "r1") -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body()
    )


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


def attempt_of(document: FiscalDocument) -> Attempt:
    return Attempt.objects.filter(document=document).latest("id")


def test_the_authorized_xml_is_the_signed_bytes_and_the_protocols(company, authority):
    document = advance(queued(company).pk)

    signed = archive.signed_xml(document)
    found = archive.find(document, Archive.Kind.AUTHORIZED)
    assert found is not None
    proc = archive.read(found)
    assert proc.startswith(b'<nfeProc xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00">')
    assert signed in proc
    assert proc.endswith(b"</protNFe></nfeProc>")
    attempt = attempt_of(document)
    assert (attempt.outcome, attempt.c_stat) == (Outcome.ANSWERED, "100")


def test_the_attempt_is_committed_before_the_first_byte(company, authority):
    seen: list[tuple[str, str]] = []

    def look(scripted: Any, call: Any) -> Any:
        row = FiscalDocument.objects.get(pk=document.pk)
        seen.append((row.state, attempt_of(row).outcome))
        return scripted.take(call)

    document = queued(company)
    authority.next("authorize", look)
    advance(document.pk)

    assert seen == [(State.TRANSMITINDO, Outcome.OPEN)]


@pytest.mark.parametrize("code", ["150"])
def test_a_late_authorization_is_one(company, authority, code):
    authority.next("authorize", differs(c_stat=code))

    assert advance(queued(company).pk).state == State.AUTORIZADO


@pytest.mark.parametrize(
    "other",
    [
        {"chave": "35261111222333000181550010000000091123456784"},
        {"digest_value": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"tp_amb": "1"},
        {"protocolo": ""},
    ],
    ids=["key", "digest", "environment", "no protocol"],
)
def test_an_authorization_of_something_else_is_a_conflict(company, authority, other):
    """ANS-3."""
    authority.next("authorize", differs(**other))

    document = advance(queued(company).pk)

    assert document.state == State.CONFLITO
    assert document.status == "processando_autorizacao"
    assert document.next_attempt_at is None


def test_a_conflict_is_settled_when_the_authority_holds_our_bytes(company, authority):
    authority.next("authorize", differs(digest_value="AAAAAAAAAAAAAAAAAAAAAAAAAAA="))
    document = advance(queued(company).pk)

    recovery.recover(document.pk)

    assert fresh(document).state == State.AUTORIZADO


def test_a_refusal_keeps_code_text_and_number(company, authority):
    authority.next("authorize", refuses("531", "Total da BC ICMS difere"))

    document = advance(queued(company).pk)

    assert (document.state, document.c_stat) == (State.REJEITADO, "531")
    assert (document.x_motivo, document.numero) == ("Total da BC ICMS difere", 1)
    assert document.next_attempt_at is None


def test_an_unknown_refusal_is_a_refusal(company, authority):
    """ANS-6."""
    authority.next("authorize", refuses("1999"))

    assert advance(queued(company).pk).state == State.REJEITADO


def test_302_without_protocol_is_no_denial(company, authority):
    authority.next("authorize", refuses("302"))

    assert advance(queued(company).pk).state == State.REJEITADO


@pytest.mark.parametrize("code", ["110", "205"])
def test_a_denial_is_final(company, authority, code):
    authority.next("authorize", refuses(code))

    document = advance(queued(company).pk)

    assert document.state == State.DENEGADO
    assert document.status == "denegado"


def test_what_never_left_goes_again_with_the_same_bytes(company, authority):
    """REC-8."""
    authority.next("authorize", unreachable)
    document = advance(queued(company).pk)
    assert document.state == State.ASSINADO
    assert attempt_of(document).outcome == Outcome.NOT_SENT

    resume(document.pk)

    assert fresh(document).state == State.AUTORIZADO
    assert authority.sent()[0] == authority.sent()[1]
    assert "consult" not in authority.names()


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_lost_answer_is_asked_for_and_never_sent_blindly(company, authority, after):
    """REC-1, REC-3."""
    authority.next("authorize", loses(after=after))
    document = advance(queued(company).pk)
    assert document.state == State.INDEFINIDO
    assert attempt_of(document).outcome == Outcome.LOST

    resume(document.pk)

    document = fresh(document)
    assert document.state == State.AUTORIZADO
    rest = ["consult"] if after else ["consult", "authorize"]
    assert authority.names() == ["authorize", *rest]
    assert len(set(authority.sent())) == 1
    assert authority.held == {document.chave: (document.digest_value, document.protocolo)}


@pytest.mark.parametrize("code", ["108", "109"])
def test_a_service_that_is_down_processed_nothing(company, authority, code):
    authority.next("authorize", says(code))

    document = advance(queued(company).pk)

    assert document.state == State.ASSINADO
    assert attempt_of(document).outcome == Outcome.NOT_PROCESSED
    assert document.next_attempt_at is not None
    assert document.next_attempt_at > clock.now()


def test_109_stops_all_documents_of_the_uf_until_its_status_is_good(company, authority):
    authority.next("authorize", says("109"))
    advance(queued(company).pk)

    other = advance(queued(company, "r2").pk)

    assert other.state == State.ASSINADO
    assert authority.names() == ["authorize"]


def test_656_is_an_hour_of_silence(company, authority, at_moment):
    now = clock.now()
    authority.next("authorize", says("656"))
    document = advance(queued(company).pk)
    other = advance(queued(company, "r2").pk)
    assert authority.names() == ["authorize"]
    assert other.next_attempt_at is not None
    assert other.next_attempt_at >= now + timedelta(minutes=59)

    at_moment(now + timedelta(minutes=61))
    resume(document.pk)

    assert fresh(document).state == State.AUTORIZADO


def test_a_configuration_error_stops_the_company_and_only_it(company, authority, other_account):
    from factories import FiscalCompanyFactory
    from support.certificates import certify

    authority.next("authorize", refuses("203", "Emissor nao habilitado"))
    first = advance(queued(company).pk)
    second = advance(queued(company, "r2").pk)
    assert (first.state, second.state) == (State.REJEITADO, State.ASSINADO)
    neighbour = FiscalCompanyFactory(account=other_account)
    certify(neighbour)
    assert advance(queued(neighbour).pk).state == State.AUTORIZADO

    company_queue.resume(company, at=clock.now())
    resume(second.pk)

    assert fresh(second).state == State.AUTORIZADO


def test_a_batch_is_asked_for_by_its_receipt(company, authority):
    authority.next("authorize", takes_time)
    document = advance(queued(company).pk)
    assert (document.state, document.recibo) == (State.EM_LOTE, "351000000000001")

    authority.next("receipt", says("105"))
    resume(document.pk)
    assert fresh(document).state == State.EM_LOTE
    resume(document.pk)

    assert fresh(document).state == State.AUTORIZADO
    assert len(authority.sent()) == 1


def test_an_unknown_receipt_is_asked_for_by_key(company, authority):
    """106."""
    authority.next("authorize", takes_time)
    document = advance(queued(company).pk)
    authority.next("receipt", says("106"))

    resume(document.pk)

    assert fresh(document).state == State.AUTORIZADO
    assert authority.names() == ["authorize", "receipt", "consult"]


def test_an_answer_after_somebody_else_settled_it_changes_nothing(company, authority, at_moment):
    document = queued(company)

    def slow(scripted: Any, call: Any) -> Any:
        answer = scripted.take(call)
        at_moment(clock.now() + timedelta(minutes=5))
        resume(document.pk)  # the sweep takes the worker for dead
        return answer

    authority.next("authorize", slow)
    advance(document.pk)

    assert fresh(document).state == State.AUTORIZADO
    assert Archive.objects.filter(document=document, kind=Archive.Kind.AUTHORIZED).count() == 1
    assert authority.names() == ["authorize", "consult"]


def test_a_document_being_sent_is_left_to_who_sends_it(company, authority):
    document = queued(company)

    def meanwhile(scripted: Any, call: Any) -> Any:
        resume(document.pk)
        advance(document.pk)
        return scripted.take(call)

    authority.next("authorize", meanwhile)
    advance(document.pk)

    assert authority.names() == ["authorize"]


def test_the_sweep_calls_one_task_for_what_waits_to_be_sent(company, authority, at_moment):
    queued(company)
    at_moment(clock.now() + timedelta(minutes=3))

    assert [claim_due(), claim_due()] == [1, 1]

    assert [row.task["func"] for row in OrmQ.objects.all()] == [dispatch.TASK]


def test_the_sweep_claims_what_is_to_be_asked_about_once(company, authority, at_moment):
    authority.next("authorize", loses(after=False))
    advance(queued(company).pk)
    at_moment(clock.now() + timedelta(minutes=3))

    assert [claim_due(), claim_due()] == [1, 0]

    assert [row.task["func"] for row in OrmQ.objects.all()] == ["fiscal.tasks.resume_document"]


def test_batch_numbers_are_never_the_same():
    now = clock.now()

    made = {transmit.new_lote(now + timedelta(milliseconds=n)) for n in range(1000)}

    assert len(made) == 1000
    assert {len(lote) for lote in made} == {15}
