"""Header totals: sums of the rounded items, never recomputed from bases (TAX-3, §21.1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fiscal.documents.types import Data
from fiscal.taxes.icms import WITHOUT_VALUE
from fiscal.taxes.issqn import is_service
from fiscal.taxes.rounding import ZERO
from fiscal.taxes.sheet import Sheet
from fiscal.taxes.total_value import document_value, is_import, item_value, settle_relief

Item = dict[str, Any]
Sums = dict[str, Decimal]

RULE = "TAX-3"

# item field → header field. Mandatory tags of ICMSTot: written even when zero (XML-4).
_ALWAYS = {
    "icms_base_calculo": "icms_base_calculo",
    "icms_valor": "icms_valor_total",
    "icms_valor_desonerado": "icms_valor_total_desonerado",
    "fcp_valor": "fcp_valor_total",
    "icms_base_calculo_st": "icms_base_calculo_st",
    "icms_valor_st": "icms_valor_total_st",
    "fcp_valor_st": "fcp_valor_total_st",
    "fcp_valor_retido_st": "fcp_valor_total_retido_st",
    "valor_frete": "valor_frete",
    "valor_seguro": "valor_seguro",
    "valor_desconto": "valor_desconto",
    "ii_valor": "valor_total_ii",
    "ipi_valor": "valor_ipi",
    "valor_ipi_devolvido": "valor_ipi_devolvido",
    "valor_outras_despesas": "valor_outras_despesas",
}
_MANDATORY = (*_ALWAYS.values(), "valor_produtos", "valor_pis", "valor_cofins")

# Tags of ICMSTot, ISSQNtot and ISTot that exist when an item has the field.
_WHEN_PRESENT = {
    "fcp_valor_uf_destino": "fcp_valor_total_uf_destino",
    "icms_valor_uf_destino": "icms_valor_total_uf_destino",
    "icms_valor_uf_remetente": "icms_valor_total_uf_remetente",
    "icms_base_calculo_mono": "icms_base_calculo_mono",
    "icms_valor_mono": "icms_valor_mono",
    "icms_base_calculo_mono_retencao": "icms_base_calculo_mono_retencao",
    "icms_valor_mono_retencao": "icms_valor_mono_retencao",
    "icms_base_calculo_mono_retido": "icms_base_calculo_mono_retido",
    "icms_valor_mono_retido": "icms_valor_mono_retido",
    "valor_total_tributos": "valor_total_tributos",
    "issqn_base_calculo": "issqn_base_calculo",
    "issqn_valor": "issqn_valor_total",
    "issqn_valor_deducao": "issqn_valor_total_deducao",
    "issqn_valor_outras_retencoes": "issqn_valor_total_outras_retencoes",
    "issqn_valor_desconto_incondicionado": "issqn_valor_total_desconto_incondicionado",
    "issqn_valor_desconto_condicionado": "issqn_valor_total_desconto_condicionado",
    "issqn_valor_retencao": "issqn_valor_total_retencao",
    "is_valor": "is_valor_total",
}

# gIBS and gCBS of IBSCBSTot: all of them as soon as one item has a valued gIBSCBS (XML-14).
_BY_RATE = {
    "ibs_cbs_base_calculo": "ibs_cbs_base_calculo",
    "ibs_uf_valor_diferido": "ibs_uf_valor_total_diferimento",
    "ibs_uf_valor_tributo_devolvido": "ibs_uf_valor_total_devolucao",
    "ibs_uf_valor": "ibs_uf_valor_total",
    "ibs_mun_valor_diferido": "ibs_mun_valor_total_diferimento",
    "ibs_mun_valor_tributo_devolvido": "ibs_mun_valor_total_devolucao",
    "ibs_mun_valor": "ibs_mun_valor_total",
    "ibs_valor_total": "ibs_valor_total",
    "ibs_valor_credito_presumido": "ibs_valor_total_credito_presumido",
    "ibs_valor_condicao_suspensiva": "ibs_valor_total_condicao_suspensiva",
    "cbs_valor_diferido": "cbs_valor_total_diferimento",
    "cbs_valor_tributo_devolvido": "cbs_valor_total_devolucao",
    "cbs_valor": "cbs_valor_total",
    "cbs_valor_credito_presumido": "cbs_valor_total_credito_presumido",
    "cbs_valor_condicao_suspensiva": "cbs_valor_total_condicao_suspensiva",
}
# gMono: all of them as soon as one item has single-phase IBS or CBS.
_MONO = {
    f"mono_{tax}_{value}{basis}": f"{tax}_valor_total_monofasico{total}"
    for tax in ("ibs", "cbs")
    for basis in ("", "_ad_valorem")
    for value, total in (
        ("valor", ""),
        ("valor_retencao", "_retencao"),
        ("valor_retido_anteriormente", "_retido"),
    )
}
_REVERSED_CREDIT = {
    "ibs_valor_estorno_credito": "ibs_valor_total_credito_estornado",
    "cbs_valor_estorno_credito": "cbs_valor_total_credito_estornado",
}
_SUMMED = {**_ALWAYS, **_WHEN_PRESENT, **_BY_RATE, **_MONO, **_REVERSED_CREDIT}
_SUMMED_FIELDS = _SUMMED.keys() - {"icms_valor"}
_OWED_TOGETHER = (
    ("ibs_cbs_base_calculo", _BY_RATE),
    ("mono_ibs_valor", _MONO),
    ("mono_cbs_valor", _MONO),
    ("mono_ibs_valor_ad_valorem", _MONO),
    ("mono_cbs_valor_ad_valorem", _MONO),
    ("mono_ibs_valor_retido_anteriormente", _MONO),
    ("ibs_valor_estorno_credito", _REVERSED_CREDIT),
)


def totals(data: Data, items: list[Item], sheet: Sheet) -> str:
    """Fill the totals that were not sent (fiscal-api §21); answers the rule applied."""
    settle_relief(items, sheet)
    sums = _sums(items)
    _group_zeros(items, sums)
    for campo, value in sums.items():
        if campo in data:
            sheet.settle(data, campo, value)
        else:
            data[campo] = value
    if any("ibs_cbs_situacao_tributaria" in item for item in items):
        _reform_values(data, items, sheet)
    if not is_import(items):
        sheet.settle(data, "valor_total", document_value(data, items, sheet.modelo))
    return RULE


def _sums(items: list[Item]) -> Sums:
    """Header field → sum; fields of optional groups only where an item has them."""
    sums: Sums = dict.fromkeys(_MANDATORY, ZERO)
    for item in items:
        for campo in item.keys() & _SUMMED_FIELDS:
            header = _SUMMED[campo]
            sums[header] = sums.get(header, ZERO) + item[campo]
        if "icms_valor" in item and item.get("icms_situacao_tributaria") not in WITHOUT_VALUE:
            sums["icms_valor_total"] += item["icms_valor"]
        _add_gross(item, sums)
    return sums


def _add_gross(item: Item, sums: Sums) -> None:
    """vProd, vPIS and vCOFINS, of ICMSTot for goods and of ISSQNtot for services (TAX-3)."""
    serves = is_service(item)
    gross, pis, cofins = (
        ("valor_total_servicos", "valor_pis_servicos", "valor_cofins_servicos")
        if serves
        else ("valor_produtos", "valor_pis", "valor_cofins")
    )
    if item.get("inclui_no_total") != "0":
        sums[gross] = sums.get(gross, ZERO) + item.get("valor_bruto", ZERO)
    if "pis_valor" in item:
        sums[pis] = sums.get(pis, ZERO) + item["pis_valor"]
    if "cofins_valor" in item:
        sums[cofins] = sums.get(cofins, ZERO) + item["cofins_valor"]


def _group_zeros(items: list[Item], sums: Sums) -> None:
    """A group of IBSCBSTot is complete or absent: zeros beside what the items have."""
    for campo, group in _OWED_TOGETHER:
        if any(campo in item for item in items):
            for header in group.values():
                sums.setdefault(header, ZERO)
            sums.setdefault("ibs_cbs_base_calculo", ZERO)


def _reform_values(data: Data, items: list[Item], sheet: Sheet) -> None:
    """vItem of every item and vNFTot go together with the IBSCBS group (XML-14)."""
    if is_import(items):
        return
    whole = ZERO
    for index, item in enumerate(items):
        sheet.where = f"items[{index}]."
        whole += sheet.settle(item, "valor_total_item", item_value(item, sheet))
    sheet.where = ""
    sheet.settle(data, "ibs_cbs_is_valor_total", whole)
