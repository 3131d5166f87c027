"""Invoices by e-mail: what is written, what is sent, and that nothing is sent twice."""

from __future__ import annotations

import io
import socket
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from support.emails import contact, due_now, mailjet_account, send_all, template
from support.invoices import actions, emitted_invoice, in_threads, line, new_invoice
from support.mailbox import mail_server
from support.payment_sandbox import Providers

from accounts.services.audit import SYSTEM
from billing.errors import CannotEmail, CannotRenewLink, EmailNoTemplate
from billing.gateways.mail import console
from billing.gateways.mail.base import Letter
from billing.models import (
    EmailMessage,
    EmailSuppression,
    EmailTemplate,
    Invoice,
    Party,
    Payment,
    Receivable,
)
from billing.models.email import check_address
from billing.services import links
from billing.services.emails import automatic, manual, sending
from billing.services.emails.suppressions import suppress
from billing.services.invoices import void_invoice
from lib import clock
from lib.errors import NotFound, RateLimited

State = EmailMessage.State


@pytest.fixture
def invoice(organization: Any, customer: Any, today: Any) -> Any:
    """Of R$ 100,00, emitted on 12/08/2026; two people are told of it, and a copy goes out."""
    today("2026-08-12")
    customer.name = "Café & <Cia>"
    customer.save()
    contact(customer, "ana@exemplo.test")
    contact(customer, "bia@exemplo.test")
    template(organization, cc="chefe@exemplo.test", sender="Cobrança <cobranca@exemplo.test>")
    return emitted_invoice(organization, customer)


def fresh(invoice: Any) -> Any:
    return Invoice.objects.get(pk=invoice.pk)


def states() -> list[str]:
    return list(EmailMessage.objects.order_by("pk").values_list("state", flat=True))


def kept(providers: Providers) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = providers.books("mailjet")["messages"]
    return found


def test_each_recipient_gets_an_own_message_with_an_own_link(
    invoice: Any, providers: Providers
) -> None:
    mailjet_account(invoice.organization, providers)

    queued = manual.send_invoice(invoice, actor=SYSTEM)
    assert [row.state for row in queued] == [State.QUEUED] * 3
    assert fresh(invoice).sent_at is None
    rows = send_all()

    assert [row.recipient for row in rows] == [
        "ana@exemplo.test", "bia@exemplo.test", "chefe@exemplo.test",
    ]  # fmt: skip
    assert [row.is_copy for row in rows] == [False, False, True]
    assert len({row.link.key for row in rows if row.link}) == 3
    for row, sent in zip(rows, kept(providers), strict=True):
        url = links.address(row.link)  # type: ignore[arg-type]
        assert row.state == State.SENT
        assert (row.subject, row.error, row.next_attempt_at) == (
            f"Fatura {invoice.label}",
            "",
            None,
        )
        assert row.body == (
            f"Olá, Café & <Cia>: a fatura {invoice.label} de R$ 100,00 vence em 20/08/2026. {url}"
        )
        assert (sent["to"][0]["Email"], sent["text"]) == (row.recipient, row.body)
        assert str(sent["id"]) == row.external_id
        assert "Café &amp; &lt;Cia&gt;" in sent["html"]
        assert f'<a href="{url}"' in sent["html"]
        assert sent["from"] == {"Email": "cobranca@exemplo.test", "Name": "Cobrança"}
        assert sent["custom_id"] == sending.reference_of(row)
    assert fresh(invoice).sent_at is not None
    assert actions(invoice).count("fatura.email_enviado") == 1

    again = manual.send_invoice(invoice, actor=SYSTEM)
    assert [row.link_id for row in again] == [row.link_id for row in rows]
    assert len(send_all()) == len(kept(providers)) == 6
    sending.work_off()
    assert len(kept(providers)) == 6


