"""Checks of the ledger: INV-4, 5, 6, 9, 10, and that what is stored follows from allocations.

What was undone counts no more and what was reversed is history; a payment by credit takes from the
wallet what others bring to it.
"""

from __future__ import annotations

from typing import Final

from billing.selectors.checks import Check

_SETTLED: Final = "('succeeded', 'partially_refunded', 'refunded', 'disputed')"
_IN_FLIGHT: Final = "('created', 'processing', 'requires_action')"

_OF_PARCELS = (
    "(SELECT receivable_id, SUM(principal) AS p, SUM(fine) AS f, SUM(interest) AS i, "
    "SUM(discount) AS d FROM billing_paymentallocation WHERE reversed_at IS NULL "
    "GROUP BY receivable_id)"
)
_OF_PAYMENTS = (
    "(SELECT payment_id, SUM(principal + fine + interest) AS v, COUNT(*) AS n "
    "FROM billing_paymentallocation WHERE reversed_at IS NULL GROUP BY payment_id)"
)
_CREDITS = (
    "(SELECT payment_id, SUM(amount) AS net, SUM(CASE WHEN origin IN ('overpayment', 'reversal') "
    "THEN amount ELSE 0 END) AS brought, SUM(CASE WHEN origin = 'use' THEN amount ELSE 0 END) "
    "AS used, COUNT(*) AS n FROM billing_customercredit WHERE payment_id IS NOT NULL "
    "GROUP BY payment_id)"
)
_REOPENED = (
    "(SELECT payment_id, SUM(reopened) AS v FROM billing_chargeback WHERE state = 'lost' "
    "GROUP BY payment_id)"
)
_REFUNDS = (
    "(SELECT payment_id, SUM(amount) AS counted, "
    "SUM(CASE WHEN state = 'succeeded' THEN amount ELSE 0 END) AS done, "
    "SUM(CASE WHEN state = 'succeeded' THEN amount - from_credit ELSE 0 END) AS of_invoice "
    "FROM billing_refund WHERE state IN ('pending', 'succeeded') GROUP BY payment_id)"
)
_PAID = (
    "(SELECT invoice_id, SUM(paid_principal + paid_fine + paid_interest) AS v, "
    "SUM(CASE WHEN state = 'received' THEN 1 ELSE 0 END) AS received "
    "FROM billing_receivable GROUP BY invoice_id)"
)
_STATUS = (
    "CASE WHEN i.state <> 'received' THEN CASE WHEN {m:i.paid_total} > {m:i.refunded_total} "
    "OR (r.received > 0 AND i.paid_total = 0) THEN 'partially_paid' ELSE 'unpaid' END "
    "WHEN i.refunded_total = 0 THEN 'paid' "
    "WHEN {m:i.refunded_total} < {m:i.paid_total} THEN 'partially_refunded' ELSE 'refunded' END"
)

