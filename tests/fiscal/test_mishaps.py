"""What happens to a company or to its machine while documents are on their way (issue: faults)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from support.certificates import certify
from support.companies import certificate_body
from support.issuing import loses, nfce_body, nfe_body, unreachable

from accounts.services import calls
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import (
    Archive,
    Attempt,
    Company,
    FiscalDocument,
    FiscalHook,
    Series,
    State,
)
from fiscal.services import archive, dispatch, hooks, issue
from fiscal.services.delivery import advance
from fiscal.services.resuming import resume
from fiscal.services.sweeps import claim_due
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def accepted(company: Company, ref: str = "r1", modelo: int = 55, **body: Any) -> FiscalDocument:
    made = nfe_body(**body) if modelo == 55 else nfce_body(**body)
    return issue.issue_document(company, ambiente="homologacao", modelo=modelo, ref=ref, body=made)


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


# --- certificate -------------------------------------------------------------------------------


def test_a_certificate_that_ends_in_the_queue_holds_it_until_there_is_another(
    company, authority, at_moment, nfe, master
):
    """CRT-5: nothing is refused for it, nothing leaves; an upload sets all of it going."""
    company.certificates.all().delete()
    certify(company, ends=2)
    queued, signed, unknown = (accepted(company, f"r{n}") for n in range(3))
    authority.next("authorize", unreachable, loses(after=True))
    assert advance(signed.pk).state == State.ASSINADO
    assert advance(unknown.pk).state == State.INDEFINIDO
    before = authority.names()
    later = clock.now() + timedelta(days=2, minutes=5)
    at_moment(later)

    for document in (queued, signed, unknown):
        resume(document.pk)

    assert authority.names() == before
    states = [fresh(one).state for one in (queued, signed, unknown)]
    assert states == [State.RECEBIDO, State.ASSINADO, State.INDEFINIDO]
    for ref in ("r0", "r1"):
        body = nfe.get(f"nfe/{ref}").json()
        assert body["status"] == "processando_autorizacao"
        assert body["mensagem_sefaz"].startswith("O certificado do emitente está vencido. A nota")
    assert Series.objects.get().next_number == 3  # the unsigned one took none

    answer = master.put(f"empresas/{company.pk}", certificate_body(company.cnpj, ends=40))
    assert answer.status_code == 200, answer.content
    claim_due()
    dispatch.work(seconds=1)
    at_moment(later + timedelta(minutes=20))
    resume(unknown.pk)

    assert {fresh(one).state for one in (queued, signed, unknown)} == {State.AUTORIZADO}
    assert fresh(queued).x_motivo == "Autorizado o uso da NF-e"


# --- clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_that_are_a_little_apart_do_no_harm(company, sandbox, minutes):
    """703 and 704 begin at five minutes."""
    sandbox.clock(avancar=minutes * 60)

    sale, counter = advance(accepted(company).pk), accepted(company, "r2", modelo=65)

    assert (sale.state, counter.state) == (State.AUTORIZADO, State.AUTORIZADO)


def test_a_clock_ahead_is_refused_and_the_number_serves_when_it_is_right(company, sandbox, nfe):
    """703, of either model; ours is ahead of the authority's."""
    sandbox.clock(avancar=-600)

    sale, counter = advance(accepted(company).pk), accepted(company, "r2", modelo=65)

    assert [(one.state, one.c_stat) for one in (sale, counter)] == [(State.REJEITADO, "703")] * 2
    assert "posterior" in nfe.get("nfe/r1").json()["mensagem_sefaz"]
    assert sandbox.documents() == []

    sandbox.clock(avancar=600)
    again = advance(accepted(company).pk), accepted(company, "r2", modelo=65)
    assert [(one.pk, one.state) for one in again] == [
        (sale.pk, State.AUTORIZADO), (counter.pk, State.AUTORIZADO)
    ]  # fmt: skip
    assert [one.numero for one in again] == [sale.numero, counter.numero] == [1, 1]


