"""The note of an invoice goes along with its e-mail."""

from __future__ import annotations

import pytest
from support.emails import contact
from support.emails import template as email_template
from support.invoice_notes import issue_all, noted, the_note

from accounts.services.audit import SYSTEM
from billing.models import EmailMessage, EmailTemplate
from billing.services.emails import manual
from fiscal.errors import PrintFailed
from fiscal.services.nfse.files import note_xml


def test_the_note_goes_along_once_it_is_issued(organization, customer, city, issuer, template):
    contact(customer, "ana@exemplo.test")
    email_template(organization, include_nfse_xml=True)
    invoice = noted(organization, customer, template)
    assert manual.draft_of(invoice).enclosures == []

    issue_all()
    note = the_note(invoice)
    [xml] = manual.draft_of(invoice).enclosures

    assert (xml.name, xml.content) == (f"nota-{note.number}.xml", note_xml(note.service_note))
    [row] = manual.send_invoice(invoice, actor=SYSTEM, as_links=True)
    [linked] = row.linked
    assert linked["name"] == xml.name
    assert f"{xml.name}: {linked['url']}" in row.body
    # The city's answer is no note that can be printed: then nothing is sent at all (EM-4).
    EmailTemplate.objects.update(include_nfse_pdf=True)
    with pytest.raises(PrintFailed):
        manual.send_invoice(invoice, actor=SYSTEM)
    assert EmailMessage.objects.count() == 1
