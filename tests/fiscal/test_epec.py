"""EPEC against the real sandbox: announced at the AN, delivered at home (CON-5, CON-7)."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pypdf import PdfReader
from support.issuing import item, nfe_body
from support.notes import WHY, Killed

from fiscal.models import (
    Attempt,
    Company,
    Contingency,
    EventState,
    FiscalDocument,
    FiscalEvent,
    FiscalHook,
    HookNotice,
    Inutilizacao,
    State,
)
from fiscal.services import (
    contingency,
    contingency_review,
    event_epec,
    event_outcome,
    event_sending,
    issue,
    sweeps,
    transmit,
)
from fiscal.services.delivery import advance
from fiscal.services.resuming import resume
from fiscal.tasks import resume_event
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
PHRASE = "EPEC regularmente recebido pela Receita Federal"


@pytest.fixture
def company(company: Company) -> Company:
    """In Santa Catarina: SVRS is its home, the SVC-AN its contingency."""
    place = {"uf": "SC", "codigo_municipio": "4205407", "municipio": "Florianópolis"}
    for name, value in {**place, "inscricao_estadual": "251040852"}.items():
        setattr(company, name, value)
    company.save()
    return company


def body_of(**fields: Any) -> dict[str, Any]:
    own = {"uf_destinatario": "SC", "municipio_destinatario": "Florianópolis", **fields}
    return nfe_body(**own)


def sale(company: Company, ref: str = "r1", **fields: Any) -> FiscalDocument:
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=body_of(**fields)
    )


def enter(now: Any = None, **more: Any) -> Contingency:
    return contingency.enter(
        uf="SC", modelo=55, ambiente="homologacao", mode=contingency.EPEC,
        reason=contingency.REASON_DOWN, now=now or clock.now(), **more,
    )  # fmt: skip


def announced(company: Company, ref: str = "r1", **fields: Any) -> FiscalDocument:
    document = advance(sale(company, ref, **fields).pk)
    assert document.state == State.EPEC, document.x_motivo
    return document


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


def settle(at_moment: Any, **later: float) -> None:
    """Let everything that is due go on, `later`, as the sweep would."""
    at_moment(clock.now() + timedelta(**later))
    for model, task in ((FiscalEvent, resume_event), (FiscalDocument, resume)):
        for row in list(sweeps.due(model, clock.now())):
            task(row.pk)


def review(at_moment: Any, **later: float) -> None:
    at_moment(clock.now() + timedelta(**later))
    contingency_review.review_now()


def epecs(sandbox: Any) -> list[dict[str, Any]]:
    return [row for row in sandbox.told("GET", "eventos") if row["tipo"] == "110140"]


def prove_delivered_once(sandbox: Any, document: FiscalDocument) -> None:
    """One EPEC there, one document there, and both here the same."""
    (epec,) = epecs(sandbox)
    (kept,) = sandbox.documents()
    document = fresh(document)
    assert (epec["chave"], epec["orgao"]) == (document.chave, "91")
    assert (kept["chave"], kept["tp_emis"], kept["autorizador"]) == (document.chave, "4", "SVRS")
    assert document.state == State.AUTORIZADO
    assert (document.protocolo, document.digest_value) == (kept["protocolo"], kept["digval"])
    event = FiscalEvent.objects.get(tp_evento="110140")
    assert event.state == EventState.REGISTRADO
    assert not Attempt.objects.filter(outcome=Attempt.Outcome.OPEN).exists()


# --- the whole way -----------------------------------------------------------------------------


def test_a_sale_is_announced_while_nobody_takes_it_and_delivered_by_itself(
    company, sandbox, nfe, at_moment
):
    """Home and SVC down: EPEC after a quarter of an hour. Home up three times: delivered."""
    for service in ("autorizacao", "status_servico"):
        sandbox.fault("parado", uf="SC", servico=service)
    FiscalHook.objects.create(
        account=company.account, public_id="epec", company=company, event="nfe",
        url="https://example.com/", created_at=clock.now(),
    )  # fmt: skip
    first = advance(sale(company).pk)
    assert (first.state, first.tp_emis) == (State.ASSINADO, 1)
    review(at_moment, minutes=4)
    assert not Contingency.objects.exists()
    review(at_moment, minutes=13)
    opened = Contingency.objects.get()
    assert (opened.mode, opened.entered_by, len(opened.reason) >= 15) == (4, "", True)

    resume(first.pk)

    document = fresh(first)
    (told,) = epecs(sandbox)
    assert (document.state, document.tp_emis, document.numero) == (State.EPEC, 4, 1)
    assert document.chave == told["chave"] != first.chave
    assert document.dh_cont == opened.entered_at.replace(microsecond=0)
    assert HookNotice.objects.count() == 1
    body = nfe.get("nfe/r1").json()
    assert (body["status"], body["status_sefaz"]) == ("processando_autorizacao", "124")
    assert (body["numero"], body["chave_nfe"]) == ("1", f"NFe{document.chave}")
    assert (body["contingencia_epec"], body["contingencia_epec_efetivada"]) == (True, False)
    assert body["protocolo_epec"] == told["protocolo"]
    assert b"<tpEmis>4</tpEmis>" in nfe.get(body["caminho_xml_nota_fiscal"]).content
    assert b"procEventoNFe" in nfe.get(body["caminho_xml_epec"]).content
    printed = PdfReader(io.BytesIO(nfe.get(body["caminho_danfe"]).content)).pages[0].extract_text()
    assert PHRASE in " ".join(printed.split())
    assert told["protocolo"] in printed.replace(" ", "")
    assert nfe.delete("nfe/r1", {"justificativa": WHY}).status_code == 422
    assert nfe.post("nfe", body_of(), ref="r1").json()["codigo"] == "em_processamento"

    settle(at_moment, minutes=5)  # home is still down
    assert fresh(document).state == State.EPEC
    sandbox.told("DELETE", "falhas")
    for _ in range(2):
        review(at_moment, minutes=4)
        assert Contingency.objects.filter(left_at=None).exists()
    review(at_moment, minutes=4)
    assert not Contingency.objects.filter(left_at=None).exists()
    settle(at_moment)

    prove_delivered_once(sandbox, document)
    body = nfe.get("nfe/r1").json()
    assert (body["status"], body["contingencia_epec_efetivada"]) == ("autorizado", True)
    assert sandbox.times_sent(document.chave) == 1
    assert HookNotice.objects.count() == 2


def test_an_svc_that_opens_is_better_than_epec(company, sandbox, at_moment):
    """What was announced, or is about to be, goes home all the same; new sales go to the SVC."""
    for service in ("autorizacao", "status_servico"):
        sandbox.fault("parado", uf="SC", autorizador="SVRS", servico=service)
    waiting = advance(sale(company).pk)
    review(at_moment, minutes=17)
    assert Contingency.objects.get().mode == 4
    sandbox.fault("cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": 108})
    resume(waiting.pk)
    assert fresh(waiting).state == State.ASSINADO
    told = announced(company, ref="r2")
    sandbox.svc("SC", "aberto")

    review(at_moment, minutes=4)
    assert Contingency.objects.get(left_at=None).mode == 4  # not within ten minutes
    review(at_moment, minutes=8)
    assert Contingency.objects.get(left_at=None).mode == 6
    settle(at_moment, minutes=15)
    settle(at_moment, minutes=15)

    assert (fresh(waiting).state, fresh(waiting).tp_emis) in (
        (State.AUTORIZADO, 6), (State.EPEC, 4),
    )  # fmt: skip
    assert fresh(told).state == State.EPEC
    sandbox.told("DELETE", "falhas")
    for _ in range(3):
        review(at_moment, minutes=4)
    settle(at_moment, minutes=1)
    assert fresh(told).state == State.AUTORIZADO


def test_the_first_of_two_is_cancelled_when_home_had_authorized_it(company, sandbox, at_moment):
    """CON-3 with EPEC: the sale goes on under the next number."""
    sandbox.fault("queda_depois", servico="autorizacao", vezes=1)
    first = advance(sale(company).pk)
    assert first.state == State.INDEFINIDO
    sandbox.fault("queda_antes", servico="consulta_protocolo", vezes=1)
    opened = enter()

    resume(first.pk)

    second = fresh(first).superseded_by
    assert (second.state, second.numero, second.tp_emis) == (State.EPEC, 2, 4)
    contingency.leave(opened, now=clock.now())
    settle(at_moment, minutes=2)
    settle(at_moment, minutes=16)
    assert fresh(second).state == State.AUTORIZADO
    assert fresh(first).state == State.CANCELADO
    assert {row["numero"]: row["situacao"] for row in sandbox.documents()} == {
        1: "cancelado", 2: "autorizado",
    }  # fmt: skip


# --- lost answers and dead workers -------------------------------------------------------------


@pytest.mark.parametrize("fault", ["queda_depois", "queda_antes"])
@pytest.mark.parametrize("service", ["recepcao_evento", "autorizacao"])
def test_a_lost_answer_announces_and_delivers_once(company, sandbox, at_moment, service, fault):
    opened = enter()
    sandbox.fault(fault, servico=service, vezes=1)
    document = advance(sale(company).pk)
    settle(at_moment, minutes=3)
    assert fresh(document).state in (State.EPEC, State.INDEFINIDO, State.AUTORIZADO)
    # 573 says that it stands, and nothing else: without its protocol there is no proof to publish.
    is_proven = (service, fault) != ("recepcao_evento", "queda_depois")
    assert document.archives.filter(kind="event").exists() is is_proven
    assert bool(document.events.get().protocolo) is is_proven

    contingency.leave(opened, now=clock.now())
    settle(at_moment, minutes=1)
    settle(at_moment, minutes=2)

    prove_delivered_once(sandbox, document)


STEPS = {
    "ordering": (event_epec, "_ordered"),
    "opening": (event_sending, "_begin"),
    "recording": (event_outcome, "record"),
    "delivered": (transmit, "record_answer"),
}


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_dies_between_two_steps_loses_nothing(
    company, sandbox, monkeypatch, at_moment, step, before
):
    opened = enter()
    document = sale(company)
    where, name = STEPS[step]
    original = getattr(where, name)
    armed = {"left": 1}

    def dying(*args: Any, **kwargs: Any) -> Any:
        if not armed["left"]:
            return original(*args, **kwargs)
        armed["left"] = 0
        if not before:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(where, name, dying)
    at_moments = ({"minutes": 0}, {"minutes": 3}, {"minutes": 3}, {"minutes": 3})
    for later in at_moments:
        try:
            settle(at_moment, **later)
        except Killed:
            continue
    contingency.leave(opened, now=clock.now())
    for later in at_moments:
        try:
            settle(at_moment, **later)
        except Killed:
            continue

    assert armed["left"] == 0
    prove_delivered_once(sandbox, document)


# --- refusals ----------------------------------------------------------------------------------


def test_an_authority_that_has_not_heard_of_the_epec_is_asked_again(company, sandbox, at_moment):
    """468: the AN shares them in its own time."""
    opened = enter()
    document = announced(company)
    sandbox.fault("cstat", servico="autorizacao", vezes=1,
                  parametros={"codigo": 468, "nivel": "documento"})  # fmt: skip
    contingency.leave(opened, now=clock.now())

    settle(at_moment)
    assert (fresh(document).state, fresh(document).numero) == (State.EPEC, 1)
    settle(at_moment, minutes=16)

    prove_delivered_once(sandbox, document)


def test_a_refused_delivery_is_corrected_under_the_announced_key(company, sandbox, nfe, at_moment):
    """467 and others: the number can neither be voided nor get another key."""
    opened = enter()
    document = announced(company)
    contingency.leave(opened, now=clock.now())
    sandbox.fault("cstat", servico="autorizacao", vezes=1,
                  parametros={"codigo": 778, "nivel": "documento"})  # fmt: skip
    settle(at_moment)
    refused = fresh(document)
    assert (refused.state, refused.c_stat) == (State.REJEITADO, "778")
    FiscalDocument.objects.filter(pk=document.pk).update(next_attempt_at=clock.now())
    settle(at_moment, minutes=1)
    assert not Inutilizacao.objects.exists()

    later = (clock.now() + timedelta(days=45)).isoformat(timespec="seconds")
    other_month = nfe.post("nfe", body_of(data_emissao=later), ref="r1")
    assert other_month.status_code in (400, 422)
    assert fresh(document).chave == document.chave
    dearer = body_of(
        data_emissao=refused.payload["data_emissao"],
        items=[item(quantidade_comercial="3", quantidade_tributavel="3", valor_bruto="30.00",
                    icms_base_calculo="30.00", icms_valor="5.40")],
        formas_pagamento=[{"forma_pagamento": "01", "valor_pagamento": "30.00"}],
    )  # fmt: skip
    assert nfe.post("nfe", dearer, ref="r1").status_code == 202
    advance(document.pk)
    assert fresh(document).c_stat == "467"

    assert nfe.post("nfe", refused.payload, ref="r1").status_code == 202
    advance(document.pk)

    prove_delivered_once(sandbox, document)


def test_an_issuer_with_overdue_epecs_is_blocked_until_they_are_there(company, sandbox, at_moment):
    """142: what is pending goes first, and then the new one is taken."""
    opened = enter()
    old = announced(company)
    start = clock.now()
    FiscalDocument.objects.filter(pk=old.pk).update(next_attempt_at=start + timedelta(days=30))
    at_moment(start + timedelta(hours=169))
    sandbox.clock(avancar=169 * 3600)

    new = advance(sale(company, ref="r2").pk)

    assert (new.state, new.c_stat) == (State.ASSINADO, "142")
    assert fresh(old).next_attempt_at == clock.now()
    resume(old.pk)
    assert fresh(old).state == State.AUTORIZADO
    settle(at_moment, minutes=16)
    assert fresh(new).state == State.EPEC
    contingency.leave(opened, now=clock.now())
    settle(at_moment, minutes=1)
    assert fresh(new).state == State.AUTORIZADO


def test_a_refused_epec_leaves_the_sale_to_its_authority(company, sandbox, at_moment):
    """Three refusals are enough; home again, it is signed the normal way under its number."""
    opened = enter()
    sandbox.fault("cstat", servico="recepcao_evento", vezes=9,
                  parametros={"codigo": 485, "nivel": "documento"})  # fmt: skip
    document = advance(sale(company).pk)
    for _ in range(5):
        settle(at_moment, minutes=16)

    assert fresh(document).state == State.ASSINADO
    assert FiscalEvent.objects.filter(state=EventState.REJEITADO).count() == 3
    contingency.leave(opened, now=clock.now())
    settle(at_moment)
    document = fresh(document)
    assert (document.state, document.tp_emis, document.numero) == (State.AUTORIZADO, 1, 1)


def test_epecs_are_delivered_oldest_first(company, sandbox, at_moment):
    opened = enter()
    keys = [announced(company, ref=f"r{n}").chave for n in range(3)]
    FiscalDocument.objects.filter(chave=keys[0]).update(
        next_attempt_at=clock.now() + timedelta(minutes=9)
    )
    sandbox.told("DELETE", "falhas")

    contingency.leave(opened, now=clock.now())
    settle(at_moment)

    assert [row["chave"] for row in sandbox.documents()] == keys


def test_an_operator_may_order_epec_for_one_company(company, sandbox, at_moment):
    """CON-1: who, when and why; the system leaves it alone."""
    opened = enter(company=company, by="Maria")
    document = announced(company)

    for _ in range(4):
        review(at_moment, minutes=4)

    assert Contingency.objects.get(left_at=None) == opened
    settle(at_moment)  # the home authority was there all the time
    prove_delivered_once(sandbox, document)


def test_the_command_orders_epec_and_the_way_back(company, capsys):
    reason = "Sem conexao com a SEFAZ de origem"
    with pytest.raises(CommandError, match="15 a 256"):
        call_command("contingency", epec="SC", reason="curto")
    with pytest.raises(CommandError, match="UF XX desconhecida"):
        call_command("contingency", epec="xx", reason=reason)
    with pytest.raises(CommandError, match="Não há empresa"):
        call_command("contingency", epec="SP", reason=reason, cnpj=company.cnpj)
    assert not Contingency.objects.exists()

    call_command("contingency", epec="sc", reason=reason, cnpj=company.cnpj, by="Maria")
    row = Contingency.objects.get()
    assert (row.company, row.mode, row.entered_by, row.ambiente) == (
        company,
        4,
        "Maria",
        "producao",
    )
    assert f"{row.pk}: SC 55: EPEC" in capsys.readouterr().out

    call_command("contingency", leave=row.pk)
    assert not Contingency.objects.filter(left_at=None).exists()
    with pytest.raises(CommandError, match="aberta"):
        call_command("contingency", leave=row.pk)
