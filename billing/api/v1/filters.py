"""Predicates `q[attribute_operator]` and pages of the organization-wide searches (§1.8, §1.9).

A search declares a table: name on the wire → Attribute (what kind of value it has and where it is
stored). Everything else is the same for all of them::

    FILTERS = {
        "issue_date": Attribute(Day(), "issue_date"),
        "receivables_due_date": Attribute(Day(), "due_date", through=receivables),
    }
    page = Page.of(request.query_params)
    found = filtered(notes, predicates_of(request.query_params), FILTERS)
    rows, total_pages = page.cut(found)
    return Response(page.body("nfses", NfseOut.show_all(rows), total_pages))
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from math import ceil
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter

from billing.api.v1.base import bad_parameters
from billing.api.v1.docs import query
from billing.api.v1.fields import (
    INVALID,
    MAX_ID,
    NOT_LISTED,
    Refused,
    is_blank,
    is_storable,
    parse_bool,
    parse_date,
    parse_decimal,
)
from lib.clock import SAO_PAULO

DEFAULT_PER_PAGE = 50
MAX_PER_PAGE = 100

PAGING = (
    query("page", "Página, a partir de 1 (padrão 1)"),
    query("per_page", "Itens por página (padrão 50, máximo 100)"),
)

_ZONE = ZoneInfo(SAO_PAULO)
_KEY = re.compile(r"q\[(\w{1,100})\](\[\])?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)
# Longer ones first: `_not_eq` also ends in `_eq`.
_OPERATORS = ("not_eq", "not_in", "gteq", "lteq", "eq", "in")
_ORDERS = ("gteq", "lteq")
_LISTS = ("in", "not_in")


# --- kinds of values ---------------------------------------------------------------------------


class Kind:
    """How an attribute's values are read from a query string and compared in the database."""

    has_order = True

    def read(self, text: str) -> Any:
        """The value to compare with. Raises Refused."""
        raise NotImplementedError

    def any_of(self, path: str, values: Sequence[Any]) -> Q:
        return Q(**{f"{path}__in": values}) if len(values) > 1 else Q(**{path: values[0]})

    def just(self, path: str, value: Any) -> Q:
        """The condition that every row found must meet, not one of several."""
        return self.any_of(path, [value])

    def at_least(self, path: str, value: Any) -> Q:
        return Q(**{f"{path}__gte": value})

    def at_most(self, path: str, value: Any) -> Q:
        return Q(**{f"{path}__lte": value})


class Integer(Kind):
    """A whole number; what no column can hold is as far as one can go."""

    def read(self, text: str) -> int:
        if not _INTEGER.fullmatch(text.strip()):
            raise Refused(INVALID)
        return max(-MAX_ID, min(int(text), MAX_ID))


class Number(Kind):
    """A decimal."""

    def read(self, text: str) -> Decimal:
        number = parse_decimal(text)
        if number is None or abs(number) > MAX_ID:
            raise Refused(INVALID)
        return number


class Text(Kind):
    def read(self, text: str) -> str:
        if not is_storable(text):
            raise Refused(INVALID)
        return text


class Flag(Kind):
    """true or false."""

    has_order = False

    def read(self, text: str) -> bool:
        flag = parse_bool(text)
        if flag is None:
            raise Refused(INVALID)
        return flag


class Choice(Kind):
    """One of `values`: the text of the query → what is stored, or a condition of its own (Q)."""

    has_order = False

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def read(self, text: str) -> Any:
        if text not in self.values:
            raise Refused(NOT_LISTED)
        return self.values[text]

    def any_of(self, path: str, values: Sequence[Any]) -> Q:
        stored = [value for value in values if not isinstance(value, Q)]
        own = [value for value in values if isinstance(value, Q)]
        if stored:
            own.append(super().any_of(path, stored))
        return reduce(or_, own)


class Day(Kind):
    """A date column."""

    def read(self, text: str) -> date:
        day = parse_date(text)
        if day is None:
            raise Refused(INVALID)
        return day


class Moment(Day):
    """A moment column, asked for by date: the whole day in São Paulo."""

    def any_of(self, path: str, values: Sequence[date]) -> Q:
        return reduce(or_, (self._on(path, day) for day in values))

    def _on(self, path: str, day: date) -> Q:
        return self.at_least(path, day) & self.at_most(path, day)

    def at_least(self, path: str, value: date) -> Q:
        return Q(**{f"{path}__gte": _midnight(value)})

    def at_most(self, path: str, value: date) -> Q:
        return Q(**{f"{path}__lt": _midnight(value + timedelta(days=1))})


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), _ZONE).astimezone(UTC)


# --- predicates --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Association:
    """`rows`, a tenant's, that belong to the object found: `link` is its id."""

    rows: QuerySet[Any]
    link: str


@dataclass(frozen=True)
class Attribute:
    """Where an attribute of the wire is stored: `path` from the object, or from an association.

    All predicates on one association must be true of one and the same of its rows.
    """

    kind: Kind
    path: str
    through: Association | None = None


