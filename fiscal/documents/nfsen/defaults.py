"""Values that follow from others of the same declaration."""

from __future__ import annotations

from fiscal.documents.nfsen.catalogue import party_fields
from fiscal.documents.types import Data


def complete_group(data: Data) -> None:
    """The values of the IBSCBS group that follow from the others (NAC-4)."""
    data.setdefault("finalidade_emissao", "0")
    is_other = not data.keys().isdisjoint(party_fields()["destinatario"])
    data.setdefault("indicador_destinatario", "1" if is_other else "0")
