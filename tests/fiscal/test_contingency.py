"""Contingency round trips against the real sandbox (guide §9; fiscal-api §2.5, §3.4 to §3.6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.issuing import nfce_body, nfe_body

from fiscal.models import (
    Company,
    Contingency,
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    State,
)
from fiscal.services import contingency, contingency_review, issue
from fiscal.services.delivery import advance
from fiscal.services.gaps import gaps_of
from fiscal.services.resuming import resume
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)
PLACE = {"uf": "SC", "codigo_municipio": "4205407", "municipio": "Florianópolis"}


@pytest.fixture
def company(company: Company) -> Company:
    """In Santa Catarina, whose NFC-e may be offline; its SVC is the AN's."""
    for name, value in PLACE.items():
        setattr(company, name, value)
    company.inscricao_estadual = "251040852"
    company.habilita_contingencia_offline_nfce = True
    company.save()
    return company


def sale(company: Company, ref: str = "r1", **body: Any) -> FiscalDocument:
    own = {"uf_destinatario": "SC", "municipio_destinatario": "Florianópolis", **body}
    return issue.issue_document(
        company, ambiente="homologacao", modelo=55, ref=ref, body=nfe_body(**own)
    )


def counter(company: Company, ref: str = "r1", **more: Any) -> FiscalDocument:
    body = nfce_body(**more.pop("body", {}))
    return issue.issue_document(
        company, ambiente="homologacao", modelo=65, ref=ref, body=body, **more
    )


def fresh(document: FiscalDocument) -> FiscalDocument:
    return FiscalDocument.objects.get(pk=document.pk)


def settle(at_moment: Any, **later: float) -> None:
    """Let every due document go on, `later`."""
    at_moment(clock.now() + timedelta(**later))
    for pk in FiscalDocument.objects.filter(next_attempt_at__isnull=False).values_list(
        "pk", flat=True
    ):
        resume(pk)


# --- NF-e: SVC ---------------------------------------------------------------------------------


def test_the_svc_is_entered_only_when_home_opened_it(company, sandbox, at_moment):
    """CON-1: 114 is that nobody did."""
    sandbox.fault("parado", uf="SC")
    advance(sale(company).pk)
    at_moment(clock.now() + timedelta(minutes=4))

    contingency_review.review_now()
    assert not Contingency.objects.exists()

    sandbox.lift("parado")
    sandbox.fault("parado", uf="SC", servico="status_servico", vezes=1)
    sandbox.svc("SC", "aberto")
    at_moment(clock.now() + timedelta(minutes=4))
    contingency_review.review_now()

    row = Contingency.objects.get()
    assert (row.uf, row.mode, row.left_at) == ("SC", 6, None)
    assert len(row.reason) >= 15


def test_what_never_left_goes_to_the_svc_with_its_own_number(company, sandbox, at_moment):
    """CON-2."""
    sandbox.fault("parado", uf="SC", servico="autorizacao", vezes=1)
    first = advance(sale(company).pk)
    assert (first.state, first.tp_emis) == (State.ASSINADO, 1)
    sandbox.svc("SC", "aberto")
    open_svc()

    resume(first.pk)

    document = fresh(first)
    assert (document.state, document.tp_emis, document.numero) == (State.AUTORIZADO, 6, 1)
    assert document.chave != first.chave
    assert sandbox.documents()[0]["autorizador"] == "SVC-AN"


def open_svc() -> Contingency:
    return contingency.enter(
        uf="SC", modelo=55, ambiente="homologacao", mode=6,
        reason=contingency.REASON_DOWN, now=clock.now(),
    )  # fmt: skip


def test_the_first_of_two_is_cancelled_when_it_was_authorized(company, sandbox, at_moment, nfe):
    """CON-3, §2.5."""
    sandbox.fault("queda_depois", servico="autorizacao")
    first = advance(sale(company).pk)
    assert first.state == State.INDEFINIDO
    sandbox.fault("queda_antes", servico="consulta_protocolo")
    sandbox.svc("SC", "aberto")
    opened = open_svc()

    resume(first.pk)

    first = fresh(first)
    second = first.superseded_by
    assert (second.state, second.numero, second.tp_emis) == (State.AUTORIZADO, 2, 6)
    body = nfe.get("nfe/r1").json()
    assert (body["status"], body["numero"]) == ("autorizado", "2")
    assert body["tentativa_anterior"]["status"] == "processando_autorizacao"
    assert body["tentativa_anterior"]["numero"] == "1"

    contingency.leave(opened, now=clock.now())
    settle(at_moment, minutes=2)
    settle(at_moment, minutes=1)

    assert fresh(first).state == State.CANCELADO
    earlier = nfe.get("nfe/r1").json()["tentativa_anterior"]
    assert earlier["status"] == "cancelado"
    assert earlier["caminho_xml_cancelamento"].endswith("-can.xml")
    assert {row["numero"]: row["situacao"] for row in sandbox.documents()}[1] != "autorizado"