@dataclass(frozen=True)
class _Predicate:
    attribute: Attribute
    operator: str
    values: Sequence[Any]

    def condition(self) -> Q:
        kind, path = self.attribute.kind, self.attribute.path
        if self.operator == "gteq":
            return kind.at_least(path, self.values[0])
        if self.operator == "lteq":
            return kind.at_most(path, self.values[0])
        if self.operator.startswith("not_"):
            return ~kind.any_of(path, self.values)
        if len(self.values) > 1:
            return kind.any_of(path, self.values)
        return kind.just(path, self.values[0])


Asked = tuple[tuple[str, tuple[str, ...]], ...]


def predicates_of(params: QueryDict) -> Asked:
    """What a search asks for, but for the page: every `q[…]` with its values."""
    asked = (key for key in params if key == "q" or key.startswith("q["))
    return tuple((key, tuple(params.getlist(key))) for key in asked)


def filtered(rows: QuerySet[Any], asked: Asked, table: Mapping[str, Attribute]) -> QuerySet[Any]:
    """The rows for which every predicate holds, each once.

    Raises BadSearch (400) naming every parameter that is unknown or whose value cannot be read:
    a filter is never silently left out.
    """
    through: dict[Association, Q] = {}
    own = Q()
    for predicate in _predicates(asked, table):
        association = predicate.attribute.through
        if association is None:
            own &= predicate.condition()
        else:
            through[association] = through.get(association, Q()) & predicate.condition()
    for association, condition in through.items():
        own &= Q(id__among=association.rows.filter(condition).values(association.link))
    return rows.filter(own)


def attributes_of(asked: Asked, table: Mapping[str, Attribute]) -> list[Attribute]:
    """What a search narrows, each once; a blank value narrows nothing. Raises BadSearch."""
    found = [predicate.attribute for predicate in _predicates(asked, table)]
    return list(dict.fromkeys(found))


def _predicates(asked: Asked, table: Mapping[str, Attribute]) -> list[_Predicate]:
    found: list[_Predicate] = []
    wrong: list[str] = []
    for key, texts in asked:
        try:
            found += _read(key, texts, table)
        except Refused:
            wrong.append(_shown(key))
    if wrong:
        raise bad_parameters(*wrong)
    return found


def _read(key: str, texts: Sequence[str], table: Mapping[str, Attribute]) -> list[_Predicate]:
    """The predicates of one parameter; a repeated key without `_in` is as many predicates."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise Refused(INVALID)
    attribute, operator = _named(match[1], table)
    is_list = operator in _LISTS
    if match[2] and not is_list:
        raise Refused(INVALID)
    if operator in _ORDERS and not attribute.kind.has_order:
        raise Refused(INVALID)
    values = [attribute.kind.read(text) for text in texts if not is_blank(text)]
    if not values:
        return []
    groups = [values] if is_list else [[value] for value in values]
    return [_Predicate(attribute, operator, group) for group in groups]


def _named(name: str, table: Mapping[str, Attribute]) -> tuple[Attribute, str]:
    """`issue_date_gteq` → its attribute and `gteq`; without an operator it is `eq`."""
    if name in table:
        return table[name], "eq"
    for operator in _OPERATORS:
        attribute = table.get(name.removesuffix(f"_{operator}"))
        if attribute is not None and name.endswith(f"_{operator}"):
            return attribute, operator
    raise Refused(INVALID)


def _shown(key: str) -> str:
    """The parameter as told back: short, and without what no text may hold."""
    return key.removesuffix("[]")[:100].replace("\x00", "")


def filters(*names: str) -> list[OpenApiParameter]:
    """`q[…]` parameters for the documentation."""
    return [query(f"q[{name}]") for name in names]


# --- pages -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Which page was asked for, and how long pages are."""

    number: int
    size: int

    @classmethod
    def of(cls, params: QueryDict) -> Page:
        """From `page` and `per_page`; what is no positive number is the default (§1.8)."""
        size = _positive(params.get("per_page"), DEFAULT_PER_PAGE)
        return cls(_positive(params.get("page"), 1), min(size, MAX_PER_PAGE))

    def cut(self, rows: QuerySet[Any]) -> tuple[QuerySet[Any], int]:
        """The page's rows, in the order of `rows`, and how many pages there are."""
        count = rows.order_by().count()
        pages = ceil(count / self.size)
        start = (self.number - 1) * self.size
        if start >= count:
            return rows.none(), pages
        # First which, from an index, then what they say: a far page passes over ids, not rows.
        ids = list(rows.values_list("pk", flat=True)[start : start + self.size])
        return rows.filter(pk__in=ids), pages

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size

    def of_total(self, total: int) -> int:
        """How many pages `total` items fill."""
        return ceil(total / self.size)

    def body(self, key: str, items: list[Any], total_pages: int) -> dict[str, Any]:
        """The answer's envelope."""
        return {
            "page": self.number,
            "per_page": self.size,
            "total_pages": total_pages,
            key: items,
        }


def _positive(text: str | None, default: int) -> int:
    digits = (text or "").strip()
    if not re.fullmatch(r"\d{1,1000}", digits, re.ASCII):
        return default
    return min(int(digits), MAX_ID) or default
