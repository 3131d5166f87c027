"""Receivables repeat of their invoice what searches by due date need (0039)."""

from django.db import migrations, models

# One statement on both engines; nothing else of the rows changes.
FILL = """
UPDATE billing_receivable SET
  invoice_date = (SELECT i.issue_date FROM billing_invoice i
                  WHERE i.id = billing_receivable.invoice_id),
  listed_for = (SELECT CASE WHEN i.contract_id IS NULL THEN NULL ELSE i.organization_id END
                FROM billing_invoice i WHERE i.id = billing_receivable.invoice_id)
"""


class Migration(migrations.Migration):

    dependencies = [("billing", "0013_self_care")]

    operations = [
        migrations.AddField(
            model_name="receivable",
            name="listed_for",
            field=models.BigIntegerField(
                editable=False, null=True, verbose_name="organização na busca"
            ),
        ),
        migrations.AddField(
            model_name="receivable",
            name="invoice_date",
            field=models.DateField(editable=False, null=True, verbose_name="emissão da fatura"),
        ),
        migrations.RemoveIndex(model_name="receivable", name="receivable_due"),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="receivable",
            index=models.Index(
                condition=models.Q(listed_for__isnull=False),
                fields=["account", "listed_for", "due_date"],
                include=("invoice", "invoice_date"),
                name="receivable_searched",
            ),
        ),
        migrations.AddIndex(
            model_name="receivable",
            index=models.Index(
                condition=models.Q(listed_for__isnull=False, state="to_receive"),
                fields=["account", "listed_for", "due_date"],
                include=("invoice", "invoice_date"),
                name="receivable_late",
            ),
        ),
    ]
