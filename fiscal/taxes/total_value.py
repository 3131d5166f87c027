"""vItem of an item, vNF and vNFTot of the document (TAX-4, TAX-5, fiscal-api §21.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.documents.types import Data
from fiscal.taxes.reform_rates import CHARGED_OUTSIDE_FROM
from fiscal.taxes.rounding import ZERO
from fiscal.taxes.sheet import Sheet

Item = dict[str, Any]

RULE = "TAX-4"
_ADDED = (
    "icms_valor_st",
    "icms_valor_mono_retencao",
    "fcp_valor_st",
    "valor_frete",
    "valor_seguro",
    "valor_outras_despesas",
    "ii_valor",
    "ipi_valor",
    "valor_ipi_devolvido",
)
_CHARGED_OUTSIDE = (
    "ibs_valor_total",
    "cbs_valor",
    "is_valor",
    "mono_total_ibs_item",
    "mono_total_cbs_item",
)
# Header fields of the formula of fiscal-api §21.2, then the ones that only the layout has.
_PLUS = (
    "valor_produtos",
    "valor_total_servicos",
    "icms_valor_total_st",
    "valor_frete",
    "valor_seguro",
    "valor_outras_despesas",
    "valor_total_ii",
    "valor_ipi",
    "fcp_valor_total_st",
    "valor_ipi_devolvido",
    "icms_valor_mono_retencao",
)


def deducts_relief(item: Item, modelo: int) -> bool:
    """Whether vICMSDeson of the item leaves its total: indDeduzDeson = 1.

    Without the indicator a model 65 deducts it, as its formula in §21.2 says.
    """
    indicator = item.get("icms_deducao_desoneracao")
    return indicator == "1" or (indicator is None and modelo == 65)


def settle_relief(items: list[Item], sheet: Sheet) -> None:
    """Write the indicator that the formula of model 65 implies, so that the XML says the same."""
    if sheet.modelo == 65:
        for item in items:
            if item.get("icms_valor_desonerado"):
                item.setdefault("icms_deducao_desoneracao", "1")


def substituted_in_total(item: Item) -> Decimal:
    """PIS-ST and COFINS-ST that their indicators put into the total."""
    total = ZERO
    if item.get("inclui_pis_st_no_total") == "1":
        total += item.get("pis_valor_st") or ZERO
    if item.get("inclui_cofins_st_no_total") == "1":
        total += item.get("cofins_valor_st") or ZERO
    return total


def item_value(item: Item, sheet: Sheet) -> Decimal:
    """vItem (TAX-5): the item's part of the document total, gross value only when indTot = 1."""
    total = ZERO if item.get("inclui_no_total") == "0" else item.get("valor_bruto", ZERO)
    for campo in _ADDED:
        if campo in item:
            total += item[campo]
    total -= item.get("valor_desconto", ZERO)
    if "icms_valor_desonerado" in item and deducts_relief(item, sheet.modelo):
        total -= item["icms_valor_desonerado"]
    if sheet.day >= CHARGED_OUTSIDE_FROM:
        total += sum((item.get(campo, ZERO) for campo in _CHARGED_OUTSIDE), ZERO)
    return total + substituted_in_total(item)


def document_value(data: Data, items: list[Item], modelo: int) -> Decimal:
    """vNF (TAX-4): the header amounts, as sent or as summed, in the formula of §21.2."""
    total = sum((data[campo] for campo in _PLUS if campo in data), ZERO)
    total -= data.get("valor_desconto", ZERO)
    for item in items:
        if "icms_valor_desonerado" in item and deducts_relief(item, modelo):
            total -= item["icms_valor_desonerado"]
        total += substituted_in_total(item)
    return total


def is_import(items: list[Item]) -> bool:
    """An import has no computed vNF (§21.2): some CFOP begins with 3."""
    return any(str(item.get("cfop", "")).startswith("3") for item in items)
