"""What manifestations do to the rows, whoever made them; no network here (§8.3)."""

from __future__ import annotations

from datetime import datetime

from fiscal.models import EventState, Manifestation, ReceivedNfe
from fiscal.services import archive
from fiscal.services.received.reading import Event

CIENCIA = "ciencia"
CONFIRMACAO, DESCONHECIMENTO, NAO_REALIZADA = "confirmacao", "desconhecimento", "nao_realizada"
TIPOS = {
    CIENCIA: "210210",
    CONFIRMACAO: "210200",
    DESCONHECIMENTO: "210220",
    NAO_REALIZADA: "210240",
}
NAMES = {tp_evento: tipo for tipo, tp_evento in TIPOS.items()}


def settle(row: ReceivedNfe) -> bool:
    """Copy the manifestation that counts to the row: the last conclusive one, else ciência.

    Whether that changed the row, which the caller saves.
    """
    before = row.manifestacao
    standing = row.manifestations.filter(state=EventState.REGISTRADO, tp_evento__in=NAMES)
    conclusive = standing.exclude(tp_evento=TIPOS[CIENCIA])
    last = (conclusive if conclusive.exists() else standing).order_by("registered_at", "id").last()
    row.manifestacao = NAMES[last.tp_evento] if last else ""
    return row.manifestacao != before


def learn(row: ReceivedNfe, said: Event, *, now: datetime) -> bool:
    """A manifestation that was delivered to us: another program of the company made it.

    False for any other event, for somebody else's, and for what is known.
    """
    is_ours = said.author[:8] == row.company.document[:8]
    if said.tp_evento not in NAMES or not is_ours:
        return False
    known = row.manifestations.filter(tp_evento=said.tp_evento, n_seq=said.n_seq)
    if known.exclude(state=EventState.REJEITADO).exists():
        return False
    adopt(row, said, now=now)
    return settle(row)


def adopt(row: ReceivedNfe, said: Event, *, now: datetime, proc: bytes = b"") -> Manifestation:
    """A registered manifestation that is not ours to send."""
    made: Manifestation = Manifestation.objects.create(
        account_id=row.account_id,
        received=row,
        tp_evento=said.tp_evento,
        n_seq=said.n_seq,
        state=EventState.REGISTRADO,
        is_adopted=True,
        justificativa=said.text[:255],
        xml=archive.packed(b""),
        proc=archive.packed(proc) if proc else None,
        dh_evento=said.at or now,
        protocolo=said.protocolo,
        c_stat=said.c_stat or "573",
        x_motivo=said.x_motivo,
        registered_at=said.at or now,
        created_at=now,
    )
    return made
