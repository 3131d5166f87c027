"""Proof of the invariants of billing-engine §1.1: queries that must find nothing.

Amounts are compared in the database: exactly on PostgreSQL, in whole cents on SQLite, which keeps
decimals as floating point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, models

from accounts.models import Account, TenantModel
from billing.selectors.checks import Check
from billing.selectors.payment_checks import PAYMENT_CHECKS


@dataclass(frozen=True)
class Violation:
    """A rule and the row that breaks it, in words."""

    rule: str
    row: str


_LINE_SUMS = (
    "(SELECT invoice_id, SUM(value) AS v, SUM(tax_amount) AS t FROM billing_invoiceline "
    "GROUP BY invoice_id)"
)
_PARCEL_SUMS = (
    "(SELECT invoice_id, SUM(gross_value) AS g, SUM(payment_value) AS p, COUNT(*) AS n, "
    "SUM(CASE WHEN state = 'to_receive' THEN 1 ELSE 0 END) AS opened, "
    "SUM(CASE WHEN state = 'cancelled' THEN 1 ELSE 0 END) AS cancelled, "
    "SUM(CASE WHEN state = 'to_emit' THEN 1 ELSE 0 END) AS waiting "
    "FROM billing_receivable GROUP BY invoice_id)"
)

# The notes of invoices that are live at the authority, by what billing knows of them.
_LIVE_NOTES = (
    "SELECT n.account_id, n.invoice_id, n.id FROM billing_invoicenote n "
    "JOIN fiscal_servicenote s ON s.id = n.service_note_id "
    "WHERE s.state IN ('autorizado', 'cancelamento_em_analise') "
    "UNION ALL SELECT n.account_id, n.invoice_id, n.id FROM billing_invoicenote n "
    "JOIN fiscal_fiscaldocument d ON d.id = n.document_id WHERE d.state = 'autorizado'"
)

# What the list counts by must be what is there; only PostgreSQL keeps tallies.
_TALLIES = (
    "SELECT issue_date, due_date, status_code FROM ("
    "SELECT organization_id, contract_id IS NOT NULL AS has_contract, issue_date, due_date, "
    "status_code, 1 AS n, total_amount AS v "
    "FROM billing_invoice WHERE account_id = %(account)s "
    "UNION ALL SELECT organization_id, has_contract, issue_date, due_date, status_code, "
    "-count, -amount "
    "FROM billing_invoicetally WHERE account_id = %(account)s) AS both_sides "
    "GROUP BY organization_id, has_contract, issue_date, due_date, status_code "
    "HAVING SUM(n) <> 0 OR SUM(v) <> 0"
)

CHECKS = [
    Check(
        "INV-1",
        "transação {0} em mais de uma fatura não anulada",
        "SELECT l.transaction_id FROM billing_invoiceline l "
        "JOIN billing_invoice i ON i.id = l.invoice_id "
        "WHERE i.account_id = %s AND l.transaction_id IS NOT NULL AND NOT l.is_released "
        "GROUP BY l.transaction_id HAVING COUNT(*) > 1",
    ),
    Check(
        "INV-1",
        "transação {0} aponta para a fatura {1}, que está anulada ou não a contém",
        "SELECT t.id, t.invoice_id FROM billing_transaction t "
        "JOIN billing_invoice i ON i.id = t.invoice_id "
        "WHERE t.account_id = %s AND t.kind <> 'payment' AND (i.void OR NOT EXISTS ("
        "SELECT 1 FROM billing_invoiceline l WHERE l.transaction_id = t.id "
        "AND l.invoice_id = t.invoice_id AND NOT l.is_released))",
    ),
    Check(
        "INV-1",
        "linha {0} da fatura {1} cobra a transação {2}, que não aponta para ela",
        "SELECT l.id, l.invoice_id, l.transaction_id FROM billing_invoiceline l "
        "JOIN billing_invoice i ON i.id = l.invoice_id "
        "JOIN billing_transaction t ON t.id = l.transaction_id "
        "WHERE i.account_id = %s AND NOT l.is_released AND NOT i.void "
        "AND (t.invoice_id IS NULL OR t.invoice_id <> i.id OR t.account_id <> i.account_id)",
    ),
    Check(
        "INV-2",
        "fatura {0}: total {1} + imposto {2} não batem com as linhas ou com o bruto {3}",
        "SELECT i.id, i.total_amount, i.total_tax, i.gross_value FROM billing_invoice i "
        f"LEFT JOIN {_LINE_SUMS} l ON l.invoice_id = i.id WHERE i.account_id = %s AND ("
        "{m:i.total_amount} <> {m:COALESCE(l.v, 0)} OR {m:i.total_tax} <> {m:COALESCE(l.t, 0)} "
        "OR {m:i.gross_value} <> {m:i.total_amount + i.total_tax})",
    ),
    Check(
        "INV-3",
        "fatura {0}: bruto {1} e a receber {2} não batem com as parcelas",
        "SELECT i.id, i.gross_value, i.payment_value FROM billing_invoice i "
        f"LEFT JOIN {_PARCEL_SUMS} r ON r.invoice_id = i.id WHERE i.account_id = %s AND ("
        "COALESCE(r.n, 0) = 0 OR {m:i.gross_value} <> {m:r.g} "
        "OR {m:i.payment_value} <> {m:r.p})",
    ),
    Check(
        "INV-4",
        "parcela {0}: pago + em aberto + baixado difere do valor {1}",
        "SELECT id, payment_value FROM billing_receivable WHERE account_id = %s AND ("
        "{m:paid_principal + open_principal + written_off} <> {m:payment_value} "
        "OR open_principal < 0)",
    ),
    Check(
        "INV-7",
        "regra {0}: ocorrência {1} faturada mais de uma vez",
        "SELECT rule_id, occurrence_date FROM billing_invoice WHERE account_id = %s "
        "AND rule_id IS NOT NULL AND occurrence_date IS NOT NULL "
        "GROUP BY rule_id, occurrence_date HAVING COUNT(*) > 1",
    ),
    Check(
        "PRO-1",
        "regra {0}: a fatura final {1} cobra dias que a fatura {2} já cobra",
        "SELECT DISTINCT f.rule_id, f.id, b.id FROM billing_invoice f "
        "JOIN billing_invoiceline l ON l.invoice_id = f.id "
        "JOIN billing_invoice b ON b.rule_id = f.rule_id AND NOT b.is_final "
        "AND b.start_date <= l.period_end AND l.period_start <= b.end_date "
        "WHERE f.account_id = %s AND f.is_final "
        "AND f.state <> 'cancelled' AND b.state <> 'cancelled'",
    ),
    Check(
        "INV-8",
        "série {0}: {1} números usados, de {2} a {3}, mas o próximo é {4} e o primeiro foi {5}",
        "SELECT s.id, COUNT(i.number), MIN(i.number), MAX(i.number), s.next_number, "
        "s.first_number FROM billing_numberseries s "
        "JOIN billing_party p ON p.id = s.organization_id "
        "LEFT JOIN billing_invoice i ON i.series_id = s.id "
        "WHERE p.account_id = %s GROUP BY s.id, s.next_number, s.first_number "
        "HAVING COUNT(DISTINCT i.number) <> s.next_number - s.first_number "
        "OR (COUNT(i.number) > 0 AND (MIN(i.number) <> s.first_number "
        "OR MAX(i.number) <> s.next_number - 1))",
    ),
    Check(
        "NOTE-1",
        "fatura {0} tem {1} notas válidas",
        f"SELECT invoice_id, COUNT(*) FROM ({_LIVE_NOTES}) live WHERE account_id = %s "
        "GROUP BY invoice_id HAVING COUNT(*) > 1",
    ),
    Check(
        "NOTE-1",
        "fatura {0} está cancelada, mas a nota {1} continua válida",
        f"SELECT i.id, live.id FROM ({_LIVE_NOTES}) live "
        "JOIN billing_invoice i ON i.id = live.invoice_id "
        "WHERE i.account_id = %s AND i.state = 'cancelled'",
    ),
    Check(
        "M-6",
        "fatura {0}: retenções somam {1}, mas de {2} se recebem {3}",
        "SELECT i.id, w.kept, i.gross_value, i.payment_value FROM billing_invoice i "
        "JOIN (SELECT invoice_id, SUM(withheld) AS kept FROM billing_invoicewithholding "
        "GROUP BY invoice_id) w ON w.invoice_id = i.id WHERE i.account_id = %s AND "
        "{m:i.gross_value - w.kept} <> {m:i.payment_value}",
    ),
    Check(
        "SM-1",
        "fatura {0} está {1}, mas suas parcelas não",
        f"SELECT i.id, i.state FROM billing_invoice i JOIN {_PARCEL_SUMS} r "
        "ON r.invoice_id = i.id WHERE i.account_id = %s AND ("
        "(i.state = 'to_emit' AND r.waiting <> r.n) "
        "OR (i.state = 'to_receive' AND (r.opened = 0 OR r.waiting > 0)) "
        "OR (i.state = 'received' AND (r.opened > 0 OR r.waiting > 0)) "
        "OR (i.state = 'cancelled' AND r.cancelled <> r.n))",
    ),
    Check(
        "SRCH-1",
        "parcela {0} não repete a organização ou a emissão da fatura {1}",
        "SELECT r.id, i.id FROM billing_receivable r JOIN billing_invoice i "
        "ON i.id = r.invoice_id WHERE r.account_id = %s AND ("
        "r.invoice_date IS NULL OR r.invoice_date <> i.issue_date OR COALESCE(r.listed_for, 0) <> "
        "CASE WHEN i.contract_id IS NULL THEN 0 ELSE i.organization_id END)",
    ),
]


def violations(account: Account) -> Iterator[Violation]:
    """Every row of `account` that breaks an invariant, as it is found."""
    for check in (*CHECKS, *PAYMENT_CHECKS):
        for row in _rows(_amounts(check.sql), account):
            yield Violation(check.rule, check.text.format(*row))
    yield from _foreign_rows(account)
    if connection.vendor == "postgresql":
        yield from _wrong_tallies(account)


def _wrong_tallies(account: Account) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_TALLIES, {"account": account.pk})
        for issue, due, status in cursor.fetchall():
            text = f"contagem das faturas emitidas em {issue}, vencendo em {due}, situação {status}"
            yield Violation("LS-1", text)


def _amounts(sql: str) -> str:
    """Turn {m:expr} into something the engine compares exactly."""

    form = r"\1" if connection.vendor == "postgresql" else r"CAST(ROUND((\1) * 100) AS INTEGER)"
    return re.sub(r"\{m:([^}]*)\}", form, sql)


def _rows(sql: str, account: Account) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [account.pk])
        return list(cursor.fetchall())


def _foreign_rows(account: Account) -> Iterator[Violation]:
    """INV-11: a row of one tenant must not point to a row of another."""
    for model, field in tenant_links():
        target = field.related_model._meta.db_table  # type: ignore[union-attr]
        sql = (
            f'SELECT a.id, a."{field.column}" FROM "{model._meta.db_table}" a '
            f'JOIN "{target}" b ON b.id = a."{field.column}" '
            "WHERE a.account_id = %s AND b.account_id <> a.account_id"
        )
        for row in _rows(sql, account):
            text = (
                f"{model._meta.verbose_name} {row[0]} aponta para {target} {row[1]} de outra conta"
            )
            yield Violation("INV-11", text)


def tenant_links() -> list[tuple[type[models.Model], models.ForeignKey[Any, Any]]]:
    """Every foreign key from one tenant-owned model to another."""
    return [
        (model, field)
        for model in apps.get_models()
        if issubclass(model, TenantModel)
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey)
        and isinstance(field.related_model, type)
        and issubclass(field.related_model, TenantModel)
    ]
