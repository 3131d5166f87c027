"""Disputes in the portal: form, thread, files, who may what (P09), and the case of staff (B12)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import lxml.html
import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from support.disputes import pdf, png
from support.staff import form_of

from accounts.models import Account, User
from billing.models import Dispute, EmailMessage, Invoice

WHY = "O valor não é o do nosso contrato."
OPEN = "/central/faturas/01001/contestar/"
BOAVISTA = "titular@boavista.test"

Central = Callable[..., Client]
Page = Callable[..., Any]


@pytest.fixture
def staff(demo: Account) -> Client:
    client = Client()
    client.force_login(User.objects.get(email="admin@demo.test"))
    return client


def sent(**given: Any) -> dict[str, Any]:
    return {"motivo": "valor", "texto": WHY, "idempotency_key": "k", **given}


def opened(client: Client, where: str = OPEN, **given: Any) -> Dispute:
    answer = client.post(where, sent(**given))
    assert answer.status_code == 302, answer.content.decode()
    found: Dispute = Dispute.objects.get(protocol=answer["Location"].split("/")[-2])
    return found


def texts(page: Any, css: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in page.cssselect(css)]


def test_p09_1_nineteen_characters_are_too_few_and_twenty_are_enough(
    central: Central, page: Page, staff: Client
) -> None:
    client = central()
    form = page(client, OPEN)
    assert texts(form, "h1") == ["Contestar a fatura 01001"]
    assert "Nosso time vai analisar e responder no e-mail titular@aurora.test." in (
        " ".join(form.text_content().split())
    )
    assert texts(form, "#id_motivo label") == [
        "Valor diferente do contrato", "Serviço não reconhecido", "Contrato já cancelado",
        "Cobrança em duplicidade", "Dados da nota", "Outro",
    ]  # fmt: skip

    short = client.post(OPEN, sent(texto="a" * 19, motivo="nota"))
    assert short.status_code == 200
    shown = _parsed(short)
    assert shown.cssselect("title")[0].text.startswith("Erro: ")
    assert texts(shown, "#erros a") == ["Explique em pelo menos 20 caracteres."]
    assert shown.cssselect("#erros a")[0].get("href") == "#id_texto"
    field = shown.cssselect("#id_texto")[0]
    assert (field.text.strip(), field.get("aria-invalid")) == ("a" * 19, "true")
    assert field.get("aria-describedby") == "id_texto_helptext id_texto_error"
    assert shown.cssselect("#id_texto_error")
    assert shown.cssselect("#id_motivo input[checked]")[0].get("value") == "nota"
    assert texts(_parsed(client.post(OPEN, {"texto": ""})), "#erros a") == [
        "Informe o que está errado.", "Explique em pelo menos 20 caracteres.",
    ]  # fmt: skip

    answer = client.post(OPEN, sent(texto="a" * 20, idempotency_key="uma"), follow=True)
    dispute = Dispute.objects.get(invoice__number=1001)
    assert re.fullmatch(r"CTS-\d{4}-\d{6}", dispute.protocol)
    shown = _parsed(answer)
    assert texts(shown, "h1") == [f"Contestação {dispute.protocol}"]
    assert texts(shown, "[role=status] p") == [
        f"Contestação enviada. Protocolo {dispute.protocol}. Resposta em até 1 dia útil."
    ]
    assert texts(shown, ".chip") == ["Recebida"]
    words = " ".join(shown.text_content().split())
    assert "Resposta em até 1 dia útil" in words
    assert (
        "O vencimento continua em 20/08/2026. Se a cobrança for mantida, você terá 5 dias úteis "
        "para pagar sem multa e juros." in words
    )
    letters = EmailMessage.objects.filter(key__startswith="contestacao_recebida:")
    assert "titular@aurora.test" in letters.values_list("recipient", flat=True)
    assert dispute.protocol in staff.get("/admin/billing/dispute/").content.decode()

    # The button pressed twice: the same thread, and nothing new.
    again = client.post(OPEN, sent(texto="a" * 20, idempotency_key="uma"))
    assert again["Location"].endswith(f"/{dispute.protocol}/")
    assert Dispute.objects.filter(invoice__number=1001).count() == 1


def _parsed(answer: Any) -> Any:
    return lxml.html.fromstring(answer.content.decode())


def said(answer: Any) -> str:
    """The words of a page: the tokens of its forms are others each time."""
    return " ".join(_parsed(answer).text_content().split())


def test_p09_2_a_second_attempt_leads_to_the_open_one(central: Central, page: Page) -> None:
    client = central()
    dispute = opened(client)
    where = f"/central/contestacoes/{dispute.protocol}/"

    shown = page(client, OPEN)
    assert not shown.cssselect("form.card")
    assert f"Já existe uma contestação aberta: {dispute.protocol}" in shown.text_content()
    assert where in [a.get("href") for a in shown.cssselect(".alert a")]

    stale = client.post(OPEN, sent(idempotency_key="outra"))
    assert stale.status_code == 409
    assert where.encode() in stale.content
    assert Dispute.objects.filter(invoice__number=1001).count() == 1


def test_p09_3_the_answer_of_staff_is_in_thread_and_mail_and_readers_only_read(
    central: Central, page: Page, staff: Client
) -> None:
    """B12-1, B12-2 and B12-4, too."""
    titular, reader = central(), central("leitura@aurora.test")
    dispute = opened(titular)
    where = f"/central/contestacoes/{dispute.protocol}/"

    assert "Resposta enviada" in _act(staff, dispute, "responder", texto="Vamos conferir.")
    assert "Nota guardada" in _act(staff, dispute, "nota", texto="Segredo nosso.")

    seen = page(reader, where)
    assert texts(seen, ".fala-texto") == [WHY, "Vamos conferir."]
    assert texts(seen, ".fala strong")[1] == "Nosso time"
    assert not seen.cssselect("main form")
    assert "Encerrar contestação" not in seen.text_content()
    letter = EmailMessage.objects.get(key__startswith="contestacao_resposta:")
    assert (letter.recipient, "Vamos conferir." in letter.body) == ("titular@aurora.test", True)
    assert not EmailMessage.objects.filter(body__contains="Segredo").exists()
    assert texts(page(titular, where), ".chip") == ["Em análise"]
    for path, method in (
        (where, "post"),
        (OPEN, "get"),
        (OPEN, "post"),
        (f"{where}encerrar/", "post"),
    ):
        assert getattr(reader, method)(path, sent()).status_code == 403, path
    case = staff.get(f"/admin/billing/dispute/{dispute.pk}/change/").content.decode()
    assert "Segredo nosso." in case
    assert "Não visível ao cliente" in case

    _act(staff, dispute, "pedir", texto="Qual contrato?")
    assert texts(page(titular, where), ".chip") == ["Aguardando você"]
    assert titular.post(where, {"texto": "  "}).status_code == 200
    answered = titular.post(where, {"texto": "O 7.", "idempotency_key": "r"}, follow=True)
    assert texts(_parsed(answered), "[role=status] p") == ["Mensagem enviada."]
    assert texts(_parsed(answered), ".chip") == ["Em análise"]

    assert "Escreva a resposta ao cliente." in _act(staff, dispute, "manter", texto=" ")
    assert "Contestada" in texts(page(titular, "/central/faturas/01001/"), ".chip")
    assert "Cobrança mantida e contestação" in _act(staff, dispute, "manter", texto="Está certo.")
    shown = page(titular, where)
    assert texts(shown, ".chip") == ["Resolvida: cobrança mantida"]
    assert "Até 19/08/2026 você pode pagar a fatura 01001 sem multa e juros." in (
        " ".join(shown.text_content().split())
    )
    assert not shown.cssselect("main form")
    late = titular.post(where, {"texto": "mais", "idempotency_key": "s"})
    assert late.status_code == 409
    assert "Esta contestação já foi encerrada." in late.content.decode()
    assert "Contestada" not in texts(page(titular, "/central/faturas/01001/"), ".chip")


def _act(client: Client, dispute: Dispute, slug: str, **data: Any) -> str:
    where = f"/admin/billing/dispute/{dispute.pk}/acao/{slug}/"
    answer = client.post(where, form_of(client, where) | data)
    told = " ".join(str(one) for one in get_messages(answer.wsgi_request))
    return told + answer.content.decode()


def test_files_are_checked_kept_out_of_reach_and_saved_not_shown(
    central: Central, page: Page, staff: Client
) -> None:
    client = central()

    def file(name: str, data: bytes) -> SimpleUploadedFile:
        return SimpleUploadedFile(name, data, content_type="text/html")

    for files, told in (
        ([file("a.pdf", b"<html>")], "Tipo de arquivo não aceito."),
        ([file("a.png", png() + b"<script>")], "Tipo de arquivo não aceito."),
        ([file("a.pdf", pdf(b"x" * 5 * 1024 * 1024))], "O arquivo excede 5 MB."),
        ([file(f"{n}.pdf", pdf()) for n in range(4)], "Envie no máximo 3 arquivos."),
    ):
        refused = _parsed(client.post(OPEN, sent(anexos=files)))
        assert texts(refused, "#erros a") == [told]
        assert refused.cssselect("#id_texto")[0].text.strip() == WHY
    assert not Dispute.objects.filter(invoice__number=1001).exists()

    dispute = opened(client, anexos=[file('nota "x".pdf', pdf()), file("tela.png", png())])
    where = f"/central/contestacoes/{dispute.protocol}/"
    links = [a.get("href") for a in page(client, where).cssselect(".anexos a")]
    assert len(links) == 2
    got = client.get(links[0])
    assert got.content == pdf()
    assert got["Content-Type"] == "application/pdf"
    assert got["Content-Disposition"] == 'attachment; filename="nota \\"x\\".pdf"'
    assert got["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got["Content-Security-Policy"]
    assert "no-store" in got["Cache-Control"]
    assert central("leitura@aurora.test").get(links[1]).content == png()
    missing = central(BOAVISTA).get("/central/contestacoes/CTS-2026-999999/")
    for path in (*links, where, f"{where}encerrar/"):
        foreign = central(BOAVISTA).get(path)
        assert (foreign.status_code, said(foreign)) == (404, said(missing)), path
    file_id = links[0].split("/")[-2]
    ours = staff.get(f"/admin/billing/dispute/{dispute.pk}/anexo/{file_id}/")
    assert (ours.content, "sandbox" in ours["Content-Security-Policy"]) == (pdf(), True)


def test_hostile_texts_are_shown_as_texts(central: Central, page: Page) -> None:
    text = "<script>alert(1)</script> \u202eoirártnoc 😀 {{ 7 }} ' OR 1=1 --\r\nfim"
    client = central()
    dispute = opened(client, texto=text, itens=[])
    shown = page(client, f"/central/contestacoes/{dispute.protocol}/")
    assert texts(shown, ".fala-texto") == [
        "<script>alert(1)</script> oirártnoc 😀 {{ 7 }} ' OR 1=1 --fim"
    ]
    assert not shown.cssselect(".fala script")
    nul = client.post("/central/faturas/01002/contestar/", sent(texto=f"{WHY}\x00"))
    assert "Caracteres nulos não são permitidos." in nul.content.decode()
    long = client.post("/central/faturas/01002/contestar/", sent(texto="x" * 10_000))
    assert "Escreva no máximo 2000 caracteres." in long.content.decode()


def test_ending_it_asks_first_and_is_told(central: Central, page: Page) -> None:
    client = central("financeiro@aurora.test")
    dispute = opened(client)
    where = f"/central/contestacoes/{dispute.protocol}/"
    asked = page(client, f"{where}encerrar/")
    assert texts(asked, "main .btn") == ["Encerrar contestação", "Manter contestação"]
    assert Dispute.objects.get(pk=dispute.pk).is_live

    done = client.post(f"{where}encerrar/", {"idempotency_key": "e"}, follow=True)

    assert texts(_parsed(done), ".chip") == ["Encerrada por você"]
    assert client.get(f"{where}encerrar/").status_code == 302
    assert client.post(f"{where}encerrar/", {"idempotency_key": "f"}).status_code == 409


def test_the_list_and_other_peoples_invoices(
    central: Central, page: Page, django_assert_max_num_queries: Any
) -> None:
    empty = page(central("titular@nuvem.test"), "/central/contestacoes/")
    assert texts(empty, ".empty p") == ["Você não contestou nenhuma fatura."]
    client = central()
    dispute = opened(client)
    with django_assert_max_num_queries(15):
        rows = page(client, "/central/contestacoes/").cssselect("tbody tr")
    assert dispute.protocol in [row.get("data-protocolo") for row in rows]
    with django_assert_max_num_queries(15):
        page(client, f"/central/contestacoes/{dispute.protocol}/")
    with django_assert_max_num_queries(15):
        page(client, "/central/faturas/01002/contestar/")

    stranger = central(BOAVISTA)
    missing = stranger.get("/central/faturas/99999/contestar/")
    assert missing.status_code == 404
    for answer in (stranger.get(OPEN), stranger.post(OPEN, sent())):
        assert (answer.status_code, said(answer)) == (404, said(missing))
    line = Invoice.objects.get(number=1001, customer=dispute.customer).lines.first()
    other = client.post("/central/faturas/01002/contestar/", sent(itens=[line.pk]))
    assert texts(_parsed(other), "#erros a") == ["Escolha itens desta fatura."]
    assert (
        "não pode ser contestada"
        in page(client, "/central/faturas/01005/contestar/").text_content()
    )
    void = client.post("/central/faturas/01005/contestar/", sent(idempotency_key="v"))
    assert void.status_code == 409
    assert "Esta fatura mudou enquanto você estava aqui" in void.content.decode()
    assert Client().get(OPEN)["Location"].startswith("/central/entrar/?next=")


def test_b12_the_inbox_its_views_and_rights(central: Central, demo: Account) -> None:
    first = opened(central())
    for email, may in (
        ("suporte@demo.test", {"responder", "manter"}),
        ("fiscal@demo.test", set()),
        ("financeiro@demo.test", {"responder", "credito", "corrigir"}),
    ):
        client = Client()
        client.force_login(User.objects.get(email=email))
        case = client.get(f"/admin/billing/dispute/{first.pk}/change/").content.decode()
        shown = set(re.findall(r"/acao/(\w+)/", case))
        assert may <= shown, email
        for slug in {"credito", "corrigir"} if email != "financeiro@demo.test" else ():
            assert slug not in shown
            where = f"/admin/billing/dispute/{first.pk}/acao/{slug}/"
            assert client.get(where).status_code == 403
    assert "Contestação assumida." in _act(client, first, "assumir")
    for view, is_there in (("minhas", True), ("sem_dono", False), ("estouradas", False)):
        listed = client.get("/admin/billing/dispute/", {"visao": view}).content.decode()
        assert (first.protocol in listed) is is_there, view
    told = _act(client, first, "credito", valor="1.234,56", texto="Crédito da fatura toda.")
    assert "Crédito de R$\xa01.234,56 lançado" in told
    assert Invoice.objects.get(pk=first.invoice_id).state == "received"
    assert first.protocol not in client.get("/admin/billing/dispute/").content.decode()
    everything = client.get("/admin/billing/dispute/", {"situacao": "todas"}).content.decode()
    assert first.protocol in everything
