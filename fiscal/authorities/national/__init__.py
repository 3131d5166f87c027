"""The national system of NFS-e: Sefin, the Ambiente de Dados and its parameters (§12.2)."""
