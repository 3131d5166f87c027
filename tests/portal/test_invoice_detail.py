"""The page of an invoice (P07): sums, instalments, files, and passing it on."""

from __future__ import annotations

import re
from concurrent.futures import Future
from decimal import Decimal
from urllib.parse import unquote

import pytest
from django.test import Client
from support.portal_queries import asked

from accounts.models import AuditEvent
from billing.documents import waiting
from billing.documents.printing import PdfFailed
from billing.models import EmailMessage, EmailSuppression, Invoice, InvoiceLink, PdfCache
from billing.services.emails import manual
from portal.views import invoice_files

LEITURA = "leitura@aurora.test"
CENTRAL = "/central/faturas/"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Another thread sees nothing of a test's transaction."""

    def begin(call):
        work = Future()
        try:
            work.set_result(call())
        except Exception as error:
            work.set_exception(error)
        return work

    monkeypatch.setattr(waiting, "begin", begin)


def text_of(element):
    return " ".join(element.text_content().replace("\xa0", " ").split())


def values(tree, selector):
    return [Decimal(one.get("data-valor")) for one in tree.cssselect(selector)]


def alert_of(answer):
    return re.search(r'<div class="alert[^>]*>(.*?)</div>', answer.content.decode())[1]


def test_p07_1_the_sums_are_right_on_every_invoice(central, page):
    client = central()
    for number in range(1001, 1011):
        tree = page(client, f"{CENTRAL}{number}/")
        items = values(tree, "[data-itens] tbody [data-valor]")
        (subtotal,) = values(tree, "[data-soma=subtotal]")
        (discounts,) = values(tree, "[data-soma=descontos]")
        (taxes,) = values(tree, "[data-soma=impostos]")
        (total,) = values(tree, "[data-soma=total]")
        assert sum(items) == subtotal
        assert subtotal + taxes - discounts == total
        (shown,) = values(tree, "[data-total=fatura]")
        assert shown == total + sum(values(tree, "[data-soma=retencao]"))
        assert tree.body.get("data-screen") == "P07"
        assert len(tree.cssselect("h1")) == 1


def test_what_the_page_tells_of_1001(central, page):
    tree = page(central(), f"{CENTRAL}1001/")
    text = text_of(tree)

    headings = [text_of(h2) for h2 in tree.cssselect("main h2")]
    assert headings == [
        "Pagar agora", "Dados", "Itens cobrados", "Parcelas", "Pagamentos", "Notas fiscais",
        "Linha do tempo", "O que você pode fazer",
    ]  # fmt: skip
    for part in (
        "Pix: na hora", "Boleto: até 2 dias úteis", "Cartão: na hora", "Demo Serviços Ltda",
        "CNPJ 12.345.678/0001-95", "CNPJ 12.ABC.345/01DE-35", "01/08/2026 – 03/08/2026",
        "R$ 16,6604", "17,08", "Fatura emitida", "NFS-e 501 emitida",
    ):  # fmt: skip
        assert part in text, part
    assert values(tree, "[data-meio]") == [Decimal("1234.56")] * 3
    links = [a.get("href") for a in tree.cssselect(".meios a")]
    assert links == [f"{CENTRAL}01001/{rest}/" for rest in ("pix", "2via", "pagar")]


def test_what_is_late_costs_more_and_says_why(central, page):
    tree = page(central(), f"{CENTRAL}1002/")

    offered = {one.get("data-meio"): one.get("data-valor") for one in tree.cssselect("[data-meio]")}
    assert offered == {"pix": "515.50", "boleto": "515.67", "cartao": "515.50"}
    assert "multa R$ 10,00 + juros R$ 5,50 (33 dias)" in text_of(tree)


def test_p07_2_only_the_open_instalment_is_payable(central, page):
    tree = page(central(), f"{CENTRAL}1009/")

    told = {row.get("data-parcela"): row.get("data-estado") for row in tree.cssselect(
        "[data-parcelas] tr[data-parcela]"
    )}  # fmt: skip
    assert told == {"1": "paga", "2": "aberta"}
    assert [one.get("data-parcela") for one in tree.cssselect(".pagar-parcela")] == ["2"]
    assert {a.get("href").partition("?")[2] for a in tree.cssselect(".meios a")} == {"parcela=2"}
    assert len(tree.cssselect("[data-pagamentos] tbody tr")) == 1


