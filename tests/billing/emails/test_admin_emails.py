"""The screens of e-mails: what went out, links, suspended addresses, sending an invoice."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from support.emails import contact, mailjet_account, send_all, template
from support.invoices import actions, emitted_invoice
from support.payment_sandbox import Providers
from support.staff import client_of, form_of, said

from accounts.models import AuditEvent
from billing.models import (
    Contact,
    EmailMessage,
    EmailSuppression,
    EmailTemplate,
    InvoiceLink,
)
from billing.services import links


def path(model: str, name: str, *args: object) -> str:
    return reverse(f"admin:billing_{model}_{name}", args=args)


@pytest.fixture
def invoice(organization: Any, customer: Any, providers: Providers, today: Any) -> Any:
    today("2026-08-12")
    contact(customer, "ana@exemplo.test")
    template(organization, include_invoice_pdf=True, body="<p>$CLIENTE</p><script>1</script>$LINK")
    mailjet_account(organization, providers)
    return emitted_invoice(organization, customer)


def test_support_sends_an_invoice_after_looking_at_it(invoice: Any, other_account: Any) -> None:
    client = client_of(invoice.account, "suporte")
    where = path("invoice", "act", invoice.pk, "enviar")

    shown = client.get(where).content.decode()
    assert "Para: ana@exemplo.test" in shown
    assert f"Assunto: Fatura {invoice.label}" in shown
    assert f"Anexos: Invoice_{invoice.pk:05d}.pdf. Ao todo" in shown
    assert EmailMessage.objects.count() == InvoiceLink.objects.count() == 0
    data = form_of(client, where)
    answer = client.post(where, data)
    client.post(where, data)  # the old tab

    assert "E-mail da fatura enviado com sucesso" in said(answer)
    [row] = send_all()
    assert row.state == EmailMessage.State.SENT
    assert actions(invoice).count("fatura.email_enviado") == 1
    assert client_of(other_account, "admin").get(where).status_code == 404

    Contact.objects.all().delete()
    type(invoice.customer).objects.filter(pk=invoice.customer_id).update(email="")
    no_contact = "O cliente não possui contato de faturamento nem contato principal."
    assert no_contact in client.get(where).content.decode()
    assert no_contact in client.post(where, form_of(client, where)).content.decode()
    assert EmailMessage.objects.count() == 1


def test_what_was_sent_is_shown_and_runs_nothing(invoice: Any, other_account: Any) -> None:
    client = client_of(invoice.account, "financeiro")
    where = path("invoice", "act", invoice.pk, "enviar")
    client.post(where, form_of(client, where))
    [row] = send_all()
    EmailMessage.objects.filter(pk=row.pk).update(state="failed", error="caiu")
    page = path("emailmessage", "change", row.pk)

    shown = client.get(page).content.decode()

    assert '<iframe sandbox=""' in shown
    assert "&lt;script&gt;1&lt;/script&gt;" in shown
    assert "<script>1" not in shown
    assert "default-src &#x27;none&#x27;" in shown
    EmailMessage.objects.filter(pk=row.pk).update(is_html=False)
    assert '<pre class="mensagem">' in client.get(page).content.decode()
    assert client_of(other_account, "admin").get(page).status_code == 404
    again = path("emailmessage", "act", row.pk, "reenviar")
    assert client_of(other_account, "admin").post(again, {}).status_code == 404
    client.post(again, form_of(client, again))
    assert [one.state for one in send_all()] == ["failed", "sent"]


def test_a_link_is_revoked_and_an_address_released(invoice: Any, other_account: Any) -> None:
    client = client_of(invoice.account, "suporte")
    link = links.make_link(invoice, recipient="ana@exemplo.test")
    page = path("invoicelink", "change", link.pk)
    assert links.address(link) in client.get(page).content.decode()

    act = path("invoicelink", "act", link.pk, "desativar")
    assert client_of(other_account, "admin").get(act).status_code == 404
    client.post(act, form_of(client, act))
    assert links.open_link(links.token_of(link)).state == links.LinkState.REVOKED
    assert links.address(link) not in client.get(page).content.decode()

    add = path("emailsuppression", "add")
    assert "E-mail inválido." in client.post(add, {"address": "x", "detail": ""}).content.decode()
    client.post(add, {"address": " Ana@Exemplo.test", "detail": "pediu por telefone"})
    row = EmailSuppression.objects.get()
    assert (row.address, row.reason) == ("ana@exemplo.test", EmailSuppression.Reason.MANUAL)
    gone = path("emailsuppression", "delete", row.pk)
    assert client_of(other_account, "admin").post(gone, {"post": "yes"}).status_code == 404
    client.post(gone, {"post": "yes"})
    assert not EmailSuppression.objects.exists()
    told = AuditEvent.objects.filter(action__startswith="email.").order_by("id")
    assert list(told.values_list("action", flat=True)) == ["email.suspenso", "email.liberado"]


def test_a_template_with_a_variable_that_does_not_exist_is_refused(invoice: Any) -> None:
    client = client_of(invoice.account, "admin")
    row = EmailTemplate.objects.get()
    data = {"name": "x", "subject": "{{ customer_nam }}", "body": "{{ var:pay_url }}"}

    shown = client.post(path("emailtemplate", "change", row.pk), data).content.decode()

    assert "Linha 1: a variável customer_nam não existe. Você quis dizer customer_name?" in shown
    assert EmailTemplate.objects.get().name == "Fatura"
