"""Numbers below the next one of a series that no live document holds are voided (NUM-5)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from fiscal.models import FiscalDocument, Inutilizacao, Series, State, VoidState
from fiscal.services.inutilizacao import MAX_RANGE, request_void
from lib import clock
from lib.errors import DomainError

log = logging.getLogger(__name__)

REASON = "Numeros nao utilizados na serie por quebra de sequencia"
# The law gives until the 10th of the next month; a refused document is given up on the 5th.
GIVEN_UP_ON = 5
SETTLED_AFTER = timedelta(hours=24)
_MODELS = (55, 65)
_TRIES = 3


def sweep() -> int:
    """Give up refused documents of past months, and void the gaps; answers how many ranges."""
    now = clock.now()
    give_up(now=now)
    rows = Series.objects.filter(modelo__in=_MODELS, company__removed_at=None)
    return sum(_void(series) for series in rows.select_related("company").order_by("pk"))


def give_up(*, now: datetime) -> int:
    """Refused documents of past months that nobody corrected let go of their numbers (NUM-3)."""
    if now.day < GIVEN_UP_ON:
        return 0
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = FiscalDocument.objects.filter(
        state=State.REJEITADO, numero__isnull=False, next_attempt_at=None, created_at__lt=month,
        updated_at__lt=now - SETTLED_AFTER, is_imported=False,
    )  # fmt: skip
    return rows.exclude(c_stat="206").update(next_attempt_at=now)


def gaps_of(series: Series) -> list[tuple[int, int]]:
    """Ranges without a document or a voiding, above the first number that we know of.

    What lies below that was issued elsewhere, before the company came here; so was what lies next
    to an imported document.
    """
    held = set(_numbers(series))
    if not held:
        return []
    missing = (n for n in range(min(held), series.next_number) if n not in held)
    elsewhere = _imported(series)
    ours = [found for found in _ranges(missing) if not {found[0] - 1, found[1] + 1} & elsewhere]
    return [part for found in ours for part in _split(found)]


def _numbers(series: Series) -> Iterator[int]:
    key = {
        "company": series.company, "ambiente": series.ambiente, "modelo": series.modelo,
        "serie": series.serie,
    }  # fmt: skip
    documents = FiscalDocument.objects.filter(**key, numero__isnull=False)
    yield from documents.values_list("numero", flat=True)
    voided = Inutilizacao.objects.filter(**key).exclude(state=VoidState.REJEITADA)
    for first, last in voided.values_list("first", "last"):
        yield from range(first, last + 1)


def _imported(series: Series) -> set[int]:
    rows = FiscalDocument.objects.filter(
        company=series.company, ambiente=series.ambiente, modelo=series.modelo,
        serie=series.serie, is_imported=True,
    )  # fmt: skip
    return set(rows.values_list("numero", flat=True))


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _split(found: tuple[int, int]) -> Iterator[tuple[int, int]]:
    first, last = found
    for start in range(first, last + 1, MAX_RANGE):
        yield start, min(start + MAX_RANGE - 1, last)


def _void(series: Series) -> int:
    n = 0
    for first, last in gaps_of(series):
        for low, high in _after_refusals(series, first, last):
            n += _ask(series, low, high)
    return n


def _after_refusals(series: Series, first: int, last: int) -> list[tuple[int, int]]:
    """241 or 256: some number of the range is used or voided, so each is asked for alone.

    A number that was refused time and again is left to an operator (§8.6).
    """
    refused = Inutilizacao.objects.filter(
        company=series.company, ambiente=series.ambiente, modelo=series.modelo,
        serie=series.serie, state=VoidState.REJEITADA,
    )  # fmt: skip
    if not refused.filter(first=first, last=last).exists():
        return [(first, last)]
    alone = [(number, number) for number in range(first, last + 1)]
    return [one for one in alone if refused.filter(first=one[0], last=one[1]).count() < _TRIES]


def _ask(series: Series, first: int, last: int) -> int:
    try:
        request_void(
            series.company, ambiente=series.ambiente, modelo=series.modelo, serie=series.serie,
            first=first, last=last, justificativa=REASON, automatic=True,
        )  # fmt: skip
    except DomainError as error:
        log.warning("gap.not_voided", extra={"series_id": series.pk, "codigo": error.codigo})
        return 0
    return 1
