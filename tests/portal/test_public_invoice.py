"""The page of a public link (P17), as a browser without a session sees it."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from django.utils.timezone import timedelta
from support.boletos import agreement_with, open_boleto
from support.invoices import emitted_invoice

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.models import (
    EmailMessage,
    EmailSuppression,
    Invoice,
    InvoiceLink,
    Party,
    Receivable,
)
from billing.services.emails.suppressions import suppress
from billing.services.invoices import void_invoice
from billing.services.links import make_link, revoke, token_of
from billing.services.receivables import receive
from portal.masking import masked_name

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(organization, customer, today):
    today("2026-08-12")
    return emitted_invoice(organization, customer)


@pytest.fixture
def link(invoice):
    return make_link(invoice, recipient="ana@aurora.test")


def page(link, rest="", client=None, **data):
    client = client or Client()
    url = f"/p/f/{token_of(link)}/{rest}"
    return client.post(url, data, follow=True) if data else client.get(url)


def states(invoice):
    return (
        list(Invoice.objects.filter(pk=invoice.pk).values()),
        list(Receivable.objects.filter(invoice=invoice).values()),
    )


def test_ten_looks_change_nothing_and_the_link_still_shows_what_to_pay(invoice, link):
    before = states(invoice)

    for _ in range(10):
        answer = page(link)

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "Em aberto" in text
    assert "R$\xa0100,00" in text
    assert states(invoice) == before
    assert InvoiceLink.objects.get(pk=link.pk).opens == 1  # at most once a minute
    assert AuditEvent.objects.filter(action="link_publico.aberto").count() == 1


def test_the_page_keeps_to_itself(invoice, link):
    answer = page(link)

    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert not re.findall(
        r'(?:src|href)="(?!/|#|data:)', answer.content.decode()
    )  # no other origin


def test_nothing_personal_of_the_payer_is_in_the_page(invoice, link, customer):
    customer.address, customer.email = "Rua das Acácias", "financeiro@aurora.test"
    customer.save()

    text = page(link).content.decode()

    for secret in (customer.document, "Rua das Acácias", "financeiro@", "ana@", "/central/faturas"):
        assert secret not in text
    assert invoice.organization.document[:2] in text


def test_late_charges_are_told_in_parts(invoice, link, today):
    today("2026-09-20")

    text = page(link).content.decode()

    assert 'data-estado="vencida"' in text
    for part in ("R$\xa02,00", "R$\xa01,03", "R$\xa0103,03", "31 dias"):
        assert part in text


def test_each_recipient_has_a_link_of_their_own(invoice, link):
    other = make_link(invoice, recipient="bia@aurora.test")

    revoke(other.pk, account=invoice.account, actor=SYSTEM)

    assert page(link).status_code == 200
    gone = page(other)
    assert gone.status_code == 410
    assert "Este link foi desativado." in gone.content.decode()
    assert "Mensalidade" not in gone.content.decode()


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), str.upper])
def test_a_token_that_was_touched_is_unknown(invoice, link, change):
    token = change(token_of(link))

    for url in (f"/p/f/{token}/", f"/p/f/{token}/pdf/", f"/p/f/{token}/2via/1/"):
        answer = Client().get(url)
        assert answer.status_code == 404
        assert invoice.organization.name not in answer.content.decode()
    assert Client().post(f"/p/f/{token}/pix/1/").status_code == 404


def test_an_expired_link_can_be_renewed_three_times_an_hour(invoice, link, customer):
    InvoiceLink.objects.filter(pk=link.pk).update(expires_at=invoice.created_at - timedelta(days=1))

    first = page(link)
    answers = [page(link, "novo-link/", x="1") for _ in range(4)]

    assert first.status_code == 410
    assert "Este link expirou." in first.content.decode()
    assert "ana@aurora.test" not in first.content.decode()
    told = [answer.content.decode() for answer in answers]
    assert [("Enviamos um novo link" in text) for text in told] == [True, True, True, False]
    sent = EmailMessage.objects.filter(trigger="link")
    assert {row.recipient for row in sent} == {"ana@aurora.test"}
    assert sent.count() == 3


def test_what_is_paid_or_void_offers_no_way_to_pay(invoice, link, organization, customer):
    receivable = invoice.receivables.get()
    receive(receivable.pk, account=invoice.account, actor=SYSTEM, on=date(2026, 8, 12))
    void = emitted_invoice(organization, customer)
    void_link = make_link(void, recipient="ana@aurora.test")
    void_invoice(void.pk, account=void.account, actor=SYSTEM, reason="engano")

    paid_text, void_text = page(link).content.decode(), page(void_link).content.decode()

    assert "Esta fatura está paga. Obrigado." in paid_text
    assert "Esta fatura foi anulada e não deve ser paga." in void_text
    for text in (paid_text, void_text):
        assert "data-meio" not in text
        assert "Pagar" not in text


def test_scopes_are_kept(invoice):
    link = make_link(invoice, recipient="so.ver@aurora.test", scopes=("ver",))

    assert page(link).status_code == 200
    assert "data-meio" not in page(link).content.decode()
    assert page(link, "pdf/").status_code == 403
    assert Client().post(f"/p/f/{token_of(link)}/pix/1/").status_code == 403


def test_the_pdf_is_the_invoice(invoice, link):
    answer = page(link, "pdf/")

    assert answer["Content-Type"] == "application/pdf"
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert content.startswith(b"%PDF")


def test_another_parcel_than_those_of_the_invoice_is_unknown(invoice, link):
    assert page(link, "2via/7/").status_code == 404
    assert page(link, "boleto/7.pdf").status_code == 404
    assert Client().post(f"/p/f/{token_of(link)}/pix/7/").status_code == 404


def test_forms_work_from_a_page_without_referrer(invoice, link):
    strict = Client(enforce_csrf_checks=True)

    for rest in ("pix/1/", "atualizar/", "pagar/1/", "desistir/1/", "novo-link/"):
        answer = strict.post(f"/p/f/{token_of(link)}/{rest}", HTTP_ORIGIN="null")
        assert answer.status_code == 302, rest


def test_what_cannot_be_made_is_told_in_words(invoice, link):
    text = page(link, "pix/1/", x="1").content.decode()

    assert 'class="alert erro"' in text
    assert Invoice.objects.get(pk=invoice.pk).paid_total == Decimal(0)


def test_numbers_of_documents_in_names_are_not_shown(invoice, link, customer):
    cnpj = "11222333000181"
    for name, shown in (
        ("MARIA DA SILVA 52998224725", "MARIA DA SILVA ***"),
        ("MARIA 529.982.247-25", "MARIA ***"),
        ("A1B2 Ltda 11.222.333/0001-81", "A1B2 Ltda ***"),
        ("Padaria 24 Horas 2000", "Padaria 24 Horas 2000"),
    ):
        assert masked_name(name, cnpj) == shown
    assert masked_name("52998224725", "52998224725") == "***"


def test_what_was_typed_stays_text(invoice, link):
    evil = '"><script>alert(1)</script><img src=x onerror=1>'
    Party.objects.update(name=evil, company_name=evil)
    Invoice.objects.update(title=evil)

    for rest in ("", "2via/1/"):
        text = page(link, rest).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def test_what_nobody_offers_is_refused(invoice, link):
    token = token_of(link)
    for rest in ("pix/0/", f"pix/{9**30}/", "pagar/-1/", "boleto/1.pdf/x"):
        assert Client().post(f"/p/f/{token}/{rest}").status_code in (404, 405), rest
    for day in ("9999-12-31", "\x00", "31/02/2026"):
        assert Client().post(f"/p/f/{token}/2via/1/", {"vencimento": day}).status_code == 302
    assert Client().get(f"/p/f/{token}/novo-link/").status_code == 405
    for wrong in (f"{token}%00", "a" * 5000):
        assert Client().get(f"/p/f/{wrong}/").status_code == 404
    assert not invoice.receivables.get().charges.exists()


def test_a_suspended_address_is_not_told(invoice, link):
    suppress(invoice.account, "ana@aurora.test", reason=EmailSuppression.Reason.SPAM)

    text = page(link, "novo-link/", x="1").content.decode()

    assert "ana@" not in text
    assert "Não foi possível enviar um novo link por aqui." in text


def test_a_second_copy_is_printed_by_those_who_may(invoice, organization):
    agreement_with(organization)
    open_boleto(invoice.receivables.get().pk, invoice.account, today=date(2026, 8, 12))
    few = make_link(invoice, recipient="x@y.test", scopes=("ver", "pagar"))
    every = make_link(invoice, recipient="x@y.test")

    assert "Imprimir boleto" in page(every, "2via/1/").content.decode()
    text = page(few, "2via/1/").content.decode()

    assert "continua válido" in text
    assert "Imprimir boleto" not in text
