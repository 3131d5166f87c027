"""Faults of the real sandbox over real TLS: one authorized document there and here (§20.5)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from support.issuing import nfe_body

from accounts.services import calls
from fiscal.authorities import sefaz
from fiscal.authorities.transport import Limits
from fiscal.errors import InProcessing
from fiscal.models import (
    Archive,
    Attempt,
    Company,
    FiscalDocument,
    FiscalHook,
    HookNotice,
    Series,
    State,
)
from fiscal.services import archive, dispatch, issue, notices, recovery, signing_step, transmit
from fiscal.services.delivery import advance
from fiscal.services.resuming import resume
from fiscal.services.sweeps import claim_due
from lib import clock

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("sem_conexao", {"vezes": 1}),
    ("tls_recusado", {"vezes": 1}),
    ("queda_antes", {}),
    ("queda_depois", {}),
    ("lento_antes", {"parametros": {"segundos": 2}}),
    ("lento_depois", {"parametros": {"segundos": 2}}),
    ("truncado", {}),
    ("mal_formado", {}),
    ("vazio", {}),
    ("http_500", {"parametros": {"quando": "depois"}}),
    ("http_503", {"parametros": {"quando": "depois"}}),
    ("http_html", {"parametros": {"quando": "depois"}}),
    ("soap_fault", {"parametros": {"quando": "depois"}}),
    ("em_processamento", {}),
    ("gotejar", {}),
    ("outra_codificacao", {}),
]
ON_CONNECTION = ("sem_conexao", "tls_recusado")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow answers are lost after a second instead of a minute."""
    original = sefaz.Sefaz.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("changing", Limits(read=1))
        kwargs.setdefault("asking", Limits(read=5))
        original(self, *args, **kwargs)

    monkeypatch.setattr(sefaz.Sefaz, "__init__", init)


def accepted(company: Company, ref: str = "r1") -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body()
    )


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


def prove(document: FiscalDocument, sandbox: Any) -> None:
    """One document there, one here, the same protocol, and no number lost."""
    document = fresh(document)
    there = sandbox.documents()
    assert document.state == State.AUTORIZADO, (document.state, document.c_stat, document.x_motivo)
    assert [(row["chave"], row["protocolo"]) for row in there] == [
        (document.chave, document.protocolo)
    ]
    assert FiscalDocument.objects.count() == 1
    assert Series.objects.get(modelo=55).next_number == 2


def until_settled(document: FiscalDocument, rounds: int = 6) -> FiscalDocument:
    for _ in range(rounds):
        document = fresh(document)
        if document.next_attempt_at is None:
            break
        resume(document.pk)
    return fresh(document)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("tipo", "rule"), FAULTS, ids=[tipo for tipo, _ in FAULTS])
def test_after_any_fault_there_is_one_document_there_and_here(company, sandbox, tipo, rule):
    service = {} if tipo in ON_CONNECTION else {"servico": "autorizacao"}
    sandbox.fault(tipo, **service, **rule)
    document = accepted(company)

    advance(document.pk)
    until_settled(document)
    if tipo.startswith("lento"):
        time.sleep(2)  # what the sandbox still holds belongs to this test

    prove(document, sandbox)


@pytest.mark.django_db(transaction=True)
def test_a_query_that_lags_behind_brings_no_second_document(company, sandbox):
    sandbox.fault("queda_depois", servico="autorizacao")
    sandbox.fault("consulta_atrasada", servico="consulta_protocolo", vezes=2)
    document = accepted(company)

    advance(document.pk)
    until_settled(document)

    prove(document, sandbox)
    assert len({row["chave"] for row in sandbox.requests(servico="autorizacao")}) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tipo", ["resposta_trocada", "digval_trocado"])
def test_an_answer_about_something_else_is_for_a_person(company, sandbox, tipo):
    sandbox.fault(tipo, servico="autorizacao")
    document = accepted(company)

    document = advance(document.pk)
    assert document.state == State.CONFLITO
    recovery.recover(document.pk)

    prove(document, sandbox)


