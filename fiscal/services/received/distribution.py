"""NF-e issued against a company, from the Ambiente Nacional (DIS-1 to DIS-4)."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction

from fiscal.authorities import registry
from fiscal.authorities.base import Answer, Distribution, Lost, Misconfigured, NotSent
from fiscal.authorities.sefaz import Sefaz
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import DistributionCursor, ReceivedNfe, Source
from fiscal.services import authority_status, consumption
from fiscal.services.certificates import credentials_of
from fiscal.services.consumption import Service, Throttled, caller
from fiscal.services.received import asking, cursors, inbox
from lib import clock

log = logging.getLogger(__name__)

EMPTY, DOCUMENTS = "137", "138"
THROTTLED = "656"
BEYOND = "589"  # our NSU is greater than the greatest there
PAGES = 40  # of 50 documents in one task; the next one goes on


def fetch(cursor_id: int) -> int:
    """Ask for what is new until there is no more; how many notes changed. Safe to run again."""
    cursor = DistributionCursor.objects.select_related("company").get(pk=cursor_id)
    with asking.alone(cursor) as ours:
        if not ours:
            return 0
        changed = _rounds(cursor_id)
        return changed + _gap(cursor_id)


def _rounds(cursor_id: int) -> int:
    changed = 0
    for _ in range(PAGES):
        cursor = asking.begin(cursor_id, now=clock.now())
        answer = _asked(cursor, ult_nsu=str(cursor.ult_nsu)) if cursor is not None else None
        if answer is None:
            return changed
        n, has_more = _record(cursor_id, answer, now=clock.now())
        changed += n
        if not has_more:
            return changed
    _go_on(cursor_id)
    return changed


def _go_on(cursor_id: int) -> None:
    """There is more than a task may fetch."""
    DistributionCursor.objects.filter(pk=cursor_id).update(next_at=clock.now())


def an_of(cursor: DistributionCursor) -> Sefaz:
    """The Ambiente Nacional, over the company's certificate. Raises as `credentials_of`."""
    company = cursor.company
    credentials = credentials_of(company)
    return registry.an(uf=company.uf, ambiente=cursor.ambiente, credentials=credentials)


def _asked(
    cursor: DistributionCursor, *, ult_nsu: str = "", nsu: str = "", chave: str = ""
) -> Answer | None:
    """The answer; a failure is recorded and gives none."""
    try:
        to = an_of(cursor)
        answer = to.distribution(cursor.company.document, ult_nsu=ult_nsu, nsu=nsu, chave=chave)
    except (CertificateExpired, NoCertificate) as error:
        asking.impossible(cursor.pk, error.mensagem, now=clock.now())
    except Misconfigured as error:
        asking.impossible(cursor.pk, str(error), now=clock.now())
    except (NotSent, Lost) as error:
        authority_status.record_failure(to.route, now=clock.now())
        asking.unanswered(cursor.pk, str(error), now=clock.now())
    else:
        authority_status.record_success(to.route, now=clock.now())
        return answer
    return None


@transaction.atomic
def _record(cursor_id: int, answer: Answer, *, now: datetime) -> tuple[int, bool]:
    """Keep what came and move the cursor, in one transaction; (changed notes, is there more?)."""
    cursor = cursors.locked(cursor_id)
    page = answer.distribution or Distribution("", "", ())
    if answer.c_stat in (EMPTY, DOCUMENTS):
        return _page(cursor, page, now)
    if answer.c_stat == THROTTLED:
        _throttled(cursor, page, now)
    elif answer.c_stat == BEYOND:
        # Somebody emptied that base (homologação): read from its end on. Its gaps went with it.
        cursor.ult_nsu = cursor.max_nsu = _number(page.max_nsu)
        cursor.gap_after = cursor.gap_until = 0
        cursor.last_error = _said(answer)
        cursor.next_at = now + asking.HOUR
    else:
        asking.refused(cursor, _said(answer), now=now)
    cursor.save()
    return 0, False


def _page(cursor: DistributionCursor, page: Distribution, now: datetime) -> tuple[int, bool]:
    before = cursor.ult_nsu
    changed = inbox.keep(cursor, page.documents, now=now)
    cursor.ult_nsu = max(_number(page.ult_nsu), before)
    cursor.max_nsu = max(_number(page.max_nsu), cursor.ult_nsu)
    asking.answered(cursor, now=now)
    # An answer that does not go on would be asked for for ever.
    has_more = cursor.ult_nsu < cursor.max_nsu and cursor.ult_nsu != before
    if not has_more:
        _rest(cursor, now)
    cursor.save()
    return len(changed), has_more


