"""From a cursor to the source it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fiscal.models import DistributionCursor, Source
from fiscal.services.received import distribution, municipal, national

_SOURCES: Mapping[str, Callable[[int], int]] = {
    Source.NFE: distribution.fetch,
    Source.NFSEN: national.fetch,
    Source.NFSE: municipal.fetch,
}


def fetch(cursor_id: int) -> int:
    """Ask for what is new; how many notes changed. Safe to run again."""
    source = DistributionCursor.objects.values_list("source", flat=True).get(pk=cursor_id)
    return _SOURCES[source](cursor_id)
