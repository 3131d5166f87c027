"""Stripe's bodies: a[b][0]=c as nested values."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_PART = re.compile(r"\[([^\]]*)\]")


def parse(text: str) -> dict[str, Any]:
    """`text` (a query or a form) taken apart; lists are dicts of numbers until they are read."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        steps = [name.partition("[")[0], *_PART.findall(name)]
        place = found
        for step in steps[:-1]:
            inner = place.setdefault(step, {})
            place = inner if isinstance(inner, dict) else {}
        last = steps[-1] or str(len(place))
        place[last] = value
    return found


def as_list(value: Any) -> list[Any]:
    """A list that came as a[]= or a[0]=."""
    return list(value.values()) if isinstance(value, dict) else []


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"
