"""Bodies of /api/v1: what is read from them with all faults at once, and what is answered.

Both are declared as serializers, so the OpenAPI page is made of the very same lines; reading and
showing are ours, because a page of fifty invoices is five thousand values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rest_framework import serializers

from billing.api.v1.fields import INVALID, InField, Refused
from billing.api.v1.showing import Show, write_show
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


class Out(serializers.Serializer[Any]):
    """An object as answered: declared fields in order, None as null.

    The value of a field is `get_<name>(object)` when the class has that static method, else the
    attribute `of` (default: the field's name). Nested objects are declared as `PlanOut()`, lists as
    `ServiceOut(many=True)`; their attribute is an object, a list or a prefetched relation.
    """

    _shows: ClassVar[dict[Any, Show]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._shows = {}

    @classmethod
    def show(cls, obj: Any) -> dict[str, Any]:
        """The object as a JSON-ready dictionary."""
        return cls.shower()(obj)

    @classmethod
    def show_all(cls, objects: Iterable[Any]) -> list[dict[str, Any]]:
        show = cls.one_by_one()
        return [show(obj) for obj in objects]

    @classmethod
    def show_rows(cls, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The same for rows of one kind (a NamedTuple) instead of objects."""
        return [cls.shower(type(row))(row) for row in rows]

    @classmethod
    def one_by_one(cls, row: Any = None) -> Show:
        """What shows an object, or a row, of a list: `show` itself, or the function behind it."""
        own = cls.show.__func__ is not Out.show.__func__  # type: ignore[attr-defined]
        return cls.show if own else cls.shower(row)

    @classmethod
    def shower(cls, row: Any = None) -> Show:
        """The function behind `show`."""
        if row not in cls._shows:
            cls._shows[row] = write_show(cls, row)
        return cls._shows[row]
