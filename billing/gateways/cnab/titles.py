"""What bank files say of boletos in any layout: titles told to a bank, facts told by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from billing.gateways.boleto.bank import Agreement, NossoNumero
from lib.money import half_up

_ZERO = Decimal("0.00")
MAX_AMOUNT = Decimal("9999999999999.99")  # that we keep


class Movement(Enum):
    """What a remessa asks of the bank; values are FEBRABAN's codes, which all seven banks share."""

    ENTRY = "01"
    WRITE_OFF = "02"
    CHANGE_DUE = "06"
    CHANGE = "31"
    CHANGE_AMOUNT = "47"


@dataclass(frozen=True)
class Sender:
    """The beneficiary and what it agreed on with its bank; texts of digits."""

    name: str
    document: str
    terms: Agreement
    agency_dv: str = ""
    variation: str = ""


@dataclass(frozen=True)
class Payer:
    """Who is charged, as the invoice froze it."""

    name: str
    document: str
    address: str = ""
    district: str = ""
    zipcode: str = ""
    city: str = ""
    uf: str = ""


@dataclass(frozen=True)
class Late:
    """Fine and interest to register (LATE-3): percent a month or BRL a day; percent or BRL.

    At most one of each pair is set; none is set where nothing is charged.
    """

    interest_month: Decimal | None = None
    interest_day: Decimal | None = None
    fine_percent: Decimal | None = None
    fine_value: Decimal | None = None

    def registrable_percent(self) -> Decimal | None:
        """The fine as a file has room for it: a percentage of two decimals, or None."""
        given = self.fine_percent
        return given if given and given == half_up(given) else None


@dataclass(frozen=True)
class Title:
    """One boleto of a remessa. `company_use` comes back in the retorno: our id of the charge."""

    movement: Movement
    number: NossoNumero
    document_number: str
    company_use: str
    due: date
    amount: Decimal
    issued_on: date
    payer: Payer
    late: Late = Late()
    species: str = "DM"
    protest_days: int = 0
    limit_days: int = 0

    def daily_interest(self) -> Decimal:
        """BRL a day for banks without monthly rates, half-up to the cent (LATE-3)."""
        return daily_interest(self.amount, self.late)

    def fine(self) -> Decimal:
        """BRL, for files that take no percentage or not that one."""
        if self.late.fine_percent:
            return half_up(self.amount * self.late.fine_percent / 100)
        return half_up(self.late.fine_value or _ZERO)


class Meaning(Enum):
    """What an occurrence of a retorno is to us."""

    REGISTERED = "registered"
    REJECTED = "rejected"  # the entry: the title does not exist at the bank
    SETTLED = "settled"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    REFUSED = "refused"  # an instruction: the title stays as it was
    FEE = "fee"
    NOTED = "noted"
    UNKNOWN = "unknown"


class Order(Enum):
    """What we ask to be changed of a title; a bank tells of many changes that we never ask for."""

    DUE = "due"
    DATA = "data"  # its value, mostly; some banks say so of the due date, too


@dataclass(frozen=True)
class Occurrence:
    """A bank's code in our words (pt-BR). `confirms`: which of our orders a change answers."""

    meaning: Meaning
    text: str
    confirms: Order | None = None


@dataclass(slots=True)
class Entry:
    """One fact of a retorno; `line` counts from 1, money is BRL, `fault` says why it is unreadable.

    `nosso_numero` is as ours is kept: without check digit. `reasons` are codes of two characters,
    `why` is what they mean. `discount` has the abatement in it, `additions` fine and interest.
    """

    line: int
    occurrence: str = ""
    meaning: Meaning = Meaning.UNKNOWN
    text: str = ""
    reasons: str = ""
    why: str = ""
    nosso_numero: str = ""
    carteira: str = ""
    document_number: str = ""
    company_use: str = ""
    payer: str = ""
    due: date | None = None
    value: Decimal = _ZERO
    paid: Decimal = _ZERO
    credited: Decimal = _ZERO
    fee: Decimal = _ZERO
    additions: Decimal = _ZERO
    discount: Decimal = _ZERO
    occurred_on: date | None = None
    credited_on: date | None = None
    fault: str = ""


def daily_interest(amount: Decimal, late: Late) -> Decimal:
    """What a day of lateness of `amount` costs, registered in reais (LATE-3)."""

    if late.interest_day is not None:
        return half_up(late.interest_day)
    if late.interest_month is None:
        return _ZERO
    return half_up(amount * late.interest_month / 3000)
