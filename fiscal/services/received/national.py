"""Service notes taken by a company, from the national system (NAC-12, DIS-1, DIS-2)."""

from __future__ import annotations

import hashlib
import logging
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from fiscal.authorities.base import Lost, Misconfigured, NotSent
from fiscal.authorities.national.adn import EVENT, NOTE, Adn, Distributed, Page
from fiscal.documents.received import national
from fiscal.documents.received.national import Event, Note
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Company, DistributionCursor, ReceivedDocument, ReceivedNfse, Source
from fiscal.services import archive
from fiscal.services.certificates import credentials_of
from fiscal.services.companies import option
from fiscal.services.received import asking, cursors
from fiscal.services.received.telling import tell_nfse
from fiscal.xml import BadXml
from lib import clock
from lib.clock import SAO_PAULO

log = logging.getLogger(__name__)

PAGES = 40  # of 50 documents in one task; the next one goes on
_Status = ReceivedNfse.Status


def fetch(cursor_id: int) -> int:
    """Ask for what is new until there is no more; how many notes changed. Safe to run again."""
    cursor = DistributionCursor.objects.select_related("company").get(pk=cursor_id)
    with asking.alone(cursor) as ours:
        return _rounds(cursor_id) if ours else 0


def _rounds(cursor_id: int) -> int:
    changed = 0
    for _ in range(PAGES):
        cursor = asking.begin(cursor_id, now=clock.now())
        page = _asked(cursor) if cursor is not None else None
        if page is None:
            return changed
        n, has_more = _record(cursor_id, page, now=clock.now())
        changed += n
        if not has_more:
            return changed
    DistributionCursor.objects.filter(pk=cursor_id).update(next_at=clock.now())
    return changed


def _asked(cursor: DistributionCursor) -> Page | None:
    """The page beyond our NSU; a failure is recorded and gives none."""
    company = cursor.company
    try:
        to = Adn(cursor.ambiente, credentials_of(company))
        return to.distributed(cursor.ult_nsu, document=company.cnpj)
    except (CertificateExpired, NoCertificate) as error:
        asking.impossible(cursor.pk, error.mensagem, now=clock.now())
    except Misconfigured as error:
        asking.impossible(cursor.pk, str(error), now=clock.now())
    except (NotSent, Lost) as error:
        asking.unanswered(cursor.pk, str(error), now=clock.now())
    return None


@transaction.atomic
def _record(cursor_id: int, page: Page, *, now: datetime) -> tuple[int, bool]:
    """Keep what came and move the cursor, in one transaction; (changed notes, is there more?).

    There is no maxNSU: a page that is not full is the last.
    """
    cursor = cursors.locked(cursor_id)
    before = cursor.ult_nsu
    changed = _keep(cursor, page.documents, now)
    cursor.ult_nsu = max([before, *(one.nsu for one in page.documents)])
    cursor.max_nsu = max(cursor.max_nsu, cursor.ult_nsu)
    asking.answered(cursor, now=now)
    has_more = not page.is_last and cursor.ult_nsu > before
    if not has_more:
        asking.rest(cursor, now=now)
    cursor.save()
    return changed, has_more


def _keep(cursor: DistributionCursor, documents: tuple[Distributed, ...], now: datetime) -> int:
    changed: dict[int, ReceivedNfse] = {}
    for one in documents:
        kept = _document(cursor, one, now)
        row = _read(cursor, kept, one.content, now) if kept is not None else None
        if row is not None:
            changed[row.pk] = row
    for row in changed.values():
        tell_nfse(row, at=now)
    return len(changed)


def _document(
    cursor: DistributionCursor, one: Distributed, now: datetime
) -> ReceivedDocument | None:
    """None for an NSU that is kept already."""
    row, is_new = ReceivedDocument.objects.get_or_create(
        company=cursor.company,
        ambiente=cursor.ambiente,
        source=cursor.source,
        nsu=one.nsu,
        defaults={
            "account_id": cursor.account_id,
            "schema": one.kind[:60],
            "chave": one.key[:140],
            "content": archive.packed(one.content),
            "size": len(one.content),
            "sha256": hashlib.sha256(one.content).hexdigest(),
            "error": one.fault[:300],
            "created_at": now,
        },
    )
    return row if is_new else None


