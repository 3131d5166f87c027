"""Fundo de Combate à Pobreza: own, by substitution and retained earlier (TAX-7, TAX-8)."""

from __future__ import annotations

from typing import Any

from fiscal.taxes.rounding import CENT, ZERO, cents, percent
from fiscal.taxes.sheet import Sheet

RULE = "TAX-8"


def fcp(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill FCP values whose rate was given; answers the rule or "".

    The base is the one of the ICMS unless another was sent. Zero rates are skipped: the layout has
    no tag for them.
    """
    own = bool(item.get("fcp_percentual")) and _own(item, sheet)
    substituted = bool(item.get("fcp_percentual_st")) and _substituted(item, sheet)
    retained = bool(item.get("fcp_percentual_retido_st")) and _retained(item, sheet)
    return RULE if own or substituted or retained else ""


def _own(item: dict[str, Any], sheet: Sheet) -> bool:
    base = item.get("fcp_base_calculo")
    if base is None:
        base = item.get("icms_base_calculo")
        if base is None:
            return False
        # ICMS00 has no vBCFCP: there the base is vBC by definition.
        if item.get("icms_situacao_tributaria") != "00":
            item["fcp_base_calculo"] = base
    value = sheet.settle(item, "fcp_valor", percent(base, item["fcp_percentual"]))
    deferral = item.get("icms_fcp_percentual_diferimento")
    if deferral:
        deferred = sheet.settle(item, "icms_fcp_valor_diferido", percent(value, deferral))
        sheet.settle(item, "icms_fcp_valor_efetivo", value - deferred)
    return True


def _substituted(item: dict[str, Any], sheet: Sheet) -> bool:
    """vFCPST = base × rate − own FCP, not below zero: like vICMSST."""
    base = item.get("fcp_base_calculo_st")
    if base is None:
        base = item.get("icms_base_calculo_st")
        if base is None:
            return False
        item["fcp_base_calculo_st"] = base
    due = base * item["fcp_percentual_st"] * CENT - (item.get("fcp_valor") or ZERO)
    sheet.settle(item, "fcp_valor_st", max(cents(due), ZERO))
    return True


def _retained(item: dict[str, Any], sheet: Sheet) -> bool:
    base = item.get("fcp_base_calculo_retido_st")
    if base is None:
        return False
    value = percent(base, item["fcp_percentual_retido_st"])
    sheet.settle(item, "fcp_valor_retido_st", value)
    return True
