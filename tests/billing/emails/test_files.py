"""What goes along with an e-mail, as a file or as a link."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from support.boletos import agreement_with, open_boleto
from support.emails import contact, mailjet_account, send_all, template
from support.invoices import TODAY, emitted_invoice
from support.payment_sandbox import Providers
from support.pdfs import use_template

from accounts.services.audit import SYSTEM
from billing.documents.cache import PdfFailed, clear
from billing.models import Attachment, Charge, EmailMessage, Invoice
from billing.services import links
from billing.services.attachments import save_attachments
from billing.services.emails import automatic, manual
from billing.services.emails.files import FileMissing, encoded_size, linked
from lib import clock

State = EmailMessage.State


@pytest.fixture
def invoice(organization: Any, customer: Any, providers: Providers, today: Any) -> Any:
    today("2026-08-12")
    contact(customer, "ana@exemplo.test")
    template(organization, include_invoice_pdf=True, include_billet=True, include_attachments=True)
    mailjet_account(organization, providers)
    return emitted_invoice(organization, customer)


def attach(invoice: Invoice, name: str, size: int) -> Attachment:
    content = base64.b64encode(b"x" * size).decode()
    element = {"filename": name, "content": content, "content_type": "text/plain"}
    faults: list[Any] = []
    [row] = save_attachments(
        invoice, [element], account=invoice.account, actor=SYSTEM, faults=faults
    )
    assert faults == []
    return row


def test_base64_is_counted_with_its_line_breaks() -> None:
    for size in (0, 1, 2, 3, 56, 57, 58, 1000, 12_345):
        assert encoded_size(size) == len(base64.encodebytes(b"x" * size).replace(b"\n", b"\r\n"))


def test_invoice_boleto_and_attachments_go_along(invoice: Any, providers: Providers) -> None:
    agreement_with(invoice.organization)
    charge = open_boleto(invoice.receivables.get().pk, invoice.account, today=TODAY)
    attach(invoice, "detalhe.txt", 10)

    draft = manual.draft_of(invoice)
    assert [one.name for one in draft.enclosures][::2] == [
        f"Invoice_{invoice.pk:05d}.pdf", "detalhe.txt",
    ]  # fmt: skip
    assert not draft.is_linked
    assert draft.size == sum(encoded_size(len(one.content)) for one in draft.enclosures)
    manual.send_invoice(invoice, actor=SYSTEM)
    clear(invoice.account, invoice_id=invoice.pk)  # it can always be made again
    [row] = send_all()

    assert row.state == State.SENT
    [sent] = providers.books("mailjet")["messages"]
    # The text names no sender: the organization, at the address of its account of Mailjet.
    assert "ç" in invoice.organization.name
    assert sent["from"] == {"Email": "faturas@exemplo.test", "Name": invoice.organization.name}
    assert [one["name"] for one in sent["attached"]] == [one["name"] for one in row.attached]
    assert [one["type"] for one in sent["attached"]] == [
        "application/pdf", "application/pdf", "text/plain",
    ]  # fmt: skip
    pdf, boleto, text = (base64.b64decode(one["content"]) for one in sent["attached"])
    assert (pdf[:5], boleto[:5], text) == (b"%PDF-", b"%PDF-", b"x" * 10)
    assert [one["size"] for one in row.attached] == [len(pdf), len(boleto), len(text)]

    [again] = automatic.send_reissued(charge)
    assert [one["id"] for one in again.attached] == [charge.pk]
    assert "linha digitável: " + charge.linha_digitavel[:5] in again.body.lower()
    assert automatic.send_reissued(charge) == []
    assert row.link is not None
    assert linked(row.attached, row.link)[1]["url"] == f"{links.address(row.link)}boleto/1.pdf"
    # A boleto of more than is open is not sent along.
    Charge.objects.update(principal="40.00", amount="40.00")
    assert [one.name for one in manual.draft_of(invoice).enclosures][1:] == ["detalhe.txt"]


def test_more_than_15_mb_go_as_links_and_the_text_says_so(
    invoice: Any, providers: Providers, today: Any
) -> None:
    big = [attach(invoice, name, 6_000_000) for name in ("a.txt", "b.txt")]

    [row] = manual.send_invoice(invoice, actor=SYSTEM)

    assert row.attached == []
    assert [one["name"] for one in row.linked] == [
        f"Invoice_{invoice.pk:05d}.pdf", "a.txt", "b.txt",
    ]  # fmt: skip
    assert row.linked[0]["url"] == f"{links.address(row.link)}pdf/"  # type: ignore[arg-type]
    assert "Os anexos são grandes demais para um e-mail." in row.body
    assert all(f"{one['name']}: {one['url']}" in row.body for one in row.linked)
    [sent] = send_all()
    assert sent.state == State.SENT
    assert providers.books("mailjet")["messages"][0]["attached"] == []

    path = row.linked[1]["url"].partition("/files/")[2]
    today("2026-09-30")  # long after links of the API have ended
    answer = Client().get(f"/files/{path}")
    assert b"".join(answer.streaming_content) == b"x" * 6_000_000  # type: ignore[attr-defined]
    assert Client().get(f"/files/{path[:-1]}").status_code == 404
    links.revoke(row.link_id or 0, account=invoice.account, actor=SYSTEM)
    assert Client().get(f"/files/{path}").status_code == 404
    assert big[0].invoice_id == invoice.pk


def test_a_provider_that_does_not_like_the_files_gets_their_addresses(
    invoice: Any, providers: Providers
) -> None:
    attach(invoice, "detalhe.txt", 10)
    manual.send_invoice(invoice, actor=SYSTEM)
    providers.control("mailjet/refuse", about="Attachments[0].Filename", code="send-0001")

    [row] = send_all()

    assert row.state == State.SENT
    assert row.attached == []
    assert [one["name"] for one in row.linked][1:] == ["detalhe.txt"]
    [sent] = providers.books("mailjet")["messages"]
    assert sent["attached"] == []
    assert sent["text"] == row.body
    assert row.linked[1]["url"] in row.body
    assert {call["status"] for call in providers.calls("mailjet", "POST")} == {200, 400}


def test_without_its_files_nothing_is_sent(
    invoice: Any, providers: Providers, other_account: Any
) -> None:
    lost = attach(invoice, "detalhe.txt", 10)
    [row] = manual.send_invoice(invoice, actor=SYSTEM)
    default_storage.delete(lost.storage_key)

    with pytest.raises(FileMissing, match=r"detalhe\.txt não foi encontrado; nada foi enviado"):
        manual.send_invoice(invoice, actor=SYSTEM)
    [row] = send_all()
    assert (row.state, row.attempts) == (State.QUEUED, 1)
    assert "detalhe.txt não foi encontrado" in row.error
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > clock.now() + timedelta(minutes=1)

    lost.delete()
    clear(invoice.account, invoice_id=invoice.pk)
    use_template(invoice.organization, "<p>{{ 1 / (total_tax * 0) }}</p>")
    broken = emitted_invoice(invoice.organization, invoice.customer)
    with pytest.raises(PdfFailed):
        automatic.send_emission(broken.pk, invoice.account)
    assert EmailMessage.objects.count() == 1
    assert providers.books("mailjet")["messages"] == []
    assert Invoice.objects.get(pk=invoice.pk).sent_at is None
