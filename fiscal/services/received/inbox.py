"""What was delivered becomes rows: every document kept first, then what it says (DIS-2, DIS-3).

No network here; all of it inside the transaction that moves the cursor.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fiscal.authorities.base import DistributedDocument
from fiscal.models import Company, DistributionCursor, ReceivedDocument, ReceivedNfe
from fiscal.services import archive
from fiscal.services.companies import option
from fiscal.services.received import files, manifested, reading
from fiscal.services.received.reading import Event, Note
from fiscal.services.received.telling import tell_nfe
from lib.clock import SAO_PAULO

log = logging.getLogger(__name__)

_REGISTERED = ("135", "136", "155")
_Situacao = ReceivedNfe.Situacao


@dataclass
class _Page:
    """One answer: its rows by key, as its documents leave them, and those that changed."""

    cursor: DistributionCursor
    now: datetime
    rows: dict[str, ReceivedNfe] = field(default_factory=dict)
    changed: dict[str, ReceivedNfe] = field(default_factory=dict)

    def row(self, chave: str) -> ReceivedNfe | None:
        """The row of that key, locked."""
        if chave not in self.rows:
            rows = ReceivedNfe.objects.select_for_update(of=("self",)).select_related("company")
            found = rows.filter(
                company=self.cursor.company, ambiente=self.cursor.ambiente, chave=chave
            ).first()
            if found is None:
                return None
            self.rows[chave] = found
        return self.rows[chave]


def keep(
    cursor: DistributionCursor, documents: Iterable[DistributedDocument], *, now: datetime
) -> list[ReceivedNfe]:
    """Keep the documents of an answer and bring their rows up to date; the rows that changed.

    `cursor` is locked by the caller, who saves it. What came before is not read again.
    """
    page, before = _Page(cursor, now), cursor.last_version
    for one in documents:
        kept = _keep(page, one)
        row = _read(page, kept, one.content) if kept is not None else None
        if row is not None:
            page.changed[row.chave] = row
    for row in page.changed.values():
        if row.versao <= before:  # a new row has its version
            _renew(cursor, row, now)
        row.save()
        tell_nfe(row, at=now)
    return list(page.changed.values())


def publish(cursor: DistributionCursor, row: ReceivedNfe, *, now: datetime) -> None:
    """Give a changed row its new version, save it and tell of it. The caller saves the cursor."""
    _renew(cursor, row, now)
    row.save()
    tell_nfe(row, at=now)


def _renew(cursor: DistributionCursor, row: ReceivedNfe, now: datetime) -> None:
    cursor.last_version += 1
    row.versao, row.updated_at = cursor.last_version, now


def _keep(page: _Page, one: DistributedDocument) -> ReceivedDocument | None:
    """None for what is kept already.

    NSU 0 is none: the answer to a question by key. So is an NSU under which other bytes are kept:
    the base was emptied and counts anew (589), and what it delivers now is news all the same.
    """
    cursor = page.cursor
    digest = hashlib.sha256(one.content).hexdigest()
    same = ReceivedDocument.objects.filter(
        company=cursor.company, ambiente=cursor.ambiente, source=cursor.source
    )
    nsu = _nsu(one)
    held = same.filter(nsu=nsu).values_list("sha256", flat=True).first() if nsu else None
    if held == digest:
        return None
    if held is not None:
        nsu = None
    if nsu is None and same.filter(sha256=digest).exists():
        return None
    row: ReceivedDocument = ReceivedDocument.objects.create(
        account_id=cursor.account_id,
        company=cursor.company,
        ambiente=cursor.ambiente,
        source=cursor.source,
        nsu=nsu,
        schema=one.schema[:60],
        content=archive.packed(one.content),
        size=len(one.content),
        sha256=digest,
        error=one.fault[:300],
        created_at=page.now,
    )
    return row


def _nsu(one: DistributedDocument) -> int | None:
    """TNSU: 15 digits."""
    text = one.nsu
    return int(text) or None if text.isascii() and text.isdecimal() and len(text) <= 15 else None


def _read(page: _Page, kept: ReceivedDocument, content: bytes) -> ReceivedNfe | None:
    """The row that the document changed; a document that cannot be read changes none."""
    if kept.error:
        log.warning("received.damaged", extra={"document_id": kept.pk, "reason": kept.error})
        return None
    try:
        said = reading.read(kept.schema, content)
    except reading.Unreadable as error:
        log.warning("received.unreadable", extra={"document_id": kept.pk, "reason": str(error)})
        kept.error = str(error)[:300]
        kept.save(update_fields=["error"])
        return None
    if said is None:
        log.info("received.unknown", extra={"document_id": kept.pk, "schema": kept.schema})
        return None
    kept.chave = said.chave
    kept.save(update_fields=["chave"])
    if isinstance(said, Note):
        return _note(page, kept, said)
    row = page.row(said.chave)
    return row if row is not None and _happen(row, said, page.now) else None


# --- notes -------------------------------------------------------------------------------------


def _note(page: _Page, kept: ReceivedDocument, said: Note) -> ReceivedNfe | None:
    row = page.row(said.chave)
    if row is None:
        return _new(page, kept, said) if _is_wanted(page.cursor.company, said) else None
    before = _facts(row)
    _fill(row, kept, said)
    return row if _facts(row) != before else None


def _new(page: _Page, kept: ReceivedDocument, said: Note) -> ReceivedNfe:
    cursor, now = page.cursor, page.now
    cursor.last_version += 1
    row = ReceivedNfe(
        account_id=cursor.account_id,
        company=cursor.company,
        ambiente=cursor.ambiente,
        chave=said.chave,
        versao=cursor.last_version,
        created_at=now,
        updated_at=now,
    )
    _fill(row, kept, said)
    row.save()
    page.rows[row.chave] = row
    _catch_up(row, now)
    return row


def _catch_up(row: ReceivedNfe, now: datetime) -> None:
    """Events that came before the note they are about."""
    for kept in files.documents_of(row).filter(error=""):
        if reading.kind_of(kept.schema) in (reading.EVENT, reading.EVENT_SUMMARY):
            said = reading.read(kept.schema, archive.unpacked(kept.content))
            if isinstance(said, Event):
                _happen(row, said, now)


def _fill(row: ReceivedNfe, kept: ReceivedDocument, said: Note) -> None:
    """A summary never takes away what the whole document said."""
    row.nsu = max(row.nsu or 0, kept.nsu or 0)
    if row.situacao != _Situacao.CANCELADA:
        row.situacao = said.situacao
    if row.is_complete:
        return
    row.issuer_document, row.issuer_name = said.issuer_document, said.issuer_name
    row.recipient_document = said.recipient_document or row.recipient_document
    row.total, row.tp_nf = said.total, said.tp_nf
    row.issued_at, row.authorized_at = said.issued_at, said.authorized_at
    row.protocolo, row.digest_value = said.protocolo, said.digest_value
    if said.is_whole:
        row.is_complete, row.faults = not said.faults, list(said.faults)
    else:
        row.recipient_document = row.recipient_document or row.company.document


def _is_wanted(company: Company, said: Note) -> bool:
    """§14.2: from which day on, and only as the recipient if the company says so."""
    begins = option(company, "data_inicio_recebimento_nfe")
    if begins and said.issued_at is not None and _day(said.issued_at) < date.fromisoformat(begins):
        return False
    is_narrow = option(company, "habilita_filtro_mde_destinatario_empresa")
    is_other = said.is_whole and said.recipient_document != company.document
    return not (is_narrow and is_other)


def _day(at: datetime) -> date:
    return at.astimezone(ZoneInfo(SAO_PAULO)).date()


def _facts(row: ReceivedNfe) -> tuple[object, ...]:
    """What the API tells of a row: without a change of it there is no new version."""
    return (
        row.situacao, row.is_complete, row.issuer_document, row.issuer_name, row.total, row.tp_nf,
        row.recipient_document, row.issued_at, row.digest_value, row.protocolo, tuple(row.faults),
    )  # fmt: skip


# --- events ------------------------------------------------------------------------------------


def _happen(row: ReceivedNfe, said: Event, now: datetime) -> bool:
    """Whether the event changed the row, which the caller saves."""
    if said.faults:
        row.faults = [*row.faults, *(f"Evento {said.tp_evento}: {one}" for one in said.faults)]
        return True
    if said.c_stat not in _REGISTERED:
        return False
    if said.tp_evento in files.CANCELLATIONS:
        return _cancel(row, said)
    if said.tp_evento == files.CARTA_CORRECAO:
        return _correct(row, said)
    return manifested.learn(row, said, now=now)


def _cancel(row: ReceivedNfe, said: Event) -> bool:
    """The whole event says why; its summary only that it was."""
    is_news = row.situacao != _Situacao.CANCELADA or (
        bool(said.text) and not row.cancellation_reason
    )
    row.situacao = _Situacao.CANCELADA
    row.cancelled_at = said.at or row.cancelled_at
    row.cancellation_reason = said.text or row.cancellation_reason
    return is_news


def _correct(row: ReceivedNfe, said: Event) -> bool:
    """EVT-4: each letter replaces those before it."""
    held = row.correction_number or 0
    if said.n_seq < held or (said.n_seq == held and (row.correction_text or not said.text)):
        return False
    row.correction_number, row.corrected_at = said.n_seq, said.at
    row.correction_text = said.text
    return True
