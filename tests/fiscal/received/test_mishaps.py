"""What goes wrong between a company and the authority that delivers (DIS-2, DIS-3, DIS-5, §8.5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django_q.models import OrmQ
from support import signed_notes
from support.notes import impatient, issued_nfe
from support.signed_notes import leaves

from fiscal.authorities.base import Answer, DistributedDocument, Distribution, Lost
from fiscal.authorities.sefaz import Sefaz
from fiscal.models import (
    Consumption,
    DistributionCursor,
    EventState,
    HookNotice,
    Manifestation,
    ReceivedDocument,
    ReceivedNfe,
    Source,
)
from fiscal.services import archive
from fiscal.services.hook_bodies import body_of
from fiscal.services.received import asking, cursors, distribution
from fiscal.tasks import fetch_received, resume_manifestation, sweep_received
from lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def manifest(client: Any, chave: str, tipo: str = "ciencia", **more: Any) -> Any:
    return client.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": tipo, **more})


def entry(client: Any, chave: str) -> dict[str, Any]:
    return client.get(f"nfes_recebidas/{chave}").json()


def answers(c_stat: str, *documents: DistributedDocument, ult: int = 0, top: int = 0) -> Answer:
    page = Distribution(f"{ult:015d}", f"{top:015d}", documents)
    return Answer(c_stat, f"motivo {c_stat}", raw=b"<ret/>", distribution=page)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The coming answers of the distribution; the questions, in a list."""
    asked: list[dict[str, str]] = []
    waiting: list[Any] = []

    def distribution(self: Sefaz, document: str, **what: str) -> Answer:
        asked.append({name: value for name, value in what.items() if value})
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def says(*those: Any) -> list[dict[str, str]]:
        waiting.extend(those)
        return asked

    monkeypatch.setattr(Sefaz, "distribution", distribution)
    return says


def cursor_of(buyer: Any) -> DistributionCursor:
    return cursors.cursor_of(buyer, source=Source.NFE, ambiente="homologacao", now=clock.now())


def again(cursor: DistributionCursor) -> DistributionCursor:
    """Ask once more, as if its time had come."""
    rows = DistributionCursor.objects.filter(pk=cursor.pk)
    rows.update(next_at=clock.now(), blocked_until=None)
    Consumption.objects.filter(service__startswith="distribuicao").delete()
    fetch_received(cursor.pk)
    return rows.get()


# --- manifestation -----------------------------------------------------------------------------


def test_a_lost_answer_and_another_program_are_told_apart(
    company, buyer, sandbox, nfe, inbox, fetch, monkeypatch
):
    """§2.3: 573 is ours when its bytes are; another program's is adopted, and told as taken."""
    impatient(monkeypatch)
    first = issued_nfe(nfe, "r1")["chave_nfe"].removeprefix("NFe")
    second = issued_nfe(nfe, "r2")["chave_nfe"].removeprefix("NFe")
    fetch()

    sandbox.fault("queda_depois", servico="recepcao_evento", vezes=1)
    response = manifest(inbox, first)
    assert (response.status_code, response.json()["status"]) == (200, "evento_registrado")
    registered = sandbox.told("GET", "eventos")
    assert [one["tipo"] for one in registered] == ["210210"]
    assert response.json()["protocolo"] == registered[0]["protocolo"]
    row = Manifestation.objects.get()
    assert (row.n_attempts, row.is_adopted, bool(row.proc)) == (2, False, True)

    other = sandbox.client(buyer.cnpj)
    event = signed_notes.event(
        other.signing, second, "210200", leaves(descEvento="Confirmacao da Operacao"),
        author=buyer.cnpj, orgao="91", when=clock.now() + timedelta(minutes=2),
    )  # fmt: skip
    assert other.register(event, authority="AN").event == 135
    response = manifest(inbox, second, "confirmacao")
    assert (response.status_code, response.json()["codigo"]) == (400, "manifestacao_ja_vinculada")
    assert entry(inbox, second)["manifestacao_destinatario"] == "confirmacao"
    shown = inbox.get(f"nfes_recebidas/{second}/manifesto").json()
    assert shown["protocolo"] == sandbox.told("GET", "eventos")[1]["protocolo"]
    adopted = Manifestation.objects.get(state=EventState.REGISTRADO, received__chave=second)
    assert adopted.is_adopted
    late = manifest(inbox, second, "ciencia")  # 655: after a conclusive one
    assert late.json()["codigo"] == "manifestacao_nao_aplicavel"
    assert "655" in late.json()["mensagem"]


