"""Faults of the real sandbox, and kill -9 at every step: one note there and here (§8.5, §20.5)."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from support.service_notes import national_body

from accounts.services import calls
from fiscal.authorities.national import sefin
from fiscal.authorities.transport import Limits
from fiscal.errors import InProcessing
from fiscal.models import (
    Archive,
    Company,
    FiscalHook,
    HookNotice,
    NoteState,
    OrderState,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
    ServiceSeries,
)
from fiscal.services.nfse import (
    cancel,
    dispatch,
    files,
    issue,
    notices,
    orders,
    sending,
    signing,
    transmit,
)
from fiscal.services.sweeps import claim_due
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("sem_conexao", {"vezes": 1}),
    ("tls_recusado", {"vezes": 1}),
    ("cadeia_quebrada", {"vezes": 1}),
    ("consumo_indevido", {"vezes": 1}),
    ("resposta_trocada", {}),
    ("queda_antes", {}),
    ("queda_depois", {}),
    ("lento_depois", {"parametros": {"segundos": 2}}),
    ("truncado", {}),
    ("vazio", {}),
    ("http_500", {"parametros": {"quando": "depois"}}),
    ("http_html", {"parametros": {"quando": "depois"}}),
]


@pytest.fixture
def issuer(company: Company) -> Company:
    company.habilita_nfsen_homologacao = True
    company.save()
    return company


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow answers are lost after a second instead of a minute."""
    monkeypatch.setattr(sefin, "CHANGING", Limits(read=1))
    monkeypatch.setattr(sefin, "ASKING", Limits(read=5))


def accepted(company: Company, ref: str = "r1") -> ServiceNote:
    body = national_body()
    return issue.issue_note(company, ambiente="homologacao", tipo="nfsen", ref=ref, body=body)


def fresh(note: ServiceNote) -> ServiceNote:
    return ServiceNote.objects.select_related("company").get(pk=note.pk)


def until_settled(note: ServiceNote, rounds: int = 6) -> ServiceNote:
    for _ in range(rounds):
        note = fresh(note)
        if note.next_attempt_at is None:
            break
        sending.resume(note.pk)
    return fresh(note)


def prove(note: ServiceNote) -> None:
    """Authorized under its own number, with its files, and no number lost."""
    note = fresh(note)
    assert note.state == NoteState.AUTORIZADO, (note.state, note.last_message, note.errors)
    assert note.digest_value.encode() in files.note_xml(note)
    assert ServiceNote.objects.count() == 1
    assert ServiceSeries.objects.get().next_number == 2


@pytest.mark.usefixtures("impatient")
def test_after_any_fault_there_is_one_note_there_and_here(issuer, sandbox):
    for n, (tipo, rule) in enumerate(FAULTS):
        note = accepted(issuer, f"r{n}")
        sandbox.fault(tipo, **rule)  # now: accepting asks for the parameters of the city
        sending.advance(note.pk)
        until_settled(note)
        sandbox.lift(tipo)
        note = fresh(note)
        assert note.state == NoteState.AUTORIZADO, (tipo, note.state, note.last_message)
        assert note.attempts.order_by("id").first().error, tipo  # the fault was met
    rows = ServiceNote.objects.order_by("pk")
    assert [row.rps_number for row in rows] == list(range(1, len(FAULTS) + 1))
    assert len({row.number for row in rows}) == len({row.key for row in rows}) == len(FAULTS)


# The way of a note: who is killed at which step, before or after it, and what is left.
STEPS: list[tuple[str, Any, str, bool, str]] = [
    ("before the signature", signing, "sign_row", True, NoteState.RECEBIDO),
    ("signed, not committed", signing, "sign_row", False, NoteState.RECEBIDO),
    ("before the attempt is open", transmit, "_open", True, NoteState.RECEBIDO),
    ("the attempt is open, nothing sent", transmit, "begin", False, NoteState.TRANSMITINDO),
    ("sent, no answer", sefin.Sefin, "send", False, NoteState.TRANSMITINDO),
    ("answered, not recorded", transmit, "record_outcome", True, NoteState.TRANSMITINDO),
    ("before the archive", files, "keep", True, NoteState.TRANSMITINDO),
    ("archived, not committed", files, "keep", False, NoteState.TRANSMITINDO),
    ("before the notices", notices, "announce", True, NoteState.TRANSMITINDO),
    ("told, not committed", notices, "announce", False, NoteState.TRANSMITINDO),
    ("recorded", transmit, "record_outcome", False, NoteState.AUTORIZADO),
]


def dies(owner: Any, name: str, *, before: bool) -> None:
    """Kill -9 this process at that step."""
    original = getattr(owner, name)

    def step(*args: Any, **kwargs: Any) -> Any:
        if name == "keep" and args[1] != Archive.Kind.NOTE:
            return original(*args, **kwargs)
        if not before:
            original(*args, **kwargs)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, step)


