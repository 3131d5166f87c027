"""Rows to measure with: written in bulk, the same on every run."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from factories import AccountFactory, OrganizationFactory, ServiceItemFactory, cnpj

from accounts.models import Account
from billing.models import (
    Contract,
    Invoice,
    InvoiceRule,
    NumberSeries,
    Party,
    PartySnapshot,
    RuleService,
)
from lib import clock
from lib.br import fold
from lib.bulk import insert_rows, reserve_ids

ISSUE = date(2026, 11, 1)
TODAY = date(2026, 10, 15)
PRICES = (Decimal("99.90"), Decimal("79.90"), Decimal("49.90"))
CHUNK = 50_000

_PARTY = (
    "id", "account", "kind", "name", "document", "address", "number", "district", "zipcode",
    "city", "state", "country", "language", "fold", "created_at", "updated_at", "company_name",
    "external_code", "email", "state_inscription", "city_inscription", "complement", "ibge_code",
    "phone", "comments", "contacts_text", "billing_contacts", "nfse_email",
    "allow_email_on_nfse", "is_consumer", "integration",
)  # fmt: skip
_CONTRACT = (
    "id", "account", "organization", "party", "kind", "name", "title", "token", "init_date",
    "status", "registration_method", "charging_method", "created_at", "updated_at",
    "external_code", "description", "comments", "overdue", "overdue_automatic_management",
    "cancel_reason", "integration",
)  # fmt: skip
_RULE = (
    "id", "account", "contract", "status", "title", "description", "gross_value", "init_date",
    "next_occurrence", "period_unit", "month_quantity", "accrual_month_quantity", "charge_type",
    "day_number", "management_type", "automatic_email_template_ref", "payment_method",
    "created_at", "updated_at", "external_code", "nfe_body", "only_business_days", "issue_nfse",
    "days_until_automatic_nfe_emission", "integration", "due_day_locked", "notify_customer",
    "apply_negative_updates", "next_n", "parked_reason", "end_date",
)  # fmt: skip


@dataclass(frozen=True)
class Tenant:
    """An account with one organization and `customers`."""

    account: Account
    organization: Party
    customers: list[int]


def tenant(slug: str, *, customers: int) -> Tenant:
    """A new account that bills one month ahead, with that many companies as customers."""
    account = AccountFactory(slug=slug, monthly_block_months=1, monthly_ahead_months=1)
    organization = OrganizationFactory(account=account, document=cnpj(account.pk))
    ids = list(reserve_ids(Party, customers))
    now = clock.now()
    with transaction.atomic():
        insert_rows(Party, _PARTY, (_party(pk, account.pk, now) for pk in ids))
    return Tenant(account, organization, ids)


def _party(pk: int, account_id: int, now: datetime) -> tuple[Any, ...]:
    name = customer_name(pk)
    return (
        pk, account_id, "company", name, f"{pk:014d}", "Rua das Flores", "100", "Centro",
        "01001000", "São Paulo", "SP", "Brasil", "pt-BR", fold(name), now, now,
        *[""] * 12, False, False, {},
    )  # fmt: skip


_FIRST = ("Padaria", "Mercado", "Oficina", "Clínica", "Escola", "Transportes", "Gráfica", "Hotel")
_SECOND = ("Aurora", "São João", "Horizonte", "Araçá", "Boa Vista", "Ipê", "Guará", "Maré")


def customer_name(n: int) -> str:
    """`Clínica Araçá 1234 Ltda`: one word in eight, one in eight, and a unique one."""
    return f"{_FIRST[n % 8]} {_SECOND[n // 8 % 8]} {n} Ltda"


def recurring(at: Tenant, *, lines: int = 3, end_date: date | None = ISSUE) -> list[int]:
    """One contract and one monthly rule for each customer, from ISSUE; by default once only."""
    items = [ServiceItemFactory(account=at.account).pk for _ in range(lines)]
    now = clock.now()
    contracts = list(reserve_ids(Contract, len(at.customers)))
    rules = list(reserve_ids(InvoiceRule, len(at.customers)))
    account = at.account.pk
    with transaction.atomic():
        insert_rows(
            Contract,
            _CONTRACT,
            (
                (
                    pk, account, at.organization.pk, party, "sale", f"Contrato {pk}", "",
                    f"{pk:032x}", TODAY, "established", "regular", "pre_paid", now, now,
                    "", "", "", False, False, "", {},
                )
                for pk, party in zip(contracts, at.customers, strict=True)
            ),
        )  # fmt: skip
        insert_rows(
            InvoiceRule,
            _RULE,
            (
                (
                    pk, account, contract, "active", "Mensalidade", "Acesso à internet",
                    sum(PRICES[:lines]), ISSUE, ISSUE, "monthly", 1, "same_month", "fixed_day",
                    10, "automatic", 1, "billet", now, now, "", "", False, False, 0, {}, False,
                    False, False, 0, "", end_date,
                )
                for pk, contract in zip(rules, contracts, strict=True)
            ),
        )  # fmt: skip
        insert_rows(
            RuleService,
            ("rule", "position", "service_item", "description", "units", "unit_value", "value"),
            (
                (pk, k + 1, items[k], f"Serviço {k}", Decimal(1), PRICES[k], PRICES[k])
                for pk in rules
                for k in range(lines)
            ),
        )
    analyse()
    return rules


def analyse() -> None:
    """What autovacuum would do in the next minutes."""
    with connection.cursor() as cursor:
        vacuum = "VACUUM (ANALYZE)" if connection.vendor == "postgresql" else "ANALYZE"
        cursor.execute(vacuum)


_INVOICE = (
    "id", "account", "organization", "customer", "title", "start_date", "end_date", "issue_date",
    "estimated_issue_date", "due_date", "total_amount", "total_tax", "gross_value",
    "payment_value", "state", "payment_status", "void", "series", "number", "emitted_at",
    "customer_snapshot", "organization_snapshot", "fold", "created_at", "approval_status",
    "description", "nfe_body", "management_type", "issue_nfse",
    "days_until_automatic_nfe_emission", "payment_method", "integration", "nfe",
)  # fmt: skip
_PLANS = ("Mensalidade", "Plano Básico", "Plano Família", "Suporte técnico", "Locação")
_VALUES = tuple(Decimal(cents) / 100 for cents in (9990, 14990, 5990, 29990, 119900, 7950))
# (weight, state, payment status, void): most of an old account's invoices are paid.
_STATUSES = (
    (78, "received", "paid", False),
    (10, "to_receive", "unpaid", False),
    (1, "to_receive", "partially_paid", False),
    (2, "received", "refunded", False),
    (1, "received", "partially_refunded", False),
    (4, "to_emit", "unpaid", False),
    (2, "cancelled", "unpaid", False),
    (2, "cancelled", "unpaid", True),
)
DAYS = 5 * 365


OPEN = ((1, "to_receive", "unpaid", False),)


def invoices(
    at: Tenant, n: int, *, seed: int = 7, states: Sequence[tuple[int, str, str, bool]] = _STATUSES
) -> list[int]:
    """`n` invoices of five years, in nightly batches, in every state or in those of `states`."""
    rng = random.Random(seed)
    snapshot = PartySnapshot.objects.create(
        party=at.organization, digest="0" * 64, data={}, created_at=clock.now()
    ).pk
    series = NumberSeries.objects.get(organization=at.organization)
    names = {pk: fold(customer_name(pk)) for pk in at.customers}
    ids = list(reserve_ids(Invoice, n))
    statuses = rng.choices(states, weights=[s[0] for s in states], k=n)
    fixed = (at.account.pk, at.organization.pk, series.pk, snapshot)

    def rows() -> Iterator[tuple[Any, ...]]:
        for i, pk in enumerate(ids):
            customer = rng.choice(at.customers)
            yield _invoice(i, pk, n, customer, names[customer], statuses[i], fixed, rng)

    with in_bulk():
        for chunk in chunks(rows(), CHUNK):
            with transaction.atomic():
                insert_rows(Invoice, _INVOICE, chunk)
    analyse()
    return list(ids)


_TALLY = """
INSERT INTO billing_invoicetally (account_id, organization_id, has_contract, issue_date, due_date,
    status_code, count, amount)
