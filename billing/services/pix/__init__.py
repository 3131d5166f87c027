"""Pix: charges at the bank, what is paid by them, and what goes back (billing-engine §10.2)."""
