"""ISSQN of a service inside an NF-e or NFC-e (TAX-10, TAX-12)."""

from __future__ import annotations

from typing import Any

from fiscal.taxes.rounding import ZERO, percent
from fiscal.taxes.sheet import Sheet

RULE = "TAX-10/ISSQN"
FIELDS = frozenset(
    f"issqn_{name}"
    for name in (
        "base_calculo",
        "aliquota",
        "valor",
        "codigo_municipio",
        "item_lista_servico",
        "valor_deducao",
        "valor_outras_retencoes",
        "valor_desconto_incondicionado",
        "valor_desconto_condicionado",
        "valor_retencao",
        "indicador_exigibilidade",
        "codigo_servico",
        "codigo_municipio_incidencia",
        "codigo_pais",
        "numero_processo",
        "indicador_incentivo",
    )
)


def is_service(item: dict[str, Any]) -> bool:
    """Whether the item has the ISSQN group: any of its fields (fiscal-api §21.1)."""
    return not FIELDS.isdisjoint(item)


def issqn(item: dict[str, Any], sheet: Sheet) -> str:
    """Fill vBC (vServ − deductions − unconditional discount) and vISSQN when vAliq was given."""
    rate = item.get("issqn_aliquota")
    if rate is None:
        return ""
    base = item.get("issqn_base_calculo")
    if base is None:
        base = item["valor_bruto"] - (item.get("issqn_valor_deducao") or ZERO)
        base -= item.get("issqn_valor_desconto_incondicionado") or ZERO
        item["issqn_base_calculo"] = base = max(base, ZERO)
    sheet.settle(item, "issqn_valor", percent(base, rate))
    return RULE
