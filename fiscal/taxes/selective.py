"""Imposto Seletivo: by rate, by unit or both, on what the sender states (TAX-11)."""

from __future__ import annotations

from typing import Any

from fiscal.taxes.rounding import ZERO, percent, product
from fiscal.taxes.sheet import Sheet

RULE = "TAX-11/IS"


def selective(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill vIS when base and rate, or quantity and amount per unit, were given."""
    base, rate = item.get("is_base_calculo"), item.get("is_aliquota")
    quantity, per_unit = item.get("is_quantidade_tributavel"), item.get("is_aliquota_especifica")
    by_rate = None if base is None or rate is None else percent(base, rate)
    by_unit = None if quantity is None or per_unit is None else product(quantity, per_unit)
    if by_rate is None and by_unit is None:
        return ""
    sheet.settle(item, "is_valor", (by_rate or ZERO) + (by_unit or ZERO))
    return RULE
