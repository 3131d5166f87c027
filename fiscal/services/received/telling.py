"""What gatilhos are told of received documents (fiscal-api §13.3)."""

from __future__ import annotations

from datetime import datetime

from fiscal.models import DistributionCursor, FiscalHook, ReceivedNfe, ReceivedNfse, Source
from fiscal.services import hooks

NFE, NFE_FAILED = "nfe_recebida", "nfe_recebida_falha_consulta"
NFSE, NFSEN = "nfse_recebida", "nfsen_recebida"


def tell_nfe(row: ReceivedNfe, *, at: datetime) -> list[FiscalHook]:
    """A new or changed NF-e; answers the addresses."""
    return hooks.announce(row.company, ambiente=row.ambiente, event=NFE, received_nfe=row, at=at)


def tell_nfse(row: ReceivedNfse, *, at: datetime) -> list[FiscalHook]:
    """A new or changed service note; answers the addresses."""
    event = NFSEN if row.source == Source.NFSEN else NFSE
    return hooks.announce(row.company, ambiente=row.ambiente, event=event, received_nfse=row, at=at)


def tell_failure(cursor: DistributionCursor, *, at: datetime) -> list[FiscalHook]:
    """The questions for received NF-e fail; there is no such event for service notes."""
    if cursor.source != Source.NFE:
        return []
    return hooks.announce(
        cursor.company, ambiente=cursor.ambiente, event=NFE_FAILED, distribution=cursor, at=at
    )
