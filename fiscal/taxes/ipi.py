"""IPI: by rate or by unit for CST 00, 49, 50 and 99, without value for the others (TAX-10)."""

from __future__ import annotations

from typing import Any

from fiscal.taxes.rounding import percent, product
from fiscal.taxes.sheet import Sheet

RULE = "TAX-10/IPI"
_VALUED = frozenset(("00", "49", "50", "99"))


def ipi(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill vBC and vIPI when a rate, or a quantity and an amount per unit, were given."""
    if item.get("ipi_situacao_tributaria") not in _VALUED:
        return ""
    rate, quantity = item.get("ipi_aliquota"), item.get("ipi_quantidade_total")
    per_unit = item.get("ipi_valor_por_unidade_tributavel")
    if rate is not None:
        return _by_rate(item, sheet)
    if quantity is None or per_unit is None:
        return ""
    sheet.settle(item, "ipi_valor", product(quantity, per_unit))
    return RULE


def _by_rate(item: dict[str, Any], sheet: Sheet) -> str:
    base = item.get("ipi_base_calculo")
    if base is None:
        if sheet.is_import:  # customs value: known to the sender alone
            return ""
        item["ipi_base_calculo"] = base = sheet.operation
    sheet.settle(item, "ipi_valor", percent(base, item["ipi_aliquota"]))
    return RULE
