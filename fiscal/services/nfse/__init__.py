"""The engine of service notes: NFS-e national and municipal (fiscal-engine §12)."""
