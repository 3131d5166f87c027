"""Many notes and many requests at once: each number once, each ref once (PERF-2, §1.3)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from support.service_notes import nfse_body

from fiscal.authorities import transport
from fiscal.errors import InProcessing
from fiscal.models import NoteState, ServiceAttempt, ServiceNote, ServiceSeries
from fiscal.services.nfse import dispatch, issue

pytestmark = pytest.mark.django_db(transaction=True)


def accept(company, ref):
    body = nfse_body()
    return issue.issue_note(company, ambiente="homologacao", tipo="nfse", ref=ref, body=body)


def test_senders_work_at_the_same_time_and_share_nothing(issuer, city, settings):
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    settings.FISCAL_SENDERS = 4
    meeting, lock = threading.Barrier(4, timeout=30), threading.Lock()

    def together(script, call):
        with transport.waiting:
            meeting.wait()  # goes on only when four are on their way
        with lock:
            return script.take(call)

    city.next("send", *[together] * 8)
    for n in range(8):
        accept(issuer, f"r{n}")
    try:
        assert dispatch.work() == 8
    finally:
        dispatch.close()

    assert set(ServiceNote.objects.values_list("state", flat=True)) == {NoteState.AUTORIZADO}
    numbers = ServiceNote.objects.order_by("rps_number").values_list("rps_number", flat=True)
    assert list(numbers) == list(range(1, 9))
    assert ServiceAttempt.objects.count() == 8
    assert ServiceSeries.objects.get().next_number == 9


def test_two_requests_of_one_ref_are_one_note(issuer, city):
    if connection.vendor != "postgresql":
        pytest.skip("the embedded database has one writer")
    start = threading.Barrier(6, timeout=30)

    def request(n):
        start.wait()
        try:
            return accept(issuer, "r1").pk
        except InProcessing:
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        found = [pk for pk in pool.map(request, range(6)) if pk]
    assert len(found) == 1
    assert ServiceNote.objects.count() == 1
    dispatch.work()
    assert city.names() == ["send"]
