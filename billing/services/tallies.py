"""Keep the tallies of invoices few: what triggers appended is added up, now and then."""

from __future__ import annotations

from django.db import connection

_MERGE = """
WITH several AS (
    SELECT account_id, organization_id, has_contract, issue_date, due_date, status_code
    FROM billing_invoicetally
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING count(*) > 1 OR sum(count) = 0
), gone AS (
    DELETE FROM billing_invoicetally t USING several s
    WHERE t.account_id = s.account_id AND t.organization_id = s.organization_id
    AND t.has_contract = s.has_contract AND t.issue_date = s.issue_date
    AND t.due_date IS NOT DISTINCT FROM s.due_date AND t.status_code = s.status_code
    RETURNING t.*
)
INSERT INTO billing_invoicetally (
    account_id, organization_id, has_contract, issue_date, due_date, status_code, count, amount
)
SELECT account_id, organization_id, has_contract, issue_date, due_date, status_code,
    sum(count), sum(amount)
FROM gone GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(count) <> 0 OR sum(amount) <> 0
"""


def merge_tallies() -> int:
    """Replace tallies of the same kind by their sum; answers how many rows there are now.

    One statement: readers see all rows of before or all of after, and what is appended meanwhile
    waits for the next time. Two at once: the second finds nothing left to delete.
    """
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_MERGE)
        cursor.execute("SELECT count(*) FROM billing_invoicetally")
        (count,) = cursor.fetchone()
    return int(count)