def test_p07_3_what_is_under_way_is_not_paid_again(central, page):
    tree = page(central(), f"{CENTRAL}1007/")
    text = text_of(tree)

    assert re.search(
        r"Pagamento em processamento desde \d\d/\d\d/2026 \d\d:\d\d\. Não pague de novo\.", text
    )
    assert not tree.cssselect("[data-area=pagar], .meios")
    assert not [a for a in tree.cssselect("main a") if "/pagar/" in a.get("href")]


def test_p07_4_another_customers_invoice_is_a_missing_one(central):
    client = central()
    answers = [client.get(f"{CENTRAL}{number}/") for number in ("2001", "02001", "999999")]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


def test_who_only_reads_has_no_control(central, page):
    client = central(LEITURA)
    for number in (1001, 1002, 1009):
        tree = page(client, f"{CENTRAL}{number}/")
        assert not tree.cssselect("main form, .meios, [data-area=pagar]"), number
        text = text_of(tree)
        for control in ("Enviar para outro", "WhatsApp", "Contestar", "Pagar agora"):
            assert control not in text
    assert client.get(f"{CENTRAL}1001/enviar/").status_code == 403
    assert client.post(f"{CENTRAL}1001/enviar/", {"email": "x@y.test"}).status_code == 403
    assert client.post(f"{CENTRAL}1001/compartilhar/").status_code == 403
    assert not InvoiceLink.objects.filter(invoice__number=1001).exists()


def test_every_state_asks_little_of_the_database(central):
    for email in ("titular@aurora.test", LEITURA):
        client = central(email)
        for number in range(1001, 1011):
            answer, n = asked(client, f"{CENTRAL}{number}/")
            assert n <= 15, (email, number, n)
            assert len(answer.content) < 60_000
    answer, n = asked(central("titular@boavista.test"), f"{CENTRAL}2001/")
    assert answer.status_code == 200
    assert n <= 15


def test_the_pdf_is_made_once_and_noted(central):
    client = central()

    first, second = (client.get(f"{CENTRAL}1001/pdf/") for _ in range(2))

    for answer in (first, second):
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")
        assert "Invoice_" in answer["Content-Disposition"]
    assert first.content == second.content
    assert AuditEvent.objects.filter(action="fatura.pdf_baixado").count() == 2
    assert client.get(f"{CENTRAL}1001/pdf/situacao/").json() == {"pronto": True}


def test_a_pdf_that_takes_long_is_waited_for_on_a_page(central, page, monkeypatch):
    client = central()
    work: Future = Future()
    monkeypatch.setattr(waiting, "begin", lambda call: work)
    monkeypatch.setattr(invoice_files, "WAITS", 0.01)

    tree = page(client, f"{CENTRAL}1002/pdf/")

    assert text_of(tree.cssselect("h1")[0]) == "Gerando o PDF…"
    assert tree.cssselect("progress")
    assert not AuditEvent.objects.filter(action="fatura.pdf_baixado").exists()
    assert client.get(f"{CENTRAL}1002/pdf/situacao/").json() == {"pronto": False}
    work.set_exception(PdfFailed("o modelo parou", kind="timeout"))
    answer = client.get(f"{CENTRAL}1002/pdf/", follow=True)
    assert invoice_files.PDF_FAILED in alert_of(answer)
    assert not waiting._running
    assert not PdfCache.objects.exists()


def test_receipts_are_of_payments_of_this_invoice(central, page):
    client = central()

    alone = client.get(f"{CENTRAL}1003/recibo/")
    link = page(client, f"{CENTRAL}1004/").cssselect("[data-pagamentos] a")[0].get("href")

    for answer in (alone, client.get(link)):
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")
    assert client.get(link.replace("01004", "01003")).status_code == 404
    assert "alert erro" in client.get(f"{CENTRAL}1001/recibo/", follow=True).content.decode()


