"""Where a page of the invoice list begins and ends: ids, found without reading invoices.

An index on (account, column, id) holds the rows by column and id, both in the same direction.
Descending pages are read off it, from the nearer end. Ascending ones, whose ties are by id
descending all the same, are made of groups of equal values: the index says which groups the page
touches and where it starts in the first of them, then each group is read from its other end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet, Sum

from billing.models import Invoice


@dataclass(frozen=True)
class Order:
    """By `column`, ties by id descending."""

    column: str
    descending: bool

    @property
    def is_natural(self) -> bool:
        """Whether an index on (column, id) holds the rows in this order, read either way."""
        return self.descending or self.column == "id"

    def by(self, *, backwards: bool = False) -> list[Any]:
        """For order_by(); `backwards` turns all of it around, ids too."""
        return _order_by(self.column, self.descending ^ backwards, newest_first=not backwards)

    def plain(self, *, backwards: bool = False) -> list[Any]:
        """The same with ids in the direction of the column, as the index has them."""
        down = self.descending ^ backwards
        return _order_by(self.column, down, newest_first=down)


def _order_by(column: str, descending: bool, *, newest_first: bool) -> list[Any]:
    if column == "id":
        return ["-id" if descending else "id"]
    # As PostgreSQL's indexes have it: what has no date comes after every date.
    first = F(column).desc(nulls_first=True) if descending else F(column).asc(nulls_last=True)
    return [first, "-id" if newest_first else "id"]


class Part(NamedTuple):
    """`take` rows of the group whose column is `key`, after `skip`; `size` of all, when known."""

    key: Any
    skip: int
    take: int
    size: int | None = None


def page_ids(
    rows: QuerySet[Any], order: Order, *, tallies: QuerySet[Any], count: int, start: int, stop: int
) -> QuerySet[Any]:
    """Ids of the positions [start, stop) of `rows`, `count` in all, for use as a subquery.

    `tallies` tell how many of the rows have which due date and status.
    """
    if order.column in ("due_date", "status_rank"):
        parts = _parts(_tallied_groups(tallies, order), start, stop)
        return _pick(rows, order.column, parts, newest_first=True)
    backwards = start > count - stop
    if backwards:
        start, stop = count - stop, count - start
    if order.is_natural:
        return rows.order_by(*order.by(backwards=backwards)).values("id")[start:stop]
    parts = _indexed_parts(rows, order, start, stop, backwards=backwards)
    return _pick(rows, order.column, parts, newest_first=not backwards)


def _tallied_groups(tallies: QuerySet[Any], order: Order) -> list[tuple[Any, int]]:
    """(value, number of rows) of every group, in order."""
    if order.column == "due_date":
        found = tallies.values_list("due_date").annotate(n=Sum("count"))
        return list(found.order_by(order.by()[0]))
    ranks: Counter[int] = Counter()
    for code, n in tallies.values_list("status_code").annotate(n=Sum("count")):
        ranks[status_rank(code)] += n
    return sorted(ranks.items(), reverse=order.descending)


def status_rank(code: int) -> int:
    """Invoice.status_rank of a status_code."""
    state, payment = divmod(code, 5)
    if Invoice.STATUS_STATES[state] in ("cancelled", "void"):
        return 3
    return {"paid": 0, "partially_refunded": 2, "refunded": 2}.get(
        Invoice.STATUS_PAYMENTS[payment], 1
    )


def _parts(groups: Iterable[tuple[Any, int]], start: int, stop: int) -> list[Part]:
    """What positions [start, stop) take of each group."""
    parts, before = [], 0
    for key, size in groups:
        skip, end = max(start - before, 0), min(stop - before, size)
        if skip < end:
            parts.append(Part(key, skip, end - skip, size))
        before += size
    return parts


def _indexed_parts(
    rows: QuerySet[Any], order: Order, start: int, stop: int, *, backwards: bool
) -> list[Part]:
    """The same found along the index, with ids in its own direction: groups keep their places."""
    plain = rows.order_by(*order.plain(backwards=backwards))
    found = list(plain.values_list(order.column, "id")[start:stop])
    if not found:
        return []
    first, pk = found[0]
    earlier = Q(id__gt=pk) if backwards else Q(id__lt=pk)
    skip = _group(rows, order.column, first).filter(earlier).count()
    counts = Counter(key for key, _ in found)
    return [Part(key, 0 if i else skip, n) for i, (key, n) in enumerate(counts.items())]


def _pick(
    rows: QuerySet[Any], column: str, parts: Sequence[Part], *, newest_first: bool
) -> QuerySet[Any]:
    """The ids of `parts`, whose ids run the other way than in the index."""
    if not parts:
        return rows.none().values("id")
    ends = {parts[0], parts[-1]}
    chosen = [_slice(_group(rows, column, part.key), part, newest_first) for part in ends]
    inner = [part.key for part in parts[1:-1]]  # whole groups
    if inner:
        chosen.append(rows.filter(**{f"{column}__in": inner}).values("id"))
    return chosen[0].union(*chosen[1:], all=True) if chosen[1:] else chosen[0]


def _slice(group: QuerySet[Any], part: Part, newest_first: bool) -> QuerySet[Any]:
    start, stop = part.skip, part.skip + part.take
    if part.size is not None and start > part.size - stop:
        start, stop = part.size - stop, part.size - start
        newest_first = not newest_first
    return group.order_by("-id" if newest_first else "id").values("id")[start:stop]


def _group(rows: QuerySet[Any], column: str, key: Any) -> QuerySet[Any]:
    return rows.filter(**({f"{column}__isnull": True} if key is None else {column: key}))