PAYMENT_CHECKS = [
    Check(
        "INV-4",
        "parcela {0}: pago {1}, multa {2} e juros {3} não são os das alocações",
        "SELECT r.id, r.paid_principal, r.paid_fine, r.paid_interest FROM billing_receivable r "
        f"LEFT JOIN {_OF_PARCELS} a ON a.receivable_id = r.id WHERE r.account_id = %s AND ("
        "{m:r.paid_principal} <> {m:COALESCE(a.p, 0)} OR {m:r.paid_fine} <> {m:COALESCE(a.f, 0)} "
        "OR {m:r.paid_interest} <> {m:COALESCE(a.i, 0)})",
    ),
    Check(
        "INV-4",
        "parcela {0} está {1}, mas tem {2} em aberto e {3} baixados",
        "SELECT r.id, r.state, r.open_principal, r.written_off FROM billing_receivable r "
        f"LEFT JOIN {_OF_PARCELS} a ON a.receivable_id = r.id WHERE r.account_id = %s AND ("
        "(r.state = 'to_receive' AND r.open_principal = 0 AND r.payment_value > 0) "
        "OR (r.state = 'received' AND r.open_principal > 0) "
        "OR {m:r.written_off} < {m:COALESCE(a.d, 0)} "
        "OR (r.state <> 'received' AND {m:r.written_off} > {m:COALESCE(a.d, 0)}))",
    ),
    Check(
        "INV-4",
        "fatura {0}: pago {1} não é a soma das parcelas",
        "SELECT i.id, i.paid_total FROM billing_invoice i "
        f"JOIN {_PAID} r ON r.invoice_id = i.id WHERE i.account_id = %s AND "
        "{m:i.paid_total} <> {m:r.v}",
    ),
    Check(
        "SM-1",
        "fatura {0} está {1}, com pagamento {2}",
        "SELECT i.id, i.state, i.payment_status FROM billing_invoice i "
        f"JOIN {_PAID} r ON r.invoice_id = i.id WHERE i.account_id = %s "
        f"AND i.state <> 'cancelled' AND i.payment_status <> {_STATUS}",
    ),
    Check(
        "INV-5",
        "pagamento {0}: alocado, creditado e perdido não somam {1}",
        f"SELECT p.id, p.amount FROM billing_payment p LEFT JOIN {_OF_PAYMENTS} a "
        f"ON a.payment_id = p.id LEFT JOIN {_CREDITS} c ON c.payment_id = p.id "
        f"LEFT JOIN {_REOPENED} b ON b.payment_id = p.id WHERE p.account_id = %s "
        f"AND p.undone_at IS NULL AND p.state IN {_SETTLED} AND "
        "{m:COALESCE(a.v, 0) + COALESCE(c.brought, 0) + COALESCE(b.v, 0)} <> {m:p.amount}",
    ),
    Check(
        "INV-5",
        "pagamento {0} não vale ({1}), mas quita parcelas ou deixou crédito",
        f"SELECT p.id, p.state FROM billing_payment p LEFT JOIN {_OF_PAYMENTS} a "
        f"ON a.payment_id = p.id LEFT JOIN {_CREDITS} c ON c.payment_id = p.id "
        f"WHERE p.account_id = %s AND (p.undone_at IS NOT NULL OR p.state NOT IN {_SETTLED}) "
        "AND (COALESCE(a.n, 0) > 0 OR {m:COALESCE(c.net, 0)} <> 0)",
    ),
    Check(
        "INV-5",
        "pagamento {0} por crédito: usou {2} da carteira para pagar {1}",
        "SELECT p.id, p.amount, COALESCE(c.used, 0) FROM billing_payment p "
        f"LEFT JOIN {_CREDITS} c ON c.payment_id = p.id WHERE p.account_id = %s "
        "AND {m:-COALESCE(c.used, 0)} <> "
        "CASE WHEN p.method = 'credit' THEN {m:p.amount} ELSE 0 END",
    ),
    Check(
        "INV-5",
        "cliente {0}: saldo de crédito {1} negativo",
        "SELECT c.customer_id, SUM(c.amount) FROM billing_customercredit c "
        "WHERE c.account_id = %s AND NOT EXISTS (SELECT 1 FROM billing_chargeback b "
        "JOIN billing_payment p ON p.id = b.payment_id "
        "WHERE b.state = 'lost' AND p.customer_id = c.customer_id) "
        "GROUP BY c.customer_id HAVING {m:SUM(c.amount)} < 0",
    ),
    Check(
        "PAYM-3",
        "pagamento {0} de {1}: suas transações somam {2}",
        "SELECT p.id, p.amount, t.v FROM billing_payment p "
        "JOIN (SELECT payment_id, SUM(retail_cost) AS v FROM billing_transaction "
        "WHERE payment_id IS NOT NULL GROUP BY payment_id) t ON t.payment_id = p.id "
        "WHERE p.account_id = %s AND "
        "{m:t.v} <> CASE WHEN p.undone_at IS NULL THEN {m:-p.amount} ELSE 0 END",
    ),
    Check(
        "INV-6",
        "pagamento {0} de {1} ({2}): reembolsado {3}, mas os reembolsos somam {4}",
        "SELECT p.id, p.amount, p.state, p.refunded_total, COALESCE(r.done, 0) "
        f"FROM billing_payment p LEFT JOIN {_REFUNDS} r ON r.payment_id = p.id "
        "WHERE p.account_id = %s AND ({m:COALESCE(r.counted, 0)} > {m:p.amount} "
        "OR {m:p.refunded_total} <> {m:COALESCE(r.done, 0)} "
        "OR (p.state = 'refunded' AND {m:p.refunded_total} <> {m:p.amount}) "
        "OR (p.state = 'partially_refunded' AND (p.refunded_total = 0 "
        "OR {m:p.refunded_total} = {m:p.amount})) "
        "OR (p.state = 'succeeded' AND p.refunded_total > 0))",
    ),
    Check(
        "INV-6",
        "fatura {0}: reembolsado {1} não é o dos seus pagamentos",
        "SELECT i.id, i.refunded_total FROM billing_invoice i LEFT JOIN ("
        f"SELECT p.invoice_id, SUM(r.of_invoice) AS v FROM {_REFUNDS} r "
        "JOIN billing_payment p ON p.id = r.payment_id GROUP BY p.invoice_id) x "
        "ON x.invoice_id = i.id WHERE i.account_id = %s AND "
        "{m:i.refunded_total} <> {m:COALESCE(x.v, 0)}",
    ),
    Check(
        "INV-9",
        "parcela {0} está {1}, mas a cobrança {2} continua viva",
        "SELECT r.id, r.state, c.id FROM billing_charge c "
        "JOIN billing_receivable r ON r.id = c.receivable_id WHERE c.account_id = %s "
        "AND c.state IN ('draft', 'registering', 'open') AND r.state <> 'to_receive'",
    ),
    Check(
        "INV-9",
        "parcela {0} tem {2} cobranças do tipo {1} abertas",
        "SELECT receivable_id, kind, COUNT(*) FROM billing_charge WHERE account_id = %s "
        "AND state = 'open' GROUP BY receivable_id, kind HAVING COUNT(*) > 1",
    ),
    Check(
        "PAY-1",
        "parcela {0} tem {1} pagamentos em processamento",
        "SELECT receivable_id, COUNT(*) FROM billing_payment WHERE account_id = %s "
        f"AND state IN {_IN_FLIGHT} AND receivable_id IS NOT NULL "
        "GROUP BY receivable_id HAVING COUNT(*) > 1",
    ),
    Check(
        "INV-10",
        "o identificador {1} de {0} está em {2} pagamentos",
        "SELECT method, external_id, COUNT(*) FROM billing_payment WHERE account_id = %s "
        "AND external_id <> '' GROUP BY method, external_id HAVING COUNT(*) > 1",
    ),
    Check(
        "INV-10",
        "o identificador {0} está em {1} reembolsos",
        "SELECT external_id, COUNT(*) FROM billing_refund WHERE account_id = %s "
        "AND external_id <> '' GROUP BY external_id HAVING COUNT(*) > 1",
    ),
    Check(
        "INV-10",
        "convênio {0}: nosso número {1} está em {2} boletos",
        "SELECT agreement_id, nosso_numero, COUNT(*) FROM billing_charge WHERE account_id = %s "
        "AND nosso_numero <> '' AND agreement_id IS NOT NULL "
        "GROUP BY agreement_id, nosso_numero HAVING COUNT(*) > 1",
    ),
    Check(
        "INV-10",
        "conta {0}: txid {1} está em {2} cobranças Pix",
        "SELECT gateway_id, txid, COUNT(*) FROM billing_charge WHERE account_id = %s "
        "AND txid <> '' AND gateway_id IS NOT NULL "
        "GROUP BY gateway_id, txid HAVING COUNT(*) > 1",
    ),
]
