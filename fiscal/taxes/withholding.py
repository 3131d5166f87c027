"""What the taker of a service keeps of its price and pays in the provider's name (TAX-12).

IR, PIS/COFINS/CSLL ("PCC", withheld or waived together) and INSS follow one scheme: a base, rates,
a price up to which nothing is withheld, a tax that is too small to be withheld. By law every
payment is judged alone: IR by Lei 9.430/1996, art. 67 (Solução de Consulta Cosit 38/2013), PCC
since Lei 13.137/2015 revoked Lei 10.833/2003, art. 31, § 4º. A taker that adds up the month, as
contracts and cities may ask, is served by `accumulates`: what stayed below the limit is withheld
with the payment that passes it, less what was withheld before.

Pure arithmetic over Decimal. Every result comes with lines that tell how it was found (TAX-14).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import StrEnum

from fiscal.taxes.rounding import CENT, ONE_HUNDRED, WIDE, ZERO
from lib.money import brl, decimal_br

RULE = "TAX-12"
LAW = {
    "IR": "Lei 9.430/1996, art. 67; RIR/2018, arts. 714 e 716",
    "PCC": "Lei 10.833/2003, arts. 30 e 31 (Lei 13.137/2015)",
    "INSS": "Lei 8.212/1991, art. 31; IN RFB 2.110/2022",
    "ISS": "LC 116/2003, art. 6º",
}
# Usual rates, percent (RIR/2018 art. 714; Lei 10.833 art. 31; Lei 8.212 art. 31).
USUAL = {
    "IR": Decimal("1.5"),
    "PIS": Decimal("0.65"),
    "COFINS": Decimal(3),
    "CSLL": Decimal(1),
    "INSS": Decimal(11),
}
WAIVED = Decimal("10.00")  # of IR and PCC: a tax of up to this; of INSS: of less than this


class Rounding(StrEnum):
    """How an amount becomes cents (M-2): a layout or a city may demand another than half-up."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    TRUNCATE = "truncate"


_MODES = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.TRUNCATE: ROUND_DOWN,
}
_MODE_TEXT = {
    Rounding.HALF_UP: "arredondamento comercial",
    Rounding.HALF_EVEN: "arredondamento ABNT NBR 5891",
    Rounding.TRUNCATE: "truncamento",
}


def in_cents(value: Decimal, mode: Rounding) -> Decimal:
    """`value` with two decimals, by the mode."""
    return value.quantize(CENT, _MODES[mode], WIDE)


def share(base: Decimal, rate: Decimal, mode: Rounding) -> Decimal:
    """`rate` per cent of `base`, in cents."""
    return in_cents(WIDE.multiply(base, rate) * CENT, mode)


@dataclass(frozen=True)
class Line:
    """One computation as staff read it: what, of which base, at which rate, by which rule."""

    what: str
    base: Decimal
    rate: Decimal
    rule: str
    result: Decimal
    text: str

    def as_dict(self) -> dict[str, str]:
        """JSON-ready: amounts as text with their decimals."""
        return {
            "tributo": self.what,
            "base": str(self.base),
            "aliquota": str(self.rate),
            "regra": self.rule,
            "resultado": str(self.result),
            "explicacao": self.text,
        }


@dataclass(frozen=True)
class Group:
    """Taxes that are withheld or waived together. Amounts BRL, rates percent.

    `free_up_to`: prices up to this are free. `waived`: the tax that is too small, included itself
    where `waived_is_included`. `ceiling`: highest base of a taker's month (INSS of a person); None
    is none. `base_share`: part of the price that is base, percent.
    """

    code: str
    rates: Mapping[str, Decimal]
    free_up_to: Decimal = ZERO
    waived: Decimal = WAIVED
    waived_is_included: bool = True
    accumulates: bool = False
    base_share: Decimal = ONE_HUNDRED
    ceiling: Decimal | None = None


@dataclass(frozen=True)
class Before:
    """What the same taker was billed earlier in the month, of one group."""

    amount: Decimal = ZERO
    base: Decimal = ZERO
    withheld: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One tax: what is withheld of this price. `base` is this price's own, for the month's sum."""

    tax: str
    base: Decimal
    rate: Decimal
    withheld: Decimal
    line: Line


def withhold(
    amount: Decimal,
    groups: Sequence[Group],
    *,
    before: Mapping[str, Before] | None = None,
    mode: Rounding = Rounding.HALF_UP,
    at_most: Decimal | None = None,
) -> list[Part]:
    """What is withheld of `amount` (BRL, not negative), tax by tax, never more than there is.

    `at_most`: what other withholdings have left of it. `before` by code of group. What a price is
    too small for stays for the next one of the month, where the group accumulates.
    """
    if amount < 0:
        raise ValueError("a price is not negative")
    left, parts = amount if at_most is None else at_most, []
    for group in groups:
        earlier = (before or {}).get(group.code, Before())
        for part in _of_group(amount, left, group, earlier, mode):
            parts.append(part)
            left -= part.withheld
    return parts


def _of_group(
    amount: Decimal, left: Decimal, group: Group, earlier: Before, mode: Rounding
) -> list[Part]:
    own = in_cents(WIDE.multiply(amount, group.base_share) * CENT, mode)
    if group.ceiling is not None:
        own = min(own, max(group.ceiling - earlier.base, ZERO))
    seen = earlier if group.accumulates else Before()
    base = own + seen.base
    full = {tax: share(base, rate, mode) for tax, rate in group.rates.items()}
    why = _free(group, amount + seen.amount, sum(full.values(), ZERO))
    parts = []
    for tax, rate in group.rates.items():
        due = ZERO if why else max(full[tax] - seen.withheld.get(tax, ZERO), ZERO)
        kept = min(due, left)
        left -= kept
        text = why or _told(base, rate, full[tax], seen, tax, due=due, kept=kept, mode=mode)
        line = Line(tax, base, rate, f"{RULE}/{group.code}: {LAW[group.code]}", kept, text)
        parts.append(Part(tax, own, rate, kept, line))
    return parts


def _free(group: Group, price: Decimal, tax: Decimal) -> str:
    """Why nothing is withheld; "" when something is."""
    summed = " no mês" if group.accumulates else ""
    if not any(group.rates.values()):
        return "Sem alíquota: nada a reter."
    if price <= group.free_up_to:
        return f"Dispensado: {brl(price)}{summed} não passa do limite de {brl(group.free_up_to)}."
    if tax < group.waived or (group.waived_is_included and tax == group.waived):
        bound = "até" if group.waived_is_included else "abaixo de"
        return f"Dispensado: retenção de {brl(tax)}{summed}, {bound} {brl(group.waived)}."
    return ""


def _told(
    base: Decimal,
    rate: Decimal,
    full: Decimal,
    seen: Before,
    tax: str,
    *,
    due: Decimal,
    kept: Decimal,
    mode: Rounding,
) -> str:
    text = f"{brl(base)} × {percent_br(rate)} = {brl(full)} ({_MODE_TEXT[mode]})"
    if seen.base:
        text += f", com {brl(seen.base)} de base anterior no mês"
    if earlier := seen.withheld.get(tax, ZERO):
        text += f", menos {brl(earlier)} já retidos = {brl(due)}"
    if kept < due:
        text += f"; limitado a {brl(kept)}, o que resta do valor"
    return text + "."


def percent_br(rate: Decimal) -> str:
    """`4,65%`: at least two decimals, at most four."""
    text = decimal_br(rate, 4)
    while text.endswith("0") and len(text.partition(",")[2]) > 2:
        text = text[:-1]
    return f"{text}%"