# --- kill -9 -----------------------------------------------------------------------------------


def is_authorized_file(*args: Any, **kwargs: Any) -> bool:
    return args[1] == Archive.Kind.AUTHORIZED


# The way of a document, §8.5: who is killed at which step, before or after it, and what is left.
STEPS: list[tuple[str, Any, str, bool, str]] = [
    ("before the signature", signing_step, "sign_row", True, State.RECEBIDO),
    ("signed, not committed", signing_step, "sign_row", False, State.RECEBIDO),
    ("before the attempt is open", transmit, "_open", True, State.RECEBIDO),
    ("the attempt is open, nothing sent", transmit, "begin", False, State.TRANSMITINDO),
    ("sent, no answer", sefaz.Sefaz, "authorize", False, State.TRANSMITINDO),
    ("answered, not recorded", transmit, "record_answer", True, State.TRANSMITINDO),
    ("before the archive", archive, "keep", True, State.TRANSMITINDO),
    ("archived, not committed", archive, "keep", False, State.TRANSMITINDO),
    ("before the notices", notices, "announce", True, State.TRANSMITINDO),
    ("told, not committed", notices, "announce", False, State.TRANSMITINDO),
    ("recorded", transmit, "record_answer", False, State.AUTORIZADO),
]


def dies(owner: Any, name: str, *, before: bool) -> None:
    """Kill -9 this process at that step."""
    original = getattr(owner, name)

    def step(*args: Any, **kwargs: Any) -> Any:
        if name == "keep" and not is_authorized_file(*args):
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


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_at_any_step_loses_nothing(company, sandbox, at_moment):
    hook = FiscalHook.objects.create(
        account=company.account, company=company, public_id="h1", event="nfe",
        ambiente="homologacao", url="https://hooks.invalid/", created_at=clock.now(),
    )  # fmt: skip
    for n, (what, owner, name, before, left) in enumerate(STEPS):
        document = accepted(company, f"r{n}")
        assert killed(owner, name, before, lambda pk=document.pk: advance(pk)), what
        assert fresh(document).state == left, what
    numbers = FiscalDocument.objects.values_list("numero", flat=True)
    assert Series.objects.get().next_number == 1 + len([n for n in numbers if n])

    at_moment(clock.now() + timedelta(minutes=3))
    for document in FiscalDocument.objects.order_by("pk"):
        until_settled(document)

    here = FiscalDocument.objects.order_by("pk")
    there = {row["chave"]: row["protocolo"] for row in sandbox.documents()}
    assert {row.state for row in here} == {State.AUTORIZADO}
    assert there == {row.chave: row.protocolo for row in here}
    assert sorted(row.numero for row in here) == list(range(1, len(STEPS) + 1))
    assert Series.objects.get().next_number == len(STEPS) + 1
    assert not Attempt.objects.exclude(outcome=Attempt.Outcome.ANSWERED).exclude(
        outcome=Attempt.Outcome.NOT_PROCESSED
    )
    for row in here:
        assert row.archives.filter(kind=Archive.Kind.AUTHORIZED).count() == 1
        assert HookNotice.objects.filter(hook=hook, document=row).count() == 1
        assert len({each["chave"] for each in sandbox.requests(chave=row.chave)}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_server_killed_while_it_accepts_keeps_all_or_nothing(company, sandbox):
    assert killed(dispatch, "call", False, lambda: accepted(company))
    assert not FiscalDocument.objects.exists()

    assert killed(calls, "call", True, lambda: accepted(company))  # committed, and nobody called
    document = FiscalDocument.objects.get()
    assert document.state == State.RECEBIDO
    with pytest.raises(InProcessing):  # its client repeats, having seen no answer
        accepted(company)
    assert claim_due() == 1
    dispatch.work()

    prove(document, sandbox)
