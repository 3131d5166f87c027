"""Manifestação do destinatário: asked for, signed, and what the caller is told (§8.3, §10)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from fiscal import access_key, xml
from fiscal.authorities.base import TP_AMB
from fiscal.authorities.cstat import Class, classify
from fiscal.documents.nfe import events as kinds
from fiscal.errors import (
    InProcessing,
    InvalidRequest,
    ManifestationRefused,
    ManifestationTaken,
    SchemaInvalid,
)
from fiscal.models import EventState, Manifestation, ReceivedNfe
from fiscal.services import archive
from fiscal.services.certificates import signer_of
from fiscal.services.event_adoption import LIVE
from fiscal.services.received import manifest_sending
from fiscal.services.received.manifested import NAO_REALIZADA, TIPOS
from fiscal.services.signing_step import local_time
from lib import clock

LEAST, MOST = 15, 255  # characters of xJust
# What the authority refuses because the note does not take that word, not because of its form.
NOT_APPLICABLE = ("575", "596", "650", "651", "655")


def read_request(tipo: object, justificativa: object) -> tuple[str, str]:
    """The kind and its justification as the layout takes it. Raises InvalidRequest."""
    if not isinstance(tipo, str) or tipo not in TIPOS:
        told = ", ".join(TIPOS)
        raise InvalidRequest(f'Parâmetro "tipo" não informado ou inválido: use {told}.')
    if tipo != NAO_REALIZADA:
        if justificativa not in (None, ""):
            text = f'Parâmetro "justificativa" só é aceito com o tipo "{NAO_REALIZADA}".'
            raise InvalidRequest(text)
        return tipo, ""
    if not isinstance(justificativa, str) or not justificativa.strip():
        raise InvalidRequest('Parâmetro "justificativa" não informado.')
    text = xml.text(justificativa)
    if not LEAST <= len(text) <= MOST:
        told = f'Parâmetro "justificativa" deve ter entre {LEAST} e {MOST} caracteres.'
        raise InvalidRequest(told)
    return tipo, text


def manifest(received_id: int, *, tipo: str, justificativa: str = "") -> Manifestation:
    """Register the company's word at the Ambiente Nacional, now; the state tells how it went.

    Values as `read_request` gives them. Without an answer it goes on by itself. Raises
    ManifestationTaken for a kind that stands already, here or from another program of the company;
    ManifestationRefused when the authority says that the note does not take it; InProcessing,
    CertificateExpired, NoCertificate, SchemaInvalid.
    """
    row = order(received_id, tipo=tipo, justificativa=justificativa, now=clock.now())
    manifest_sending.send(row.pk)
    found: Manifestation = Manifestation.objects.select_related("received__company").get(pk=row.pk)
    refuse(found)
    return found


def refuse(row: Manifestation) -> None:
    """A refusal that has a code of its own in the API. Raises as `manifest`."""
    if row.state != EventState.REJEITADO:
        return
    if classify(row.c_stat, in_event=True) is Class.EVENT_DUPLICATE:
        raise ManifestationTaken()
    if row.c_stat in NOT_APPLICABLE:
        raise ManifestationRefused(f"{ManifestationRefused.mensagem} {row.c_stat}: {row.x_motivo}")


@transaction.atomic
def order(received_id: int, *, tipo: str, justificativa: str, now: datetime) -> Manifestation:
    """The signed event, to be sent; the same one that is on its way goes on.

    Raises ManifestationTaken, InProcessing, CertificateExpired, NoCertificate, SchemaInvalid.
    """
    received = (
        ReceivedNfe.objects.select_for_update(of=("self",))
        .select_related("company")
        .get(pk=received_id)
    )
    tp_evento = TIPOS[tipo]
    rows = received.manifestations
    if rows.filter(tp_evento=tp_evento, state=EventState.REGISTRADO).exists():
        raise ManifestationTaken()
    live: Manifestation | None = rows.filter(state__in=LIVE).first()
    if live is None:
        return _create(received, tp_evento, justificativa, now)
    if (live.tp_evento, live.justificativa) != (tp_evento, justificativa):
        raise InProcessing("Há uma manifestação em processamento para a nota.")
    return live


def _create(
    received: ReceivedNfe, tp_evento: str, justificativa: str, now: datetime
) -> Manifestation:
    values = {"xJust": justificativa} if justificativa else {}
    return create(received, tp_evento, values, n_seq=1, justificativa=justificativa, now=now)


def create(
    received: ReceivedNfe,
    tp_evento: str,
    values: kinds.Values,
    *,
    n_seq: int,
    now: datetime,
    justificativa: str = "",
) -> Manifestation:
    """A signed event of the recipient, to be sent; `values` are those of detEvento by tag.

    The caller holds the note's lock. Raises CertificateExpired, NoCertificate, SchemaInvalid.
    """
    # 579: never before the authorization, which the authority dates by its own clock.
    at = max(now, received.authorized_at or now)
    row: Manifestation = Manifestation.objects.create(
        account_id=received.account_id,
        received=received,
        tp_evento=tp_evento,
        n_seq=n_seq,
        justificativa=justificativa,
        xml=archive.packed(_signed(received, tp_evento, values, n_seq=n_seq, at=at, now=now)),
        dh_evento=at,
        next_attempt_at=now + manifest_sending.AGAIN,
        created_at=now,
    )
    return row


def _signed(
    received: ReceivedNfe,
    tp_evento: str,
    values: kinds.Values,
    *,
    n_seq: int,
    at: datetime,
    now: datetime,
) -> bytes:
    """`<evento>` of EVT-1, the recipient being its author. Raises SchemaInvalid."""
    company = received.company
    inner = kinds.inf_evento(
        tp_evento,
        values,
        chave=received.chave,
        n_seq=n_seq,
        tp_amb=TP_AMB[received.ambiente],
        author=company.document,
        at=local_time(company, at).isoformat(),
    )
    element_id = access_key.event_id(tp_evento, received.chave, n_seq)
    signature, _ = signer_of(company, at=now).signature(inner, element_id=element_id)
    content = kinds.evento(inner, signature)
    if xml.event_faults(content):
        raise SchemaInvalid()
    return content


def last_valid(received: ReceivedNfe) -> Manifestation | None:
    """The registered manifestation that counts: the one that the note shows."""
    if not received.manifestacao:
        return None
    rows = received.manifestations.filter(
        tp_evento=TIPOS[received.manifestacao], state=EventState.REGISTRADO
    )
    found: Manifestation | None = rows.order_by("registered_at", "id").last()
    return found