def killed(owner: Any, name: str, before: bool, work: Any) -> bool:
    """Run `work` in a process of its own; whether it was killed at the step."""

    def life() -> None:
        dies(owner, name, before=before)
        work()

    connections.close_all()
    process = multiprocessing.get_context("fork").Process(target=life)
    process.start()
    process.join(30)
    return process.exitcode == -signal.SIGKILL


def test_a_worker_killed_at_any_step_loses_nothing(issuer, sandbox, at_moment):
    hook = FiscalHook.objects.create(
        account=issuer.account, company=issuer, public_id="h1", event="nfsen",
        ambiente="homologacao", url="https://hooks.invalid/", created_at=clock.now(),
    )  # fmt: skip
    for n, (what, owner, name, before, left) in enumerate(STEPS):
        note = accepted(issuer, f"r{n}")
        assert killed(owner, name, before, lambda pk=note.pk: sending.advance(pk)), what
        assert fresh(note).state == left, what
    numbers = ServiceNote.objects.values_list("rps_number", flat=True)
    assert ServiceSeries.objects.get().next_number == 1 + len([n for n in numbers if n])

    at_moment(clock.now() + timedelta(minutes=3))
    for note in ServiceNote.objects.order_by("pk"):
        until_settled(note)

    here = ServiceNote.objects.order_by("pk")
    assert {row.state for row in here} == {NoteState.AUTORIZADO}
    assert sorted(row.rps_number for row in here) == list(range(1, len(STEPS) + 1))
    assert ServiceSeries.objects.get().next_number == len(STEPS) + 1
    assert len({row.key for row in here}) == len(STEPS)
    assert not ServiceAttempt.objects.exclude(outcome__in=("answered", "not_processed")).exists()
    for row in here:
        assert row.archives.filter(kind=Archive.Kind.NOTE).count() == 1
        assert row.archives.filter(kind=Archive.Kind.DECLARED).count() == 1
        assert HookNotice.objects.filter(hook=hook, service_note=row).count() == 1


def test_a_server_killed_while_it_accepts_keeps_all_or_nothing(issuer, sandbox):
    assert killed(dispatch, "call", False, lambda: accepted(issuer))
    assert not ServiceNote.objects.exists()

    assert killed(calls, "call", True, lambda: accepted(issuer))  # committed, and nobody called
    note = ServiceNote.objects.get()
    assert note.state == NoteState.RECEBIDO
    with pytest.raises(InProcessing):  # its client repeats, having seen no answer
        accepted(issuer)
    assert claim_due() == 1
    dispatch.work()

    prove(note)


# The way of a cancellation; "" where no order is left.
ORDER_STEPS: list[tuple[str, Any, str, bool, str]] = [
    ("before it is signed", orders, "sign", True, ""),
    ("signed, not committed", orders, "sign", False, ""),
    ("kept, nothing sent", orders, "advance", True, OrderState.ASSINADO),
    ("before the attempt is open", transmit, "new_attempt", True, OrderState.ASSINADO),
    ("the attempt is open, nothing sent", orders, "_begin", False, OrderState.TRANSMITINDO),
    ("sent, no answer", sefin.Sefin, "send_cancellation", False, OrderState.TRANSMITINDO),
    ("answered, not recorded", orders, "_record_outcome", True, OrderState.TRANSMITINDO),
    ("told, not committed", notices, "announce", False, OrderState.TRANSMITINDO),
    ("recorded", orders, "_record_outcome", False, OrderState.REGISTRADO),
]
REASON = "Servico nao foi prestado"


def test_a_server_killed_while_it_cancels_cancels_once(issuer, sandbox, at_moment):
    for n, (what, owner, name, before, left) in enumerate(ORDER_STEPS):
        note = sending.advance(accepted(issuer, f"r{n}").pk)
        assert note.state == NoteState.AUTORIZADO, note.last_message

        def cancels(note=note):
            cancel.cancel_note(note, justificativa=REASON)

        assert killed(owner, name, before, cancels), what
        order = ServiceOrder.objects.filter(note=note).first()
        assert (order.state if order else "") == left, what

    at_moment(clock.now() + timedelta(minutes=3))
    assert claim_due() == 6  # the sweep finds what lost its process
    for order in ServiceOrder.objects.exclude(state=OrderState.REGISTRADO):
        orders.resume(order.pk)
    for note in ServiceNote.objects.filter(state=NoteState.AUTORIZADO):
        assert not note.orders.exists()  # its client, without an answer, asks again
        cancel.cancel_note(note, justificativa=REASON)

    assert set(ServiceNote.objects.values_list("state", flat=True)) == {NoteState.CANCELADO}
    assert ServiceOrder.objects.count() == len(ORDER_STEPS)
    there = sandbox.told("GET", "notas")
    assert [note["situacao"] for note in there] == ["cancelado"] * len(ORDER_STEPS)
    assert [len(note["eventos"]) for note in there] == [1] * len(ORDER_STEPS)
    for note in ServiceNote.objects.all():
        assert note.archives.filter(kind=Archive.Kind.EVENT).count() == 1
