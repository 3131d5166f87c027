"""How many invoices of each kind there are, kept by the database itself."""

from __future__ import annotations

from django.db import models

from accounts.models import TenantModel


class InvoiceTally(TenantModel):
    """A change in the number and sum of the invoices of an organization that are alike.

    Alike: of a contract or not, one issue date, one due date, one status.

    PostgreSQL only: triggers of billing_invoice append rows, in the transaction of the change and
    without touching any other row, so that nobody waits; adding them up answers exactly. Rows of
    the same kind are merged now and then (billing.services.tallies).
    """

    organization_id = models.BigIntegerField(null=True)
    has_contract = models.BooleanField(default=False)
    issue_date = models.DateField()
    due_date = models.DateField(null=True)
    status_code = models.SmallIntegerField()
    count = models.IntegerField()
    amount = models.DecimalField(max_digits=17, decimal_places=2)

    class Meta:
        verbose_name = "contagem de faturas"
        verbose_name_plural = "contagens de faturas"

    def __str__(self) -> str:
        return f"{self.issue_date} {self.status_code}: {self.count}"
