"""IBS and CBS by rate: group gIBSCBS of the item (TAX-11, XML-14, NT 2025.002)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fiscal.tables.cclasstrib import classification
from fiscal.taxes.icms import WITHOUT_VALUE
from fiscal.taxes.reform_rates import rates_on
from fiscal.taxes.rounding import CENT, ONE_HUNDRED, RATE, WIDE, ZERO, cents, percent
from fiscal.taxes.sheet import Sheet

Item = dict[str, Any]
RULE = "TAX-11"


@dataclass(frozen=True)
class Tax:
    """Field names of one of the three taxes of the group."""

    name: str
    rate: str
    deferral: str
    deferred: str
    refund_percent: str
    refunded: str
    reduction: str
    effective: str
    value: str

    @classmethod
    def of(cls, name: str) -> Tax:
        fields = (
            "aliquota",
            "percentual_diferimento",
            "valor_diferido",
            "percentual_tributo_devolvido",
            "valor_tributo_devolvido",
            "percentual_reducao_aliquota",
            "aliquota_efetiva",
            "valor",
        )
        return cls(name, *(f"{name}_{campo}" for campo in fields))


TAXES = (Tax.of("ibs_uf"), Tax.of("ibs_mun"), Tax.of("cbs"))
_IBS_UF, _IBS_MUN, _CBS = TAXES

# CST whose value follows from the standard rate, and what must be added to it: only the class
# (cClassTrib) says how much is reduced, and the sender how much is deferred; never the CST.
_REDUCTION = "percentual_reducao_aliquota"
_NEEDS: dict[str, tuple[str, ...]] = {
    "000": (),
    "011": (_REDUCTION,),
    "200": (_REDUCTION,),
    "510": ("percentual_diferimento",),
    "515": (_REDUCTION, "percentual_diferimento"),
}

# On the same base: what the item would pay in general (gTribRegular) or without the reduction of
# a government purchase (gTribCompraGov).
_COMPARISONS = (
    ("ibs_aliquota_efetiva_regular_uf", "ibs_valor_tributo_regular_uf"),
    ("ibs_aliquota_efetiva_regular_municipio", "ibs_valor_tributo_regular_municipio"),
    ("cbs_aliquota_efetiva_regular", "cbs_valor_tributo_regular"),
    ("cbs_zfm_aliquota_efetiva_regular", "cbs_zfm_valor_tributacao_regular"),
    ("ibs_aliquota_competencia_uf", "ibs_valor_tributo_calculado_uf"),
    ("ibs_aliquota_competencia_municipio", "ibs_valor_tributo_calculado_municipio"),
    ("cbs_aliquota_compra_governamental", "cbs_valor_tributo_calculado"),
)


def ibs_cbs(item: Item, sheet: Sheet) -> str:
    """Fill gIBSCBS of an item whose CST has values; answers the rule or "".

    Rates not sent come from the table of the day of issue, reductions from that of classes. A CST
    that needs one which is in neither, or a deferral, stays as it is, with a note. The base may be
    zero, never negative.
    """
    cst = item.get("ibs_cbs_situacao_tributaria")
    if cst is None or not (_is_rated(item, sheet, cst) and _with_rates(item, sheet)):
        return ""
    base = _base(item, sheet)
    if base is None:
        return ""
    state, town, _ = [_tax(item, sheet, tax, base) for tax in TAXES]
    sheet.settle(item, "ibs_valor_total", state + town)
    for rate, value in _COMPARISONS:
        if rate in item:
            sheet.settle(item, value, percent(base, item[rate]))
    return RULE


def base_of(item: Item, sheet: Sheet) -> Decimal:
    """vBC: the operation + vII + vIS less the taxes that leave the base."""
    get = item.get
    base = sheet.operation + get("ii_valor", ZERO) + get("is_valor", ZERO)
    if get("icms_situacao_tributaria") not in WITHOUT_VALUE:
        base -= get("icms_valor", ZERO)
    return (
        base
        - get("pis_valor", ZERO)
        - get("cofins_valor", ZERO)
        - get("icms_valor_uf_destino", ZERO)
        - get("fcp_valor", ZERO)
        - get("fcp_valor_uf_destino", ZERO)
        - get("icms_valor_mono", ZERO)
        - get("issqn_valor", ZERO)
    )


def _is_rated(item: Item, sheet: Sheet, cst: str) -> bool:
    """Whether the group has values: by its CST, or because a rate was sent."""
    if item.get(_IBS_UF.rate) is not None or item.get(_CBS.rate) is not None:
        return True
    needs = _NEEDS.get(cst)
    if needs is None:
        return False
    for need in needs:
        if all(item.get(f"{tax.name}_{need}") is None for tax in TAXES):
            if need == _REDUCTION and _reduced_by_class(item):
                continue
            sheet.note(f"ibs_uf_{need}", f"A situação {cst} de IBS/CBS exige este percentual.")
            return False
    return True


def _reduced_by_class(item: Item) -> bool:
    """The reductions of its class, as the official table has them; False for a code without."""
    found = classification(item.get("ibs_cbs_classificacao_tributaria") or "")
    if found is None or not (found.reduction_ibs or found.reduction_cbs):
        return False
    for tax in TAXES:
        item[tax.reduction] = found.reduction(tax.name)
    return True


def _with_rates(item: Item, sheet: Sheet) -> bool:
    """Fill the three rates of the day where they were not sent; whether all of them are known."""
    table = rates_on(sheet.day)
    for tax in TAXES:
        if item.get(tax.rate) is None:
            if tax.name not in table:
                sheet.note(tax.rate, f"Não há alíquota em vigor na data {sheet.day}: informe-a.")
                return False
            item[tax.rate] = table[tax.name]
    return True


def _base(item: Item, sheet: Sheet) -> Decimal | None:
    base: Decimal | None = item.get("ibs_cbs_base_calculo")
    if base is not None:
        return base
    base = base_of(item, sheet)
    if base < 0:
        sheet.note("ibs_cbs_base_calculo", "A base de cálculo do IBS/CBS é negativa.")
        return None
    item["ibs_cbs_base_calculo"] = base
    return base


def _tax(item: Item, sheet: Sheet, tax: Tax, base: Decimal) -> Decimal:
    """Value of one tax: base × effective rate − deferred − refunded."""
    gross = percent(base, _effective(item, sheet, tax))
    deferral = item.get(tax.deferral)
    net = gross
    if deferral is not None:
        net -= sheet.settle(item, tax.deferred, percent(gross, deferral))
    refund = item.get(tax.refund_percent)
    if refund is not None:
        net -= sheet.settle(item, tax.refunded, percent(gross, refund))
    elif tax.refunded in item:
        net -= item[tax.refunded]
    return sheet.settle(item, tax.value, net)


def _effective(item: Item, sheet: Sheet, tax: Tax) -> Decimal:
    """The rate after the reduction of the class and of a government purchase, 4 decimals."""
    rate: Decimal = item[tax.rate]
    reduction = item.get(tax.reduction)
    if reduction is None and sheet.government_reduction is None:
        return rate
    if reduction is None:
        item[tax.reduction] = reduction = ZERO
    rate = rate * (ONE_HUNDRED - reduction) * CENT
    if sheet.government_reduction is not None:
        rate = rate * (ONE_HUNDRED - sheet.government_reduction) * CENT
    return sheet.settle(item, tax.effective, rate.quantize(RATE, ROUND_HALF_UP, WIDE))


def presumed_credit(item: Item, sheet: Sheet) -> str:
    """Fill the presumed credits of the operation, gCredPresOper, whose percentage was given."""
    base = item.get("credito_presumido_oper_base_calculo")
    if base is None:
        return ""
    for tax, rate in (
        ("ibs", "ibs_percentual_credito_presumido"),
        ("cbs", "cbs_credito_percentual"),
    ):
        # Either the credit or the credit under a condition: the layout takes one of them.
        if rate in item and f"{tax}_valor_condicao_suspensiva" not in item:
            value = cents(base * item[rate] * CENT)
            sheet.settle(item, f"{tax}_valor_credito_presumido", value)
    return RULE