def test_automatic_messages_are_written_once(
    invoice: Any, providers: Providers, today: Any, other_account: Any
) -> None:
    mailjet_account(invoice.organization, providers)
    account = invoice.account

    first = automatic.send_emission(invoice.pk, account)
    today("2026-08-13")  # a worker that was cut comes back after midnight
    assert automatic.send_emission(invoice.pk, account) == []
    contact(invoice.customer, "carla@exemplo.test")
    assert [row.recipient for row in automatic.send_emission(invoice.pk, account)] == [
        "carla@exemplo.test"
    ]
    assert len(first) == 3
    parcel = invoice.receivables.get()
    due = automatic.send_for_dunning([parcel], key="cliente.1.20260825")
    assert automatic.send_for_dunning([parcel], key="cliente.1.20260825") == []
    # Ours, which has no copy; it may be told again under another key.
    assert len(due) == len(automatic.send_for_dunning([parcel], key="cliente.2.20260827")) == 3
    assert "em atraso desde 20/08/2026" in due[0].subject
    assert due[0].receivables == [parcel.pk]
    with pytest.raises(NotFound):
        automatic.send_emission(invoice.pk, other_account)


def test_several_receivables_are_one_message_with_a_link_for_each_invoice(
    invoice: Any, providers: Providers
) -> None:
    mailjet_account(invoice.organization, providers)
    older = emitted_invoice(
        invoice.organization, invoice.customer, due_dates=[date(2026, 8, 15)], lines=[line("50.00")]
    )
    parcels = [*invoice.receivables.all(), *older.receivables.all()]

    rows = automatic.send_for_dunning(parcels, key="x")

    assert {row.invoice_id for row in rows} == {older.pk}
    body = rows[0].body
    assert f"{older.label}, {invoice.label}, no valor de R$ 150,00" in body
    assert "vencida em 15/08/2026, 20/08/2026" in body
    for parcel, value in ((parcels[1], "R$ 50,00"), (parcels[0], "R$ 100,00")):
        link = parcel.invoice.links.get(recipient=rows[0].recipient)
        assert f"Fatura {parcel.invoice.label}, vencimento em" in body
        assert f"{value}:\n{links.address(link)}" in body

    # DUN-5: what was paid before it went is not asked for.
    Receivable.objects.filter(pk=parcels[0].pk).update(state="cancelled")
    assert sending._unwanted(rows[0], sending.still_asked(rows[0])) is None
    Receivable.objects.filter(pk=parcels[1].pk).update(state="cancelled")
    assert {row.error for row in send_all()} == {sending.PAID}
    assert kept(providers) == []


def test_an_unknown_outcome_is_asked_about_before_it_is_sent_again(
    invoice: Any, providers: Providers
) -> None:
    mailjet_account(invoice.organization, providers)
    EmailTemplate.objects.update(cc="")
    providers.control("mailjet/idempotency", is_on=False)  # nothing but the question helps
    manual.send_invoice(invoice, actor=SYSTEM)

    providers.fault("mailjet", "cut", path="/v3.1")
    providers.fault("mailjet", "status", path="/v3.1", status=500)
    rows = send_all()
    assert [row.state for row in rows] == [State.SENDING] * 2
    assert all(row.error.startswith(sending.NOT_KNOWN) for row in rows)
    assert len(kept(providers)) == 1
    sending.work_off()  # not due yet
    assert len(providers.calls("mailjet")) == 2

    providers.fault("mailjet", "status", path="/v3/", status=500)
    due_now()
    rows = send_all()
    assert [row.state for row in rows] == [State.SENDING, State.SENT]
    due_now()
    rows = send_all()

    assert [row.state for row in rows] == [State.SENT] * 2
    assert [row.attempts for row in rows] == [3, 2]
    assert rows[0].external_id == str(kept(providers)[0]["id"])
    assert [one["to"][0]["Email"] for one in kept(providers)] == [
        "ana@exemplo.test", "bia@exemplo.test",
    ]  # fmt: skip


