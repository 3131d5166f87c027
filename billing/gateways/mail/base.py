"""What every way of sending has in common: letters in, one of four ends out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lib.errors import GatewayRefused, GatewayUnavailable


@dataclass(frozen=True)
class File:
    """An attachment."""

    name: str
    content: bytes = field(repr=False)
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Letter:
    """One e-mail to one recipient. `sender` may carry a name: `Nome <a@b>`.

    `reference` is ours, unique and at most 64 characters: providers find the letter by it. `key`
    names this very content of it: whoever gets it twice sends it once.
    """

    reference: str
    key: str
    sender: str
    recipient: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    reply_to: str = ""
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Taken:
    """The other side has it; `external_id` is its own name for it, `answer` what it said."""

    external_id: str = ""
    answer: str = ""


class NotNow(Exception):
    """Certainly not taken, and may be taken later; the text (pt-BR) says why."""


class Refused(GatewayRefused):
    """Not taken, and never will be; the text (pt-BR) says why.

    `is_bounce`: there is no such address. `about_files`: without them it might have been taken.
    """

    def __init__(self, text: str, *, is_bounce: bool = False, about_files: bool = False) -> None:
        super().__init__(text)
        self.is_bounce, self.about_files = is_bounce, about_files


class Unknown(GatewayUnavailable):
    """Taken or not: nobody told us. Asked about before it is sent again."""


class Mailer(Protocol):
    """A way of sending. `can_ask` says whether `find` knows what was taken."""

    can_ask: bool

    def send(self, letter: Letter) -> Taken:
        """Raises NotNow, Refused, Unknown. Network: never inside a transaction."""

    def find(self, reference: str) -> Taken | None:
        """What came of a letter that was or was not taken. Raises NotNow when it does not say."""
