from django.db import migrations, models


# The function of 0003, with organization and contract among what makes invoices alike.
TALLY = """
CREATE OR REPLACE FUNCTION billing_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO billing_invoicetally (account_id, organization_id, has_contract,
            issue_date, due_date, status_code, count, amount)
        SELECT account_id, organization_id, contract_id IS NOT NULL,
            issue_date, due_date, status_code, count(*), sum(total_amount)
        FROM added GROUP BY 1, 2, 3, 4, 5, 6;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO billing_invoicetally (account_id, organization_id, has_contract,
            issue_date, due_date, status_code, count, amount)
        SELECT account_id, organization_id, contract_id IS NOT NULL,
            issue_date, due_date, status_code, -count(*), -sum(total_amount)
        FROM gone GROUP BY 1, 2, 3, 4, 5, 6;
    ELSE
        INSERT INTO billing_invoicetally (account_id, organization_id, has_contract,
            issue_date, due_date, status_code, count, amount)
        SELECT account_id, organization_id, has_contract,
            issue_date, due_date, status_code, sum(n), sum(v)
        FROM (
            SELECT account_id, organization_id, contract_id IS NOT NULL AS has_contract,
                issue_date, due_date, status_code, 1 AS n, total_amount AS v
            FROM added
            UNION ALL
            SELECT account_id, organization_id, contract_id IS NOT NULL,
                issue_date, due_date, status_code, -1, -total_amount
            FROM gone
        ) AS change
        GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0 OR sum(v) <> 0;
    END IF;
    RETURN NULL;
END $$;
TRUNCATE billing_invoicetally;
INSERT INTO billing_invoicetally (account_id, organization_id, has_contract,
    issue_date, due_date, status_code, count, amount)
SELECT account_id, organization_id, contract_id IS NOT NULL,
    issue_date, due_date, status_code, count(*), sum(total_amount)
FROM billing_invoice GROUP BY 1, 2, 3, 4, 5, 6;
"""


def apply(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TALLY)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_webhooks'),
        ('billing', '0006_invoice_api'),
    ]

    operations = [
        migrations.AddField(
            model_name='invoicetally',
            name='has_contract',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='invoicetally',
            name='organization_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='invoice',
            index=models.Index(condition=models.Q(('replaces__isnull', False)), fields=['replaces'], name='invoice_replaces'),
        ),
        # Undone, the columns go and the function of 0003 has to come back: restore a backup.
        migrations.RunPython(apply),
    ]