def test_without_any_answer_it_goes_on_by_itself(company, sandbox, nfe, inbox, fetch, monkeypatch):
    impatient(monkeypatch)
    chave = issued_nfe(nfe)["chave_nfe"].removeprefix("NFe")
    fetch()
    sandbox.fault("queda_antes", servico="recepcao_evento", vezes=2)

    why = "Mercadoria devolvida na entrega"
    response = manifest(inbox, chave, "nao_realizada", justificativa=why)

    assert (response.status_code, response.json()["status"]) == (202, "processando_autorizacao")
    assert manifest(inbox, chave, "confirmacao").json()["codigo"] == "em_processamento"
    assert entry(inbox, chave)["manifestacao_destinatario"] is None
    row = Manifestation.objects.get()
    assert (row.state, row.next_attempt_at > clock.now()) == (EventState.INDEFINIDO, True)
    resume_manifestation(row.pk)
    shown = inbox.get(f"nfes_recebidas/{chave}/manifesto").json()
    assert (shown["tipo"], shown["justificativa"]) == ("nao_realizada", why)
    assert entry(inbox, chave)["manifestacao_destinatario"] == "nao_realizada"


def test_what_is_asked_for_must_be_right(company, sandbox, nfe, inbox, fetch):
    """§8.3: the errors of the request; nothing is sent."""
    chave = issued_nfe(nfe)["chave_nfe"].removeprefix("NFe")
    fetch()
    for body in (
        {}, {"tipo": "aceite"}, {"tipo": 1}, {"tipo": "nao_realizada"},
        {"tipo": "nao_realizada", "justificativa": "curta"},
        {"tipo": "nao_realizada", "justificativa": "x" * 256},
        {"tipo": "ciencia", "justificativa": "Não cabe em ciência"},
    ):  # fmt: skip
        response = inbox.post(f"nfes_recebidas/{chave}/manifesto", body)
        assert (response.status_code, response.json()["codigo"]) == (400, "requisicao_invalida")
    assert nfe.post(f"nfes_recebidas/{chave}/manifesto", {"tipo": "ciencia"}).status_code == 404
    assert not Manifestation.objects.exists()
    assert sandbox.told("GET", "eventos") == []


# --- distribution ------------------------------------------------------------------------------


def test_after_656_the_hour_passes_and_nothing_is_skipped(buyer, script):
    """DIS-2: the message brings the NSU to go on from; what lies between comes one by one."""
    cursor = cursor_of(buyer)
    asked = script(answers("656", ult=2, top=2))

    fetch_received(cursor.pk)

    cursor.refresh_from_db()
    assert (cursor.ult_nsu, cursor.gap_after, cursor.gap_until) == (2, 0, 2)
    assert cursor.next_at == cursor.blocked_until
    assert timedelta(minutes=59) < cursor.blocked_until - clock.now() < timedelta(minutes=61)
    fetch_received(cursor.pk)
    assert asked == [{"ult_nsu": "0"}]

    script(answers("137", ult=2, top=2), answers("137"), answers("137"))
    cursor = again(cursor)
    assert asked[1:] == [{"ult_nsu": "2"}, {"nsu": "1"}, {"nsu": "2"}]
    assert (cursor.gap_after, cursor.ult_nsu) == (2, 2)


def test_silence_and_refusals_are_told_once(buyer, inbox, script):
    inbox.post("hooks", {"event": "nfe_recebida_falha_consulta", "url": "https://8.8.8.8/x"})
    cursor = cursor_of(buyer)
    script(*[Lost("sem resposta")] * 4, answers("137"), answers("593"), answers("593"))

    for _ in range(4):
        cursor = again(cursor)
    assert (cursor.n_failures, cursor.last_error) == (4, "sem resposta")
    assert cursor.next_at > clock.now() + timedelta(minutes=30)
    notice = HookNotice.objects.get()  # the third failure, and no other
    assert body_of(notice)["mensagem"] == "sem resposta"
    cursor = again(cursor)
    assert (cursor.n_failures, cursor.last_error) == (0, "")
    for _ in range(2):
        cursor = again(cursor)
    assert "593" in cursor.last_error
    assert HookNotice.objects.count() == 2


