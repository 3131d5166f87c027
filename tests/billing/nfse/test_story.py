"""The story of issue 5: a contract with withholdings, its notes, their e-mails, a void.

Everything through the sandbox authority over real TLS.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory, ContractFactory, RuleFactory
from support.emails import template as email_template
from support.invoice_notes import issue_all, the_note
from support.wire import api_of

from accounts.services.audit import SYSTEM
from billing.errors import CannotVoidWithNote
from billing.models import Invoice, InvoiceNote, Nfse
from billing.selectors.invariants import violations
from billing.services.emails import manual
from billing.services.invoices import void_invoice
from billing.services.run import RunRequest, run_billing
from fiscal.models import MailMessage, ServiceNote
from fiscal.services import mail_sending
from fiscal.services.nfse.files import note_xml

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
MONTH = date(2026, 11, 20)


@pytest.fixture
def rule(organization, template):
    """R$ 3.000,00 a month for a company of Criciúma, its note made with the invoice."""
    customer = CompanyFactory(
        account=organization.account, email="financeiro@cliente.test", nfse_email="nf@cliente.test"
    )
    contract = ContractFactory(
        account=organization.account, organization=organization, party=customer
    )
    return RuleFactory(
        contract=contract,
        init_date=date(2026, 11, 1),
        services=[("2", "1500.00")],
        issue_nfse=True,
        nfse_template_ref=template.pk,
        gross_value=D("3000.00"),
        nfe_body="$DESCRICAO, vencimento $DATAS_VENCIMENTO",
    )


@pytest.fixture
def letters(issuer, mailoutbox):
    """What a company that writes in homologação too has sent."""
    issuer.enviar_email_homologacao = True
    issuer.save()
    return mailoutbox


def mailed():
    for message in MailMessage.objects.filter(next_attempt_at__isnull=False).order_by("pk"):
        mail_sending.send(message.pk, message.n_attempts)


@pytest.mark.usefixtures("rule")
def test_from_the_contract_to_the_cancelled_note(organization, sandbox, letters):
    account = organization.account
    run_billing(RunRequest(account, until=MONTH, today=MONTH))
    issue_all()

    invoice = Invoice.objects.get(state="to_receive")
    note = the_note(invoice)
    assert note.state == "issued", note.error
    assert invoice.payment_value == D("2815.50")  # 45,00 of IR and 139,50 of PIS, COFINS, CSLL
    service = note.service_note
    assert len(service.key) == 50
    assert b"<vRetIRRF>45.00</vRetIRRF>" in note_xml(service)
    assert b"<vRetCSLL>139.50</vRetCSLL>" in note_xml(service)
    (shown,) = api_of(account).get(f"organizations/{organization.pk}/nfses/search").json()["nfses"]
    assert (shown["status"], shown["nfse_number"]) == ("Emitida", service.number)
    assert shown["verification_code"] == service.verification_code
    email_template(organization, include_nfse_pdf=True, include_nfse_xml=True)
    [pdf, xml] = manual.draft_of(invoice).enclosures
    assert (pdf.name, xml.name) == (f"nota-{service.number}.pdf", f"nota-{service.number}.xml")
    assert (pdf.content[:5], xml.content) == (b"%PDF-", note_xml(service))

    mailed()
    (letter,) = letters
    assert letter.to == ["nf@cliente.test"]
    assert {kind for _, _, kind in letter.attachments} == {"application/pdf", "application/xml"}

    sandbox.fault("cancelamento_recusado")
    with pytest.raises(CannotVoidWithNote, match=f"nota {service.number} não pôde ser cancelada"):
        void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Contrato encerrado")
    assert Nfse.objects.get().status == Nfse.Status.CANCELLATION_ERROR
    sandbox.lift("cancelamento_recusado")
    void_invoice(invoice.pk, account=account, actor=SYSTEM, reason="Contrato encerrado")

    assert Invoice.objects.get(pk=invoice.pk).void
    assert InvoiceNote.objects.get(pk=note.pk).state == "cancelled"
    assert ServiceNote.objects.get().state == "cancelado"
    assert Nfse.objects.get().status == Nfse.Status.CANCELLED
    assert list(violations(account)) == []
    mailed()
    assert len(letters) == 2  # the taker is told of the cancellation, too
