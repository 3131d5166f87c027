"""What a bank that receives Pix for us can do, whoever it is (billing-engine §10.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from lib.errors import GatewayRefused, GatewayUnavailable


class PixUnavailable(GatewayUnavailable):
    """No answer, or none to believe: what happened is to be asked; the text is pt-BR."""


class PixMisconfigured(PixUnavailable):
    """The bank does not let us in. Nothing was done, and somebody has to put it right."""


class PixRefused(GatewayRefused):
    """The bank said no, for good; the text is for people (pt-BR).

    `problem` is the last part of the problem's type, e.g. CobVOperacaoInvalida.
    """

    def __init__(self, text: str, *, problem: str = "") -> None:
        super().__init__(text)
        self.problem = problem


class Kind(StrEnum):
    """Paid at once, or until and after a due date (PX-2)."""

    IMMEDIATE = "cob"
    DUE = "cobv"


class Status(StrEnum):
    """Of a charge's register; paid or not is what its `received` tell."""

    ACTIVE = "ATIVA"
    COMPLETED = "CONCLUIDA"
    REMOVED_BY_US = "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    REMOVED_BY_BANK = "REMOVIDA_PELO_PSP"

    @property
    def is_removed(self) -> bool:
        return self in (Status.REMOVED_BY_US, Status.REMOVED_BY_BANK)


class ReturnStatus(StrEnum):
    """Of a devolução."""

    PROCESSING = "EM_PROCESSAMENTO"
    DONE = "DEVOLVIDO"
    FAILED = "NAO_REALIZADO"


@dataclass(frozen=True)
class Debtor:
    """Who is charged; `document` is a CPF or CNPJ (letters too) without mask."""

    document: str
    name: str
    street: str = ""
    city: str = ""
    state: str = ""
    zipcode: str = ""


@dataclass(frozen=True)
class Lateness:
    """What the bank adds after the due date.

    Fine: percent of the amount, or BRL; interest: percent a month or BRL a day, in calendar
    days. None: nothing.
    """

    fine_percent: Decimal | None = None
    fine_value: Decimal | None = None
    monthly_percent: Decimal | None = None
    daily_value: Decimal | None = None


@dataclass(frozen=True)
class Order:
    """A charge to be made. `txid` has 26 to 35 letters and digits and is its identity.

    With `due_on` it can be paid until `valid_days` after it; without, for `seconds` from now.
    `text` is shown to the payer, who may answer in 140 characters.
    """

    txid: str
    key: str
    amount: Decimal
    debtor: Debtor | None
    text: str = ""
    due_on: date | None = None
    valid_days: int = 0
    seconds: int = 0
    lateness: Lateness = Lateness()

    @property
    def kind(self) -> Kind:
        return Kind.DUE if self.due_on else Kind.IMMEDIATE


@dataclass(frozen=True)
class Return:
    """Money of a received Pix that went back, or is to go. `nature` says who asked for it.

    ORIGINAL: we did. MED_…: the payer's bank, for a failure or a fraud (PX-5).
    """

    id: str
    return_id: str
    amount: Decimal
    status: ReturnStatus
    nature: str = "ORIGINAL"
    reason: str = ""

    @property
    def is_special(self) -> bool:
        return self.nature.startswith("MED")


@dataclass(frozen=True)
class Received:
    """A Pix that came in. `txid` is empty for one that was sent to the key alone."""

    end_to_end_id: str
    txid: str
    amount: Decimal
    at: datetime
    returns: tuple[Return, ...] = ()


@dataclass(frozen=True)
class Registered:
    """A charge as the bank has it. `brcode` may be empty: it is made of the location then."""

    txid: str
    kind: Kind
    status: Status
    amount: Decimal
    location: str = ""
    brcode: str = ""
    received: tuple[Received, ...] = ()


class PixProvider(Protocol):
    """Every method raises PixUnavailable (ask again) or PixRefused (final)."""

    def create(self, order: Order) -> Registered:
        """Register a charge. The same txid again is the same charge, not another one."""

    def read(self, kind: Kind, txid: str) -> Registered | None:
        """A charge as it is now; None when the bank knows none."""

    def update(self, order: Order) -> Registered:
        """Change amount, dates or text of an active charge."""

    def cancel(self, kind: Kind, txid: str) -> Registered:
        """Take an active charge away: nobody can pay it any more."""

    def received(self, end_to_end_id: str) -> Received | None:
        """A Pix that came in; None when the bank knows none."""

    def received_between(
        self, since: datetime, until: datetime, *, only_returned: bool = False
    ) -> list[Received]:
        """All that came in, oldest first; `only_returned`: those of which something went back."""

    def give_back(self, end_to_end_id: str, return_id: str, amount: Decimal, text: str) -> Return:
        """Return money of a Pix, within 90 days. `return_id` is ours and makes it happen once."""

    def returned(self, end_to_end_id: str, return_id: str) -> Return | None:
        """What became of a return; None when the bank knows none."""

    def register_hook(self, key: str, url: str) -> None:
        """Have notices of what `key` receives posted below `url`."""

    def hook(self, key: str) -> str | None:
        """Where notices go; None when nowhere."""

    def remove_hook(self, key: str) -> None:
        """Have no more notices sent."""