def test_an_nsu_beyond_the_base_goes_back_to_its_end(buyer, script):
    """589."""
    cursor = cursor_of(buyer)
    DistributionCursor.objects.filter(pk=cursor.pk).update(ult_nsu=99, max_nsu=99)
    script(answers("589", ult=99, top=7))

    fetch_received(cursor.pk)

    cursor.refresh_from_db()
    assert (cursor.ult_nsu, cursor.max_nsu) == (7, 7)
    assert cursor.next_at > clock.now() + timedelta(minutes=50)


def test_whatever_comes_is_kept_and_only_the_proved_is_believed(
    company, buyer, sandbox, nfe, inbox, fetch, script, monkeypatch
):
    """DIS-3, DIS-5: unknown kinds, damage, a changed total, an event before its note."""
    monkeypatch.undo()  # the sandbox answers first
    chave = issued_nfe(nfe)["chave_nfe"].removeprefix("NFe")
    fetch()
    manifest(inbox, chave)
    nfe.post("nfe/r1/carta_correcao", {"correcao": "O endereco e Rua das Flores, 12"})
    fetch(later=True)
    kept = {one.schema: archive.unpacked(one.content) for one in ReceivedDocument.objects.all()}
    note, event = kept["procNFe_v4.00.xsd"], kept["procEventoNFe_v1.00.xsd"]
    ReceivedNfe.objects.all()  # the rows go, to come again in another order
    Manifestation.objects.all().delete()
    ReceivedNfe.objects.all().delete()
    ReceivedDocument.objects.all().delete()

    cursor = cursor_of(buyer)
    changed = note.replace(b"<vNF>20.00</vNF>", b"<vNF>10.00</vNF>")
    pages = [
        DistributedDocument("11", "procEventoNFe_v1.00.xsd", event),
        DistributedDocument("12", "procNada_v9.99.xsd", b"<nada/>"),
        DistributedDocument("13", "resNFe_v1.01.xsd", b"<resNFe"),
        DistributedDocument("14", "procNFe_v4.00.xsd", changed),
        DistributedDocument("15", "procNFe_v4.00.xsd", note),
        DistributedDocument("15", "procNFe_v4.00.xsd", note),
    ]
    page = answers("138", *pages[:4], ult=14, top=14)
    monkeypatch.setattr(Sefaz, "distribution", lambda self, document, **what: page)
    again(cursor)
    row = ReceivedNfe.objects.get()
    assert (row.is_complete, row.correction_number) == (False, 1)
    assert any("digest" in fault for fault in row.faults)
    assert entry(inbox, chave)["nfe_completa"] is False
    assert [bool(one.error) for one in ReceivedDocument.objects.order_by("nsu")] == [
        False, False, True, False,
    ]  # fmt: skip
    version = row.versao

    page = answers("138", *pages[4:], ult=15, top=15)
    again(cursor)
    row.refresh_from_db()
    assert (row.is_complete, row.faults, row.versao) == (True, [], version + 1)
    assert ReceivedDocument.objects.count() == 5
    again(cursor)
    row.refresh_from_db()
    assert row.versao == version + 1  # nothing came twice


def elsewhere(call: Any, *args: Any) -> Any:
    """What another worker gets."""

    def run() -> Any:
        try:
            return call(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


# --- who is asked, and when --------------------------------------------------------------------


def test_the_schedule_asks_for_those_who_want_it_and_never_twice_at_once(buyer, company, script):
    assert sweep_received() == 2  # one company, both environments
    assert sweep_received() == 0  # claimed
    assert OrmQ.objects.count() == 2
    cursor = cursor_of(buyer)
    asked = script(answers("137"))
    with asking.alone(cursor):
        assert elsewhere(distribution.fetch, cursor.pk) == 0
    assert asked == []
    buyer.options = {"habilita_manifestacao": False}
    buyer.save()
    fetch_received(cursor.pk)
    cursor.refresh_from_db()
    assert (asked, cursor.next_at) == ([], None)
