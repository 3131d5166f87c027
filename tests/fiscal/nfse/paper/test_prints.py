"""Prints of notes that were issued: the cache, published paths, links, e-mails (§1.10, §4.4, §4.6).

Rendering is tested by itself: here the page of HTML stands for its PDF.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client
from factories import FiscalCompanyFactory
from support.certificates import certify
from support.service_notes import issues, national_body, nfse_body, refuses
from support.v2 import fiscal_token, v2

from fiscal.authorities.provider import Kind, Outcome
from fiscal.documents.nfse import paper
from fiscal.documents.nfsen import danfse
from fiscal.models import Company, MailMessage, NoteState, ServiceNote, ServicePrint
from fiscal.services import mail, nfse_printing, print_cache
from fiscal.services.nfse import dispatch
from fiscal.services.nfse.cancel import cancel_note
from fiscal.tasks import send_mail
from lib import clock
from lib.pdf import RenderFailed
from lib.pdf_wire import Kind as Failure
from tests.fiscal.nfse.paper.samples import Nfse, abrasf204

pytestmark = pytest.mark.django_db
TAKER = "cliente@example.com"
NOTE = Nfse()


@pytest.fixture(autouse=True)
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pages of HTML instead of PDFs; what was made, in its order."""
    made: list[str] = []

    def by(page: Any) -> Any:
        def render(*args: Any, **kwargs: Any) -> bytes:
            made.append(page(*args, **kwargs))
            return made[-1].encode()

        return render

    monkeypatch.setattr(danfse, "danfse_pdf", by(danfse.danfse_html))
    monkeypatch.setattr(paper, "note_pdf", by(paper.note_html))
    monkeypatch.setattr(paper, "paper_pdf", by(paper.paper_html))
    return made


def issued(client: Any, city: Any, ref: str = "r1", **other: Any) -> ServiceNote:
    """A municipal note, by the city's XML."""
    city.next("send", issues(**({"xml": abrasf204()} | other)))
    assert client.post("nfse", nfse_body(), ref=ref).status_code == 202
    dispatch.work()
    note = ServiceNote.objects.select_related("company").get(ref=ref)
    assert note.state == NoteState.AUTORIZADO, note.errors
    return note


def national(client: Any, city: Any, company: Company, ref: str = "n1") -> ServiceNote:
    Company.objects.filter(pk=company.pk).update(habilita_nfsen_homologacao=True)
    city.next("send", issues(xml=NOTE.xml(), number=NOTE.numero, key=NOTE.key, url="https://n.br"))
    answer = client.post("nfsen", national_body(), ref=ref)
    assert answer.status_code == 202, answer.content
    dispatch.work()
    note = ServiceNote.objects.select_related("company").get(ref=ref)
    assert note.state == NoteState.AUTORIZADO, note.errors
    return note


def work_off() -> None:
    for pk, n in MailMessage.objects.filter(state="pendente").values_list("pk", "n_attempts"):
        send_mail(pk, n)


# --- the cache ---------------------------------------------------------------------------------


def test_a_print_is_made_once_and_again_when_the_note_changed(nfe, issuer, city, rendered):
    note = issued(nfe, city)

    first = nfse_printing.note_pdf(note)
    assert "AB12CD34" in first.decode()
    assert "https://city.invalid/note" in first.decode()
    assert "SEM VALOR FISCAL" in first.decode()
    assert nfse_printing.note_pdf(note) == first
    assert len(rendered) == 1
    Company.objects.update(logo=b"\x89PNG\r\n\x1a\nother")
    assert b"data:image/png" in nfse_printing.note_pdf(note)
    assert len(rendered) == 2

    cancel_note(note, justificativa="Serviço não foi prestado")
    note = ServiceNote.objects.select_related("company").get(pk=note.pk)
    assert "CANCELADA" in nfse_printing.note_pdf(note).decode()
    assert ServicePrint.objects.count() == 1

    ServicePrint.objects.update(data=b"spoilt")
    assert "CANCELADA" in nfse_printing.note_pdf(note).decode()
    assert len(rendered) == 4
    assert print_cache.purge(now=clock.now() + timedelta(days=4000)) == 1
    assert not ServicePrint.objects.exists()


