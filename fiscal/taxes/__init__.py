"""Taxes and totals of NF-e and NFC-e: pure, Decimal in and out, one tax per file (TAX-1…TAX-14)."""

from fiscal.taxes.engine import complete
from fiscal.taxes.sheet import Note

__all__ = ["Note", "complete"]
