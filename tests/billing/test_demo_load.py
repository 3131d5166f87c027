"""Loading the demonstration into an empty database, on any day."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.core.management import CommandError, call_command

from accounts.models import Account, Membership, User
from billing.models import (
    CustomerAccess,
    Invoice,
    InvoiceRule,
    PriceIndexValue,
    Transaction,
)
from billing.services.demo import indexes, load_demo
from billing.services.demo.when import When

SPECIFIED = date(2026, 8, 12)
QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def quick_passwords(settings) -> None:
    """Ten Argon2 hashes cost more than the rest of the demonstration."""
    settings.PASSWORD_HASHERS = QUICK


def run(**options: object) -> str:
    out = StringIO()
    call_command("demo", stdout=out, **options)
    return out.getvalue()


def test_everybody_can_sign_in_with_the_printed_password(db):
    data = json.loads(run(json=True))
    demo = Account.objects.get(slug="demo")

    emails = {user["email"] for user in data["equipe"] + data["clientes"]}
    users = User.objects.filter(email__in=emails)
    assert users.count() == len(emails) == 10
    assert all(user.check_password(data["senha"]) for user in users)
    assert identify_hasher(users[0].password).algorithm == "argon2"
    assert {m.role for m in Membership.objects.filter(account=demo)} == {
        "admin", "financeiro", "fiscal", "suporte",
    }  # fmt: skip
    companies = CustomerAccess.objects.filter(user__email="titular@aurora.test")
    assert sorted(companies.values_list("customer__name", flat=True)) == [
        "Aurora Filial Ltda", "Padaria Aurora Ltda",
    ]  # fmt: skip


def test_production_refuses_the_demonstration(db, settings):
    settings.AMBIENTE = "producao"

    with pytest.raises(CommandError, match="AMBIENTE=producao"):
        run()

    assert not Account.objects.exists()


def test_starting_up_in_production_loads_no_demonstration(db, settings):
    settings.AMBIENTE = "producao"

    call_command("prepare", stdout=StringIO())

    assert not Account.objects.exists()


@pytest.mark.parametrize(
    "day",
    [
        "2028-02-29",
        # The same statements with other dates.
        *(
            pytest.param(day, marks=pytest.mark.either_engine)
            for day in ("2026-03-02", "2026-11-21", "2027-02-28")
        ),
    ],
)
def test_on_any_day_open_is_open_late_is_late_and_saturday_is_saturday(
    db, quick_passwords, day, monkeypatch
):
    monkeypatch.setenv("UX_TODAY", day)
    today = date.fromisoformat(day)

    load_demo(today=today)

    due = dict(Invoice.objects.filter(series__code="1").values_list("number", "due_date"))
    assert due[1001] > today > due[1002]
    assert due[1010].weekday() == 5
    assert 1 <= (today - due[1010]).days <= 7
    assert InvoiceRule.objects.filter(next_occurrence__lte=today).count() == 0
    month_before = (today.replace(day=1) - date.resolution).strftime("%Y-%m")
    created = {t.created_at.strftime("%Y-%m") for t in Transaction.objects.filter(invoice=None)}
    assert created == {month_before}


@pytest.mark.parametrize(
    ("today", "saturday"),
    [
        ("2026-08-12", "2026-08-08"),
        ("2026-08-08", "2026-08-01"),
        ("2026-08-09", "2026-08-08"),
        ("2026-08-14", "2026-08-08"),
    ],
)
def test_the_saturday_is_the_one_before_today(today, saturday):
    assert When(date.fromisoformat(today)).last_saturday() == date.fromisoformat(saturday)


def test_index_values_already_imported_are_kept(db, quick_passwords):
    PriceIndexValue.objects.create(
        index="ipca",
        month=date(2026, 1, 1),
        percent=Decimal("9.99"),
        source="outra",
        published_at="2026-02-10T12:00:00Z",
    )

    load_demo(today=SPECIFIED)

    assert PriceIndexValue.objects.get(month=date(2026, 1, 1)).percent == Decimal("9.99")
    assert PriceIndexValue.objects.count() == 26


def test_the_published_months_agree_with_what_ibge_announced():
    percents = [Decimal(value.replace(",", ".")) for _, value in indexes.published()]

    def accumulated(first: int, n: int) -> str:
        factor = Decimal(1)
        for percent in percents[first : first + n]:
            factor *= 1 + percent / 100
        return f"{(factor - 1) * 100:.2f}"

    assert len(percents) == 26
    assert accumulated(0, 12) == "4.83"  # 2024
    assert accumulated(12, 3) == "2.04"  # first quarter of 2025
    assert accumulated(6, 12) == "5.35"  # twelve months to June 2025
    assert accumulated(12, 12) == "4.26"  # 2025
    assert accumulated(14, 12) == "3.81"  # twelve months to February 2026
