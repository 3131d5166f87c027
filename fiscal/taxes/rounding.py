"""The one rounding of the engine: half-up to cents, where a value enters the XML (§13)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

ZERO = Decimal("0.00")
CENT = Decimal("0.01")
ONE_HUNDRED = Decimal(100)
RATE = Decimal("0.0001")
# Quantity (11+4 digits) times price (11+10), or base times margin times reduction, must be exact
# until the rounding: the default 28 digits would round once before.
WIDE = Context(prec=80, rounding=ROUND_HALF_UP)


def cents(value: Decimal) -> Decimal:
    """`value` with two decimals, ties away from zero.

    Same rule as `lib.money.half_up` without its checks: this runs a dozen times per item and its
    input is never anything but a finite Decimal.
    """
    return value.quantize(CENT, ROUND_HALF_UP, WIDE)


def product(quantity: Decimal, price: Decimal) -> Decimal:
    """quantity × price in cents: vProd (TAX-1), ad rem taxes, taxes by unit."""
    return WIDE.multiply(quantity, price).quantize(CENT, ROUND_HALF_UP, WIDE)


def percent(base: Decimal, rate: Decimal) -> Decimal:
    """`rate` per cent of `base` in cents."""
    return (WIDE.multiply(base, rate) * CENT).quantize(CENT, ROUND_HALF_UP, WIDE)


def reduced(base: Decimal, reduction: Decimal | None) -> Decimal:
    """`base` less `reduction` per cent, in cents: the first of the two roundings of TAX-6."""
    return base if reduction is None else percent(base, ONE_HUNDRED - reduction)


def gross_up(net: Decimal, rate: Decimal) -> Decimal:
    """The base that holds its own tax ("por dentro"): net / (1 − rate), in cents (TAX-8).

    Raises ValueError for a rate of 100 % or more.
    """
    if rate >= ONE_HUNDRED:
        raise ValueError("a tax inside its own base is below 100 %")
    return cents(WIDE.divide(net * ONE_HUNDRED, ONE_HUNDRED - rate))