@pytest.mark.parametrize("moment", ["taken", "marked", "sent"])
def test_a_worker_that_is_killed_sends_nothing_twice_and_loses_nothing(
    invoice: Any, providers: Providers, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    mailjet_account(invoice.organization, providers)
    EmailTemplate.objects.update(cc="")
    providers.control("mailjet/idempotency", is_on=False)
    manual.send_invoice(invoice, actor=SYSTEM)

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    where = {"taken": "letter_of", "marked": "_hand_over", "sent": "_sent"}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(sending, where, die)
        for _ in range(2):
            with pytest.raises(Killed):
                sending.work_off()
    assert sending.work_off() == 0  # the leases of the dead stand
    due_now()
    rows = send_all()

    assert [row.state for row in rows] == [State.SENT] * 2
    assert [row.attempts for row in rows] == [2, 2]
    assert len(kept(providers)) == 2


def test_refusals_end_and_delays_do_not(invoice: Any, providers: Providers, settings: Any) -> None:
    gateway = mailjet_account(invoice.organization, providers)
    EmailTemplate.objects.update(cc="")
    manual.send_invoice(invoice, actor=SYSTEM)
    providers.control("mailjet/refuse", about="To[0].Email", code="mj-0013", message="bad")
    providers.fault("mailjet", "status", path="/v3.1", skip=1, status=429)
    rows = send_all()

    assert [row.state for row in rows] == [State.FAILED, State.QUEUED]
    assert rows[0].error == (
        "O provedor de e-mail recusou o envio: endereço de e-mail inválido (mj-0013 bad)."
    )
    assert rows[1].error.endswith("o Mailjet pediu para esperar.")
    assert EmailSuppression.objects.get().address == "ana@exemplo.test"
    first = invoice.customer.contacts.get(email="ana@exemplo.test")
    assert first.bounced_at is not None

    secrets = gateway.secrets
    gateway.secrets = {**secrets, "api_key": "errada"}
    gateway.save()
    for _ in range(sending.MAX_ATTEMPTS - 2):
        due_now()
        assert send_all()[1].state == State.QUEUED
    due_now()
    row = send_all()[1]
    assert (row.state, row.attempts) == (State.FAILED, sending.MAX_ATTEMPTS)
    assert "as chaves da conta do Mailjet não foram aceitas" in row.error

    gateway.secrets = secrets
    gateway.save()
    manual.send_again(row.pk, account=invoice.account, actor=SYSTEM)
    assert send_all()[2].state == State.SENT
    manual.send_again(rows[0].pk, account=invoice.account, actor=SYSTEM)
    assert send_all()[3].error == sending.SUPPRESSED
    gateway.is_active = False
    gateway.save()
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = sending_backend(), ""
    manual.send_again(row.pk, account=invoice.account, actor=SYSTEM)
    assert "nenhum servidor de e-mail está configurado" in send_all()[4].error
    last = manual.send_again(row.pk, account=invoice.account, actor=SYSTEM)
    EmailMessage.objects.filter(pk=last.pk).update(attempts=sending.MAX_ATTEMPTS)
    assert (send_all()[5].state, send_all()[5].error) == (State.FAILED, sending.INTERRUPTED)


def sending_backend() -> str:
    return "django.core.mail.backends.smtp.EmailBackend"


def test_a_mail_server_gets_it_once_and_is_not_asked(
    invoice: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    EmailTemplate.objects.update(cc="", body="<p>$CLIENTE</p><p>{{ var:invoice_url }}</p>")
    with mail_server() as mailbox:
        settings.EMAIL_BACKEND = sending_backend()
        settings.EMAIL_HOST, settings.EMAIL_PORT = mailbox.host, mailbox.port
        mailbox.refusals = ["250 OK", "550 5.1.1 desconhecido"]
        manual.send_invoice(invoice, actor=SYSTEM)
        rows = send_all()

        assert [row.state for row in rows] == [State.SENT, State.FAILED]
        assert "destinatário recusado: 550 5.1.1 desconhecido" in rows[1].error
        [message] = mailbox.messages
        assert message["Message-ID"] == rows[0].external_id
        assert message["Reply-To"] is None or "@" in message["Reply-To"]
        text, page = (part.get_content() for part in message.iter_parts())
        url = links.address(rows[0].link)  # type: ignore[arg-type]
        assert url in text
        assert "Café &amp; &lt;Cia&gt;" in page
        assert page.rstrip() == rows[0].body

        # 4xx: later again; a connection that ends after it was made: nobody knows.
        mailbox.refusals = ["450 4.2.1 mais tarde"]
        manual.send_again(rows[0].pk, account=invoice.account, actor=SYSTEM)
        assert send_all()[2].state == State.QUEUED
        due_now()
        with monkeypatch.context() as patch:
            patch.setattr("support.mailbox._Session.on_data", hang_up)
            assert send_all()[2].state == State.FAILED
        row = EmailMessage.objects.latest("pk")
        assert row.error == sending.NOT_KNOWN
        due_now()
        sending.work_off()
        assert len(mailbox.messages) == 1

    manual.send_again(rows[0].pk, account=invoice.account, actor=SYSTEM)
    assert send_all()[3].state == State.QUEUED  # nobody listens: certainly not taken
    # Found as being sent: its worker died, and the server keeps no list.
    EmailMessage.objects.filter(state=State.QUEUED).update(state=State.SENDING)
    due_now()
    assert send_all()[3].error == sending.NOT_KNOWN


def hang_up(session: Any, rest: str) -> None:
    session.connection.shutdown(socket.SHUT_RDWR)


def test_the_console_tells_what_would_have_been_sent() -> None:
    out = io.StringIO()
    letter = Letter("r", "r", "De <a@b.test>", "c@d.test", "Assunto x", "corpo", "<p>corpo</p>")

    console.Console(out).send(letter)

    assert "Para: c@d.test" in out.getvalue()
    assert "corpo" in out.getvalue()


def test_what_may_not_be_sent(invoice: Any, other_account: Any, organization: Any) -> None:
    draft = new_invoice(organization, invoice.customer)
    void = emitted_invoice(organization, invoice.customer)
    void_invoice(void.pk, account=void.account, actor=SYSTEM, reason="em duplicidade")
    stranger = template(organization, name="de outra", default_template=False)
    EmailTemplate.objects.filter(pk=stranger.pk).update(account=other_account)

    for one in (draft, void):
        with pytest.raises(CannotEmail):
            manual.send_invoice(one, actor=SYSTEM)
    with pytest.raises(EmailNoTemplate):
        manual.send_invoice(invoice, actor=SYSTEM, template_id=stranger.pk)
    suppress(invoice.account, "ana@exemplo.test", reason=EmailSuppression.Reason.SPAM)
    manual.send_invoice(invoice, actor=SYSTEM)
    assert [row.recipient for row in EmailMessage.objects.order_by("pk")] == [
        "bia@exemplo.test", "chefe@exemplo.test",
    ]  # fmt: skip
    assert "fatura.email_enviado" not in actions(void)


def test_an_expired_link_sends_another_to_its_own_address_three_times_an_hour(
    invoice: Any, today: Any
) -> None:
    old = links.make_link(invoice, recipient="ana@exemplo.test")
    today("2026-12-01")
    assert links.open_link(links.token_of(old)).state == links.LinkState.EXPIRED

    for _ in range(manual.LINKS_PER_HOUR):
        row = manual.send_new_link(old)
    with pytest.raises(RateLimited):
        manual.send_new_link(old)

    assert row.recipient == "ana@exemplo.test"
    assert row.link_id != old.pk
    assert links.open_link(links.token_of(row.link)).state == links.LinkState.VALID  # type: ignore[arg-type]
    assert EmailMessage.objects.filter(trigger=EmailMessage.Trigger.LINK).count() == 3
    assert actions(invoice).count("link_publico.reenviado") == 3


def test_texts_of_payments(invoice: Any) -> None:
    payment = Payment.objects.create(
        account=invoice.account,
        key=uuid4(),
        customer=invoice.customer,
        invoice=invoice,
        receivable=invoice.receivables.get(),
        method=Payment.Method.CARD,
        amount=Decimal("100.00"),
        received_on=date(2026, 8, 12),
        created_at=clock.now(),
    )

    [one, *_] = automatic.send_authentication_link(payment)
    assert f"{links.address(one.link)}#pagar" in one.body  # type: ignore[arg-type]
    assert "R$ 100,00" in one.body
    assert automatic.send_authentication_link(payment) == []
    [receipt, *_] = automatic.send_receipt(payment)
    assert "Recebemos R$ 100,00 em 12/08/2026 (Cartão)" in receipt.body
    assert automatic.send_receipt(payment) == []
    payment.invoice = None
    assert automatic.send_receipt(payment) == []


@pytest.mark.django_db(transaction=True)
def test_workers_at_the_same_time_write_and_send_each_message_once(
    invoice: Any, providers: Providers
) -> None:
    mailjet_account(invoice.organization, providers)
    providers.control("mailjet/idempotency", is_on=False)

    written = in_threads([lambda: automatic.send_emission(invoice.pk, invoice.account)] * 3)
    assert sorted(len(rows) for rows in written) == [0, 0, 3]
    manual.send_invoice(invoice, actor=SYSTEM)
    taken = in_threads([sending.work_off] * 3)

    assert sum(taken) == 6
    assert states() == [State.SENT] * 6
    assert len(kept(providers)) == 6


def test_a_new_link_allows_what_the_old_one_did_and_names_no_address(
    invoice: Any, today: Any
) -> None:
    old = links.make_link(invoice, recipient="ana@exemplo.test", scopes=("ver",))
    nobodys = links.make_link(invoice, recipient="")
    today("2026-12-01")
    row = manual.send_new_link(old)
    assert row.link is not None
    assert row.link.scopes == ["ver"]
    suppress(invoice.account, "ana@exemplo.test", reason=EmailSuppression.Reason.SPAM)
    for link in (old, nobodys):
        with pytest.raises(CannotRenewLink) as refused:
            manual.send_new_link(link)
        assert "@" not in refused.value.mensagem
    assert EmailMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_links_asked_for_at_once_are_counted_one_by_one(invoice: Any) -> None:
    old = links.make_link(invoice, recipient="ana@exemplo.test")
    answers = in_threads([lambda: manual.send_new_link(old)] * 6)
    assert sum(isinstance(one, EmailMessage) for one in answers) == manual.LINKS_PER_HOUR
    assert sum(isinstance(one, RateLimited) for one in answers) == 3


def test_nobody_writes_a_header(invoice: Any, settings: Any) -> None:
    for text in ("Ana\nBcc: x@y.test <a@b.test>", "Ana\x00 <a@b.test>", "a@b.test\r"):
        with pytest.raises(ValidationError):
            check_address(text + "x" if text.endswith("\r") else text)
    # What is kept from before.
    evil = "\r\nBcc: x@y.test"
    EmailTemplate.objects.update(cc="", sender=f"Ana{evil} <a@b.test>", subject=f"Olá{evil}")
    Party.objects.update(name='"' * 200, email=f"a@b.test{evil}")
    with mail_server() as mailbox:
        settings.EMAIL_BACKEND = sending_backend()
        settings.EMAIL_HOST, settings.EMAIL_PORT = mailbox.host, mailbox.port
        manual.send_invoice(invoice, actor=SYSTEM)
        EmailTemplate.objects.update(sender="")
        manual.send_invoice(invoice, actor=SYSTEM)
        rows = send_all()
        assert {(row.state, row.error) for row in rows} == {(State.SENT, "")}
        assert {message["Bcc"] for message in mailbox.messages} == {None}
        assert {message["Reply-To"] for message in mailbox.messages} == {None}
        assert mailbox.messages[0]["From"] == '"Ana Bcc: x@y.test" <a@b.test>'
    assert max(len(row.sender) for row in rows) < 300
