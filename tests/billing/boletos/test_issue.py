"""The first boleto: its number, its codes, its terms, and when there is none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from factories import CompanyFactory, OrganizationFactory, PersonFactory
from support.boletos import BANKS, agreement_with, bank_account, open_boleto
from support.invoices import TODAY, emitted_invoice, line, new_invoice

from accounts.models import AuditEvent
from accounts.services.audit import SYSTEM
from billing.errors import (
    InvoiceBlocked,
    NoAgreement,
    NoOpenAmount,
    NumbersExhausted,
)
from billing.gateways.boleto import codes
from billing.models import BankAgreement, Charge, ChargeTemplate, NossoNumeroRange
from billing.selectors.late_terms import charge_terms, receivable_terms
from billing.services.boletos.answers import rejected
from billing.services.boletos.issue import issue_boleto
from billing.services.demo import load_demo
from billing.services.invoices import emit_invoice
from lib.errors import InvalidInput, NotFound

D = Decimal


def issue(receivable, **given):
    return issue_boleto(receivable.pk, account=receivable.account, today=TODAY, **given)


def parcel(organization, customer=None, **fields):
    customer = customer or CompanyFactory(account=organization.account)
    return emitted_invoice(organization, customer, **fields).receivables.get()


@pytest.mark.django_db
@pytest.mark.parametrize("bank", BANKS)
def test_each_bank_numbers_and_codes_its_boletos_one_after_the_other(account, bank):
    issuer = OrganizationFactory(account=account)
    agreement = agreement_with(issuer, bank)

    charges = [issue(parcel(issuer, lines=[line(value)])) for value in ("100.00", "250.50")]

    for number, (charge, amount) in enumerate(zip(charges, ("100.00", "250.50"), strict=True), 1):
        expected = agreement.bank.nosso_numero(agreement.terms, number, on=TODAY)
        assert charge.nosso_numero_printed == expected.printed
        assert codes.read(charge.linha_digitavel) == codes.read(charge.barcode) == charge.barcode
        said = codes.parts(charge.barcode)
        assert (said.bank, said.amount) == (bank, D(amount))
        assert codes.due_date(said.fator, today=TODAY) == date(2026, 8, 20)
        assert (charge.state, charge.instruction) == ("registering", "entry")
    assert agreement.ranges.get().next_number == 3
    assert agreement.ranges.get().series == ("26" if bank == "748" else "")


@pytest.mark.django_db
def test_asked_for_twice_there_is_one_and_a_rejected_number_is_never_given_again(organization):
    agreement = agreement_with(organization)
    receivable = parcel(organization)

    first = issue(receivable)
    assert issue(receivable) == first
    rejected(first.pk, account=organization.account, reason="CEP do pagador inválido")
    second = issue(receivable)

    stored = Charge.objects.get(pk=first.pk)
    assert (stored.state, stored.reason) == ("rejected", "CEP do pagador inválido")
    assert [first.nosso_numero, second.nosso_numero] == ["00000001", "00000002"]
    assert second.agreement == agreement
    trail = AuditEvent.objects.filter(object_type="charge").order_by("id")
    assert list(trail.values_list("action", flat=True)) == [
        "boleto.emitido", "boleto.rejeitado", "boleto.emitido",
    ]  # fmt: skip


@pytest.mark.django_db
def test_what_is_charged_late_comes_from_the_template_and_stays_with_the_boleto(organization):
    account = organization.account
    bank = bank_account(organization)
    template = ChargeTemplate.objects.create(
        account=account, organization=organization, name="Cobrança", financial_account=bank,
        fine_value=D(10), interest_value=D("1.5"), instructions="Dúvidas: (11) 3210-1234",
    )  # fmt: skip
    agreement_with(organization, financial_account=bank, limit_days=30)
    receivable = parcel(organization, lines=[line("100.00")])

    charge = issue(receivable)
    template.fine_value = D(1)
    template.save()

    assert charge.terms == {
        "fine_type": "percentage", "fine_value": "10.0000", "interest_type": "percentage",
        "interest_value": "1.5000", "limit_days": 30,
    }  # fmt: skip
    assert receivable_terms(receivable, receivable.invoice) == charge_terms(charge)
    assert charge.limit_date == date(2026, 9, 19)
    assert charge.instructions.replace("\xa0", " ").splitlines() == [
        "Após o vencimento, cobrar multa de 10,00% (R$ 10,00).",
        "Após o vencimento, cobrar juros de 1,50% ao mês.",
        "Não receber após 19/09/2026.",
        "Dúvidas: (11) 3210-1234",
    ]


@pytest.mark.django_db
def test_late_3_a_bank_of_daily_interest_gets_cents_and_they_count_for_us_too(organization):
    agreement_with(organization, registers_daily_interest=True)
    receivable = parcel(organization, lines=[line("100.00")])

    charge = issue(receivable)

    assert charge.terms["daily_registered"] == "0.03"
    assert receivable_terms(receivable, receivable.invoice).daily_registered == D("0.03")
    assert "juros de R$ 0,03 ao dia" in charge.instructions.replace("\xa0", " ")


@pytest.mark.django_db
def test_the_agreement_is_that_of_the_template_or_the_only_one(account):
    issuer = OrganizationFactory(account=account)
    receivable = parcel(issuer)
    with pytest.raises(NoAgreement):
        issue(receivable)
    assert not Charge.objects.exists()

    itau = agreement_with(issuer, "341")
    caixa = agreement_with(issuer, "104")
    with pytest.raises(NoAgreement):  # nobody guesses between two
        issue(receivable)
    ChargeTemplate.objects.create(
        account=account, organization=issuer, name="Caixa", is_default=True,
        financial_account=caixa.financial_account,
    )  # fmt: skip
    assert issue(receivable).agreement == caixa

    BankAgreement.objects.filter(pk=caixa.pk).update(is_active=False)
    with pytest.raises(NoAgreement):
        issue(parcel(issuer))
    ChargeTemplate.objects.update(financial_account=None)
    assert issue(parcel(issuer)).agreement == itau


@pytest.mark.django_db
def test_what_may_not_be_collected_gets_no_boleto_and_takes_no_number(account, other_account):
    issuer = OrganizationFactory(account=account)
    agreement = agreement_with(issuer)
    customer = CompanyFactory(account=account)
    to_emit = new_invoice(issuer, customer).receivables.get()
    blocked = parcel(issuer)
    blocked.invoice.block()
    blocked.invoice.save()
    huge = parcel(issuer, lines=[line("1000000.00", "100")])
    consumer = PersonFactory(account=account)
    ChargeTemplate.objects.create(
        account=account, organization=issuer, name="Multa alta", fine_value=D(3),
        financial_account=agreement.financial_account,
    )  # fmt: skip
    fined = emitted_invoice(issuer, consumer).receivables.get()

    for receivable, refusal in (
        (to_emit, NoOpenAmount), (blocked, InvoiceBlocked), (huge, InvalidInput),
        (fined, InvalidInput),
    ):  # fmt: skip
        with pytest.raises(refusal):
            issue(receivable)
    with pytest.raises(NotFound):
        issue_boleto(fined.pk, account=other_account, today=TODAY)
    assert not Charge.objects.exists()
    assert not NossoNumeroRange.objects.filter(next_number__gt=1).exists()


@pytest.mark.django_db
def test_the_last_number_of_an_agreement_is_told_in_words(organization):
    agreement = agreement_with(organization, "748")
    agreement.ranges.create(account=organization.account, series="26", next_number=99_999)

    assert issue(parcel(organization)).nosso_numero == "26299999"
    with pytest.raises(NumbersExhausted):
        issue(parcel(organization))


@pytest.mark.django_db
def test_an_overdue_parcel_gets_a_boleto_of_the_value_of_the_next_business_day(organization):
    agreement_with(organization)
    customer = CompanyFactory(account=organization.account)
    given = {"issue_date": date(2026, 6, 25), "due_dates": [date(2026, 7, 10)]}
    late = parcel(organization, customer, lines=[line("500.00")], **given)

    charge = issue(late)

    assert (charge.principal, charge.fine, charge.interest) == (D(500), D(10), D("5.67"))
    assert (charge.amount, charge.due_date) == (D("515.67"), date(2026, 8, 13))
    assert charge.limit_date == charge.due_date
    weekend = parcel(organization, customer, due_dates=[date(2026, 8, 8)])
    sunday = issue_boleto(weekend.pk, account=organization.account, today=date(2026, 8, 9))
    assert (sunday.amount, sunday.due_date) == (D(100), date(2026, 8, 10))


@pytest.mark.django_db
def test_an_expired_boleto_is_no_obstacle_and_a_manual_emission_makes_none(organization):
    agreement_with(organization)
    customer = CompanyFactory(account=organization.account)
    invoice = new_invoice(organization, customer)
    emit_invoice(invoice.pk, account=organization.account, actor=SYSTEM, today=TODAY)
    assert not Charge.objects.exists()  # made by the follow-up

    receivable = invoice.receivables.get()
    old = open_boleto(receivable.pk, organization.account, today=TODAY)
    Charge.objects.filter(pk=old.pk).update(state="expired")
    assert issue(receivable).pk != old.pk


@pytest.mark.django_db
def test_the_demonstration_has_the_boletos_of_its_open_invoices_once(settings, today):
    settings.PROVIDERS_SANDBOX = "http://127.0.0.1:9"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    today(TODAY.isoformat())

    for afresh in (False, False, True):
        account = load_demo(today=TODAY, afresh=afresh).account

    late = Charge.objects.get(receivable__invoice__number=1002)
    assert (late.amount, late.issued_on, late.due_date) == (
        D(500), date(2026, 6, 25), date(2026, 7, 10),
    )  # fmt: skip
    kinds = Charge.objects.of(account).values_list("kind", "state").distinct()
    assert list(kinds) == [("boleto", "draft")]
    assert Charge.objects.of(account).count() == 5  # 1007 is paid by card
