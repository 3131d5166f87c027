"""What integrators send and read back untouched, without a column of its own."""

from __future__ import annotations

from typing import Any

from django.db import models

BLANK = "blank"  # the reserved key of `integration`


class KeepsSent(models.Model):
    """A model with `integration`: ids and names that belong to the integrator.

    Text columns are never null, but the wire tells "" from null (billing-api §1.7): the names of
    those that were sent as "" are kept under `blank`.
    """

    integration: Any

    class Meta:
        abstract = True

    def keep_text(self, name: str, value: str | None) -> None:
        """Set a text column as the wire meant it."""
        setattr(self, name, value or "")
        blanks = set(self.integration.get(BLANK, ()))
        blanks = blanks | {name} if value == "" else blanks - {name}
        if blanks:
            self.integration[BLANK] = sorted(blanks)
        else:
            self.integration.pop(BLANK, None)

    def kept_blank(self, name: str) -> bool:
        """Was the empty column sent as ""?"""
        return name in self.integration.get(BLANK, ())
