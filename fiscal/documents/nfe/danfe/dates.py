"""Which layout a DANFE has: that of its own date, for ever (§0, PDF-3)."""

from __future__ import annotations

MOC = "moc"  # Manual de Orientação do Contribuinte 7.0
NT2026 = "nt2026"  # NT 2026.010
_NT2026_FROM = "2026-12-01"


def layout_of(dh_emi: str) -> str:
    """`moc` or `nt2026` by the date written in dhEmi."""
    return NT2026 if dh_emi[:10] >= _NT2026_FROM else MOC
