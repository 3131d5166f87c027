"""What a stand-in is given and what it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Books = dict[str, Any]
Tell = Callable[..., None]


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """`value` as application/json; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value, ensure_ascii=False).encode()
    return Reply(status, {"Content-Type": "application/json", **named}, body)


def as_html(text: str, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, text.encode())


class CutOff(Exception):
    """Everything is done and nothing is answered: the connection is to be torn down."""


class StandIn:
    """Base of a provider. Requests come one at a time, each under the provider's lock.

    `books` is all that it knows, of JSON values only: it is kept in a file. `tell(kind, url, body)`
    sends a notice to the product, in the background, until it is taken; `sign` makes its headers
    at each try. `address` is where this provider is reached, without a slash at the end.
    """

    name = ""

    def __init__(self, books: Books, tell: Tell, address: str) -> None:
        self.books, self.tell, self.address = books, tell, address
        self.lock = threading.RLock()

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a request; `path` has its query and not the provider's prefix.

        Names of `headers` are in lower case.
        """
        raise NotImplementedError

    def control(self, what: str, given: dict[str, Any]) -> Any:
        """What a test or a person does to this provider: POST /control/<name>/<what>."""
        raise KeyError(what)

    def sign(self, notice: dict[str, Any]) -> dict[str, str]:
        """Headers of a notice at this try; `notice` has "url", "body" and what `tell` was given."""
        return {}
