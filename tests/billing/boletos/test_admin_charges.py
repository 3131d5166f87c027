"""Staff configure agreements and look at charges."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from factories import CompanyFactory, MembershipFactory, OrganizationFactory
from support.boletos import agreement_with, bank_account, bank_gateway, open_boleto
from support.invoices import TODAY, emitted_invoice

from billing.models import BankAgreement, GatewayAccount

ADD = "admin:billing_bankagreement_add"
GOOD = {
    "code": "1", "agency": "0810", "account_number": "53678", "carteira": "109", "species": "DM",
    "registration": "cnab240", "limit_days": "30", "is_active": "on",
}  # fmt: skip


@pytest.fixture
def staff(account):
    client = Client()
    client.force_login(MembershipFactory(account=account, role="financeiro").user)
    return client


def faults(answer):
    return {name: list(texts) for name, texts in answer.context["adminform"].form.errors.items()}


@pytest.mark.django_db
def test_an_agreement_that_the_bank_would_not_take_is_refused_field_by_field(
    staff, account, organization, other_account
):
    bank = bank_account(organization)
    wrong = GOOD | {"financial_account": bank.pk, "agency": "81", "account_number": "x"}
    answer = staff.post(reverse(ADD), wrong)
    assert faults(answer) == {
        "agency": ["A agência do banco 341 deve ter 4 números."],
        "account_number": ["A conta do banco 341 deve ter 5 números."],
    }
    foreign = bank_account(OrganizationFactory(account=other_account))
    assert "financial_account" in faults(
        staff.post(reverse(ADD), GOOD | {"financial_account": foreign.pk})
    )
    elsewhere = bank_gateway(account, "https://banco.test")
    GatewayAccount.objects.update(organization=OrganizationFactory(account=account))
    online = GOOD | {"financial_account": bank.pk, "registration": "online"}
    assert faults(staff.post(reverse(ADD), online)) == {
        "__all__": ["Escolha a conta em provedor do registro on-line."]
    }
    assert faults(staff.post(reverse(ADD), online | {"gateway": elsewhere.pk})) == {
        "gateway": ["A conta em provedor é de outra organização."]
    }
    assert not BankAgreement.objects.exists()

    answer = staff.post(reverse(ADD), GOOD | {"financial_account": bank.pk})

    assert answer.status_code == 302
    made = BankAgreement.objects.get()
    assert (made.account, made.limit_days, made.next_file) == (account, 30, 1)


@pytest.mark.django_db
def test_charges_are_seen_and_not_touched(staff, account, organization):
    agreement_with(organization)
    invoice = emitted_invoice(organization, CompanyFactory(account=account))
    charge = open_boleto(invoice.receivables.get().pk, account, today=TODAY)
    page = reverse("admin:billing_charge_change", args=[charge.pk])

    shown = staff.get(page).content.decode()
    assert charge.nosso_numero_printed in shown
    assert charge.linha_digitavel in shown
    assert staff.get(reverse("admin:billing_charge_changelist") + "?q=00000001").status_code == 200
    assert staff.post(page, {"state": "paid"}).status_code == 403
    assert type(charge).objects.get(pk=charge.pk).state == "open"
