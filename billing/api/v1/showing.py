"""One plain function for each shape, written from its declaration when it is first needed.

A page of fifty invoices has some seven thousand values. Asking for each what it is and how it is
written costs several times the writing itself, so that is decided once: the function is a single
dictionary whose values are the very expressions, as `dataclasses` writes its `__init__`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework import serializers

from billing.api.v1.fields import KeptIntegerOut, KeptTextOut, OutField, TextOut
from billing.models.kept import BLANK

Show = Callable[[Any], dict[str, Any]]


def write_show(shape: type[Any], row: Any = None) -> Show:
    """The function from an object to its JSON-ready dictionary, as `shape` (an Out) declares it.

    With `row`, a kind of rows (a NamedTuple), from such rows: columns are unpacked at once instead
    of looked up one by one. `row.nested` names the kinds of the rows that its relations hold.
    """
    columns = {name: f"c_{name}" for name in getattr(row, "_fields", ())}
    writer = _Writer(shape, columns, getattr(row, "nested", {}))
    lines = ["def show(obj):"]
    if columns:
        lines += [f"    {', '.join(columns.values())}, = obj"]
    # Names and attributes come from our own declarations, never from a request.
    exec("\n".join([*lines, *writer.returning()]), writer.names)  # noqa: S102
    return writer.names["show"]  # type: ignore[no-any-return]


class _Writer:
    """The lines of one function; `names` is what they refer to."""

    def __init__(
        self, shape: type[Any], columns: Mapping[str, str], nested: Mapping[str, Any]
    ) -> None:
        self.names: dict[str, Any] = {"_rows": _rows}
        self._shape, self._columns, self._nested = shape, columns, nested

    def returning(self) -> list[str]:
        plain, keeping = self._entries(keeps=False), self._entries(keeps=True)
        if plain == keeping:
            return ["    return {", *plain, "    }"]
        kept = self._columns.get("integration", "getattr(obj, 'integration', None)")
        # Nearly all objects keep nothing: theirs are constants.
        return [
            f"    kept = {kept}",
            *("    if not kept:", "        return {", *plain, "        }"),
            f"    blanks = kept.get({BLANK!r}, ())",
            *("    return {", *keeping, "    }"),
        ]

    def _entries(self, *, keeps: bool) -> list[str]:
        fields = enumerate(self._shape._declared_fields.items())
        return [
            f"    {name!r}: {self._expression(name, one, at, keeps=keeps)},"
            for at, (name, one) in fields
        ]

    def _expression(self, name: str, one: Any, at: int, *, keeps: bool) -> str:
        value = self._value(name, one, at, keeps=keeps)
        nested: Any = one.child if isinstance(one, serializers.ListSerializer) else one
        if isinstance(nested, serializers.Serializer):
            kind: Any = type(nested)
            self.names[f"form{at}"] = kind.one_by_one(self._nested.get(name))
        elif isinstance(one, OutField) and one.show is not None:
            self.names[f"form{at}"] = one.show
        else:
            return value
        if nested is not one:
            return f"None if (v := {value}) is None else [form{at}(one) for one in _rows(v)]"
        return f"None if (v := {value}) is None else form{at}(v)"

    def _value(self, name: str, one: Any, at: int, *, keeps: bool) -> str:
        own = getattr(self._shape, f"get_{name}", None)
        # Every serializer has a get_value and a few more of its own: those are not ours.
        if own is not None and own is not getattr(serializers.Serializer, f"get_{name}", None):
            self.names[f"get{at}"] = own
            return f"get{at}(obj)"
        source = getattr(one, "of", "") or name
        if isinstance(one, KeptTextOut | KeptIntegerOut):
            return f"kept.get({source!r})" if keeps else "None"
        value = self._columns.get(source, f"obj.{source}")
        if isinstance(one, TextOut) and "." not in source:
            # A blank column is null on the wire, unless "" is what was sent (billing.models.kept).
            blank = f'"" if {source!r} in blanks else None' if keeps else "None"
            return f'(v if (v := {value}) != "" else {blank})'
        return value


def _rows(value: Any) -> Any:
    """The objects of a list or of a relation."""
    return value if isinstance(value, list) else value.all()