def test_the_number_of_the_first_is_voided_a_day_later_when_it_never_arrived(
    company, sandbox, at_moment
):
    sandbox.fault("queda_antes", servico="autorizacao")
    first = advance(sale(company).pk)
    sandbox.fault("queda_antes", servico="consulta_protocolo")
    sandbox.svc("SC", "aberto")
    opened = open_svc()
    resume(first.pk)
    contingency.leave(opened, now=clock.now())

    settle(at_moment, minutes=2)
    assert fresh(first).state == State.INDEFINIDO
    assert not Inutilizacao.objects.exists()
    settle(at_moment, hours=24)

    first = fresh(first)
    assert first.state == State.INUTILIZADO
    voided = Inutilizacao.objects.get()
    assert (voided.first, voided.last, voided.is_automatic) == (1, 1, True)
    assert first.protocolo == voided.protocolo
    assert first.status == "erro_autorizacao"
    series = company.series.get(modelo=55)
    assert gaps_of(series) == []


def test_a_document_signed_for_a_svc_that_closed_goes_home(company, sandbox, at_moment):
    """114."""
    open_svc()

    document = advance(sale(company).pk)
    assert (document.state, document.tp_emis) == (State.ASSINADO, 6)
    assert not Contingency.objects.filter(left_at=None).exists()
    resume(document.pk)

    document = fresh(document)
    assert (document.state, document.tp_emis, document.numero) == (State.AUTORIZADO, 1, 1)


def test_an_issuer_of_few_documents_gets_into_the_svc_as_well(company, sandbox, at_moment):
    """One document never fails five times in a minute: two statuses without answer count."""
    sandbox.fault("queda_antes", autorizador="SVRS", vezes=9)
    sandbox.svc("SC", "aberto")
    first = advance(sale(company).pk)
    assert first.state == State.INDEFINIDO
    for minutes in (1, 4, 4):
        assert not Contingency.objects.exists()
        at_moment(clock.now() + timedelta(minutes=minutes))
        contingency_review.review_now()

    assert Contingency.objects.get().mode == 6
    resume(first.pk)
    second = fresh(first).superseded_by
    assert (second.state, second.tp_emis, second.numero) == (State.AUTORIZADO, 6, 2)


def test_the_svc_is_left_when_home_is_back_for_good_or_when_it_says_so(company, sandbox, at_moment):
    """CON-7: three 107 in a row and ten minutes at least; 113 and 114 at once."""
    sandbox.svc("SC", "aberto")
    opened = open_svc()
    for minutes, is_open in ((3, True), (3, True), (3, True), (3, False)):
        at_moment(clock.now() + timedelta(minutes=minutes, seconds=1))
        contingency_review.review_now()
        assert Contingency.objects.filter(left_at=None).exists() is is_open
    assert Contingency.objects.get().left_at - opened.entered_at > contingency_review.STAY

    sandbox.fault("parado", uf="SC", autorizador="SVRS")
    open_svc()
    own = contingency.enter(
        uf="SC", modelo=55, ambiente="homologacao", mode=6, reason=contingency.REASON_DOWN,
        now=clock.now(), company=company, by="Maria",
    )  # fmt: skip
    sandbox.svc("SC", "encerrando")
    at_moment(clock.now() + timedelta(minutes=4))
    contingency_review.review_now()
    assert not Contingency.objects.filter(left_at=None).exists()
    own.refresh_from_db()
    assert own.left_at is not None


# --- NFC-e: offline ----------------------------------------------------------------------------


def test_an_nfce_whose_answer_is_lost_is_issued_offline_in_the_same_request(
    company, sandbox, at_moment, nfe
):
    """§3.4: another number, both resolved later."""
    sandbox.fault("queda_depois", servico="autorizacao")
    sandbox.fault("queda_antes", servico="consulta_protocolo")

    response = nfe.post("nfce", nfce_body(), ref="r1")

    body = response.json()
    assert response.status_code == 201, body
    assert (body["status"], body["numero"]) == ("autorizado", "2")
    assert body["contingencia_offline"] is True
    assert body["contingencia_offline_efetivada"] is False
    assert body["tentativa_anterior"]["status"] == "processando_autorizacao"
    assert "|3|2|" in body["qrcode_url"]

    settle(at_moment, minutes=3)
    settle(at_moment, minutes=1)
    settle(at_moment, minutes=20)

    body = nfe.get("nfce/r1").json()
    assert body["contingencia_offline_efetivada"] is True
    assert body["protocolo"]
    assert body["tentativa_anterior"]["status"] == "cancelado"
    (cancelled,) = sandbox.told("GET", "eventos")
    assert cancelled["tipo"] == "110112"
    event = FiscalEvent.objects.get()
    assert event.details["chNFeRef"] == FiscalDocument.objects.get(superseded_by=None).chave


