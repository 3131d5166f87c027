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

Show = Callable[[Any], dict[str, Any]]


def write_show(shape: type[Any]) -> Show:
    """The function from an object to its JSON-ready dictionary, as `shape` (an Out) declares it."""
    names: dict[str, Any] = {"_blank": _blank}
    fields = shape._declared_fields
    entries = [
        f"{name!r}: {_expression(shape, name, one, names, position)},"
        for position, (name, one) in enumerate(fields.items())
    ]
    kept = any(isinstance(one, KeptTextOut | KeptIntegerOut) for one in fields.values())
    lines = ["def show(obj):"]
    lines += ["    kept = obj.integration"] if kept else []
    lines += ["    return {", *(f"        {entry}" for entry in entries), "    }"]
    # Names and attributes come from our own declarations, never from a request.
    exec("\n".join(lines), names)  # noqa: S102
    return names["show"]  # type: ignore[no-any-return]


def _expression(shape: type[Any], name: str, one: Any, names: dict[str, Any], position: int) -> str:
    value = _value(shape, name, one, names, position)
    form = _form(one)
    if form is None:
        return value
    names[f"form{position}"] = form
    return f"None if (v := {value}) is None else form{position}(v)"


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
        return f'(v if (v := obj.{source}) != "" else _blank(obj, {source!r}))'
    return f"obj.{source}"


def _blank(obj: Any, source: str) -> str | None:
    """A blank column is null on the wire, unless "" is what was sent (billing.models.kept)."""
    kept = getattr(obj, "kept_blank", None)
    return "" if kept is not None and kept(source) else None


def _form(one: Any) -> Callable[[Any], Any] | None:
    if isinstance(one, serializers.ListSerializer):
        shape: Any = type(one.child)
        return lambda value: shape.show_all(value.all() if hasattr(value, "all") else value)
    if isinstance(one, serializers.Serializer):
        nested: Any = type(one)
        return lambda value: nested.show(value)
    changes = isinstance(one, OutField) and type(one).show is not OutField.show
    return one.show if changes else None
