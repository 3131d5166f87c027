"""What a provider of card payments is asked and answers: plain values, whoever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from lib.errors import GatewayRefused

NEEDS_CUSTOMER = "authentication_required"
MISSING = "resource_missing"


class Status(StrEnum):
    """Of an attempt at the provider's side."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"  # the customer must go to `action_url`, or come back
    WAITING = "waiting"  # nobody has tried to charge it
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True)
class Order:
    """One charge to be made. `key` is its idempotency key: same key, same order, one charge.

    `amount` in BRL; `labels` come back with everything that is told about it.
    """

    key: str
    amount: Decimal
    customer: str
    method: str
    is_on_session: bool
    return_url: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """How a charge stands. Amounts in BRL; `fee` is what the provider keeps, 0 if not known yet.

    `action_url` is empty when the bank wants the customer and the customer is not there.
    """

    external_id: str
    status: Status
    amount: Decimal
    labels: dict[str, str]
    action_url: str = ""
    failure_code: str = ""
    decline_code: str = ""
    fee: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    created_at: datetime | None = None


@dataclass(frozen=True)
class Card:
    """A card that the provider keeps; `fingerprint` is the same for the same card."""

    reference: str
    customer: str
    fingerprint: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    holder: str


@dataclass(frozen=True)
class Setup:
    """Saving a card. `secret` opens the provider's own fields in the browser; never logged."""

    external_id: str
    customer: str
    is_done: bool
    method: str
    secret: str = field(repr=False, default="")


@dataclass(frozen=True)
class HostedPage:
    """A page of the provider that takes a card. `attempt_id` and `setup_id` once they exist."""

    external_id: str
    url: str
    is_open: bool
    attempt_id: str = ""
    setup_id: str = ""


@dataclass(frozen=True)
class Returned:
    """A refund: `status` is pending, succeeded, failed or canceled."""

    external_id: str
    status: str
    amount: Decimal
    attempt_id: str
    labels: dict[str, str]
    failure: str = ""


@dataclass(frozen=True)
class Contested:
    """A chargeback: `status` is open, won or lost."""

    external_id: str
    status: str
    amount: Decimal
    attempt_id: str
    reason: str


class CardRefused(GatewayRefused):
    """The provider turned a request down for good; nothing was done.

    `code` is the provider's; `param` names what of the request it is about.
    """

    def __init__(self, text: str, *, code: str = "", param: str = "") -> None:
        super().__init__(text)
        self.code, self.param = code, param

    @property
    def is_customer_gone(self) -> bool:
        """The provider has no such customer (any more)."""
        return (self.code, self.param) == (MISSING, "customer")
