"""One word on many notes, and one note asked about by many at once (DIS-6, §8.3, ux §1.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from support.notes import impatient, issued_nfe
from support.staff import client_of, path, said

from accounts.models import AuditEvent
from fiscal.models import Attempt, EventState, Manifestation, ReceivedNfe
from fiscal.tasks import resume_manifestation

pytestmark = pytest.mark.django_db(transaction=True)


def batch(staff: Any, action: str, rows: Any, **data: Any) -> Any:
    """Choose rows in the list; `confirmado` sends."""
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return staff.post(path("receivednfe", "changelist"), chosen | data)


def sent_together(sandbox: Any) -> list[int]:
    """How many events each message of events to the Ambiente Nacional brought, in order."""
    asked = sandbox.requests(servico="recepcao_evento")
    return [max(len(one["c_stat"].split()) - 1, 0) for one in asked]


def test_a_clerk_manifests_many_notes_in_messages_of_twenty(
    account, other_account, company, sandbox, nfe, inbox, fetch
):
    keys = [issued_nfe(nfe, f"r{n}")["chave_nfe"][3:] for n in range(22)]
    fetch()
    rows = list(ReceivedNfe.objects.order_by("pk"))
    staff = client_of(account)
    nfe.delete("nfe/r21", {"justificativa": "Venda desfeita pelo comprador"})
    n_before = len(sandbox.requests(servico="recepcao_evento"))

    page = batch(staff, "ciencia", rows).content.decode()
    assert "22 nota(s), R$ 440,00" in page.replace("\xa0", " ")
    assert not Manifestation.objects.exists()
    sandbox.fault("ordem_trocada", servico="recepcao_evento", vezes=1)
    done = batch(staff, "ciencia", rows, confirmado="1")

    assert sent_together(sandbox)[n_before:] == [20, 2]
    assert "21 manifestação(ões) registrada(s)." in said(done)
    assert "1 recusada(s)" in said(done)
    assert "650" in said(done)
    listed = inbox.get("nfes_recebidas", cnpj="11444777000161").json()
    words = {one["chave_nfe"]: one["manifestacao_destinatario"] for one in listed}
    assert words == dict.fromkeys(keys[:21], "ciencia") | {keys[21]: None}
    protocols = {one["chave"]: one["protocolo"] for one in sandbox.told("GET", "eventos")}
    for row in Manifestation.objects.filter(state=EventState.REGISTRADO):
        assert row.protocolo == protocols[row.received.chave]
    assert Attempt.objects.filter(subject__startswith="ID210210").count() == 22
    assert AuditEvent.objects.filter(action="nfe_recebida.ciencia").count() == 22

    again = batch(staff, "ciencia", rows[:21], confirmado="1").content.decode()
    assert "Nenhuma das notas escolhidas" in again
    short = batch(staff, "nao_realizada", rows[:2], confirmado="1", justificativa="curta")
    assert "faltam 10" in short.content.decode()
    why = "Mercadoria devolvida na entrega"
    batch(staff, "nao_realizada", rows[:2], confirmado="1", justificativa=why)
    assert ReceivedNfe.objects.filter(manifestacao="nao_realizada").count() == 2

    n_said = Manifestation.objects.count()
    stranger, reader = client_of(other_account), client_of(account, "suporte")
    for who in (stranger, reader):
        batch(who, "confirmacao", rows, confirmado="1")
    assert Manifestation.objects.count() == n_said


def test_a_message_that_fails_as_a_whole_leaves_each_note_its_own_fate(
    account, company, sandbox, nfe, fetch, monkeypatch
):
    """Lost: the same bytes go again, alone. Refused for what is in it: one by one."""
    impatient(monkeypatch)
    for n in range(3):
        issued_nfe(nfe, f"r{n}")
    fetch()
    rows, staff = list(ReceivedNfe.objects.order_by("pk")), client_of(account)

    sandbox.fault("queda_depois", servico="recepcao_evento", vezes=1)
    done = batch(staff, "ciencia", rows, confirmado="1")
    assert "3 sem resposta da SEFAZ ainda" in said(done)
    waiting = Manifestation.objects.filter(state=EventState.INDEFINIDO)
    for pk in list(waiting.values_list("pk", flat=True)):
        resume_manifestation(pk)
    registered = Manifestation.objects.filter(state=EventState.REGISTRADO)
    assert registered.count() == 3
    assert len(sandbox.told("GET", "eventos")) == 3

    sandbox.fault(
        "cstat", servico="recepcao_evento", vezes=1, parametros={"codigo": 215, "nivel": "lote"}
    )
    done = batch(staff, "confirmacao", rows, confirmado="1")
    assert "3 manifestação(ões) registrada(s)." in said(done)
    assert sent_together(sandbox)[-4:] == [0, 1, 1, 1]
    assert len(sandbox.told("GET", "eventos")) == 6

    sandbox.fault("queda_antes", servico="recepcao_evento", vezes=3)
    n_before = len(sandbox.requests(servico="recepcao_evento"))
    monkeypatch.setattr("fiscal.services.received.manifest_sending.TOGETHER", 1)
    done = batch(staff, "desconhecimento", rows, confirmado="1")
    assert "3 sem resposta" in said(done)  # nobody answers: the others are not tried
    assert len(sandbox.requests(servico="recepcao_evento")) == n_before + 1
    states = Manifestation.objects.filter(tp_evento="210220").order_by("pk")
    assert [row.state for row in states] == [
        EventState.INDEFINIDO, EventState.ASSINADO, EventState.ASSINADO,
    ]  # fmt: skip


def test_equal_and_different_words_at_once(company, sandbox, nfe, inbox, fetch):
    """Four clients, one registration of each kind; the note shows the last one registered."""
    chave = issued_nfe(nfe)["chave_nfe"][3:]
    fetch()

    def say(tipo: str) -> tuple[int, str]:
        try:
            told = inbox.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": tipo})
            return told.status_code, told.json().get("codigo") or told.json()["status"]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        equal = list(pool.map(say, ["ciencia"] * 4))
        other = list(pool.map(say, ["confirmacao", "desconhecimento"] * 2))

    assert (200, "evento_registrado") in equal
    assert set(equal) <= {
        (200, "evento_registrado"), (202, "processando_autorizacao"),
        (400, "manifestacao_ja_vinculada"),
    }  # fmt: skip
    assert (200, "evento_registrado") in other
    registered = Manifestation.objects.filter(state=EventState.REGISTRADO)
    kinds = list(registered.values_list("tp_evento", flat=True))
    assert len(kinds) == len(set(kinds)) == len(sandbox.told("GET", "eventos"))
    last = registered.order_by("pk").last()
    shown = inbox.get(f"nfes_recebidas/{chave}/manifesto").json()
    assert shown["protocolo"] == last.protocolo
