"""The national services invoice: DPS of layout 1.01, its events, and the NFS-e (§12.2)."""
