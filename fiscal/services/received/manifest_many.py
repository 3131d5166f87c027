"""One word on several received NF-e, as the screen of pending ones says it (DIS-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fiscal.models import Manifestation, ReceivedNfe
from fiscal.services.received import manifest_sending, manifestation
from lib import clock
from lib.errors import DomainError


@dataclass(frozen=True)
class Said:
    """What came of one note: its manifestation, or why there is none, in pt-BR."""

    received: ReceivedNfe
    manifestation: Manifestation | None
    refusal: str = ""


def manifest_many(
    received: Sequence[ReceivedNfe], *, tipo: str, justificativa: str = ""
) -> list[Said]:
    """Register the same word on each note, up to 20 in one message to the Ambiente Nacional.

    Values as `manifestation.read_request` gives them; the answers are in the order of `received`.
    Notes of any companies and environments: each message is of one. When nobody answers the rest
    is not tried: what is signed goes on by itself.
    """
    orders = [_order(row, tipo, justificativa) for row in received]
    lines: dict[tuple[int, str], list[int]] = {}
    for one in orders:
        if one.manifestation is not None:
            line = lines.setdefault((one.received.company_id, one.received.ambiente), [])
            line.append(one.manifestation.pk)
    for pks in lines.values():
        _send(pks)
    return [_outcome(one) for one in orders]


def _order(row: ReceivedNfe, tipo: str, justificativa: str) -> Said:
    try:
        made = manifestation.order(row.pk, tipo=tipo, justificativa=justificativa, now=clock.now())
    except DomainError as error:
        return Said(row, None, error.mensagem)
    return Said(row, made)


def _send(pks: list[int]) -> None:
    most = manifest_sending.TOGETHER
    for start in range(0, len(pks), most):
        if not manifest_sending.send_together(pks[start : start + most]):
            return


def _outcome(one: Said) -> Said:
    if one.manifestation is None:
        return one
    row = Manifestation.objects.select_related("received__company").get(pk=one.manifestation.pk)
    try:
        manifestation.refuse(row)
    except DomainError as error:
        return Said(one.received, row, error.mensagem)
    return Said(one.received, row)
