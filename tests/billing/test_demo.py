"""The demonstration: the fixture of ux §1.6."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from factories import MembershipFactory
from support.invoices import everything
from support.rows import one_of_each

from accounts.models import Account, ApiToken, AuditEvent, Membership, User
from accounts.services.tokens import digest, find_token
from billing.models import (
    ChargeTemplate,
    Contract,
    DocumentTemplate,
    EmailTemplate,
    FinancialAccount,
    Invoice,
    InvoiceNote,
    InvoiceRule,
    NfseTemplate,
    NumberSeries,
    OrganizationProfile,
    Party,
    Readjustment,
    RuleService,
    Transaction,
)
from billing.services.demo import load_demo

SPECIFIED = date(2026, 8, 12)
QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def run(**options: object) -> str:
    out = StringIO()
    call_command("demo", stdout=out, **options)
    return out.getvalue()


def numbers(code: str) -> list[int]:
    found = Invoice.objects.filter(account__slug="demo", series__code=code)
    return list(found.order_by("number").values_list("number", flat=True))


@pytest.fixture
def quick_passwords(settings) -> None:
    """Ten Argon2 hashes cost more than the rest of the demonstration."""
    settings.PASSWORD_HASHERS = QUICK


@pytest.fixture(scope="module")
def _loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[Account]:
    """Loaded once for the file, in a transaction that its tests take back to."""
    quick = override_settings(PASSWORD_HASHERS=QUICK)
    with django_db_blocker.unblock(), quick, transaction.atomic():
        yield load_demo(today=SPECIFIED).account
        transaction.set_rollback(True)


@pytest.fixture
def demo(_loaded: Account, db: None, quick_passwords: None) -> Account:
    return _loaded


def test_on_the_specified_day_the_invoices_are_those_of_the_specification(demo):
    rows = {
        invoice.number: (
            invoice.gross_value,
            invoice.state,
            invoice.payment_status,
            [
                (r.due_date, r.payment_value, r.state)
                for r in invoice.receivables.order_by("due_date")
            ],
        )
        for invoice in Invoice.objects.filter(series__code="1").order_by("number")
    }

    def one(value: str, due: date, state: str = "to_receive") -> list[object]:
        return [(due, Decimal(value), state)]

    open_, paid = ("to_receive", "unpaid"), ("received", "paid")
    d, due = Decimal, date
    assert rows == {
        1001: (d("1234.56"), *open_, one("1234.56", due(2026, 8, 20))),
        1002: (d("500.00"), *open_, one("500.00", due(2026, 7, 10))),
        1003: (d("300.00"), *paid, one("300.00", due(2026, 6, 15), "received")),
        1004: (d("480.00"), *paid, one("480.00", due(2026, 7, 20), "received")),
        1005: (d("200.00"), "cancelled", "unpaid", one("200.00", due(2026, 8, 17), "cancelled")),
        1006: (d("180.00"), "received", "refunded", one("180.00", due(2026, 6, 1), "received")),
        1007: (d("640.00"), *open_, one("640.00", due(2026, 8, 18))),
        1008: (d("980.00"), *open_, one("980.00", due(2026, 8, 28))),
        1009: (
            d("1200.00"),
            "to_receive",
            "partially_paid",
            [
                (due(2026, 7, 25), d("600.00"), "received"),
                (due(2026, 8, 25), d("600.00"), "to_receive"),
            ],
        ),
        1010: (d("80.00"), *open_, one("80.00", due(2026, 8, 8))),
    }
    assert Invoice.objects.get(series__code="1", number=1005).title == "Anulado: Hospedagem da loja"


def test_b_owns_260_unpaid_invoices_from_2001(demo):
    invoices = Invoice.objects.filter(customer__document="11222333000181")

    assert numbers("2") == list(range(2001, 2261))
    assert set(invoices.values_list("state", "payment_status")) == {("to_receive", "unpaid")}
    assert invoices.count() == 260


def test_a_has_fifteen_unbilled_transactions_of_july_ten_of_them_taxed(demo):
    rows = list(Transaction.objects.filter(customer__document="12ABC34501DE35", invoice=None))

    assert len(rows) == 15
    assert {row.created_at.strftime("%Y-%m") for row in rows} == {"2026-07"}
    assert sum(row.retail_cost for row in rows) == Decimal("1500.00")
    assert sorted(row.tax_amount for row in rows) == [Decimal("0.00")] * 5 + [Decimal("10.00")] * 10


def test_a_has_three_contracts_in_force_one_registered_and_two_cancelled(demo):
    contracts = Contract.objects.filter(party__document="12ABC34501DE35")
    alive = contracts.exclude(status="cancelled")
    billed = [c for c in alive if c.invoices.filter(payment_status__in=["paid", "refunded"])]

    assert (alive.count(), len(billed), contracts.filter(status="cancelled").count()) == (4, 3, 2)


def test_the_readjustment_by_ipca_used_the_published_months(demo):
    done = Readjustment.objects.get()
    prices = RuleService.objects.filter(rule=done.rule).order_by("position")

    # IBGE: 3,81% in the twelve months to February 2026.
    assert round((Decimal(done.factor) - 1) * 100, 2) == Decimal("3.81")
    assert [str(price.unit_value) for price in prices] == ["986.2200", "17.3000"]
    assert done.rule.scheduled_updates.get().execution_date == date(2027, 3, 1)


def test_the_printed_token_works_and_is_the_same_in_each_run(demo):
    first, second = json.loads(run(json=True)), json.loads(run(json=True))

    raw = first["tokens"][0]["token"]
    token = find_token(raw)
    assert first["tokens"] == second["tokens"]
    assert token is not None
    assert (token.account, token.scope) == (demo, "billing")
    assert ApiToken.objects.get(scope="billing").digest == digest(raw)


def test_the_fiscal_tokens_are_printed_with_their_companies(demo):
    printed = run()

    assert "Token (fiscal, homologacao): " in printed
    assert "Demo Café Alfanumérico Ltda, D3.M0C.AFE/0001-45, PR" in printed
    for told in json.loads(run(json=True))["tokens"]:
        token = find_token(told["token"])
        assert (token.account, token.scope) == (demo, told["escopo"])
        assert token.company_cnpj == told.get("cnpj", "")


def test_the_invariants_hold(demo):
    out = StringIO()

    call_command("check_invariants", account="demo", stdout=out)

    assert "Nenhuma violação" in out.getvalue()


def test_the_organization_has_a_logo_and_both_printed_templates(demo):
    profile = OrganizationProfile.objects.get()
    templates = DocumentTemplate.objects.filter(organization=profile.party)

    assert bytes(profile.logo).startswith(b"<svg")
    assert {t.name: t.is_default for t in templates} == {"Simples": True, "Detalhada": False}
    assert all(t.active_version is not None for t in templates)


def test_the_organization_has_its_templates_and_a_bank_account(demo):
    organization = Party.objects.get(account=demo, kind="organization")
    bank = FinancialAccount.objects.get(organization=organization)
    default = EmailTemplate.objects.get(organization=organization, default_template=True)
    sent_with = InvoiceRule.objects.of(demo).filter(management_type="automatic")

    assert EmailTemplate.objects.get(subscription_default_template=True).account == demo
    assert EmailTemplate.objects.count() == 2
    assert ChargeTemplate.objects.get(organization=organization).financial_account == bank
    assert str(NfseTemplate.objects.get(organization=organization).aliquota_iss) == "2.9000"
    assert set(sent_with.values_list("automatic_email_template_ref", flat=True)) == {default.pk}


def test_a_second_run_changes_nothing_and_asks_little(demo):
    before = everything(demo)

    with CaptureQueriesContext(connection) as captured:
        load_demo(today=SPECIFIED)

    assert everything(demo) == before
    writes = [q for q in captured if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [q["sql"][:60] for q in writes] == []
    assert len(captured) < 130


def test_a_reset_rebuilds_the_account_and_leaves_the_others_alone(demo, account):
    one_of_each(account)
    others = everything(account)
    trail = AuditEvent.objects.of(demo).count()
    Invoice.objects.filter(number=1001).update(title="Mexida")
    Party.objects.filter(account=demo, external_code="demo-a").update(name="Mexida")
    user = User.objects.get(email="admin@demo.test")
    user.set_password("outra senha qualquer")
    user.save()
    one_of_each(demo)

    load_demo(today=SPECIFIED, afresh=True)

    assert numbers("1") == list(range(1001, 1011))
    assert len(numbers("2")) == 260
    assert Invoice.objects.get(number=1001).title == "Plataforma de pedidos"
    assert Party.objects.get(account=demo, external_code="demo-a").name == "Padaria Aurora Ltda"
    assert User.objects.get(email="admin@demo.test").check_password("Demo!2026-ok")
    assert InvoiceRule.objects.of(demo).count() == 5
    assert EmailTemplate.objects.of(demo).count() == 2
    assert [note.number for note in InvoiceNote.objects.of(demo)] == ["501"]
    assert set(NumberSeries.objects.filter(organization__account=demo).values_list(
        "code", "next_number"
    )) == {("1", 1011), ("2", 2261)}  # fmt: skip
    assert everything(account) == others
    assert AuditEvent.objects.of(demo).count() > trail


def test_a_reset_does_not_touch_a_login_that_opens_another_account(demo, account):
    user = User.objects.get(email="admin@demo.test")
    MembershipFactory(user=user, account=account)
    user.set_password("a senha dela, de outra conta")
    user.save()

    load_demo(today=SPECIFIED, afresh=True)

    assert User.objects.get(pk=user.pk).check_password("a senha dela, de outra conta")
    assert Membership.objects.filter(user=user, account=account).exists()


def test_the_text_tells_how_to_enter(demo, today):
    today("2026-08-12")

    text = run()

    assert "conta demo, hoje 12/08/2026" in text
    assert "admin@demo.test" in text
    assert "Demo!2026-ok" in text
