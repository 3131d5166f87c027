"""Reading queries that are built once and run often.

Django builds the SQL of a query each time: some 0.3 ms, 1 ms with a few joins, several times what
the database needs to answer by primary key. A CompiledQuery keeps the SQL and the converters of its
columns and changes only the parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import JSONField, Model, QuerySet

from lib import postgres

_FIRST_MARK = 7_000_000_000_000_000_001  # no id; a value the query brings along by itself neither

_SINGLE = (int, str, date)
Converters = list[tuple[int, list[Callable[..., Any]], Any]]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    return json.loads(text)


def _shared_json(value: Any, *_: Any) -> Any:
    return _parsed(value) if isinstance(value, str) else value


_SHARED = [_shared_json]


def _share_json(rows: list[list[Any]], position: int) -> None:
    """`_shared_json` of a whole column, most of which is the same text."""
    known: dict[Any, Any] = {}
    for row in rows:
        text = row[position]
        if text not in known:
            known[text] = _shared_json(text)
        row[position] = known[text]


def _lists(mark: int, values: Sequence[int]) -> dict[str, str]:
    """The two forms in which `__among` passes its list (lib.bulk), by what the mark's own is."""
    text = ",".join(map(str, values))
    return {f"{{{mark}}}": f"{{{text}}}", f"[{mark}]": f"[{text}]"}


