"""Cancelling and replacing service notes, and what gatilhos are told (fiscal-api §4.5, §13)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.service_notes import (
    CITY,
    loses,
    nfse_body,
    refuses,
    says,
    unreachable,
)

from fiscal.authorities.provider import Features, Kind
from fiscal.models import (
    FiscalHook,
    HookNotice,
    MailMessage,
    NoteState,
    OrderState,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
)
from fiscal.services import hook_bodies
from fiscal.services.nfse import dispatch, files, orders
from fiscal.services.sweeps import claim_due
from lib import clock

pytestmark = pytest.mark.django_db
REASON = {"justificativa": "Servico nao foi prestado"}


@pytest.fixture
def authorized(nfe, issuer, city):
    """Issue a note: authorized("r1") answers its row."""

    def make(ref="r1", **fields):
        assert nfe.post("nfse", nfse_body(**fields), ref=ref).status_code == 202
        dispatch.work()
        note = ServiceNote.objects.get(ref=ref)
        assert note.state == NoteState.AUTORIZADO
        return note

    return make


def fresh(note):
    return ServiceNote.objects.select_related("company").get(pk=note.pk)


def test_a_cancellation_is_answered_at_once(nfe, authorized, city):
    note = authorized()
    for body, text in (
        ({}, 'Parâmetro "justificativa" não informado.'),
        ({"justificativa": "curta"},
         'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.'),
        ({"justificativa": 12345678901234567},
         'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.'),
        ({"justificativa": "x" * 256},
         'Parâmetro "justificativa" deve ter entre 15 e 255 caracteres.'),
    ):  # fmt: skip
        answer = nfe.delete("nfse/r1", body)
        assert (answer.status_code, answer.json()) == (
            400, {"codigo": "requisicao_invalida", "mensagem": text},
        )  # fmt: skip
    answer = nfe.delete("nfse/r1", REASON)
    assert answer.status_code == 200
    assert answer.json()["status"] == "cancelado"
    assert answer.json()["caminho_xml_cancelamento"].endswith("-can.xml")
    assert fresh(note).state == NoteState.CANCELADO
    assert files.cancellation_xml(fresh(note)) == b"<cancelada/>"
    order = ServiceOrder.objects.get()
    assert (order.state, order.reason) == (OrderState.REGISTRADO, REASON["justificativa"])
    assert files.order_xml(order) == b"<Cancel>1000Servico nao foi prestado</Cancel>"
    shown = nfe.get("nfse/r1").json()
    assert shown["status"] == "cancelado"
    assert shown["caminho_xml_cancelamento"]
    answer = nfe.delete("nfse/r1", REASON)
    assert (answer.status_code, answer.json()) == (
        400, {"codigo": "nfe_cancelada", "mensagem": "Nota fiscal já cancelada"},
    )  # fmt: skip
    assert nfe.post("nfse", nfse_body(), ref="r1").json()["codigo"] == "nfe_autorizada"


def test_a_cancellation_may_be_refused_or_not_offered(nfe, authorized, city):
    nfe.post("nfse", nfse_body(), ref="waiting")
    answer = nfe.delete("nfse/waiting", REASON)
    assert (answer.status_code, answer.json()) == (
        400,
        {"codigo": "nfe_nao_autorizada",
         "mensagem": "Nota fiscal não autorizada não pode ser cancelada"},
    )  # fmt: skip
    authorized()
    city.next("cancel", refuses("E6", "Prazo vencido.", "Abra um processo."))
    answer = nfe.delete("nfse/r1", REASON)
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "erro_cancelamento",
         "erros": [{"codigo": "E6", "mensagem": "Prazo vencido.",
                    "correcao": "Abra um processo."}]},
    )  # fmt: skip
    assert nfe.get("nfse/r1").json()["status"] == "autorizado"
    city.features = Features(cancels=False)
    answer = nfe.delete("nfse/r1", REASON)
    assert answer.json()["status"] == "erro_cancelamento"
    assert "portal" in answer.json()["erros"][0]["mensagem"]
    assert city.names().count("cancel") == 1
    city.features = Features()
    answer = nfe.delete("nfse/r1", REASON | {"analise_fiscal": "true"})
    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert "análise fiscal" in answer.json()["mensagem"]
    answer = nfe.delete("nfse/r1", REASON | {"analise_fiscal": "false"})
    assert answer.json()["status"] == "cancelado"


def test_a_cancellation_in_analysis_is_asked_about(nfe, authorized, city, at_moment):
    """ABR-7, 101103."""
    note = authorized()
    city.next("cancel", says(Kind.CANCEL_PENDING))
    answer = nfe.delete("nfse/r1", REASON)
    assert (answer.status_code, answer.json()["status"]) == (202, "processando_autorizacao")
    assert fresh(note).state == NoteState.CANCELAMENTO_EM_ANALISE
    assert nfe.get("nfse/r1").json()["status"] == "autorizado"
    assert nfe.delete("nfse/r1", REASON).status_code == 202  # the second finds the first
    order = ServiceOrder.objects.get()

    city.next("find_cancel", says(Kind.CANCEL_PENDING), says(Kind.AUTHORIZED))
    for _ in range(2):
        at_moment(clock.now() + timedelta(hours=2))
        assert claim_due() == 1
        orders.resume(order.pk)
        assert fresh(note).state == NoteState.CANCELAMENTO_EM_ANALISE
    city.next("find_cancel", says(Kind.AUTHORIZED, event_xml=b"<indeferido/>"))
    orders.resume(order.pk)
    assert fresh(note).state == NoteState.AUTORIZADO
    order = ServiceOrder.objects.get()
    assert (order.state, order.errors[0]["codigo"]) == (OrderState.REJEITADO, "105105")

    city.next("cancel", says(Kind.CANCEL_PENDING))
    nfe.delete("nfse/r1", REASON)
    city.next("find_cancel", says(Kind.CANCELLED, event_xml=b"<deferido/>"))
    orders.resume(ServiceOrder.objects.last().pk)
    assert fresh(note).state == NoteState.CANCELADO
    assert files.cancellation_xml(fresh(note)) == b"<deferido/>"


def test_a_lost_cancellation_is_asked_about_and_never_sent_blindly(nfe, authorized, city):
    arrived, vanished, unreached = authorized("r1"), authorized("r2"), authorized("r3")
    city.next("cancel", loses(after=True))
    assert nfe.delete("nfse/r1", REASON).json()["status"] == "cancelado"
    assert fresh(arrived).state == NoteState.CANCELADO
    assert city.names()[-2:] == ["cancel", "find_cancel"]

    city.next("cancel", loses(after=False))
    assert nfe.delete("nfse/r2", REASON).json()["status"] == "cancelado"
    assert city.names()[-3:] == ["cancel", "find_cancel", "cancel"]
    assert fresh(vanished).state == NoteState.CANCELADO
    assert set(ServiceAttempt.objects.filter(note=vanished).exclude(order=None).values_list(
        "outcome", flat=True)) == {"not_processed", "answered"}  # fmt: skip

    city.next("cancel", unreachable)
    answer = nfe.delete("nfse/r3", REASON)
    assert (answer.status_code, answer.json()["status"]) == (202, "processando_autorizacao")
    order = ServiceOrder.objects.get(note=unreached)
    assert order.state == OrderState.ASSINADO
    orders.resume(order.pk)
    assert fresh(unreached).state == NoteState.CANCELADO


def test_a_replacement_is_one_act(nfe, authorized, city):
    old = authorized("old")
    body = nfse_body(numero_rps_substituido="1", serie_rps_substituido="1")
    city.next("send", refuses("E30"))
    nfe.post("nfse", body, ref="new")
    dispatch.work()
    assert fresh(old).state == NoteState.AUTORIZADO
    nfe.post("nfse", body, ref="new")
    dispatch.work()
    assert fresh(old).state == NoteState.SUBSTITUIDO
    assert nfe.get("nfse/old").json()["status"] == "substituido"
    assert nfe.get("nfse/old").json()["numero_nfse_substituta"] == "1001"
    assert nfe.get("nfse/new").json()["numero_nfse_substituida"] == "1000"
    assert nfe.delete("nfse/old", REASON).json()["codigo"] == "nfe_cancelada"
    answer = nfe.post("nfse", body, ref="third")
    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")


def test_gatilhos_are_told_what_the_query_tells(nfe, issuer, authorized, city):
    for event in ("nfse", "nfsen", "nfe"):
        FiscalHook.objects.create(
            account=issuer.account, company=issuer, public_id=event, event=event,
            ambiente="homologacao", url="https://hooks.invalid/", created_at=clock.now(),
        )  # fmt: skip
    authorized()
    notice = HookNotice.objects.get()
    assert notice.hook.event == "nfse"
    assert hook_bodies.body_of(notice) == nfe.get("nfse/r1").json()
    nfe.delete("nfse/r1", REASON)
    assert HookNotice.objects.count() == 1  # §13.3: whoever cancels has the answer
    city.next("send", refuses("E30"))
    nfe.post("nfse", nfse_body(), ref="r2")
    dispatch.work()
    assert HookNotice.objects.count() == 2
    told = nfe.post("nfse/r2/hook").json()
    assert [one["id"] for one in told] == ["nfse"]
    assert HookNotice.objects.count() == 3
    assert nfe.post("nfsen/r2/hook").status_code == 404
    assert city.held[(CITY, "1", 1)].kind is Kind.CANCELLED


def test_a_note_is_sent_by_mail_and_again(nfe, issuer, authorized, city):
    issuer.enviar_email_homologacao = True
    issuer.save()
    note = authorized()
    assert MailMessage.objects.get(service_note=note).recipient == "cliente@example.com"
    answer = nfe.post("nfse/r1/email", {"emails": ["outro@example.com"]})
    assert (answer.status_code, answer.json()["emails"]) == (200, ["outro@example.com"])
    assert MailMessage.objects.filter(service_note=note).count() == 2
    assert nfe.post("nfse/r1/email", {"emails": []}).status_code == 400
    nfe.post("nfse", nfse_body(), ref="waiting")
    answer = nfe.post("nfse/waiting/email", {"emails": ["outro@example.com"]})
    assert answer.json()["codigo"] == "nfe_nao_autorizada"


def test_a_company_with_a_note_on_its_way_is_not_removed(nfe, master, issuer, city):
    nfe.post("nfse", nfse_body(), ref="r1")
    answer = master.delete(f"empresas/{issuer.pk}")
    assert (answer.status_code, answer.json()["codigo"]) == (422, "em_processamento")
    dispatch.work()
    assert master.delete(f"empresas/{issuer.pk}").status_code == 200
