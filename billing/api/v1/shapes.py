"""Bodies of /api/v1: what is read from them with all faults at once, and what is answered.

Both are declared as serializers, so the OpenAPI page is made of the very same lines; reading and
showing are ours, because a page of fifty invoices is five thousand values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, ClassVar

from rest_framework import serializers

from billing.api.v1.fields import (
    INVALID,
    InField,
    KeptIntegerOut,
    KeptTextOut,
    OutField,
    Refused,
    TextOut,
)
from lib.errors import FieldError

MAX_ELEMENTS = 10_000


@dataclass
class Sent:
    """What a body said: the values that could be read, and the faults of the others.

    Keys are the attributes sent, as the API names them; what was not sent is not there. A service
    adds its own faults to `faults` and refuses all of them together.
    """

    values: dict[str, Any] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)


class In(serializers.Serializer[Any]):
    """A body or node to read. Unknown attributes are ignored (§1.4).

    Nested nodes are declared as `PaymentIn(required=False, allow_null=True)`, lists of nodes as
    `ServiceIn(many=True, required=False)`.
    """

    @classmethod
    def take(cls, data: Mapping[str, Any], *, partial: bool, path: str = "") -> Sent:
        """Read `data`. With `partial` (updates) what is missing is no fault."""
        sent = Sent()
        for name, one in cls._declared_fields.items():
            if name in data:
                _take(sent, name, one, data[name], partial=partial, path=path)
            elif one.required and not partial:
                message = one.blank_message if isinstance(one, InField) else INVALID
                sent.faults.append(FieldError(path + name, message))
        return sent


def _take(sent: Sent, name: str, one: Any, value: Any, *, partial: bool, path: str) -> None:
    if isinstance(one, serializers.ListSerializer):
        _take_list(sent, name, type(one.child), value, path=path)  # type: ignore[arg-type]
    elif isinstance(one, In):
        _take_node(sent, name, type(one), value, partial=partial, path=path)
    else:
        try:
            sent.values[name] = one.read(value)
        except Refused as refused:
            sent.faults.append(FieldError(path + name, str(refused)))


def _take_list(sent: Sent, name: str, node: type[In], value: Any, *, path: str) -> None:
    """Elements with `id` are updates, the others creations (§6.11)."""
    found = sent.values[name] = []
    if value is None:
        return
    if not isinstance(value, list) or len(value) > MAX_ELEMENTS:
        sent.faults.append(FieldError(path + name, INVALID))
        return
    for element in value:
        if not isinstance(element, dict):
            sent.faults.append(FieldError(path + name, INVALID))
            continue
        exists = element.get("id") not in (None, "")
        read = node.take(element, partial=exists, path=f"{path}{name}.")
        sent.faults += read.faults
        found.append(read.values)


def _take_node(
    sent: Sent, name: str, node: type[In], value: Any, *, partial: bool, path: str
) -> None:
    if value is None:
        sent.values[name] = None
    elif not isinstance(value, dict):
        sent.faults.append(FieldError(path + name, INVALID))
    else:
        read = node.take(value, partial=partial, path=f"{path}{name}.")
        sent.faults += read.faults
        sent.values[name] = read.values


# --- out ---------------------------------------------------------------------------------------

Getter = Callable[[Any], Any]


class Out(serializers.Serializer[Any]):
    """An object as answered: declared fields in order, None as null.

    The value of a field is `get_<name>(object)` when the class has that static method, else the
    attribute `of` (default: the field's name). Nested objects are declared as `PlanOut()`, lists as
    `ServiceOut(many=True)`; their attribute is an object, a list or a prefetched relation.
    """

    _table: ClassVar[list[tuple[str, Getter, Getter | None]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._table = []

    @classmethod
    def show(cls, obj: Any) -> dict[str, Any]:
        """The object as a JSON-ready dictionary."""
        body = {}
        for name, get, form in cls._table or cls._compile():
            value = get(obj)
            body[name] = value if form is None or value is None else form(value)
        return body

    @classmethod
    def show_all(cls, objects: Iterable[Any]) -> list[dict[str, Any]]:
        show = cls.show
        return [show(obj) for obj in objects]

    @classmethod
    def _compile(cls) -> list[tuple[str, Getter, Getter | None]]:
        cls._table = [
            (name, _getter(cls, name, one), _form(one))
            for name, one in cls._declared_fields.items()
        ]
        return cls._table


def _getter(shape: type[Out], name: str, one: Any) -> Getter:
    own = getattr(shape, f"get_{name}", None)
    if own is not None:
        return own  # type: ignore[no-any-return]
    source = getattr(one, "of", "") or name
    if isinstance(one, KeptTextOut | KeptIntegerOut):
        return lambda obj: obj.integration.get(source)
    if isinstance(one, TextOut) and "." not in source:
        return _text_getter(source)
    return attrgetter(source)


def _text_getter(source: str) -> Getter:
    """A blank column is null on the wire, unless "" is what was sent (billing.models.kept)."""

    def get(obj: Any) -> Any:
        value = getattr(obj, source)
        return value if value != "" else _blank(obj, source)

    return get


def _blank(obj: Any, source: str) -> str | None:
    kept = getattr(obj, "kept_blank", None)
    return "" if kept is not None and kept(source) else None


def _form(one: Any) -> Getter | None:
    if isinstance(one, serializers.ListSerializer):
        shape: Any = type(one.child)
        return lambda value: shape.show_all(value.all() if hasattr(value, "all") else value)
    if isinstance(one, Out):
        return type(one).show
    changes = isinstance(one, OutField) and type(one).show is not OutField.show
    return one.show if changes else None