def test_what_nobody_can_read_is_printed_as_it_was_declared(nfe, issuer, city, rendered):
    note = issued(nfe, city, xml=b"<Outra><Nota/></Outra>", verification_code="VERI-1")

    page = nfse_printing.note_pdf(note).decode()

    assert "Suporte tecnico em informatica" in page
    assert "VERI-1" in page
    assert f">{note.number}<" in page
    assert "Recibo Provis" not in page


def test_a_print_that_fails_is_told_and_nothing_is_kept(nfe, issuer, city, monkeypatch):
    issued(nfe, city)

    def fails(*_: Any, **__: Any) -> bytes:
        raise RenderFailed("sem memória", kind=Failure.TOO_MUCH_MEMORY)

    monkeypatch.setattr(paper, "note_pdf", fails)
    link = nfe.get("nfse/r1").json()["url_danfse"]

    answer = Client().get("/" + link.split("/", 3)[3])

    assert answer.status_code == 503
    assert "Tente de novo" in answer.content.decode()
    assert not ServicePrint.objects.exists()


def test_an_rps_that_waits_in_a_batch_is_printed_and_says_so(nfe, issuer, city):
    city.next("send", lambda script, call: Outcome(Kind.IN_PROCESS, protocol="P1"))
    nfe.post("nfse", nfse_body(), ref="r1")
    dispatch.work()
    note = ServiceNote.objects.select_related("company").get()
    assert note.state == NoteState.EM_LOTE

    page = nfse_printing.note_pdf(note).decode()

    assert "Recibo Provis" in page
    assert "nº 1, série 1 (RPS)" in page
    assert "11.444.777/0001-61" in page


def test_a_refused_note_has_no_print(nfe, issuer, city):
    city.next("send", refuses("E1", "Recusada"))
    nfe.post("nfse", nfse_body(), ref="r1")
    dispatch.work()
    note = ServiceNote.objects.select_related("company").get()

    with pytest.raises(nfse_printing.DocumentNotFound):
        nfse_printing.note_pdf(note)


# --- downloads ---------------------------------------------------------------------------------


def test_files_are_read_by_token_and_by_link_and_by_nobody_else(nfe, issuer, city, other_account):
    note = issued(nfe, city)
    shown = nfe.get("nfse/r1").json()
    path = shown["caminho_xml_nota_fiscal"]
    pdf = path.replace("/XMLs/", "/DANFSEs/").replace("-nfse.xml", ".pdf")
    other = FiscalCompanyFactory(account=other_account, cnpj="11444777000161")
    certify(other)
    stranger = v2(fiscal_token(other))
    live = v2(fiscal_token(issuer, "producao"))

    xml = nfe.get(path)
    printed = nfe.get(pdf)

    assert xml.status_code == 200
    assert b"<CompNfse" in xml.content
    assert printed.status_code == 200
    assert printed["Content-Type"] == "application/pdf"
    assert b"AB12CD34" in printed.content
    for someone in (stranger, live):
        assert someone.get(path).status_code == 404
        assert someone.get(pdf).status_code == 404
    assert Client().get(pdf).status_code == 401
    month = path.split("/")[3]
    assert nfe.get(pdf.replace(f"/{month}/", "/200001/")).status_code == 404
    assert nfe.get(pdf.replace(".pdf", "9.pdf")).status_code == 404
    assert nfe.get(pdf.replace("arquivos_development", "arquivos")).status_code == 404

    link = shown["url_danfse"]
    assert link.startswith("http")
    where = "/" + link.split("/", 3)[3]
    answer = Client().get(where)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["X-Robots-Tag"] == "noindex"
    assert nfe.get("nfse/r1").json()["url_danfse"] == link
    assert Client().get(where.replace("notas_servico/", "notas_servico/a")).status_code == 404
    assert Client().post(where).status_code == 405
    note.account.is_active = False
    note.account.save()
    assert Client().get(where).status_code == 404


def test_a_declaration_is_no_published_file(nfe, issuer, city):
    note = issued(nfe, city)
    path = nfe.get("nfse/r1").json()["caminho_xml_nota_fiscal"]
    name = note.archives.get(kind="declared").name

    assert nfe.get(f"{path.rpartition('/')[0]}/{name}").status_code == 404


