"""PIS and COFINS, own and by substitution: the same rules under two names (TAX-10)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fiscal.taxes.rounding import ZERO, percent, product
from fiscal.taxes.sheet import Sheet

RULE = "TAX-10"
_BY_RATE = frozenset(("01", "02"))
_BY_QUANTITY = "03"
_WITHOUT_VALUE = frozenset(("04", "05", "06", "07", "08", "09"))
_NO_RATE = Decimal("0.0000")


@dataclass(frozen=True)
class Names:
    """Field names of one contribution."""

    cst: str
    base: str
    rate: str
    quantity: str
    per_unit: str
    value: str

    @classmethod
    def of(cls, tax: str, suffix: str = "") -> Names:
        fields = ("base_calculo", "aliquota_porcentual", "quantidade_vendida", "aliquota_valor")
        named = [f"{tax}_{name}{suffix}" for name in (*fields, "valor")]
        return cls(f"{tax}_situacao_tributaria", *named)


_OWN = (Names.of("pis"), Names.of("cofins"))
_SUBSTITUTED = (Names.of("pis", "_st"), Names.of("cofins", "_st"))


def pis_cofins(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill bases and values whose rate, or quantity and amount per unit, were given.

    The base is the operation without the ICMS highlighted in it (STF, RE 574.706). CST 49 to 99
    with no rate at all are written with zeros, the layout's way of saying that nothing is due.
    """
    base = sheet.operation - (item.get("icms_valor") or ZERO)
    done = [_own(item, sheet, names, base) for names in _OWN]
    for names in _SUBSTITUTED:
        if item.get(names.rate) is not None or item.get(names.per_unit) is not None:
            done.append(_valued(item, sheet, names, sheet.operation))
    return RULE if any(done) else ""


def _own(item: dict[str, Any], sheet: Sheet, names: Names, base: Decimal) -> bool:
    cst = item.get(names.cst)
    if cst is None or cst in _WITHOUT_VALUE:
        return False
    if _valued(item, sheet, names, base):
        return True
    if cst in _BY_RATE or cst == _BY_QUANTITY or _has_amounts(item, names):
        return False
    if names.quantity not in item and names.per_unit not in item:
        for campo, nothing in ((names.base, ZERO), (names.rate, _NO_RATE), (names.value, ZERO)):
            item.setdefault(campo, nothing)
    return True


def _has_amounts(item: dict[str, Any], names: Names) -> bool:
    fields = (names.base, names.rate, names.quantity, names.per_unit, names.value)
    return any(item.get(campo) for campo in fields)


def _valued(item: dict[str, Any], sheet: Sheet, names: Names, default_base: Decimal) -> bool:
    rate = item.get(names.rate)
    if rate is None:
        quantity, per_unit = item.get(names.quantity), item.get(names.per_unit)
        if quantity is None or per_unit is None:
            return False
        sheet.settle(item, names.value, product(quantity, per_unit))
        return True
    base = item.get(names.base)
    if base is None:
        if sheet.is_import:  # customs value: known to the sender alone
            return False
        item[names.base] = base = default_base
    sheet.settle(item, names.value, percent(base, rate))
    return True
