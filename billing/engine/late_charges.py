"""Fine, interest and the order in which a payment settles them (LATE-1..4, ALLOC-1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from lib.calendars import Calendar
from lib.money import half_up

WITHOUT: Final = "without"
PERCENTAGE: Final = "percentage"
FIXED: Final = "fixed"

CONSUMER_FINE_LIMIT = Decimal(2)  # Lei 8.078/1990, art. 52, § 1º
FINE_LIMIT = Decimal(10)  # LATE-4, everybody else
USUAL_MONTHLY_INTEREST = Decimal(1)
MONTH_DAYS = 30  # LATE-1: a month of interest, whatever its length
_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class LateTerms:
    """What a late receivable costs (LATE-2).

    Types are without, percentage or fixed. `fine_value` is percent of the principal or BRL;
    `interest_value` is percent a month or BRL a day. `daily_registered` is the BRL a day that a
    bank without monthly rates registered: it takes the place of the interest (LATE-3).
    """

    fine_type: str
    fine_value: Decimal
    interest_type: str
    interest_value: Decimal
    daily_registered: Decimal | None = None


DEFAULT_TERMS = LateTerms(PERCENTAGE, Decimal(2), PERCENTAGE, Decimal(1))  # LATE-2


@dataclass(frozen=True)
class LateCharges:
    """Days charged, fine and interest, and `total` = principal + fine + interest (BRL)."""

    days: int
    fine: Decimal
    interest: Decimal
    total: Decimal


@dataclass(frozen=True)
class TermsCheck:
    """(field of LateTerms, pt-BR message): errors refuse the terms, warnings ask to confirm."""

    errors: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]


def late_charges(
    principal: Decimal,
    *,
    due: date,
    paid_on: date,
    terms: LateTerms,
    calendar: Calendar,
    charged_until: date | None = None,
    grace_until: date | None = None,
) -> LateCharges:
    """What `principal` (BRL, still open) costs when paid on `paid_on` (LATE-1).

    Nothing up to the first business day on or after `due`; later, one fine and simple interest
    over the calendar days since `due`. After a late partial payment pass its date as
    `charged_until`: the fine is behind and interest runs only from that day (MN-2). Nothing up to
    `grace_until`, either: what was disputed may be paid as if in time (P09).
    """
    if paid_on <= calendar.next_business_day(due) or (
        grace_until is not None and paid_on <= grace_until
    ):
        return LateCharges(0, _ZERO, _ZERO, principal)
    charged = charged_until is not None and charged_until > calendar.next_business_day(due)
    since = charged_until if charged_until is not None and charged else due
    days = max(0, (paid_on - since).days)
    fine = _ZERO if charged else _fine(principal, terms)
    interest = _interest(principal, terms, days)
    return LateCharges(days, fine, interest, principal + fine + interest)


def _fine(principal: Decimal, terms: LateTerms) -> Decimal:
    """The fine, once, half-up."""
    if terms.fine_type == WITHOUT:
        return _ZERO
    if terms.fine_type == FIXED:
        return half_up(terms.fine_value)
    return half_up(principal * terms.fine_value / 100)


def _interest(principal: Decimal, terms: LateTerms, days: int) -> Decimal:
    """Simple interest over `days`, rounded once at the end."""
    if terms.daily_registered is not None:
        return half_up(terms.daily_registered * days)
    if terms.interest_type == WITHOUT:
        return _ZERO
    if terms.interest_type == FIXED:
        return half_up(terms.interest_value * days)
    return half_up(principal * terms.interest_value * days / (100 * MONTH_DAYS))


# --- LATE-4: what may be agreed --------------------------------------------------------------

_CONSUMER_FINE = (
    "A multa não pode passar de 2% do valor da parcela para consumidores "
    "(Lei 8.078/1990, art. 52, § 1º)."
)
_FINE_ABOVE_LIMIT = "A multa não pode passar de 10% do valor da parcela."
_FINE_ABOVE_USUAL = "Multa acima de 2%: só vale para clientes que não são consumidores."
_FIXED_FINE = "Multa em valor fixo: confira se ela não passa de {limit}% do valor de cada parcela."
_INTEREST_ABOVE_USUAL = "Juros acima de 1% ao mês podem ser contestados pelo cliente."


def warnings_for(
    terms: LateTerms, *, is_consumer: bool, principal: Decimal | None = None
) -> TermsCheck:
    """LATE-4: which terms are refused and which must be confirmed.

    Fixed amounts are compared with `principal` (one instalment, BRL); without it a fixed fine
    only warns and a fixed interest passes.
    """
    errors = _negative_values(terms)
    warnings = []
    fine_error, fine_warning = _fine_check(terms, is_consumer, principal)
    if fine_error:
        errors.append(("fine_value", fine_error))
    if fine_warning:
        warnings.append(("fine_value", fine_warning))
    if _monthly_interest_exceeds(terms, USUAL_MONTHLY_INTEREST, principal):
        warnings.append(("interest_value", _INTEREST_ABOVE_USUAL))
    return TermsCheck(tuple(errors), tuple(warnings))


def _negative_values(terms: LateTerms) -> list[tuple[str, str]]:
    """A fine or interest below zero is a discount in disguise: refused."""
    values = (("fine_value", terms.fine_value), ("interest_value", terms.interest_value))
    return [(name, "não pode ser negativo") for name, value in values if value < 0]


def _fine_check(terms: LateTerms, is_consumer: bool, principal: Decimal | None) -> tuple[str, str]:
    """Error and warning about the fine, each empty when there is none."""
    limit = CONSUMER_FINE_LIMIT if is_consumer else FINE_LIMIT
    if terms.fine_type == FIXED and principal is None:
        return "", _FIXED_FINE.format(limit=limit) if terms.fine_value else ""
    if _fine_exceeds(terms, limit, principal):
        return _CONSUMER_FINE if is_consumer else _FINE_ABOVE_LIMIT, ""
    if _fine_exceeds(terms, CONSUMER_FINE_LIMIT, principal):
        return "", _FINE_ABOVE_USUAL
    return "", ""


def _fine_exceeds(terms: LateTerms, percent: Decimal, principal: Decimal | None) -> bool:
    """Whether the fine is more than `percent` of an instalment of `principal`."""
    if terms.fine_type == PERCENTAGE:
        return terms.fine_value > percent
    if terms.fine_type == FIXED and principal is not None:
        return terms.fine_value * 100 > principal * percent
    return False


def _monthly_interest_exceeds(
    terms: LateTerms, percent: Decimal, principal: Decimal | None
) -> bool:
    """Whether a month of interest is more than `percent` of the instalment."""
    if terms.interest_type == PERCENTAGE:
        return terms.interest_value > percent
    if terms.interest_type == FIXED and principal is not None:
        return terms.interest_value * MONTH_DAYS * 100 > principal * percent
    return False


# --- ALLOC-1: where the money of a payment goes ----------------------------------------------


@dataclass(frozen=True)
class OpenItem:
    """What a receivable, known by `key`, still asks for on the payment date (BRL, ≥ 0)."""

    key: int
    due: date
    interest: Decimal
    fine: Decimal
    principal: Decimal


@dataclass(frozen=True)
class ItemAllocation:
    """What a payment gives to the receivable `key` (BRL)."""

    key: int
    interest: Decimal
    fine: Decimal
    principal: Decimal

    @property
    def total(self) -> Decimal:
        """All that the receivable got."""
        return self.interest + self.fine + self.principal


@dataclass(frozen=True)
class Allocation:
    """One entry per open item, oldest due first, and the rest, which is customer credit."""

    items: tuple[ItemAllocation, ...]
    surplus: Decimal


def allocate(amount: Decimal, *, open_items: Sequence[OpenItem]) -> Allocation:
    """Spread a payment of `amount` (BRL): interest, fine, principal, oldest due first.

    Código Civil, art. 354 (ALLOC-1). Items due on the same day keep the given order. Raises
    ValueError when the amount or anything open is negative.
    """
    if amount < 0 or any(min(i.interest, i.fine, i.principal) < 0 for i in open_items):
        raise ValueError("a payment and the amounts it settles cannot be negative")
    left = amount
    items = []
    for item in sorted(open_items, key=lambda open_item: open_item.due):
        paid = []
        for owed in (item.interest, item.fine, item.principal):
            paid.append(min(owed, left))
            left -= paid[-1]
        items.append(ItemAllocation(item.key, *paid))
    return Allocation(tuple(items), left)
