"""One plain function for each shape, written from its declaration when it is first needed.

A page of fifty invoices has some seven thousand values. Asking for each what it is and how it is
written costs several times the writing itself, so that is decided once: the function is a single
dictionary whose values are the very expressions, as `dataclasses` writes its `__init__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from billing.api.v1.fields import KeptIntegerOut, KeptTextOut, OutField, TextOut
from billing.models.kept import BLANK

Show = Callable[[Any], dict[str, Any]]


def write_show(shape: type[Any]) -> Show:
    """The function from an object to its JSON-ready dictionary, as `shape` (an Out) declares it."""
    names: dict[str, Any] = {"_rows": _rows}
    fields = shape._declared_fields
    entries = [
        f"{name!r}: {_expression(shape, name, one, names, position)},"
        for position, (name, one) in enumerate(fields.items())
    ]
    body = "\n".join(f"        {entry}" for entry in entries)
    lines = ["def show(obj):"]
    if "kept." in body or "blanks" in body:
        lines += ["    kept = getattr(obj, 'integration', None) or {}"]
    if "blanks" in body:
        lines += [f"    blanks = kept.get({BLANK!r}, ())"]
    lines += ["    return {", body, "    }"]
    # Names and attributes come from our own declarations, never from a request.
    exec("\n".join(lines), names)  # noqa: S102
    return names["show"]  # type: ignore[no-any-return]


def _expression(shape: type[Any], name: str, one: Any, names: dict[str, Any], position: int) -> str:
    value = _value(shape, name, one, names, position)
    form = f"form{position}"
    if isinstance(one, serializers.ListSerializer):
        child: Any = type(one.child)
        names[form] = child.one_by_one()
        return f"None if (v := {value}) is None else [{form}(one) for one in _rows(v)]"
    if isinstance(one, serializers.Serializer):
        nested: Any = type(one)
        names[form] = nested.one_by_one()
    elif isinstance(one, OutField) and one.show is not None:
        names[form] = one.show
    else:
        return value
    return f"None if (v := {value}) is None else {form}(v)"


def _value(shape: type[Any], name: str, one: Any, names: dict[str, Any], position: int) -> str:
    own = getattr(shape, f"get_{name}", None)
    # Every serializer has a get_value and a few more of its own: those are not ours.
    if own is not None and own is not getattr(serializers.Serializer, f"get_{name}", None):
        names[f"get{position}"] = own
        return f"get{position}(obj)"
    source = getattr(one, "of", "") or name
    if isinstance(one, KeptTextOut | KeptIntegerOut):
        return f"kept.get({source!r})"
    if isinstance(one, TextOut) and "." not in source:
        # A blank column is null on the wire, unless "" is what was sent (billing.models.kept).
        return f'(v if (v := obj.{source}) != "" else "" if {source!r} in blanks else None)'
    return f"obj.{source}"


def _rows(value: Any) -> Any:
    """The objects of a list or of a relation."""
    return value if isinstance(value, list) else value.all()
