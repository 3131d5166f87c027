"""Service notes taken by a company, from the system of its own city (fiscal-api §7).

A city has no NSU: it is asked for a period, twice a day for the last month, and at weekends for
half a year, since an old note may have been cancelled. What came is counted by us.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import cast

from django.db import transaction

from fiscal.authorities.base import Lost, Misconfigured, NotOffered, NotSent
from fiscal.authorities.provider import ReceivedPage, Receiving
from fiscal.authorities.providers import provider_for
from fiscal.documents.received import municipal
from fiscal.documents.received.municipal import CityNote
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import DistributionCursor, ReceivedDocument, ReceivedNfse
from fiscal.services import archive
from fiscal.services.certificates import credentials_of
from fiscal.services.nfse.issuers import issuer_of
from fiscal.services.received import asking, cursors
from fiscal.services.received.telling import tell_nfse
from fiscal.services.signing_step import local_time
from fiscal.xml import BadXml
from lib import clock

log = logging.getLogger(__name__)

WINDOW = timedelta(days=30)  # São Paulo refuses more than 31 days (1403)
WINDOWS_AT_WEEKENDS = 6
PAGES = 200  # of one window: a city that always names another page is asked no further
SCHEMA = "nfse"
_SATURDAY = 5
_Status = ReceivedNfse.Status


def offers(municipality: str, ambiente: str) -> bool:
    """Whether the city tells takers what they were given, in that environment."""
    try:
        provider = provider_for("", municipality=municipality, ambiente=ambiente)
    except NotOffered:
        return False
    return provider.features.received


def fetch(cursor_id: int) -> int:
    """Ask for the notes of the periods that are due; how many changed. Safe to run again."""
    cursor = DistributionCursor.objects.select_related("company").get(pk=cursor_id)
    with asking.alone(cursor) as ours:
        begun = asking.begin(cursor_id, now=clock.now()) if ours else None
        return _periods(begun) if begun is not None else 0


def _periods(cursor: DistributionCursor) -> int:
    changed = 0
    for first, last in _windows(local_time(cursor.company, clock.now())):
        for page in _pages(cursor, first, last):
            if page is None:
                return changed
            changed += _record(cursor.pk, page, now=clock.now())
    _rest(cursor.pk, now=clock.now())
    return changed


def _windows(now: datetime) -> Iterator[tuple[date, date]]:
    """The last month first; `now` is on the company's clock."""
    last = now.date()
    for _ in range(WINDOWS_AT_WEEKENDS if now.weekday() >= _SATURDAY else 1):
        yield last - WINDOW, last
        last -= WINDOW + timedelta(days=1)


def _pages(cursor: DistributionCursor, first: date, last: date) -> Iterator[ReceivedPage | None]:
    """The pages of a period; None after a failure, which is recorded."""
    number = 1
    for _ in range(PAGES):
        page = _asked(cursor, first, last, number)
        yield page
        if page is None or not page.next_page:
            return
        number = page.next_page


def _asked(cursor: DistributionCursor, first: date, last: date, page: int) -> ReceivedPage | None:
    company = cursor.company
    try:
        city = provider_for("", municipality=company.codigo_municipio, ambiente=cursor.ambiente)
        return cast(Receiving, city).received(
            issuer_of(company),
            first=first,
            last=last,
            page=page,
            credentials=credentials_of(company),
        )
    except (CertificateExpired, NoCertificate) as error:
        asking.impossible(cursor.pk, error.mensagem, now=clock.now())
    except Misconfigured as error:
        asking.impossible(cursor.pk, str(error), now=clock.now())
    except (NotSent, Lost) as error:
        asking.unanswered(cursor.pk, str(error), now=clock.now())
    return None


@transaction.atomic
def _record(cursor_id: int, page: ReceivedPage, *, now: datetime) -> int:
    """Keep what is new or other than it was; how many notes changed."""
    cursor = cursors.locked(cursor_id)
    changed = [row for xml in page.notes if (row := _taken(cursor, xml, now)) is not None]
    cursor.save()
    for row in changed:
        tell_nfse(row, at=now)
    return len(changed)


@transaction.atomic
def _rest(cursor_id: int, *, now: datetime) -> None:
    cursor = cursors.locked(cursor_id)
    asking.answered(cursor, now=now)
    asking.rest(cursor, now=now)
    cursor.save()


def _taken(cursor: DistributionCursor, xml: bytes, now: datetime) -> ReceivedNfse | None:
    """The row that the note changed, saved; None where nothing is new."""
    try:
        said = municipal.read_note(xml, municipality=cursor.company.codigo_municipio)
    except BadXml as error:
        log.warning("received.unreadable", extra={"cursor_id": cursor.pk, "reason": str(error)})
        _is_new(cursor, "", xml, now, error=str(error))
        return None
    if said.taker_document != cursor.company.document or not _is_new(cursor, said.chave, xml, now):
        return None
    cursor.last_version += 1
    row = _row(cursor, said, now)
    row.save()
    return row


def _is_new(
    cursor: DistributionCursor, chave: str, xml: bytes, now: datetime, *, error: str = ""
) -> bool:
    """Keep the note, unless these very bytes are the last that came of it.

    What cannot be read has no key: it is kept once, with the reason.
    """
    digest = hashlib.sha256(xml).hexdigest()
    mine = ReceivedDocument.objects.filter(
        company=cursor.company, ambiente=cursor.ambiente, source=cursor.source, chave=chave
    )
    if error and mine.filter(sha256=digest).exists():
        return False
    if mine.order_by("-nsu").values_list("sha256", flat=True).first() == digest:
        return False
    cursor.ult_nsu += 1
    cursor.max_nsu = cursor.ult_nsu
    ReceivedDocument.objects.create(
        account_id=cursor.account_id,
        company=cursor.company,
        ambiente=cursor.ambiente,
        source=cursor.source,
        nsu=cursor.ult_nsu,
        schema=SCHEMA,
        chave=chave,
        content=archive.packed(xml),
        size=len(xml),
        sha256=digest,
        error=error[:300],
        created_at=now,
    )
    return True


def _row(cursor: DistributionCursor, said: CityNote, now: datetime) -> ReceivedNfse:
    """The note as it was said last; one that is gone does not come back."""
    row = ReceivedNfse.objects.filter(
        company=cursor.company, ambiente=cursor.ambiente, source=cursor.source, chave=said.chave
    ).first() or ReceivedNfse(
        account_id=cursor.account_id,
        company=cursor.company,
        ambiente=cursor.ambiente,
        source=cursor.source,
        chave=said.chave,
        nsu=cursor.ult_nsu,
        created_at=now,
    )
    row.versao, row.updated_at = cursor.last_version, now
    row.number, row.municipality = said.number, said.municipality
    row.issuer_document, row.issuer_name = said.issuer_document, said.issuer_name
    row.total, row.issued_at = said.total, said.issued_at
    row.body = {"resumo": said.summary, "completa": said.complete}
    if said.is_cancelled and row.status != _Status.CANCELADO:
        row.status, row.cancelled_at = _Status.CANCELADO, said.cancelled_at or now
    return row