def _read(
    cursor: DistributionCursor, kept: ReceivedDocument, content: bytes, now: datetime
) -> ReceivedNfse | None:
    """The row that the document changed, saved; unknown and unreadable ones change none."""
    if kept.error or kept.schema not in (NOTE, EVENT):
        return None
    try:
        said = national.read_note(content) if kept.schema == NOTE else national.read_event(content)
    except BadXml as error:
        log.warning("received.unreadable", extra={"document_id": kept.pk, "reason": str(error)})
        kept.error = str(error)[:300]
        kept.save(update_fields=["error"])
        return None
    if kept.chave != said.chave:
        kept.chave = said.chave
        kept.save(update_fields=["chave"])
    row = _row(cursor, said.chave)
    if isinstance(said, Event):
        return _happened(cursor, row, said, now) if row is not None else None
    return _new(cursor, kept, said, now) if row is None else None


def _row(cursor: DistributionCursor, chave: str) -> ReceivedNfse | None:
    rows = ReceivedNfse.objects.select_for_update(of=("self",)).select_related("company")
    found: ReceivedNfse | None = rows.filter(
        company=cursor.company, ambiente=cursor.ambiente, source=cursor.source, chave=chave
    ).first()
    return found


def _new(
    cursor: DistributionCursor, kept: ReceivedDocument, said: Note, now: datetime
) -> ReceivedNfse | None:
    """A note that the company took; what it issued or mediated comes too, and is only kept."""
    if not _is_wanted(cursor.company, said):
        return None
    cursor.last_version += 1
    row = ReceivedNfse(
        account_id=cursor.account_id,
        company=cursor.company,
        ambiente=cursor.ambiente,
        source=cursor.source,
        chave=said.chave,
        nsu=kept.nsu or 0,
        versao=cursor.last_version,
        number=said.number,
        municipality=said.municipality,
        issuer_document=said.issuer_document,
        issuer_name=said.issuer_name,
        total=said.total,
        issued_at=said.issued_at,
        body={"resumo": said.summary, "completa": said.complete},
        faults=list(said.faults),
        created_at=now,
        updated_at=now,
    )
    _catch_up(row)
    row.save()
    return row


def _is_wanted(company: Company, said: Note) -> bool:
    if said.taker_document != company.document:
        return False
    begins = option(company, "data_inicio_recebimento_nfsen")
    if not begins or said.issued_at is None:
        return True
    day = said.issued_at.astimezone(ZoneInfo(SAO_PAULO)).date()
    return day >= date.fromisoformat(begins)


def _catch_up(row: ReceivedNfse) -> None:
    """Events that came before their note."""
    rows = ReceivedDocument.objects.filter(
        company=row.company, ambiente=row.ambiente, source=Source.NFSEN, chave=row.chave,
        schema=EVENT, error="",
    )  # fmt: skip
    for kept in rows.order_by("nsu"):
        _apply(row, national.read_event(archive.unpacked(kept.content)))


def _happened(
    cursor: DistributionCursor, row: ReceivedNfse, said: Event, now: datetime
) -> ReceivedNfse | None:
    if not _apply(row, said):
        return None
    cursor.last_version += 1
    row.versao, row.updated_at = cursor.last_version, now
    row.save()
    return row


def _apply(row: ReceivedNfse, said: Event) -> bool:
    """Whether the event changed the note."""
    if said.faults:
        row.faults = [*row.faults, *(f"Evento {said.tipo}: {one}" for one in said.faults)]
        return True
    if not said.is_cancelling or row.status == _Status.CANCELADO:
        return False
    row.status, row.cancelled_at = _Status.CANCELADO, said.at
    return True
