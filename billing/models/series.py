"""Document numbers."""

from __future__ import annotations

from django.db import models

from billing.models.party import Party


class NumberSeries(models.Model):
    """The counter of an organization's invoices. Taken under lock, never skipped (INV-8)."""

    organization = models.ForeignKey(
        Party, models.PROTECT, related_name="series", verbose_name="organização"
    )
    code = models.CharField("série", max_length=10, default="1")
    prefix = models.CharField("prefixo", max_length=20, blank=True)
    first_number = models.PositiveBigIntegerField("primeiro número", default=1)
    next_number = models.PositiveBigIntegerField("próximo número", default=1)

    class Meta:
        verbose_name = "série de numeração"
        verbose_name_plural = "séries de numeração"
        constraints = [models.UniqueConstraint(fields=["organization", "code"], name="series_code")]

    def __str__(self) -> str:
        return f"{self.organization} série {self.code}"

    def take(self, n: int) -> int:
        """Reserve `n` consecutive numbers on a locked row; answers the first. The caller saves."""
        first = self.next_number
        self.next_number += n
        return first

    def label(self, number: int) -> str:
        """What people see: prefix and at least five digits, `01234`."""
        return f"{self.prefix}{number:05d}"
