"""What follows an emission: charges where there is anything to charge with, then the e-mail."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from factories import CompanyFactory, ContractFactory, OrganizationFactory, RuleFactory
from support.boletos import agreement_with, bank_gateway, online_agreement
from support.invoices import TODAY, emitted_invoice, new_invoice
from support.pdfs import PLAIN, use_template

from accounts.services.audit import SYSTEM
from billing.models import Charge, EmailTemplate, FollowUp, GatewayAccount, Invoice, SavedMethod
from billing.services import collecting, follow_ups
from billing.services.boletos import answers
from billing.services.emission import emit_due
from billing.services.follow_ups import work_off
from billing.services.invoices import (
    cancel_invoice,
    emit_invoice,
    undo_cancellation,
    undo_emission,
)
from billing.services.owed_work import owe
from billing.services.run import RunRequest, run_billing
from lib import clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _day(today):
    today(TODAY.isoformat())


@pytest.fixture
def issuer(account):
    organization = OrganizationFactory(account=account)
    use_template(organization, PLAIN)
    return organization


@pytest.fixture
def template(issuer):
    return EmailTemplate.objects.create(
        account=issuer.account, organization=issuer, name="Fatura", subject="Fatura", body="Olá"
    )


@pytest.fixture
def sent(monkeypatch):
    """Invoices that an e-mail was sent of."""
    found: list[int] = []
    stand_in = SimpleNamespace(send_emission=lambda pk, account: found.append(pk))
    monkeypatch.setitem(sys.modules, "billing.services.emails.automatic", stand_in)
    return found


def automatic(issuer, template=None, **fields):
    """An emitted invoice of automatic management."""
    invoice = new_invoice(issuer, CompanyFactory(account=issuer.account), **fields)
    Invoice.objects.filter(pk=invoice.pk).update(
        management_type="automatic", automatic_email_template_ref=template and template.pk
    )
    return emit_invoice(invoice.pk, account=issuer.account, actor=SYSTEM, today=TODAY)


def kinds(invoice):
    return sorted(invoice.follow_ups.values_list("kind", flat=True))


def due_now():
    FollowUp.objects.filter(state="waiting").update(next_attempt_at=clock.now())


def test_charges_are_owed_only_where_there_is_something_to_charge_with(
    account, issuer, other_account, template
):
    customer = CompanyFactory(account=account)
    agreement_with(OrganizationFactory(account=other_account))
    assert kinds(emitted_invoice(issuer, customer)) == ["pdf"]

    card = bank_gateway(account, "")
    GatewayAccount.objects.filter(pk=card.pk).update(provider="stripe")
    by_card = emitted_invoice(issuer, customer, options={"payment_method": "payment_gateway"})
    assert kinds(by_card) == ["charges", "pdf"]
    assert kinds(emitted_invoice(issuer, customer)) == ["pdf"]
    GatewayAccount.objects.update(organization=OrganizationFactory(account=account))
    assert kinds(emitted_invoice(issuer, customer)) == ["pdf"]
    GatewayAccount.objects.update(provider="pix", organization=issuer)
    assert kinds(emitted_invoice(issuer, customer)) == ["charges", "pdf"]
    GatewayAccount.objects.update(is_active=False)

    agreement = agreement_with(issuer)
    assert kinds(emitted_invoice(issuer, customer)) == ["charges", "pdf"]
    assert kinds(automatic(issuer, template)) == ["charges", "email", "pdf"]
    assert kinds(automatic(issuer)) == ["charges", "pdf"]
    agreement.is_active = False
    agreement.save()
    assert kinds(automatic(issuer, template)) == ["email", "pdf"]


def test_the_run_owes_the_same_in_as_many_queries_for_many_as_for_one(account, issuer, template):
    agreement_with(issuer)
    for contract in ContractFactory.create_batch(3, organization=issuer, account=account):
        rule = RuleFactory(contract=contract, automatic_email_template_ref=template.pk)
        assert rule.management_type == "automatic"
    run_billing(RunRequest(account, until=date(2026, 1, 2), today=date(2026, 1, 2)))

    assert FollowUp.objects.count() == 9
    ids = list(Invoice.objects.filter(state="to_receive").values_list("pk", flat=True))
    FollowUp.objects.all().delete()
    for some in (ids[:1], ids):
        with CaptureQueriesContext(connection) as captured:
            owe(account.pk, some, at=clock.now())
        assert len(captured) == 5
        assert FollowUp.objects.filter(invoice__in=some).count() == 3 * len(some)
        FollowUp.objects.all().delete()
    assert emit_due(account, until=date(2026, 1, 2), today=date(2026, 1, 2)).count == 0


def test_the_boletos_of_all_parcels_are_made_once(issuer):
    agreement_with(issuer)
    days = [date(2026, 8, 20), date(2026, 9, 20)]
    invoice = automatic(issuer, due_dates=days)

    assert work_off() == 2
    due_now()
    FollowUp.objects.update(state="waiting")
    work_off()

    charges = Charge.objects.order_by("id")
    assert [(c.due_date, c.amount, c.state) for c in charges] == [
        (days[0], Decimal("50.00"), "registering"), (days[1], Decimal("50.00"), "registering"),
    ]  # fmt: skip
    assert {c.receivable.invoice_id for c in charges} == {invoice.pk}


def test_an_invoice_taken_back_loses_its_charges_and_gets_new_ones_when_it_returns(issuer):
    agreement_with(issuer)
    account = issuer.account
    invoice = automatic(issuer)
    work_off()
    cancel_invoice(invoice.pk, account=account, actor=SYSTEM)
    assert kinds(invoice) == []

    undo_cancellation(invoice.pk, account=account, actor=SYSTEM)
    assert kinds(invoice) == ["charges", "pdf"]
    work_off()
    undo_emission(invoice.pk, account=account, actor=SYSTEM)

    states = Charge.objects.order_by("id").values_list("state", "instruction", "nosso_numero")
    assert list(states) == [
        ("cancelling", "write_off", "00000001"), ("cancelling", "write_off", "00000002"),
    ]  # fmt: skip


def test_the_e_mail_goes_last_and_waits_for_the_registration(issuer, template, sent, providers):
    online_agreement(issuer, providers.url("boletos"))
    invoice = automatic(issuer, template)

    assert work_off() == 2  # the e-mail has looked, and waits for the bank
    assert sent == []
    email = invoice.follow_ups.get(kind="email")
    assert (email.state, email.attempts) == ("waiting", 0)
    answers.registered(Charge.objects.get().pk, account=issuer.account)
    assert work_off() == 1

    assert sent == [invoice.pk]
    assert set(invoice.follow_ups.values_list("state", flat=True)) == {"done"}


def test_a_bank_that_takes_too_long_does_not_keep_the_e_mail_for_ever(issuer, template, sent):
    agreement_with(issuer)
    invoice = automatic(issuer, template)
    work_off()
    assert sent == []

    Charge.objects.update(created_at=clock.now() - timedelta(days=3))
    due_now()
    work_off()

    assert sent == [invoice.pk]


def test_em_4_without_its_pdf_nothing_is_sent(issuer, template, sent):
    use_template(issuer, "{{ 1 / 0 }}")
    invoice = automatic(issuer, template)
    for _ in range(5):
        due_now()
        work_off()

    assert sent == []
    for _ in range(5):
        due_now()
        work_off()
    email = invoice.follow_ups.get(kind="email")
    assert (email.state, sent) == ("failed", [])
    assert email.error.startswith("O PDF ou as cobranças da fatura não puderam ser gerados")


def test_a_refused_boleto_is_told_and_does_not_keep_the_pix_away(issuer, monkeypatch):
    agreement_with(issuer)
    gateway = bank_gateway(issuer.account, "")
    GatewayAccount.objects.filter(pk=gateway.pk).update(provider="pix")
    made: list[int] = []
    # The Pix itself has tests of its own.
    monkeypatch.setattr(collecting, "_issue_pix", lambda pk, account: made.append(pk))
    invoice = automatic(issuer)
    huge = Decimal("100000000.00")
    invoice.receivables.update(open_principal=huge, payment_value=huge)

    work_off()

    charges = invoice.follow_ups.get(kind="charges")
    assert (charges.state, charges.attempts) == ("waiting", 1)
    assert charges.error
    assert made == [invoice.receivables.get().pk]


def test_a_card_that_is_kept_is_charged_and_without_one_a_boleto_is_made(issuer, monkeypatch):
    agreement_with(issuer)
    gateway = bank_gateway(issuer.account, "")
    GatewayAccount.objects.filter(pk=gateway.pk).update(provider="stripe")
    charged: list[int] = []
    monkeypatch.setattr(collecting, "_charge_card", charged.append)
    options = {"payment_method": "payment_gateway"}
    with_card, without = automatic(issuer, options=options), automatic(issuer, options=options)
    SavedMethod.objects.create(
        account=issuer.account, gateway=gateway, customer=with_card.customer, reference="pm_1"
    )

    work_off()

    assert charged == [with_card.pk]
    assert Charge.objects.get().receivable.invoice_id == without.pk
    assert FollowUp.objects.filter(kind="charges", state="done").count() == 2


def test_every_kind_of_work_has_its_function():
    assert set(follow_ups._WORK) == set(FollowUp.Kind)
