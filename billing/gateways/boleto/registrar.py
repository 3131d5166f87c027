"""Registering boletos at a bank as they are made: what every online bank is asked for.

A bank is a module with a class of this shape and a line in `registrars.REGISTRARS`. Dataclasses go
in and come out; nothing here knows a model. Every call raises GatewayUnavailable when its outcome
is not known, which `retrieve` then finds out, and GatewayRefused when the bank said no.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from billing.engine.late_charges import LateTerms


class Capability(StrEnum):
    """What a bank's API can do besides registering."""

    CANCEL = "cancel"
    CHANGE_DUE_DATE = "change_due_date"
    CHANGE_AMOUNT = "change_amount"
    SETTLEMENTS = "settlements"


@dataclass(frozen=True)
class Person:
    """Payer or beneficiary as the boleto prints them; `document` is CPF or CNPJ without mask."""

    name: str
    document: str
    address: str = ""
    district: str = ""
    city: str = ""
    state: str = ""
    zipcode: str = ""


@dataclass(frozen=True)
class Title:
    """A boleto to be registered. `key` is ours and names it for good: registering twice is once.

    `late` is what the bank charges after the due date, until `limit_date`.
    """

    key: str
    agreement: dict[str, str]
    nosso_numero: str
    nosso_numero_dv: str
    document_number: str
    species: str
    issued_on: date
    due_date: date
    limit_date: date
    amount: Decimal
    late: LateTerms
    protest_days: int | None
    payer: Person
    beneficiary: Person
    instructions: tuple[str, ...]
    barcode: str


class Standing(StrEnum):
    """What the bank says of a title."""

    REGISTERING = "registering"
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Registration:
    """The bank's answer about one title.

    `barcode` is the bank's own where it gives one; `due_date` and `amount` as it has them now;
    `reason` says why it was rejected, in the bank's words.
    """

    standing: Standing
    external_id: str = ""
    barcode: str = ""
    due_date: date | None = None
    amount: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True)
class Settlement:
    """A title that was paid (BRL). `id` names the fact at the bank, `key` is ours."""

    id: str
    key: str
    nosso_numero: str
    amount: Decimal
    paid_on: date
    credited_on: date | None = None
    fee: Decimal = Decimal("0.00")
    raw: dict[str, str] = field(default_factory=dict)


class BoletoRegistrar(ABC):
    """A bank, or a service in front of banks, with the credentials of one beneficiary."""

    capabilities: ClassVar[frozenset[Capability]]
    # Registered with the answer; otherwise the answer comes later and is asked for.
    is_immediate: ClassVar[bool]

    @abstractmethod
    def register(self, title: Title) -> Registration:
        """Register a title; the same one again answers what became of it."""

    @abstractmethod
    def retrieve(self, key: str) -> Registration | None:
        """What the bank has under our key; None when it knows none."""

    @abstractmethod
    def cancel(self, key: str) -> Registration | None:
        """Write a title off; None when the bank knows none under our key."""

    @abstractmethod
    def change(self, key: str, *, due_date: date, amount: Decimal) -> Registration | None:
        """Bring a registered title to another due date and value."""

    @abstractmethod
    def settled_since(self, day: date) -> Iterator[Settlement]:
        """Titles paid on that day or later, in the bank's order."""
