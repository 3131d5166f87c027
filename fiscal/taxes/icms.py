"""ICMS of the operation itself, by CST or CSOSN (TAX-6), and ad rem on fuels (TAX-7)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fiscal.taxes.rounding import ONE_HUNDRED, percent, product, reduced
from fiscal.taxes.sheet import Sheet

Item = dict[str, Any]

WITHOUT_VALUE = frozenset(("40", "41", "50"))  # fiscal-api §21.1: never in the total
_REDUCING = frozenset(("20", "51", "70", "90", "900"))


def icms(item: Item, sheet: Sheet) -> str:
    """Fill base and value that the item's CST asks for when its rate was given.

    Answers the rule applied, or "" when there was nothing to compute: a rate is never guessed.
    """
    rule = _BY_CST.get(item.get("icms_situacao_tributaria", ""))
    return rule(item, sheet) if rule else ""


def base_of(item: Item, sheet: Sheet) -> Decimal | None:
    """vBC: sent, or the operation (+ IPI towards a final consumer), reduced by pRedBC.

    None for an import, whose base is made at customs, and for the shared operations of ICMSPart.
    """
    base: Decimal | None = item.get("icms_base_calculo")
    cst = item["icms_situacao_tributaria"]
    if base is not None or sheet.is_import or cst.endswith("_partilha"):
        return base
    base = sheet.operation
    if sheet.is_final_consumer and "ipi_valor" in item:
        base += item["ipi_valor"]
    if cst in _REDUCING:
        base = reduced(base, item.get("icms_reducao_base_calculo"))
    item["icms_base_calculo"] = base
    return base


def _taxed(item: Item, sheet: Sheet) -> str:
    rate = item.get("icms_aliquota")
    base = None if rate is None else base_of(item, sheet)
    if rate is None or base is None:
        return ""
    sheet.settle(item, "icms_valor", percent(base, rate))
    return "TAX-6"


def _deferrable(item: Item, sheet: Sheet) -> str:
    """CST 51, and 90 with pDif: vICMSOp, vICMSDif and their difference, each rounded."""
    deferral = item.get("icms_percentual_diferimento")
    rate = item.get("icms_aliquota")
    if deferral is None or rate is None:
        return _taxed(item, sheet)
    base = base_of(item, sheet)
    if base is None:
        return ""
    full = sheet.settle(item, "icms_valor_operacao", percent(base, rate))
    deferred = sheet.settle(item, "icms_valor_diferido", percent(full, deferral))
    sheet.settle(item, "icms_valor", full - deferred)
    return "TAX-6/51"


def _credit(item: Item, sheet: Sheet) -> str:
    """vCredICMSSN of CSOSN 101 and 201."""
    rate = item.get("icms_aliquota_credito_simples")
    if rate is None:
        return ""
    sheet.settle(item, "icms_valor_credito_simples", percent(sheet.operation, rate))
    return "TAX-6/101"


def _csosn_900(item: Item, sheet: Sheet) -> str:
    rule = _taxed(item, sheet)
    if item.get("icms_aliquota_credito_simples") is None:
        return rule
    base = item.get("icms_base_calculo")
    value = percent(
        sheet.operation if base is None else base, item["icms_aliquota_credito_simples"]
    )
    sheet.settle(item, "icms_valor_credito_simples", value)
    return "TAX-6/900"


def _effective(item: Item, sheet: Sheet) -> str:
    """vBCEfet and vICMSEfet of CST 60 and CSOSN 500, when pICMSEfet was given."""
    rate = item.get("icms_aliquota_efetiva")
    if rate is None:
        return ""
    base = item.get("icms_base_calculo_efetiva")
    if base is None:
        base = reduced(sheet.operation, item.get("icms_reducao_base_calculo_efetiva"))
        item["icms_base_calculo_efetiva"] = base
    sheet.settle(item, "icms_valor_efetivo", percent(base, rate))
    return "TAX-6/60"


def _ad_rem(item: Item, sheet: Sheet, *, quantity: str, rate: str, value: str) -> Decimal | None:
    """value = quantity × rate, less pRedAdRem per cent of the rate where it was given."""
    amount, per_unit = item.get(quantity), item.get(rate)
    if amount is None or per_unit is None:
        return None
    reduction = item.get("icms_percentual_reducao")
    if reduction is not None:
        per_unit = per_unit * (ONE_HUNDRED - reduction) / ONE_HUNDRED
    return sheet.settle(item, value, product(amount, per_unit))


def _mono(item: Item, sheet: Sheet) -> str:
    own = _ad_rem(
        item,
        sheet,
        quantity="icms_base_calculo_mono",
        rate="icms_aliquota",
        value="icms_valor_mono",
    )
    return "" if own is None else "TAX-7/02"


def _mono_retention(item: Item, sheet: Sheet) -> str:
    _mono(item, sheet)
    retained = _ad_rem(
        item,
        sheet,
        quantity="icms_base_calculo_mono_retencao",
        rate="icms_aliquota_retencao",
        value="icms_valor_mono_retencao",
    )
    return "" if retained is None else "TAX-7/15"


def _mono_deferred(item: Item, sheet: Sheet) -> str:
    full = _ad_rem(
        item,
        sheet,
        quantity="icms_base_calculo_mono",
        rate="icms_aliquota",
        value="icms_valor_mono_operacao",
    )
    deferral = item.get("icms_percentual_diferimento")
    if full is None or deferral is None:
        return ""
    deferred = sheet.settle(item, "icms_valor_mono_diferido", percent(full, deferral))
    sheet.settle(item, "icms_valor_mono", full - deferred)
    return "TAX-7/53"


def _mono_retained(item: Item, sheet: Sheet) -> str:
    retained = _ad_rem(
        item,
        sheet,
        quantity="icms_base_calculo_mono_retido",
        rate="icms_aliquota_retido",
        value="icms_valor_mono_retido",
    )
    return "" if retained is None else "TAX-7/61"


_BY_CST: dict[str, Callable[[Item, Sheet], str]] = {
    **dict.fromkeys(("00", "10", "20", "70"), _taxed),
    **dict.fromkeys(("10_partilha", "20_partilha", "90_partilha"), _taxed),
    **dict.fromkeys(("51", "90"), _deferrable),
    **dict.fromkeys(("101", "201"), _credit),
    **dict.fromkeys(("60", "60_st", "41_st", "500"), _effective),
    "900": _csosn_900,
    "02": _mono,
    "15": _mono_retention,
    "53": _mono_deferred,
    "61": _mono_retained,
}