def _rest(cursor: DistributionCursor, now: datetime) -> None:
    asking.rest(cursor, now=now)
    who = asking.taxpayer(cursor)
    consumption.block(who, service=Service.DISTRIBUTION_NSU, now=now)


def _throttled(cursor: DistributionCursor, page: Distribution, now: datetime) -> None:
    """656: an hour, and from the NSU of the message on.

    Another program of the taxpayer may have read on: what lies between is fetched one by one.
    """
    _rest(cursor, now)
    consumption.block(_base(cursor), service=Service.DISTRIBUTION_ONE, now=now)
    cursor.next_at = cursor.blocked_until
    cursor.last_error = "Rejeição 656: consumo indevido; nova consulta em uma hora."
    given = _number(page.ult_nsu)
    if given > cursor.ult_nsu:
        has_gap = cursor.gap_after < cursor.gap_until
        cursor.gap_after = cursor.gap_after if has_gap else cursor.ult_nsu
        cursor.gap_until = given
        cursor.ult_nsu = given
    cursor.max_nsu = max(cursor.max_nsu, _number(page.max_nsu))


def _said(answer: Answer) -> str:
    return f"Rejeição {answer.c_stat}: {answer.x_motivo}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


# --- one by one --------------------------------------------------------------------------------


def _gap(cursor_id: int) -> int:
    """Fetch what 656 made us skip, as far as the hour allows (§8.6)."""
    changed = 0
    while True:
        cursor = DistributionCursor.objects.select_related("company").get(pk=cursor_id)
        if not _has_gap(cursor) or not _may_fetch(cursor):
            return changed
        answer = _asked(cursor, nsu=str(cursor.gap_after + 1))
        if answer is None:
            return changed
        if answer.c_stat not in (EMPTY, DOCUMENTS):
            _record(cursor_id, answer, now=clock.now())
            return changed
        changed += _filled(cursor_id, answer, now=clock.now())


def _has_gap(cursor: DistributionCursor) -> bool:
    """Is there something to be fetched, for a company that still wants it?"""
    return cursor.gap_after < cursor.gap_until and cursors.receives(
        cursor.company, source=cursor.source, ambiente=cursor.ambiente
    )


def _may_fetch(cursor: DistributionCursor) -> bool:
    now, service = clock.now(), Service.DISTRIBUTION_ONE
    try:
        consumption.spend(_base(cursor), service=service, subject="", now=now)
    except Throttled as error:
        rows = DistributionCursor.objects.filter(pk=cursor.pk, next_at__gt=error.until)
        rows.update(next_at=error.until)
        return False
    return True


def _base(cursor: DistributionCursor) -> consumption.Caller:
    return caller(cursor.company.document, cursor.ambiente)


@transaction.atomic
def _filled(cursor_id: int, answer: Answer, *, now: datetime) -> int:
    cursor = cursors.locked(cursor_id)
    page = answer.distribution or Distribution("", "", ())
    changed = inbox.keep(cursor, page.documents, now=now)
    cursor.gap_after += 1
    cursor.save()
    return len(changed)


def fetch_whole(row: ReceivedNfe) -> bool:
    """Ask for the XML of one note by its key (DIS-4); whether anything changed.

    The ceiling is low (§8.6): for a person who waits. Raises Throttled.
    """
    now = clock.now()
    cursor = cursors.cursor_of(row.company, source=Source.NFE, ambiente=row.ambiente, now=now)
    consumption.spend(_base(cursor), service=Service.DISTRIBUTION_ONE, subject="", now=now)
    answer = _asked(cursor, chave=row.chave)
    if answer is not None and answer.c_stat == THROTTLED:
        _record(cursor.pk, answer, now=clock.now())
    if answer is None or answer.c_stat != DOCUMENTS:
        return False
    return bool(_by_key(cursor.pk, answer, now=clock.now()))


@transaction.atomic
def _by_key(cursor_id: int, answer: Answer, *, now: datetime) -> int:
    cursor = cursors.locked(cursor_id)
    page = answer.distribution or Distribution("", "", ())
    changed = inbox.keep(cursor, page.documents, now=now)
    cursor.save()
    return len(changed)
