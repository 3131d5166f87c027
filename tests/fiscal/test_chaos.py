"""Faults of the real sandbox over real TLS: one authorized document there and here (§20.5)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from support.issuing import nfe_body

from fiscal.authorities import sefaz
from fiscal.authorities.transport import Limits
from fiscal.models import Company, FiscalDocument, Series, State
from fiscal.services import issue, transmit
from fiscal.services.delivery import advance, resume
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


@pytest.fixture(autouse=True)
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
    from fiscal.services import recovery

    sandbox.fault(tipo, servico="autorizacao")
    document = accepted(company)

    document = advance(document.pk)
    assert document.state == State.CONFLITO
    recovery.recover(document.pk)

    prove(document, sandbox)


class Killed(BaseException):
    """The worker is gone: no handler of the product sees it."""


STEPS = ["begin", "record_answer"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_between_two_steps_loses_nothing(
    company, sandbox, monkeypatch, at_moment, step, before
):
    document = accepted(company)
    original = getattr(transmit, step)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if not before:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(transmit, step, dying)
    with pytest.raises(Killed):
        advance(document.pk)
    monkeypatch.setattr(transmit, step, original)

    at_moment(clock.now() + timedelta(minutes=3))
    until_settled(document)

    prove(document, sandbox)
