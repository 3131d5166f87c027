"""DIFAL to a final consumer, not a taxpayer, in another UF: group ICMSUFDest (TAX-9)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.taxes.rounding import CENT, ONE_HUNDRED, ZERO, cents, percent
from fiscal.taxes.sheet import SIMPLES, Sheet

RULE = "TAX-9"


def difal(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill shares and FCP of the destination when both rates were given; the rule or "".

    Not for Simples and MEI: the Supreme Court took them out (ADI 5464). The base is the sent one,
    else the ICMS base, else the operation: a UF with the "double base" has it sent.
    """
    internal = item.get("icms_aliquota_interna_uf_destino")
    between = item.get("icms_aliquota_interestadual")
    if internal is None or between is None or sheet.crt in SIMPLES:
        return ""
    base = _default(item, "icms_base_calculo_uf_destino", _base(item, sheet))
    part = _default(item, "icms_percentual_partilha", ONE_HUNDRED)
    difference = max(internal - Decimal(between), ZERO)
    whole = percent(base, difference)
    share = whole if part == ONE_HUNDRED else cents(base * difference * part * CENT * CENT)
    sheet.settle(item, "icms_valor_uf_destino", share)
    sheet.settle(item, "icms_valor_uf_remetente", whole - share)
    _fcp(item, sheet, base)
    return RULE


def _base(item: dict[str, Any], sheet: Sheet) -> Decimal:
    base: Decimal | None = item.get("icms_base_calculo")
    return sheet.operation if base is None else base


def _default(item: dict[str, Any], campo: str, value: Decimal) -> Decimal:
    sent: Decimal | None = item.get(campo)
    if sent is None:
        item[campo] = sent = value
    return sent


def _fcp(item: dict[str, Any], sheet: Sheet, base: Decimal) -> None:
    rate = item.get("fcp_percentual_uf_destino")
    if rate is not None:
        base = _default(item, "fcp_base_calculo_uf_destino", base)
        sheet.settle(item, "fcp_valor_uf_destino", percent(base, rate))
