"""What takes service notes: the national system or a city, seen from the engine (ABR-8).

One module for each family implements `Provider`; nobody outside of it reads or writes its XML. A
provider keeps nothing: numbers, states, attempts and archives are the engine's. Its calls raise
NotSent, Lost and Misconfigured as all authorities do (fiscal.authorities.base).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from fiscal.authorities.base import Credentials
from fiscal.documents.service import Declared, NoteRef, Prepared, RpsIdentity, ServiceIssuer
from fiscal.signing import Signer
from lib.errors import FieldError


class Kind(StrEnum):
    """What an answer says about the note."""

    AUTHORIZED = "authorized"  # `note` is there
    IN_PROCESS = "in_process"  # a lot was taken: `protocol`, ask again later
    REJECTED = "rejected"  # `messages` say why; nothing was recorded
    DUPLICATE = "duplicate"  # that number was used before: ask what became of it (E0014, E10, 1305)
    NOT_FOUND = "not_found"  # a query: there is no such note
    CANCELLED = "cancelled"  # the note is cancelled, now or before
    CANCEL_PENDING = "cancel_pending"  # a person of the city decides
    REPLACED = "replaced"  # another note took its place: `replaced_by`


@dataclass(frozen=True)
class ProviderMessage:
    """An error or an alert, as the API tells it: `correction` is None where none is known."""

    code: str
    text: str
    correction: str | None = None


@dataclass(frozen=True)
class IssuedNote:
    """What the authority made of the declaration; amounts are None where it tells none."""

    number: str
    verification_code: str
    issued_at: datetime | None
    key: str = ""  # national, 50 characters
    url: str = ""  # public page
    url_pdf: str = ""
    identity: RpsIdentity | None = None  # of the declaration that it was made of
    xml: bytes = field(default=b"", repr=False)  # the note alone, byte for byte
    service_amount: Decimal | None = None
    base: Decimal | None = None
    iss: Decimal | None = None
    net: Decimal | None = None
    taker_document: str = ""
    replaces: str = ""  # number or key of the note that it replaces
    code: str = ""  # cStat of the national note


@dataclass(frozen=True)
class Outcome:
    """An answer that was understood. `raw` is what came, for the attempt."""

    kind: Kind
    note: IssuedNote | None = None
    protocol: str = ""
    messages: tuple[ProviderMessage, ...] = ()
    raw: bytes = field(default=b"", repr=False)
    elapsed_ms: int = 0
    event_xml: bytes = field(default=b"", repr=False)  # proof of a cancellation
    registered_at: datetime | None = None
    replaced_by: str = ""


@dataclass(frozen=True)
class Features:
    """What a provider really offers (ABR-1); a city without web service has `sends` False."""

    sends: bool = True
    cancels: bool = True
    replaces: bool = True
    has_test: bool = True  # a test environment
    polls: bool = False  # lots are answered later
    # After "no such note" the same bytes may be sent again without danger. Where False (São Paulo
    # takes a repeated RPS for an order to cancel, 217), only a person sends again.
    resends_safely: bool = True
    received: bool = False
    analyses: bool = False  # takes requests that somebody decide about a late cancellation
    # Fields of the municipal body that its layout has a place for; None: all of them (ABR-9).
    carries: frozenset[str] | None = None


@dataclass(frozen=True)
class ReceivedPage:
    """Notes that a taker was given, each byte for byte; `next_page` is 0 after the last page."""

    notes: tuple[bytes, ...] = field(default=(), repr=False)
    next_page: int = 0


class Receiving(Protocol):
    """A provider with `features.received`: it tells a taker which notes it was given (§7)."""

    def received(
        self, taker: ServiceIssuer, *, first: date, last: date, page: int, credentials: Credentials
    ) -> ReceivedPage:
        """Notes issued from `first` to `last`, at most 31 days; pages count from 1."""


class Analysing(Protocol):
    """A provider with `features.analyses`: somebody may be asked to decide (NAC-11)."""

    def build_analysis(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """The signed request, which is sent and asked about as a cancellation is."""


class Provider(Protocol):
    """One city or the national system, in one environment."""

    slug: str  # of the module and its profile, ≤ 40
    municipality: str  # IBGE, 7 digits
    ambiente: str
    features: Features

    @property
    def route(self) -> str:
        """Name for status and breaker, ≤ 10: SEFIN, M3550308."""

    def check(self, declared: Declared) -> Sequence[FieldError]:
        """What this provider would refuse, told before a number is spent; empty when fine."""

    def build(self, declared: Declared, identity: RpsIdentity, *, signer: Signer) -> Prepared:
        """The signed, schema-valid message. Raises SchemaInvalid, which names request fields."""

    def send(self, prepared: Prepared, *, credentials: Credentials) -> Outcome:
        """AUTHORIZED, IN_PROCESS, REJECTED or DUPLICATE."""

    def find(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """What became of a declaration, by its number: AUTHORIZED, CANCELLED, REPLACED, IN_PROCESS,
        REJECTED (its lot) or NOT_FOUND."""

    def build_cancellation(
        self, note: NoteRef, *, code: str, reason: str, now: datetime, signer: Signer
    ) -> Prepared:
        """The signed order. `code` is one of the provider's own; "" for its usual one."""

    def send_cancellation(
        self, prepared: Prepared, note: NoteRef, *, credentials: Credentials
    ) -> Outcome:
        """CANCELLED, CANCEL_PENDING or REJECTED."""

    def find_cancellation(self, note: NoteRef, *, credentials: Credentials) -> Outcome:
        """After a lost answer: CANCELLED, REPLACED, CANCEL_PENDING, or AUTHORIZED: still live."""
