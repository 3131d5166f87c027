from django.db import migrations

# What only PostgreSQL has; SQLite answers the same questions by reading the rows.

# Words of title and customer name, each behind its account, so that one tenant's search never
# walks another's rows: 'aurora' of account 7 is '7:aurora'. left(): a word may have 2046 bytes.
SEARCH = """
CREATE INDEX invoice_search ON billing_invoice USING gin (
    array_to_tsvector(array_remove(string_to_array(
        replace(' ' || left(fold, 480), ' ', ' ' || account_id || ':'), ' '), ''))
)
"""
# Index-only scans need the visibility map: a month's emission must not wait for a fifth of the
# table to change.
VACUUM = """
ALTER TABLE billing_invoice SET (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
)
"""
TALLY = """
CREATE FUNCTION billing_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO billing_invoicetally
            (account_id, issue_date, due_date, status_code, count, amount)
        SELECT account_id, issue_date, due_date, status_code, count(*), sum(total_amount)
        FROM added GROUP BY 1, 2, 3, 4;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO billing_invoicetally
            (account_id, issue_date, due_date, status_code, count, amount)
        SELECT account_id, issue_date, due_date, status_code, -count(*), -sum(total_amount)
        FROM gone GROUP BY 1, 2, 3, 4;
    ELSE
        INSERT INTO billing_invoicetally
            (account_id, issue_date, due_date, status_code, count, amount)
        SELECT account_id, issue_date, due_date, status_code, sum(n), sum(v)
        FROM (
            SELECT account_id, issue_date, due_date, status_code, 1 AS n, total_amount AS v
            FROM added
            UNION ALL
            SELECT account_id, issue_date, due_date, status_code, -1, -total_amount FROM gone
        ) AS change
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0 OR sum(v) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER invoice_tally_insert AFTER INSERT ON billing_invoice
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION billing_tally();
CREATE TRIGGER invoice_tally_update AFTER UPDATE ON billing_invoice
    REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_tally();
CREATE TRIGGER invoice_tally_delete AFTER DELETE ON billing_invoice
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION billing_tally();
INSERT INTO billing_invoicetally (account_id, issue_date, due_date, status_code, count, amount)
SELECT account_id, issue_date, due_date, status_code, count(*), sum(total_amount)
FROM billing_invoice GROUP BY 1, 2, 3, 4;
"""
REVERSE = """
DROP TRIGGER invoice_tally_insert ON billing_invoice;
DROP TRIGGER invoice_tally_update ON billing_invoice;
DROP TRIGGER invoice_tally_delete ON billing_invoice;
DROP FUNCTION billing_tally();
TRUNCATE billing_invoicetally;
ALTER TABLE billing_invoice RESET (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor
);
DROP INDEX invoice_search;
"""


def apply(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for sql in (SEARCH, VACUUM, TALLY):
            schema_editor.execute(sql)


def undo(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(REVERSE)


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_snapshots_append_only")]
    operations = [migrations.RunPython(apply, undo)]