SELECT account_id, organization_id, contract_id IS NOT NULL, issue_date, due_date, status_code,
    count(*), sum(total_amount)
FROM billing_invoice GROUP BY 1, 2, 3, 4, 5, 6
"""
_INDEXES = """
SELECT format('DROP INDEX %I', c.relname), pg_get_indexdef(c.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'billing_invoice'::regclass AND NOT i.indisunique
"""


@contextlib.contextmanager
def in_bulk() -> Iterator[None]:
    """No foreign keys checked, tallies and indexes made at the end: a third of the time."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        for drop, _ in indexes:
            cursor.execute(drop)
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("TRUNCATE billing_invoicetally")
        cursor.execute(_TALLY)
        for _, create in indexes:
            cursor.execute(create)


def _invoice(
    i: int,
    pk: int,
    n: int,
    customer: int,
    name: str,
    status: tuple[int, str, str, bool],
    fixed: tuple[int, int, int, int],
    rng: random.Random,
) -> tuple[Any, ...]:
    account, organization, series, snapshot = fixed
    _, state, payment, void = status
    issue = TODAY - timedelta(days=DAYS - i * DAYS // n)
    created = datetime(issue.year, issue.month, issue.day, 3, i // 4000 % 60, tzinfo=UTC)
    value = (
        rng.choice(_VALUES) if rng.random() < 0.8 else Decimal(rng.randrange(100, 500_000)) / 100
    )
    title = rng.choice(_PLANS) if rng.random() < 0.9 else f"Fatura por {issue:%d/%m/%Y}"
    if void:
        title = f"Anulado: {title}"
    due = issue + timedelta(days=rng.choice((5, 7, 10, 14, 15, 20, 30)))
    emitted = state in ("to_receive", "received")
    frozen = (series, i + 1, created, snapshot, snapshot) if emitted else (None,) * 5
    return (
        pk, account, organization, customer, title, issue, issue + timedelta(days=29), issue,
        issue, due, value, Decimal(0), value, value, state, payment, void, *frozen,
        f"{fold(title)} {name}", created, "approved", "", "", "automatic", False, 0, "billet",
        {}, {},
    )  # fmt: skip


def chunks(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """Lists of at most `size` rows."""
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