def _as_stored(value: Any) -> Any:
    """A moment as the present engine takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


class _Ready(NamedTuple):
    """Of one engine. `places` tells for each parameter which of the given values it is, if any."""

    sql: str
    params: tuple[Any, ...]
    places: tuple[int | None, ...]
    converters: Converters


class CompiledQuery:
    """`build(id, …)` answers a values_list query; `rows(id, …)` runs it for other ids.

    Parameters are integers, used as they are in the conditions, unless `marks` says otherwise: a
    text among them stands for a text, a moment for a moment, a date for a date (PostgreSQL only),
    None for an integer. A parameter of an `__among` condition, built from the list of the mark
    alone, is a list of integers.

    With `shares_json` equal JSON values are one object, for readers that change nothing: most rows
    of a table have `{}`. The plan that PostgreSQL keeps must do for all values; where a range may
    be a day or all years, set `keeps_plan` to False.
    """

    def __init__(
        self,
        build: Callable[..., QuerySet[Any, Any]],
        *,
        n_parameters: int = 1,
        marks: tuple[Any, ...] = (),
        shares_json: bool = False,
        keeps_plan: bool = True,
    ) -> None:
        self._build = build
        self._keeps_plan = keeps_plan
        self._shares_json = shares_json
        given = marks or (None,) * n_parameters
        self._marks = tuple(_FIRST_MARK + n if m is None else m for n, m in enumerate(given))
        self._ready: dict[str, _Ready] = {}

    def rows(
        self, *ids: int | str | date | Sequence[int], window: tuple[int, int] | None = None
    ) -> list[Any]:
        """All rows, each a sequence, or `window` of them (how many to pass over, how many to read).

        Their values are what the ORM gives.
        """
        db: Any = connections[DEFAULT_DB_ALIAS]
        ready = self._ready.get(db.vendor) or self._compile()
        values = self._values(ready, ids, db)
        sql = ready.sql
        if window is not None:
            sql += " LIMIT %s OFFSET %s"
            values += [window[1], window[0]]
        rows = postgres.fetched(sql, values, keeps_plan=self._keeps_plan)
        if ready.converters:
            rows = [list(row) for row in rows]
        for position, functions, column in ready.converters:
            if functions == _SHARED:
                _share_json(rows, position)
                continue
            for row in rows:
                for function in functions:
                    row[position] = function(row[position], column, db)
        return rows

    def _values(
        self, ready: _Ready, ids: Sequence[int | str | date | Sequence[int]], db: Any
    ) -> list[Any]:
        """The parameters of the statement, these values in their places."""
        given = [
            db.ops.adapt_datetimefield_value(one) if isinstance(one, datetime) else one
            for one in ids
        ]
        lists: dict[Any, str] = {}
        for mark, one in zip(self._marks, ids, strict=True):
            if not isinstance(one, _SINGLE):
                lists |= _lists(mark, one)  # type: ignore[arg-type]
        return [
            lists.get(value, value) if place is None else given[place]
            for value, place in zip(ready.params, ready.places, strict=True)
        ]

    def _compile(self) -> _Ready:
        """SQL and converters of this engine, as SQLCompiler.results_iter takes them."""
        compiler = self._build(*self._marks).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        columns = [selected[0] for selected in compiler.select]
        converters = [
            (position, self._faster(functions, column), column)
            for position, (functions, column) in compiler.get_converters(columns).items()
        ]
        stored = [_as_stored(mark) for mark in self._marks]
        places = tuple(stored.index(one) if one in stored else None for one in params)
        ready = _Ready(sql, tuple(params), places, converters)
        self._ready[connection.vendor] = ready
        return ready

    def _faster(self, functions: list[Callable[..., Any]], column: Any) -> list[Callable[..., Any]]:
        is_json = isinstance(getattr(column, "output_field", None), JSONField)
        return _SHARED if self._shares_json and is_json else functions


class CompiledInsert:
    """Inserts rows of a model whose other features are not needed: no signals, no defaults of the
    database. As fast as the database, where `save()` builds the statement anew each time.
    """

    def __init__(self, model: type[Model]) -> None:
        fields = [one for one in model._meta.local_concrete_fields if not one.primary_key]
        self._values = _Values(fields, is_new=True)
        table, key = model._meta.db_table, model._meta.pk.column
        columns = ", ".join(f'"{one.column}"' for one in fields)
        marks = ", ".join(["%s"] * len(fields))
        # Names of our own models.
        self._sql = f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) RETURNING "{key}"'  # noqa: S608

    def insert(self, row: Model) -> None:
        """Insert a row that has no id yet; it has one afterwards."""
        row.pk = postgres.fetched(self._sql, self._values.of(row))[0][0]
        row._state.adding, row._state.db = False, connection.alias


class CompiledUpdate:
    """Writes `fields` of a row by its id."""

    def __init__(self, model: type[Model], *fields: str) -> None:
        written: list[Any] = [model._meta.get_field(name) for name in fields]
        self._values = _Values(written, is_new=False)
        table, key = model._meta.db_table, model._meta.pk.column
        pairs = ", ".join(f'"{one.column}" = %s' for one in written)
        self._sql = f'UPDATE "{table}" SET {pairs} WHERE "{key}" = %s RETURNING 1'  # noqa: S608

    def write(self, row: Model) -> bool:
        """False when the row is not there."""
        return bool(postgres.fetched(self._sql, [*self._values.of(row), row.pk]))


# By what get_internal_type() answers: values of exactly that type need no preparing.
_PLAIN: dict[str, type] = {
    "BooleanField": bool,
    "CharField": str,
    "DateTimeField": datetime,
    "ForeignKey": int,  # our keys are numbers, and Django passes them as they are
    "PositiveIntegerField": int,
    "PositiveSmallIntegerField": int,
    "TextField": str,
}
_FIELDS = ("django.db.models.fields", "django.db.models.fields.related")
_PREPARING = ("pre_save", "get_prep_value", "get_db_prep_value", "get_db_prep_save")


class _Values:
    """What the fields of a row are in the database, as `get_db_prep_save` gives it.

    Preparing thirty fields of a row costs more than writing it, and most come out as they were.
    """

    def __init__(self, fields: Sequence[Any], *, is_new: bool) -> None:
        self._is_new = is_new
        self._fields = [
            (one, one.attname, _plain_type(one), "" if one.is_relation else one.get_internal_type())
            for one in fields
        ]

    def of(self, row: Model) -> list[Any]:
        db = connections[DEFAULT_DB_ALIAS]
        sized, is_postgres = db.ops.adapt_integerfield_value, db.vendor == "postgresql"
        values = []
        for field, name, plain, kind in self._fields:
            value = getattr(row, name) if plain else None
            if plain and value is None:
                pass
            elif type(value) is not plain or (plain is datetime and not is_postgres):
                value = field.get_db_prep_save(field.pre_save(row, self._is_new), db)
            elif plain is int and kind:
                value = sized(value, kind)
            values.append(value)
        return values


def _plain_type(field: Any) -> type | None:
    """None for a field that does more with its value than Django's own of that kind."""
    is_own = all(getattr(type(field), name).__module__ in _FIELDS for name in _PREPARING)
    is_set_on_saving = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    return _PLAIN.get(field.get_internal_type()) if is_own and not is_set_on_saving else None
