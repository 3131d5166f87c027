"""ICMS by tax substitution: base with margin, less the tax of the operation itself (TAX-7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.taxes.rounding import CENT, ONE_HUNDRED, ZERO, cents
from fiscal.taxes.sheet import Sheet

RULE = "TAX-7"
_BY_OPERATION_VALUE = "6"  # modBCST 6: the base is the value of the operation


def st(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill vBCST and vICMSST when pICMSST was given; answers the rule or "".

    Without a margin and without a sent base there is nothing to compute: bases by price list
    (modBCST 0 to 3 and 5) are known to the sender alone. An item without own ICMS (Simples,
    exempt) deducts the `icms_valor` it carries, else nothing.
    """
    rate = item.get("icms_aliquota_st")
    if rate is None:
        return ""
    base = _base(item, sheet)
    if base is None:
        return ""
    due = base * rate * CENT - (item.get("icms_valor") or ZERO)
    sheet.settle(item, "icms_valor_st", max(cents(due), ZERO))
    return RULE


def _base(item: dict[str, Any], sheet: Sheet) -> Decimal | None:
    base: Decimal | None = item.get("icms_base_calculo_st")
    if base is not None:
        return base
    margin = item.get("icms_margem_valor_adicionado_st")
    if margin is None and item.get("icms_modalidade_base_calculo_st") != _BY_OPERATION_VALUE:
        return None
    value = sheet.operation + (item.get("ipi_valor") or ZERO)
    value = value * (ONE_HUNDRED + (margin or ZERO)) * CENT
    value = value * (ONE_HUNDRED - (item.get("icms_reducao_base_calculo_st") or ZERO)) * CENT
    item["icms_base_calculo_st"] = base = cents(value)
    return base
