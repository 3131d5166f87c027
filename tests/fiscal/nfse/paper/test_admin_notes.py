"""Staff screens of service notes: found, told, acted on once, and only by who may (ux B13)."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client
from django_q.models import OrmQ
from support.service_notes import issues, loses, nfse_body, refusal, refuses, says
from support.staff import act, client_of, form_of, path, said

from accounts.models import AuditEvent
from fiscal.authorities.provider import Features, Kind
from fiscal.models import (
    MailMessage,
    NoteState,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
    ServiceSeries,
)
from fiscal.services import nfse_printing
from fiscal.services.nfse import dispatch, files, recovery
from tests.fiscal.nfse.paper.samples import abrasf204

pytestmark = pytest.mark.django_db
REASON = "Serviço não foi prestado"


@pytest.fixture
def clerk(company: Any) -> Client:
    return client_of(company.account)


def sent(nfe: Any, ref: str = "r1", **body: Any) -> ServiceNote:
    """What became of a body after one turn of the sender."""
    assert nfe.post("nfse", nfse_body(**body), ref=ref).status_code == 202
    dispatch.work()
    return fresh(ref)


def fresh(ref: str = "r1") -> ServiceNote:
    found: ServiceNote = ServiceNote.objects.select_related("company").get(ref=ref)
    return found


def page(client: Client, note: ServiceNote) -> str:
    answer = client.get(path("servicenote", "change", note.pk))
    assert answer.status_code == 200
    return answer.content.decode()


def listed(client: Client, **query: str) -> str:
    answer = client.get(path("servicenote", "changelist"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_notes_are_found_by_what_people_know_of_them(nfe, issuer, city, clerk, other_account):
    sent(nfe, tomador={"razao_social": "Padaria Aurora"})
    city.next("send", refuses("E145", "Regime não informado"))
    sent(nfe, "r2", tomador={"cnpj": "12ABC34501DE35"})

    everything = listed(clerk)

    assert "NFS-e 1000" in everything
    assert "RPS 1/2" in everything
    assert "Padaria Aurora" in everything
    for query, wanted, missing in (
        ({"q": "1000"}, ">r1<", ">r2<"),
        ({"q": "r2"}, ">r2<", ">r1<"),
        ({"q": "aurora"}, ">r1<", ">r2<"),
        ({"q": "12.abc.345/01de-35"}, ">r2<", ">r1<"),
        ({"q": "2"}, ">r2<", ">r1<"),
        ({"situacao": "atencao"}, ">r2<", ">r1<"),
        ({"situacao": "autorizado"}, ">r1<", ">r2<"),
        ({"municipio": "4301602", "tipo": "nfse", "q": "r1"}, ">r1<", ">r2<"),
    ):
        found = listed(clerk, **query)
        assert wanted in found, query
        assert missing not in found, query
    assert "Nenhuma nota de serviço aqui" in listed(clerk, tipo="nfsen")
    assert "Nenhuma nota de serviço aqui" in listed(clerk, q="4" * 50)
    stranger = client_of(other_account)
    assert ">r1<" not in listed(stranger)
    assert stranger.get(path("servicenote", "change", fresh().pk)).status_code == 404


def test_the_page_tells_what_happened(nfe, issuer, city, clerk, other_account, monkeypatch):
    city.next("send", issues(xml=abrasf204(), iss=Decimal("3.00")))
    note = sent(nfe)

    told = page(clerk, note)

    assert "NFS-e nº 1000" in told
    assert "Emissão: enviado" in told
    assert "Valores divergentes" in told
    assert 'R$\xa02,00</td><td class="n">R$\xa03,00' in told
    assert "base × alíquota, ou como informado" in told
    assert "O que aconteceu" not in told
    assert "&lt;ok/&gt;" in told  # raw answers are for who sees the setup
    assert "&lt;ok/&gt;" not in page(client_of(note.account, "suporte"), note)
    monkeypatch.setattr(nfse_printing, "note_pdf", lambda one: b"%PDF-" + one.ref.encode())
    printed = clerk.get(path("servicenote", "print", note.pk))
    assert (printed.status_code, printed.content) == (200, b"%PDF-r1")
    assert b"<CompNfse" in clerk.get(path("servicenote", "xml", note.pk)).content
    for name in ("print", "xml"):
        assert client_of(other_account).get(path("servicenote", name, note.pk)).status_code == 404


def test_a_refusal_says_what_to_do_and_goes_again_with_its_number(nfe, issuer, city, clerk):
    city.next("send", refuses("E99", "Algo errado", "Corrija o código do serviço"))
    note = sent(nfe)
    told = page(clerk, note)
    for part in ("O que aconteceu", "E99 – Algo errado", "Corrija o código do serviço",
                 "Quem resolve", "Enviar de novo"):  # fmt: skip
        assert part in told

    answer = act(clerk, note, "reenviar")

    assert answer.status_code == 302
    assert "fila de envio" in said(answer)
    dispatch.work()
    assert (fresh().state, fresh().rps_number) == (NoteState.AUTORIZADO, 1)
    assert AuditEvent.objects.filter(action="nfse.reenviada").count() == 1
    again = clerk.get(path("servicenote", "act", note.pk, "reenviar"))
    assert again.status_code == 302
    assert "não permite" in said(again)


def test_known_codes_open_what_puts_them_right(nfe, issuer, city):
    city.next("send", refuses("E0014", "Já usado"), refuses("E145", "Falta"), refuses("E7", "?"))
    chief = client_of(issuer.account, "admin")

    assert "Abrir séries" in page(chief, sent(nfe, "a"))
    assert "Abrir emitente" in page(chief, sent(nfe, "b"))
    assert "Ainda não temos orientação" in page(chief, sent(nfe, "c"))


def test_a_lost_answer_is_asked_about(nfe, issuer, city, clerk):
    city.next("send", loses(after=True))
    note = sent(nfe)
    assert note.state == NoteState.INDEFINIDO
    assert "não sabemos se a nota foi emitida" in page(clerk, note)

    answer = act(clerk, note, "consultar")

    assert "Autorizada" in said(answer)
    assert fresh().state == NoteState.AUTORIZADO
    assert city.names().count("send") == 1


def test_only_a_person_sends_what_a_city_does_not_bear_twice(nfe, issuer, city, clerk):
    city.features = Features(resends_safely=False)
    city.next("send", loses(after=False))
    note = sent(nfe)
    ServiceNote.objects.filter(pk=note.pk).update(last_message=recovery.NOT_FOUND)
    told = page(clerk, note)
    assert "Reenviar o mesmo RPS" in told
    assert "Confira no portal da prefeitura" in told

    answer = act(clerk, note, "reenviar-rps")

    assert "Autorizada" in said(answer)
    assert city.names().count("send") == 2
    assert fresh().rps_number == 1
    assert AuditEvent.objects.filter(action="nfse.rps_reenviado").count() == 1


def test_a_conflict_is_settled_by_asking(nfe, issuer, city, clerk):
    city.next("send", loses(after=True))
    note = sent(nfe)
    held = city.held[("4301602", "1", 1)]
    note.dispute(errors=[{"codigo": "conflito", "mensagem": "outra nota", "correcao": None}])
    note.save()
    assert "outra nota" in page(clerk, note)

    answer = act(clerk, note, "resolver")

    assert "Autorizada" in said(answer)
    assert fresh().number == held.note.number


def test_a_note_is_cancelled_once_with_a_reason(nfe, issuer, city, clerk):
    note = sent(nfe)
    where = path("servicenote", "act", note.pk, "cancelar")
    hidden = form_of(clerk, where)

    short = clerk.post(where, hidden | {"justificativa": "curta demais.."})
    assert "faltam 1" in short.content.decode()
    assert city.names().count("cancel") == 0
    hidden = form_of(clerk, where)
    first = clerk.post(where, hidden | {"justificativa": REASON, "codigo": "2"})
    second = clerk.post(where, hidden | {"justificativa": REASON, "codigo": "2"})

    assert (first.status_code, second.status_code) == (302, 302)
    assert "Nota cancelada." in said(first)
    assert fresh().state == NoteState.CANCELADO
    assert city.names().count("cancel") == 1
    assert ServiceOrder.objects.get().code == "2"
    assert AuditEvent.objects.filter(action="nfse.cancelada").count() == 1
    assert REASON in page(clerk, note)
    stale = clerk.post(where, {"justificativa": REASON, "situacao": "autorizado",
                               "idempotency_key": "f" * 32})  # fmt: skip
    assert stale.status_code == 409


def test_a_refused_and_a_slow_cancellation_are_told(nfe, issuer, city, clerk):
    refused = refusal(Kind.REJECTED, "E50", "Fora do prazo", "Peça substituição")
    city.next("cancel", lambda script, call: refused, says(Kind.CANCEL_PENDING))
    note = sent(nfe)

    answer = act(clerk, note, "cancelar", justificativa=REASON, codigo="")
    assert "E50 – Fora do prazo – Peça substituição" in said(answer)
    assert fresh().state == NoteState.AUTORIZADO

    answer = act(clerk, note, "cancelar", justificativa=REASON, codigo="")
    assert "em análise" in said(answer)
    note = fresh()
    assert note.state == NoteState.CANCELAMENTO_EM_ANALISE
    assert "alguém na prefeitura decide" in page(clerk, note)
    city.next("find_cancel", says(Kind.CANCELLED))
    answer = act(clerk, note, "consultar-cancelamento")
    assert "Nota cancelada." in said(answer)
    assert fresh().state == NoteState.CANCELADO


def test_e_mail_is_queued_and_support_only_looks(nfe, issuer, city, clerk):
    note = sent(nfe)

    answer = act(clerk, note, "email", emails="a@exemplo.test, b@exemplo.test")

    assert "a@exemplo.test, b@exemplo.test" in said(answer)
    assert MailMessage.objects.filter(service_note=note).count() == 2
    assert "E-mail: Autorização" in page(clerk, note)
    support = client_of(note.account, "suporte")
    told = page(support, note)
    assert "Cancelar a nota" not in told
    forbidden = support.get(path("servicenote", "act", note.pk, "cancelar"))
    assert forbidden.status_code == 403


def test_series_go_on_where_people_say_but_never_back(nfe, issuer, city):
    sent(nfe)
    series = ServiceSeries.objects.get()
    chief = client_of(issuer.account, "admin")
    where = path("serviceseries", "change", series.pk)

    back = chief.post(where, {"next_number": "1"})
    assert "deve ser maior que 1" in back.content.decode()
    assert ServiceSeries.objects.get().next_number == 2
    on = chief.post(where, {"next_number": "50"})

    assert on.status_code == 302
    assert ServiceSeries.objects.get().next_number == 50
    assert AuditEvent.objects.filter(action="serie.alterada").count() == 1
    company = chief.get(path("company", "change", issuer.pk)).content.decode()
    assert "RPS série 1, homologação" in company
    assert "próximo 50" in company


def test_what_was_sent_is_there_to_be_read(nfe, issuer, city):
    note = sent(nfe)
    cancelled = ServiceOrder.objects.create(
        account=note.account, note=note, kind="cancelamento", reason=REASON,
        created_at=note.created_at,
    )  # fmt: skip
    chief = client_of(note.account, "admin")

    for model, row in (
        ("serviceattempt", ServiceAttempt.objects.get()),
        ("serviceorder", cancelled),
    ):
        assert chief.get(path(model, "changelist")).status_code == 200
        assert "1000" in chief.get(path(model, "change", row.pk)).content.decode()
    files = chief.get(path("archive", "change", note.archives.first().pk)).content.decode()
    assert path("servicenote", "change", note.pk) in files


def test_many_notes_are_asked_sent_again_and_taken_as_files(nfe, issuer, city, clerk, company):
    url = path("servicenote", "changelist")
    good = sent(nfe)
    city.next("send", refuses("E145", "Regime não informado"))
    bad = sent(nfe, "r2")
    city.next("send", loses(after=False))
    lost = sent(nfe, "r3")
    rows = [good.pk, bad.pk, lost.pk]

    def do(action: str, *ids: int, **more: str) -> Any:
        return clerk.post(url, {"action": action, "_selected_action": list(ids)} | more)

    asked = do("nudge_chosen", *rows).content.decode()
    assert "1 nota(s), R$" in asked
    assert "2 ficam de fora: já têm resposta definitiva" in asked
    queued = OrmQ.objects.count()
    do("nudge_chosen", *rows, confirmado="1")
    assert OrmQ.objects.count() == queued + 1

    asked = do("reissue_chosen", *rows).content.decode()
    assert "E145 – Regime não informado" in asked
    assert fresh("r2").state == NoteState.REJEITADO
    do("reissue_chosen", *rows, confirmado="1")
    assert fresh("r2").state == NoteState.ASSINADO
    dispatch.work()
    assert (fresh("r2").state, fresh("r2").rps_number) == (NoteState.AUTORIZADO, bad.rps_number)

    bad.refresh_from_db(fields=["number"])
    archive = ZipFile(BytesIO(b"".join(do("download_chosen", *rows).streaming_content)))
    names = archive.namelist()
    assert sorted(name.rpartition(".")[2] for name in names) == ["pdf", "pdf", "xml", "xml"]
    assert {name.partition("/")[0] for name in names} == {company.document}
    first = f"{company.document}/{files.note_name(good)}"
    assert archive.read(first) == files.note_xml(good)
    assert (
        "não há arquivos"
        in clerk.post(
            url, {"action": "download_chosen", "_selected_action": [lost.pk]}, follow=True
        ).content.decode()
    )


def test_only_who_may_issue_sends_many_again(nfe, issuer, city, company, other_account):
    city.next("send", refuses("E145", "Regime não informado"))
    note = sent(nfe)
    url = path("servicenote", "changelist")
    chosen = {"action": "reissue_chosen", "_selected_action": [note.pk], "confirmado": "1"}

    for client in (client_of(company.account, "suporte"), client_of(other_account)):
        client.post(url, chosen)

    assert fresh().state == NoteState.REJEITADO