def test_the_own_pdf_of_a_city_is_the_published_one(nfe, issuer, city):
    issued(nfe, city, url_pdf="https://cidade.example/nota.pdf")

    assert nfe.get("nfse/r1").json()["url_danfse"] == "https://cidade.example/nota.pdf"


def test_a_national_note_is_printed_as_danfse(nfe, issuer, city):
    note = national(nfe, city, issuer)
    shown = nfe.get("nfsen/n1").json()

    answer = nfe.get(shown["caminho_xml_nota_fiscal"].replace("/XMLs/", "/DANFSEs/").replace(
        "-nfse.xml", ".pdf"))  # fmt: skip

    assert shown["codigo_verificacao"] == NOTE.key
    assert note.provider == "nacional"
    assert answer.status_code == 200, answer.content
    assert f'filename="{NOTE.key}.pdf"' in answer["Content-Disposition"]
    assert "DANFSe v2.0" in answer.content.decode()


# --- e-mail ------------------------------------------------------------------------------------


def test_the_taker_gets_the_note_and_its_cancellation(nfe, issuer, city):
    Company.objects.update(enviar_email_homologacao=True)
    note = issued(nfe, city)
    work_off()

    [message] = outbox.outbox
    assert message.to == [TAKER]
    assert message.subject == f"[SEM VALOR FISCAL] NFS-e nº 1000 de {issuer.nome_fantasia}"
    assert "ABC-123" in message.body
    assert "sem valor fiscal" in message.body
    names = [name for name, _, _ in message.attachments]
    assert names == [f"{nfse_printing.pdf_name(note)[:-4]}-nfse.xml", nfse_printing.pdf_name(note)]
    assert message.extra_headers["Message-ID"] == MailMessage.objects.get().message_id

    cancel_note(note, justificativa="Serviço não foi prestado")
    work_off()
    work_off()

    assert len(outbox.outbox) == 2
    cancelled = outbox.outbox[1]
    assert cancelled.subject.endswith("cancelada")
    names = [name for name, _, _ in cancelled.attachments]
    assert [name.rpartition("-")[2] for name in names] == ["nfse.xml", "1.pdf", "can.xml"]
    assert "CANCELADA" in str(cancelled.attachments[1][1])
    assert [row.state for row in MailMessage.objects.all()] == ["enviado", "enviado"]
    assert mail.tell_taker(note, "autorizado", now=clock.now()) == 0


def test_nothing_is_sent_by_itself_where_the_company_turned_it_off(nfe, issuer, city):
    note = issued(nfe, city)

    assert not MailMessage.objects.exists()
    Company.objects.update(enviar_email_homologacao=True)
    note.company.refresh_from_db()
    assert mail.tell_taker(note, "erro_autorizacao", now=clock.now()) == 0
    assert mail.tell_taker(note, "substituido", now=clock.now()) == 0


def test_a_note_is_sent_again_to_whom_the_client_names(nfe, issuer, city):
    issued(nfe, city)
    city.next("send", refuses("E1", "Recusada"))
    nfe.post("nfse", nfse_body(), ref="r2")
    dispatch.work()

    answer = nfe.post("nfse/r1/email", {"emails": ["a@exemplo.test", "A@exemplo.test"]})
    assert answer.status_code == 200
    assert answer.json()["emails"] == ["a@exemplo.test"]
    for ref, body, status, codigo in (
        ("r1", {"emails": []}, 400, "requisicao_invalida"),
        ("r1", {"emails": ["x"]}, 400, "requisicao_invalida"),
        ("r1", {"emails": [f"a{n}@x.test" for n in range(11)]}, 400, "requisicao_invalida"),
        ("r2", {"emails": ["a@exemplo.test"]}, 422, "nfe_nao_autorizada"),
        ("r3", {"emails": ["a@exemplo.test"]}, 404, "nao_encontrado"),
    ):
        refused = nfe.post(f"nfse/{ref}/email", body)
        assert (refused.status_code, refused.json()["codigo"]) == (status, codigo), ref
    work_off()

    assert [message.to for message in outbox.outbox] == [["a@exemplo.test"]]