def test_a_clock_behind_is_704_for_the_counter_only(company, sandbox):
    """Ours is behind: an NF-e may be as old as that, an NFC-e may not."""
    sandbox.clock(avancar=600)

    sale, counter = advance(accepted(company).pk), accepted(company, "r2", modelo=65)

    assert sale.state == State.AUTORIZADO
    assert sale.authorized_at > clock.now() + timedelta(minutes=9)  # as the authority says
    assert (counter.state, counter.c_stat) == (State.REJEITADO, "704")

    sandbox.clock(avancar=-600)
    again = accepted(company, "r2", modelo=65)
    assert (again.pk, again.state, again.numero) == (counter.pk, State.AUTORIZADO, 1)


def assert_one(document: FiscalDocument, sandbox: Any, states: list[str]) -> None:
    """One document there and here, with one authorized file."""
    document = fresh(document)
    assert document.state in states
    there = [(row["chave"], row["protocolo"]) for row in sandbox.documents()]
    assert there == [(document.chave, document.protocolo)]
    assert document.archives.filter(kind=Archive.Kind.AUTHORIZED).count() == 1


# --- database ----------------------------------------------------------------------------------


def cut_off() -> None:
    """End our connections as a server that is restarted does (57P01)."""
    known = connection.get_connection_params()
    known = {name: known[name] for name in ("dbname", "user", "host", "port") if name in known}
    with psycopg.connect(**known, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the embedded database has no server")
@pytest.mark.parametrize("is_after", [False, True], ids=["before the call", "after the call"])
def test_a_database_that_is_restarted_during_the_call_loses_nothing(
    company, sandbox, at_moment, monkeypatch, is_after
):
    document = accepted(company)
    authorize = Sefaz.authorize

    def during(*args: Any, **kwargs: Any) -> Any:
        if not is_after:
            cut_off()
        answer = authorize(*args, **kwargs)
        cut_off()
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(Sefaz, "authorize", during)
        with pytest.raises(OperationalError):
            advance(document.pk)
    connection.close()  # as every task and request begins
    assert fresh(document).state == State.TRANSMITINDO
    assert Attempt.objects.get().outcome == Attempt.Outcome.OPEN

    at_moment(clock.now() + timedelta(minutes=3))
    resume(document.pk)

    assert_one(document, sandbox, [State.AUTORIZADO])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the embedded database has no server")
def test_a_database_that_is_restarted_before_the_commit_keeps_nothing(
    company, sandbox, monkeypatch
):
    """Of accepting, and of signing: no row without its number, no number without its row."""
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "call", cut_off)
        with pytest.raises(OperationalError):
            accepted(company)
    connection.close()
    assert not FiscalDocument.objects.exists()
    document = accepted(company)

    keep = archive.keep

    def signed(*args: Any, **kwargs: Any) -> Any:
        kept = keep(*args, **kwargs)
        cut_off()
        return kept

    with monkeypatch.context() as patched:
        patched.setattr(archive, "keep", signed)
        with pytest.raises(OperationalError):
            advance(document.pk)
    connection.close()
    assert fresh(document).state == State.RECEBIDO
    assert not Series.objects.exclude(next_number=1).exists()

    advance(document.pk)
    assert_one(document, sandbox, [State.AUTORIZADO])
    assert fresh(document).numero == 1


def test_a_database_that_goes_away_right_after_the_commit_is_no_error(
    company, authority, monkeypatch
):
    """What was committed counts: who could not be called is found by the sweep."""
    hook = FiscalHook.objects.create(
        account=company.account, company=company, public_id="h1", event="nfe",
        ambiente="homologacao", url="https://hooks.invalid/", created_at=clock.now(),
    )  # fmt: skip

    def gone(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(calls, "call", gone)
    monkeypatch.setattr(hooks, "nudge", gone)
    document = advance(accepted(company).pk)

    assert document.state == State.AUTORIZADO
    assert hook.notices.count() == 1
