"""Splitting an amount into parcels that add up to it, to the cent (SPLIT-1..4, DECISIONS 6)."""

from collections.abc import Sequence
from decimal import Decimal

from lib.money import CENT, NBSP, brl, half_up, truncate

NOT_100_PERCENT = "Os vencimentos não totalizam 100%."
# billing-api §6.1: how far from 100 the percents of an invoice may add up.
TOLERANCE = Decimal("0.01")
_ZERO = Decimal("0.00")


def _cents(total: Decimal) -> Decimal:
    """`total` with two decimals; a negative amount or a fraction of a cent cannot be split."""
    rounded = half_up(total)
    if rounded != total or total < 0:
        raise ValueError(f"only a whole, non-negative number of cents can be split, not {total}")
    return rounded


def check_minimum(amounts: Sequence[Decimal], *, minimum: Decimal = CENT) -> None:
    """SPLIT-3: raise ValueError, in pt-BR, when any parcel is below `minimum` (BRL).

    Nothing is payable below one cent; for boletos pass the setting, R$ 5,00 by default.
    """
    if any(amount < minimum for amount in amounts):
        # The recorded message has a plain space after R$ (billing-api §1.6).
        text = brl(minimum).replace(NBSP, " ")
        raise ValueError(f"Valor das parcelas não pode ser menor do que {text}")


def split_equal(total: Decimal, parts: int) -> list[Decimal]:
    """SPLIT-1: each part but the last is total / parts cut to cents; the last takes the rest.

    A zero total gives zeros, since an invoice without value still has its receivables; any other
    total below one cent a part raises ValueError (SPLIT-3).
    """
    if parts < 1:
        raise ValueError("parts must be at least 1")
    amount = _cents(total)
    if not amount:
        return [_ZERO] * parts
    share = truncate(amount / parts)
    check_minimum([share])
    return [share] * (parts - 1) + [amount - share * (parts - 1)]


def split_percent(total: Decimal, percents: Sequence[Decimal]) -> list[Decimal]:
    """SPLIT-2: each part but the last is total × % half-up; the last takes the rest.

    The percents must add up to 100 (`total_100`), otherwise ValueError. A 0% part is R$ 0,00
    (billing-api §6.1). When rounding the first ones up leaves less than nothing for the last,
    ValueError of SPLIT-3.
    """
    amount = _cents(total)
    if not total_100(percents):
        raise ValueError(NOT_100_PERCENT)
    firsts = [half_up(amount * percent / 100) for percent in percents[:-1]]
    rest = amount - sum(firsts, _ZERO)
    if rest < 0:
        check_minimum([rest])
    return [*firsts, rest]


def split_like(total: Decimal, percents: Sequence[Decimal]) -> list[Decimal]:
    """SPLIT-1 for equal parts, SPLIT-2 for others: the rule by which such percents came to be."""
    if len(set(percents)) == 1:
        return split_equal(total, len(percents))
    return split_percent(total, percents)


def total_100(percents: Sequence[Decimal]) -> bool:
    """Whether the percents add up to 100, give or take 0.01: three times 33.33 does (§6.1)."""
    if any(percent < 0 for percent in percents):
        return False
    return abs(sum(percents, Decimal(0)) - 100) <= TOLERANCE


def complete_percents(percents: Sequence[Decimal | None]) -> list[Decimal]:
    """The percents, each None replaced by an equal share of what the others leave of 100 (§6.1).

    Shares have 4 decimals and are never negative; the last takes what cutting them off left only
    where that would be too much to pass for 100.
    """
    rest = max(100 - sum((p for p in percents if p is not None), Decimal(0)), Decimal(0))
    missing = percents.count(None)
    if not missing:
        return [percent for percent in percents if percent is not None]
    share = truncate(rest / missing, 4)
    odd = rest - share * missing
    found = [share if percent is None else percent for percent in percents]
    if odd > TOLERANCE:
        found[len(found) - 1 - list(reversed(percents)).index(None)] += odd
    return found


def equal_percent(parts: int) -> Decimal:
    """SPLIT-4: the percent shown on each equal parcel, 100 / parts cut to 4 decimals."""
    return truncate(Decimal(100) / parts, 4)
