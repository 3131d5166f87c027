"""ISS of a service: where it is due, on which base, who pays it (LC 116/2003; TAX-12).

Pure. The city's own law may say otherwise, so what the template says about the withholding wins;
the memory tells staff where the national law points elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from fiscal.tables.places import municipality
from fiscal.taxes.rounding import CENT, WIDE, ZERO
from fiscal.taxes.withholding import LAW, RULE, Line, Rounding, in_cents, percent_br, share
from lib.money import brl

LEAST, MOST = Decimal(2), Decimal(5)  # LC 116/2003, arts. 8º and 8º-A, percent

# LC 116/2003, art. 3º, II to XXII: due where the service is done. XXIII to XXV were struck down
# (ADI 5835).
_AT_PLACE = frozenset(
    [
        "0305",
        "0702",
        "0704",
        "0705",
        "0709",
        "0710",
        "0711",
        "0712",
        "0716",
        "0717",
        "0718",
        "0719",
        "1101",
        "1102",
        "1104",
        "1705",
        "1710",
    ]
)
_AT_PLACE_ITEMS = frozenset(("12", "16", "20"))
_NOT_AT_PLACE = frozenset(("1213",))
# LC 116/2003, art. 6º, § 2º, II: the taker, if it is a legal person, answers for the tax.
_TAKER_ANSWERS = frozenset(
    [
        "0305",
        "0702",
        "0704",
        "0705",
        "0709",
        "0710",
        "0712",
        "0716",
        "0717",
        "0719",
        "1102",
        "1705",
        "1710",
    ]
)


def item_code(item: str) -> str:
    """`1.07`, `01.07`, `0107` or `010701` as four digits; "" without one."""
    text = item.strip()
    head, dot, tail = text.partition(".")
    if dot:
        return head.zfill(2) + tail.replace(".", "")[:2].zfill(2)
    return (text if len(text) in (4, 6) else text.zfill(4))[:4] if text else ""


def is_due_at_place(item: str) -> bool:
    """Is ISS of that item of the list due where the service is done (art. 3º)?"""
    code = item_code(item)
    if code in _NOT_AT_PLACE:
        return False
    return code in _AT_PLACE or code[:2] in _AT_PLACE_ITEMS


def taker_answers(item: str) -> bool:
    """Does the national law make a legal person that takes it the substitute (art. 6º, § 2º)?"""
    return item_code(item) in _TAKER_ANSWERS


@dataclass(frozen=True)
class Service:
    """A service as its ISS needs it. Cities by IBGE code; BRL; percent."""

    item: str
    amount: Decimal
    provider_city: str
    service_city: str
    rate: Decimal | None = None
    is_withheld: bool = False
    withheld_rate: Decimal | None = None  # None: `rate`
    free_up_to: Decimal = ZERO
    deductions: Decimal = ZERO
    deduction_share: Decimal = ZERO  # percent of the price
    discount: Decimal = ZERO  # unconditional
    taker_is_legal: bool = True
    untaxed: str = ""  # why nothing is due: an exemption, an immunity
    suspended: str = ""  # why it is due, but not to be paid for now: nobody withholds it


@dataclass(frozen=True)
class Iss:
    """`city` is where it is due. `withheld` is zero unless the taker pays it."""

    city: str
    base: Decimal
    rate: Decimal
    value: Decimal
    withheld: Decimal
    withheld_rate: Decimal
    deductions: Decimal
    lines: tuple[Line, ...]


def iss(service: Service, *, mode: Rounding = Rounding.HALF_UP) -> Iss:
    """Base = price − deductions − unconditional discount, not below zero; then the rate."""
    cut = service.deductions + in_cents(
        WIDE.multiply(service.amount, service.deduction_share) * CENT, mode
    )
    base = max(service.amount - cut - service.discount, ZERO)
    rate = ZERO if service.untaxed else service.rate or ZERO
    value = share(base, rate, mode)
    held_rate = rate if service.withheld_rate is None else service.withheld_rate
    held, why = _withheld(service, base, held_rate, mode)
    at_place = is_due_at_place(service.item)
    city = service.service_city if at_place else service.provider_city
    first = _line("ISS", base, rate, value, _due_text(service, base, rate, city, at_place))
    second = _line("ISS retido", base, held_rate, held, why)
    return Iss(city, base, rate, value, held, held_rate, min(cut, service.amount), (first, second))


def _line(what: str, base: Decimal, rate: Decimal, result: Decimal, text: str) -> Line:
    return Line(what, base, rate, f"{RULE}/ISS: {LAW['ISS']}", result, text)


def _withheld(
    service: Service, base: Decimal, rate: Decimal, mode: Rounding
) -> tuple[Decimal, str]:
    if service.untaxed or service.suspended:
        return ZERO, f"Não retido: {service.untaxed or service.suspended}."
    if not service.is_withheld:
        return ZERO, _not_withheld(service)
    if not service.taker_is_legal:
        return ZERO, "Não retido: o tomador é pessoa física."
    if service.amount <= service.free_up_to:
        limit = brl(service.free_up_to)
        return ZERO, f"Não retido: {brl(service.amount)} não passa do limite de {limit}."
    held = min(share(base, rate, mode), service.amount)
    return held, f"Retido pelo tomador: {brl(base)} × {percent_br(rate)} = {brl(held)}."


def _not_withheld(service: Service) -> str:
    text = "Não retido: o prestador recolhe."
    if service.taker_is_legal and taker_answers(service.item):
        text += (
            " Atenção: neste item o tomador pessoa jurídica é responsável pelo imposto "
            "(LC 116/2003, art. 6º, § 2º, II); confira a lei do município."
        )
    return text


def _named(city: str) -> str:
    """As people say it: the memory is read by staff."""
    found = municipality(city)
    return f"{found.name}/{found.uf}" if found else city or "município não informado"


def _due_text(service: Service, base: Decimal, rate: Decimal, city: str, at_place: bool) -> str:
    if service.untaxed:
        return f"{brl(service.amount)}. Nada devido: {service.untaxed}."
    text = f"{brl(service.amount)}"
    if base != service.amount:
        text += f" menos deduções e descontos = {brl(base)}"
    text += f", {percent_br(rate)}. Devido em {_named(city)}: "
    text += "local da prestação (art. 3º)." if at_place else "estabelecimento do prestador."
    if rate and not LEAST <= rate <= MOST:
        text += f" Atenção: a alíquota vai de {LEAST}% a {MOST}% (LC 116/2003, arts. 8º e 8º-A)."
    return text
