"""When the note of an invoice is due: so many business days after the last receipt (§6.7)."""

from __future__ import annotations

from datetime import date

import pytest
from factories import ContractFactory
from support.invoice_notes import issue_all, noted, the_note
from support.wire import api_of

from accounts.services.audit import SYSTEM
from billing.models import Invoice
from billing.services.receivables import receive, undo_receipt
from lib.br import date_br

pytestmark = pytest.mark.django_db


def test_so_many_business_days_after_the_last_receipt(
    organization, customer, template, issuer, city, today, account
):
    today("2026-11-20")
    invoice = noted(organization, customer, template, days=2)
    issue_all()
    assert (the_note(invoice).state, the_note(invoice).due_on) == ("scheduled", None)

    parcel = invoice.receivables.get()
    receive(parcel.pk, account=account, actor=SYSTEM, on=date(2026, 11, 20))
    assert the_note(invoice).due_on == date(2026, 11, 24)  # Monday and Tuesday

    undo_receipt(parcel.pk, account=account, actor=SYSTEM)
    assert the_note(invoice).due_on is None
    receive(parcel.pk, account=account, actor=SYSTEM, on=date(2026, 11, 20))
    issue_all()
    assert the_note(invoice).state == "scheduled"

    today("2026-11-24")
    issue_all()
    assert the_note(invoice).state == "issued"


def test_the_day_counts_weekends_year_end_and_local_holidays_everywhere(
    organization, customer, template, issuer, city, account, today
):
    """The day that the note waits for is the one that the API tells (billing-api §6.7)."""
    today("2027-03-01")
    organization.profile.extra_holidays = ["2027-01-25"]  # São Paulo
    organization.profile.save()
    contract = ContractFactory(account=account, organization=organization, party=customer)
    client = api_of(account)
    for received, days, told in (
        ("20/11/2026", 1, "23/11/2026"),  # Friday, itself a holiday
        ("21/11/2026", 1, "23/11/2026"),  # Saturday
        ("24/12/2026", 1, "28/12/2026"),  # Christmas and a weekend
        ("30/12/2026", 1, "04/01/2027"),  # 31/12 is closed, and so is 01/01
        ("22/01/2027", 1, "26/01/2027"),  # Monday is the city's
        ("05/02/2027", 2, "11/02/2027"),  # Carnival on the 8th and 9th
    ):
        invoice = noted(organization, customer, template, days=days)
        rows = Invoice.objects.filter(pk=invoice.pk)
        rows.update(contract=contract, management_type="automatic")
        parcel = invoice.receivables.get()
        path = f"contracts/{contract.pk}/receivables/{parcel.pk}/receive"
        sent = {"receivable": {"received_value": "9385.00", "received_at": received}}
        assert client.patch(path, sent).status_code == 200

        shown = client.get(f"contracts/{contract.pk}/invoices/{invoice.pk}").json()["invoice"]

        assert shown["automatic_nfe_issue_date"] == told, received
        assert date_br(the_note(invoice).due_on) == told, received
