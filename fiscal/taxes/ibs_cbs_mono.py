"""Single-phase IBS and CBS on fuels, by quantity: group gIBSCBSMono, CST 620 (TAX-11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.taxes.rounding import ZERO, percent, product
from fiscal.taxes.sheet import Sheet

RULE = "TAX-11/620"

# quantity, and per tax: rate by unit → value
_QUANTITY = "mono_base_calculo_quantidade_tributada"
_BY_QUANTITY = (
    (_QUANTITY, "mono_{}_aliquota_ad_rem", "mono_{}_valor"),
    (f"{_QUANTITY}_retencao", "mono_{}_aliquota_retencao", "mono_{}_valor_retencao"),
    (
        "mono_base_calculo_quantidade_retida_anteriormente",
        "mono_{}_aliquota_retida_anteriormente",
        "mono_{}_valor_retido_anteriormente",
    ),
)
_STEPS = {
    tax: tuple(
        (quantity, rate.format(tax), value.format(tax)) for quantity, rate, value in _BY_QUANTITY
    )
    for tax in ("ibs", "cbs")
}


def ibs_cbs_mono(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill what quantity × rate gives, the deferred part and the totals of the item."""
    done = [_tax(item, sheet, tax) for tax in _STEPS]
    return RULE if any(done) else ""


def _tax(item: dict[str, Any], sheet: Sheet, tax: str) -> bool:
    found = False
    for quantity, rate, value in _STEPS[tax]:
        amount, per_unit = item.get(quantity), item.get(rate)
        if amount is not None and per_unit is not None:
            sheet.settle(item, value, product(amount, per_unit))
            found = True
    own: Decimal | None = item.get(f"mono_{tax}_valor")
    deferral = item.get(f"mono_{tax}_percentual_diferido")
    if own is not None and deferral is not None:
        sheet.settle(item, f"mono_{tax}_valor_diferido", percent(own, deferral))
    retained: Decimal | None = item.get(f"mono_{tax}_valor_retencao")
    if own is None and retained is None:
        return found
    total = (own or ZERO) + (retained or ZERO) - (item.get(f"mono_{tax}_valor_diferido") or ZERO)
    sheet.settle(item, f"mono_total_{tax}_item", total)
    return True