def test_the_number_of_an_nfce_that_never_arrived_is_voided_a_day_later(
    company, sandbox, at_moment, nfe
):
    """CON-3, the other outcome: its successor stands, and nothing is cancelled."""
    sandbox.fault("queda_antes", servico="autorizacao", vezes=1)
    sandbox.fault("queda_antes", servico="consulta_protocolo", vezes=1)
    assert nfe.post("nfce", nfce_body(), ref="r1").json()["numero"] == "2"
    settle(at_moment, minutes=3)
    assert [row["numero"] for row in sandbox.documents()] == [2]
    settle(at_moment, hours=24)

    first = FiscalDocument.objects.get(numero=1)
    assert first.state == State.INUTILIZADO
    (voided,) = sandbox.told("GET", "inutilizacoes")
    assert (voided["modelo"], voided["inicial"], voided["final"]) == ("65", 1, 1)
    assert not FiscalEvent.objects.exists()
    assert nfe.get("nfce/r1").json()["contingencia_offline_efetivada"] is True


def test_an_nfce_that_never_left_is_offline_with_its_own_number(company, sandbox, at_moment, nfe):
    sandbox.fault("sem_conexao", parametros={"segundos": 600})

    body = nfe.post("nfce", nfce_body(), ref="r1").json()

    assert (body["status"], body["numero"]) == ("autorizado", "1")
    assert body["contingencia_offline"] is True
    assert "tentativa_anterior" not in body
    sandbox.lift("sem_conexao")
    before = FiscalDocument.objects.get()
    settle(at_moment, minutes=4)
    document = fresh(before)
    assert (document.state, document.is_effected) == (State.AUTORIZADO, True)
    assert (document.chave, document.digest_value) == (before.chave, before.digest_value)


def test_an_offline_document_that_is_refused_later_is_voided(company, sandbox, at_moment):
    """§3.4 (4), CON-6."""
    sandbox.fault("sem_conexao", parametros={"segundos": 600})
    document = counter(company)
    assert document.state == State.CONTINGENCIA
    sandbox.lift("sem_conexao")
    sandbox.fault("cstat", servico="autorizacao", parametros={"codigo": 778})

    settle(at_moment, minutes=4)
    assert fresh(document).state == State.REJEITADO
    settle(at_moment, hours=25)

    assert fresh(document).state == State.INUTILIZADO
    assert Inutilizacao.objects.get().first == document.numero


def test_in_sao_paulo_the_sale_goes_on_under_another_number(company, sandbox, at_moment, nfe):
    """§3.6."""
    company.uf, company.municipio, company.codigo_municipio = "SP", "São Paulo", "3550308"
    company.inscricao_estadual = "110042490114"
    company.save()
    sandbox.fault("queda_depois", servico="autorizacao")
    sandbox.fault("queda_antes", servico="consulta_protocolo")

    body = nfe.post("nfce", nfce_body(), ref="r1").json()
    assert (body["status"], body["numero"]) == ("autorizado", "2")
    assert "contingencia_offline" not in body
    assert body["tentativas_anteriores"][0]["status"] == "processando_autorizacao"

    settle(at_moment, minutes=3)
    settle(at_moment, minutes=1)

    earlier = nfe.get("nfce/r1").json()["tentativas_anteriores"][0]
    assert (earlier["status"], earlier["numero"]) == ("cancelado", "1")
    assert earlier["caminho_xml_cancelamento"]


def test_a_client_hands_in_what_it_issued_offline(company, sandbox, at_moment, nfe):
    """§3.5."""
    issued_at = (clock.now() - timedelta(hours=3)).isoformat(timespec="seconds")
    given = nfce_body(numero="77", serie="600", codigo_unico="10293847", data_emissao=issued_at)

    response = nfe.post("nfce", given, ref="r1", forma_emissao="offline")

    body = response.json()
    assert response.status_code == 201, body
    assert (body["serie"], body["numero"], body["status"]) == ("600", "77", "autorizado")
    document = FiscalDocument.objects.get()
    assert (document.cnf, document.tp_emis) == ("10293847", 9)
    assert document.state == State.AUTORIZADO
    assert body["contingencia_offline_efetivada"] is True


def test_another_form_of_issue_is_refused(company, sandbox, nfe):
    response = nfe.post("nfce", nfce_body(), ref="r1", forma_emissao="epec")

    assert response.status_code == 400
    assert response.json()["codigo"] == "forma_emissao_nao_informada"
    assert not FiscalDocument.objects.exists()


def test_an_nfce_is_dated_again_when_it_waited_longer_than_five_minutes(
    company, sandbox, at_moment
):
    """704: the key stays, the signature is new."""
    company.habilita_contingencia_offline_nfce = False
    company.save()
    sandbox.fault("pausado", servico="autorizacao", vezes=1)
    first = counter(company)
    assert first.state == State.ASSINADO
    at_moment(clock.now() + timedelta(minutes=20))

    resume(first.pk)

    document = fresh(first)
    assert document.state == State.AUTORIZADO
    assert (document.chave, document.numero) == (first.chave, first.numero)
    assert document.digest_value != first.digest_value
