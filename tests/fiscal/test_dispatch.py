"""Many documents at once: each is picked by one sender, and none holds up the others (PERF-2)."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django_q.models import OrmQ
from support.issuing import nfe_body, says, unreachable

from accounts.services import calls
from fiscal.authorities import transport
from fiscal.models import Attempt, Company, FiscalDocument
from fiscal.services import delivery, dispatch, issue, senders
from fiscal.tasks import send_waiting
from lib import clock


def accept(company: Company, ref: str) -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body()
    )


def states() -> list[str]:
    return list(FiscalDocument.objects.order_by("ref").values_list("state", flat=True))


def test_what_waits_is_sent_oldest_first_each_once(company, authority):
    for n in range(3):
        accept(company, f"r{n}")

    assert [send_waiting(), send_waiting()] == [3, 0]

    assert states() == ["autorizado"] * 3
    assert authority.names() == ["authorize"] * 3
    rows = FiscalDocument.objects.order_by("numero").values_list("numero", "ref")
    assert list(rows) == [(1, "r0"), (2, "r1"), (3, "r2")]


def test_one_that_cannot_go_now_holds_up_nobody(company, authority):
    authority.next("authorize", unreachable)
    accept(company, "r0")
    accept(company, "r1")

    assert send_waiting() == 2

    assert states() == ["assinado", "autorizado"]
    assert FiscalDocument.objects.get(ref="r0").next_attempt_at > clock.now()


def test_an_error_of_ours_sets_its_document_aside(company, authority, at_moment, caplog):
    def stumble(authority: Any, call: Any) -> Any:
        raise ZeroDivisionError

    authority.next("authorize", stumble)
    accept(company, "r0")
    accept(company, "r1")

    assert send_waiting() == 2

    assert states() == ["transmitindo", "autorizado"]
    assert "document.failed" in caplog.text
    # What became of it is asked for when its attempt cannot be on its way any more.
    attempt = Attempt.objects.get(document__ref="r0")
    assert attempt.outcome == Attempt.Outcome.OPEN


def test_one_that_nothing_moves_is_not_picked_again_at_once(company, authority, monkeypatch):
    """Whatever a later rule leaves where it is: the senders go on to the next."""
    accept(company, "r0")
    monkeypatch.setattr(delivery.transmit, "begin_row", lambda document, keep, now: None)

    assert send_waiting() == 1

    assert states() == ["recebido"]
    assert FiscalDocument.objects.get().next_attempt_at > clock.now() + timedelta(minutes=2)


def test_a_successor_is_called_when_time_is_over(company, authority):
    accept(company, "r0")

    assert dispatch.work(seconds=0) == 0

    assert [row.task["func"] for row in OrmQ.objects.all()] == [dispatch.TASK]


@pytest.mark.django_db(transaction=True)
def test_accepting_many_calls_one_task(company, authority):
    for n in range(3):
        accept(company, f"r{n}")
    called = OrmQ.objects.count()
    send_waiting()
    accept(company, "r3")

    assert (called, OrmQ.objects.count()) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_a_refused_document_that_is_corrected_is_sent_again(company, authority):
    authority.next("authorize", says("225", "Rejeicao: Falha no Schema XML"))
    accept(company, "r0")
    send_waiting()
    assert states() == ["rejeitado"]

    accept(company, "r0")
    send_waiting()

    assert states() == ["autorizado"]
    assert FiscalDocument.objects.get().numero == 1


def test_a_lost_call_is_forgotten_after_a_while(db, at_moment):
    now = clock.now()
    calls.call("some.task")
    at_moment(now + timedelta(minutes=1))
    calls.call("some.task")
    waiting = OrmQ.objects.count()
    at_moment(now + timedelta(minutes=3))
    calls.call("some.task")

    assert (waiting, OrmQ.objects.count()) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_senders_work_at_the_same_time_and_share_nothing(company, authority, settings):
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    settings.FISCAL_SENDERS = 4
    meeting = threading.Barrier(4, timeout=30)

    def together(authority: Any, call: Any) -> Any:
        with transport.waiting:
            meeting.wait()  # goes on only when four are on their way
        with lock:
            return authority.take(call)

    lock = threading.Lock()
    authority.next("authorize", *[together] * 8)
    for n in range(8):
        accept(company, f"r{n}")
    try:
        assert dispatch.work() == 8
    finally:
        dispatch.close()

    assert states() == ["autorizado"] * 8
    numbers = FiscalDocument.objects.order_by("numero").values_list("numero", flat=True)
    assert list(numbers) == list(range(1, 9))
    assert Attempt.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_senders_whose_authority_answers_at_once_do_not_multiply(company, authority, settings):
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    settings.FISCAL_SENDERS = 4
    most = inside = 0

    def counted(authority: Any, call: Any) -> Any:
        nonlocal most, inside
        inside += 1
        most = max(most, inside)
        until = time.monotonic() + senders.LOOK_SECONDS
        while time.monotonic() < until:  # computes, which no other thread can help with
            pass
        inside -= 1
        return authority.take(call)

    authority.next("authorize", *[counted] * 6)
    for n in range(6):
        accept(company, f"r{n}")
    try:
        assert dispatch.work() == 6
    finally:
        dispatch.close()

    assert most == 1
