"""Boletos: issued, registered, copied, reissued, changed and written off (billing-engine §10.3)."""