def test_sending_to_another_address(central, page):
    client = central()
    key = page(client, f"{CENTRAL}1001/enviar/").cssselect("[name=idempotency_key]")[0].get("value")
    form = {"email": "contador@escritorio.test", "idempotency_key": key}

    sent = [client.post(f"{CENTRAL}1001/enviar/", form, follow=True) for _ in range(2)]

    assert "Fatura enviada para contador@escritorio.test." in alert_of(sent[0])
    assert sent[1].redirect_chain == [(f"{CENTRAL}1001/", 302)]
    (row,) = EmailMessage.objects.filter(recipient="contador@escritorio.test")
    assert row.invoice.number == 1001
    assert row.link.recipient == "contador@escritorio.test"
    assert next(one["kind"] for one in row.attached) == "fatura"
    (event,) = AuditEvent.objects.filter(action="fatura.enviada_email")
    assert event.actor_label == "titular@aurora.test"


def test_what_is_typed_wrong_or_barred_is_told(central, demo, monkeypatch):
    client = central()
    EmailSuppression.objects.create(
        account=demo, address="barrado@x.test", reason="bounce", created_at="2026-08-01T00:00Z"
    )

    def post(email):
        return client.post(f"{CENTRAL}1001/enviar/", {"email": email}).content.decode()

    assert "Informe o e-mail." in post("")
    assert 'value="sem arroba"' in post("sem arroba")
    assert 'aria-invalid="true"' in post("barrado@x.test")
    monkeypatch.setattr(manual, "OTHERS_PER_HOUR", 0)
    assert "Tente de novo em uma hora." in post("outro@x.test")
    assert not EmailMessage.objects.filter(recipient__endswith="x.test").exists()
    void = client.post(f"{CENTRAL}1005/enviar/", {"email": "outro@x.test"}, follow=True)
    assert "alert erro" in void.content.decode()


def test_sharing_makes_one_link_and_looking_makes_none(central, page):
    client = central()
    page(client, f"{CENTRAL}1001/")
    assert not InvoiceLink.objects.filter(invoice__number=1001).exists()

    answers = [client.post(f"{CENTRAL}1001/compartilhar/") for _ in range(2)]

    (link,) = InvoiceLink.objects.filter(invoice__number=1001)
    address = answers[0]["Location"]
    assert address == answers[1]["Location"]
    assert address.startswith("https://wa.me/?text=")
    text = unquote(address.partition("=")[2])
    for part in ("01001", "R$ 1.234,56", "20/08/2026", "http://testserver/p/f/"):
        assert part in text
    public = Client().get(re.search(r"/p/f/\S+", text)[0])
    assert public.status_code == 200
    assert AuditEvent.objects.filter(action="link_publico.criado").count() == 1
    assert link.recipient == "titular@aurora.test"


def test_what_is_not_to_be_paid_is_not_shared(central):
    client = central()
    for number in (1003, 1005, 1007):
        answer = client.post(f"{CENTRAL}{number}/compartilhar/", follow=True)
        assert "Nada foi compartilhado." in alert_of(answer)
    assert not InvoiceLink.objects.exists()


def test_forms_are_guarded(central):
    strict = central(enforce_csrf_checks=True)

    for path in ("enviar/", "compartilhar/"):
        assert strict.post(f"{CENTRAL}1001/{path}", {"email": "a@b.test"}).status_code in (400, 403)
    assert not EmailMessage.objects.filter(recipient="a@b.test").exists()


def test_texts_of_strangers_are_shown_as_they_are(central, page):
    evil = "<script>alert(1)</script>\u202e😀" + "x" * 150
    Invoice.objects.filter(number=1001).update(title=evil[:200])
    invoice = Invoice.objects.get(number=1001)
    invoice.lines.update(title=evil[:200], description="y" * 10_000)

    answer = central().get(f"{CENTRAL}1001/")

    assert b"<script>alert" not in answer.content
    assert "&lt;script&gt;alert(1)" in answer.content.decode()
