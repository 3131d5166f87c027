"""What was received before payments were kept gets a transfer, what it settled and its entry."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone

_UNTOLD = (
    "FROM billing_receivable r JOIN billing_invoice i ON i.id = r.invoice_id "
    "WHERE r.state = 'received' AND r.paid_principal + r.paid_fine + r.paid_interest > 0 "
    "AND NOT EXISTS (SELECT 1 FROM billing_paymentallocation a WHERE a.receivable_id = r.id)"
)
_PAYMENT = {
    "account_id": "r.account_id",
    "customer_id": "i.customer_id",
    "invoice_id": "i.id",
    "receivable_id": "r.id",
    "method": "'transfer'",
    "state": "'succeeded'",
    "amount": "r.paid_principal + r.paid_fine + r.paid_interest",
    "received_on": "r.received_at",
    "recorded_by": "'sistema'",
    "created_at": "%s",
    "settled_at": "COALESCE(i.received_at, %s)",
}
_ALLOCATIONS = (
    "INSERT INTO billing_paymentallocation (payment_id, receivable_id, principal, fine, interest, "
    "discount, created_at) SELECT p.id, r.id, r.paid_principal, r.paid_fine, r.paid_interest, "
    "r.written_off, %s FROM billing_payment p JOIN billing_receivable r ON r.id = p.receivable_id "
    "WHERE p.method = 'transfer' AND p.state = 'succeeded' AND p.undone_at IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM billing_paymentallocation a WHERE a.payment_id = p.id)"
)
_ENTRIES = (
    "INSERT INTO billing_transaction (account_id, customer_id, contract_id, invoice_id, "
    "payment_id, kind, created_at, title, description, retail_cost, tax_percentage, tax_amount, "
    "source) SELECT p.account_id, p.customer_id, i.contract_id, i.id, p.id, 'payment', "
    "p.settled_at, 'Pagamento - Transferência Bancária', '', -p.amount, 0, 0, 'pagamento' "
    "FROM billing_payment p JOIN billing_invoice i ON i.id = p.invoice_id "
    "WHERE p.method = 'transfer' AND p.undone_at IS NULL AND NOT EXISTS "
    "(SELECT 1 FROM billing_transaction t WHERE t.payment_id = p.id)"
)
_UUID4 = {
    "postgresql": "gen_random_uuid()",
    # As Django keeps them there: 32 digits; the version and the variant are in their places.
    "sqlite": (
        "lower(hex(randomblob(6))) || '4' || substr(lower(hex(randomblob(2))), 2) || "
        "substr('89ab', 1 + abs(random() % 4), 1) || substr(lower(hex(randomblob(8))), 2)"
    ),
}
_EMPTY = {"CharField": "''", "TextField": "''", "BooleanField": "false"}


def tell(apps: Any, schema_editor: Any) -> None:
    """Three statements for all accounts. What was received with R$ 0,00 was let off, not paid."""
    now = timezone.now()
    with schema_editor.connection.cursor() as cursor:
        sql = _payments(apps.get_model("billing", "Payment"), schema_editor.connection.vendor)
        cursor.execute(sql, [now, now])
        cursor.execute(_ALLOCATIONS, [now])
        cursor.execute(_ENTRIES)


def _payments(payment: Any, vendor: str) -> str:
    """Every column that a transfer knows nothing of is empty."""
    values = {"key": _UUID4[vendor], **_PAYMENT}
    for field in payment._meta.concrete_fields:
        if not (field.primary_key or field.null or field.column in values):
            values[field.column] = _EMPTY.get(field.get_internal_type(), "0")
    columns, picked = ", ".join(values), ", ".join(values.values())
    return f"INSERT INTO billing_payment ({columns}) SELECT {picked} {_UNTOLD}"


class Migration(migrations.Migration):
    dependencies = [("billing", "0011_payments")]

    operations = [
        # Nothing was lost by telling it: going back needs no change.
        migrations.RunPython(tell, migrations.RunPython.noop, elidable=True),
    ]
