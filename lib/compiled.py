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

from django.db import connection
from django.db.models import JSONField, Model, QuerySet

from lib import postgres

_FIRST_MARK = 7_000_000_000_000_000_001  # no id; a value the query brings along by itself neither

Converters = list[tuple[int, list[Callable[..., Any]], Any]]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Any:
    return json.loads(text)


def _shared_json(value: Any, *_: Any) -> Any:
    return _parsed(value) if isinstance(value, str) else value


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
    sql: str
    params: tuple[Any, ...]
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
        ready = self._ready.get(connection.vendor) or self._compile()
        given: dict[Any, Any] = {}
        for mark, value in zip(self._marks, ids, strict=True):
            given[_as_stored(mark)] = _as_stored(value)
            if not isinstance(value, int | str | date):
                given |= _lists(mark, value)
        values = [given.get(value, value) for value in ready.params]
        sql = ready.sql
        if window is not None:
            sql += " LIMIT %s OFFSET %s"
            values += [window[1], window[0]]
        with connection.cursor() as cursor:
            if self._keeps_plan:
                postgres.prepares(cursor)
            cursor.execute(sql, values)
            rows: list[Any] = cursor.fetchall()
        if ready.converters:
            rows = [list(row) for row in rows]
        for position, functions, column in ready.converters:
            for row in rows:
                for function in functions:
                    row[position] = function(row[position], column, connection)
        return rows

    def _compile(self) -> _Ready:
        """SQL and converters of this engine, as SQLCompiler.results_iter takes them."""
        compiler = self._build(*self._marks).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        columns = [selected[0] for selected in compiler.select]
        converters = [
            (position, self._faster(functions, column), column)
            for position, (functions, column) in compiler.get_converters(columns).items()
        ]
        ready = _Ready(sql, tuple(params), converters)
        self._ready[connection.vendor] = ready
        return ready

    def _faster(self, functions: list[Callable[..., Any]], column: Any) -> list[Callable[..., Any]]:
        is_json = isinstance(getattr(column, "output_field", None), JSONField)
        return [_shared_json] if self._shares_json and is_json else functions


class CompiledInsert:
    """Inserts rows of a model whose other features are not needed: no signals, no defaults of the
    database. As fast as the database, where `save()` builds the statement anew each time.
    """

    def __init__(self, model: type[Model]) -> None:
        self._model = model
        self._fields = [one for one in model._meta.local_concrete_fields if not one.primary_key]
        table, key = model._meta.db_table, model._meta.pk.column
        columns = ", ".join(f'"{one.column}"' for one in self._fields)
        marks = ", ".join(["%s"] * len(self._fields))
        # Names of our own models.
        self._sql = f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) RETURNING "{key}"'  # noqa: S608

    def insert(self, row: Model) -> None:
        """Insert a row that has no id yet; it has one afterwards."""
        values = _stored(self._fields, row, is_new=True)
        row.pk = _prepared(self._sql, values)[0][0]
        row._state.adding, row._state.db = False, connection.alias


class CompiledUpdate:
    """Writes `fields` of a row by its id."""

    def __init__(self, model: type[Model], *fields: str) -> None:
        self._fields: list[Any] = [model._meta.get_field(name) for name in fields]
        table, key = model._meta.db_table, model._meta.pk.column
        pairs = ", ".join(f'"{one.column}" = %s' for one in self._fields)
        self._sql = f'UPDATE "{table}" SET {pairs} WHERE "{key}" = %s RETURNING 1'  # noqa: S608

    def write(self, row: Model) -> bool:
        """False when the row is not there."""
        values = _stored(self._fields, row, is_new=False)
        return bool(_prepared(self._sql, [*values, row.pk]))


def _stored(fields: Sequence[Any], row: Model, *, is_new: bool) -> list[Any]:
    return [one.get_db_prep_save(one.pre_save(row, is_new), connection) for one in fields]


def _prepared(sql: str, values: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        postgres.prepares(cursor)
        cursor.execute(sql, values)
        found: list[Any] = cursor.fetchall()
    return found
