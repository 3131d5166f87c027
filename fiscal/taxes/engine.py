"""From a request that was read to a document whose amounts are complete."""

from __future__ import annotations

from decimal import localcontext
from typing import Any

from fiscal.documents.types import Data
from fiscal.taxes import placeless
from fiscal.taxes.apportion import apportion
from fiscal.taxes.difal import difal
from fiscal.taxes.fcp import fcp
from fiscal.taxes.ibs_cbs import ibs_cbs, presumed_credit
from fiscal.taxes.ibs_cbs_mono import ibs_cbs_mono
from fiscal.taxes.icms import icms
from fiscal.taxes.ipi import ipi
from fiscal.taxes.issqn import is_service, issqn
from fiscal.taxes.pis_cofins import pis_cofins
from fiscal.taxes.reform_rates import OWED_FROM
from fiscal.taxes.rounding import WIDE, ZERO, product
from fiscal.taxes.selective import selective
from fiscal.taxes.sheet import Note, Sheet
from fiscal.taxes.st import st
from fiscal.taxes.totals import totals

Item = dict[str, Any]

_TAXABLE = (
    ("unidade_tributavel", "unidade_comercial"),
    ("quantidade_tributavel", "quantidade_comercial"),
    ("valor_unitario_tributavel", "valor_unitario_comercial"),
)


def complete(
    data: Data, *, modelo: int, crt: int, rules: dict[str, list[str]] | None = None
) -> list[Note]:
    """Fill, in place, the amounts of `data` that follow from what was sent (fiscal-api §21, §13).

    Only absent values are filled: a sent one stays, and a note names it when ours differs by more
    than a cent (TAX-1). `crt` is the issuer's regime. `rules`, when given, receives the rules that
    were applied, by `items[0]`, `items[1]`, … and `total` (TAX-14). Amounts are Decimal; the
    result may still lack what only the sender knows, which the schema check then names.
    """
    items: list[Item] = data.get("items") or []
    sheet = Sheet(data, modelo=modelo, crt=crt)
    with localcontext(WIDE):
        for index, item in enumerate(items):
            sheet.where = f"items[{index}]."
            _gross(item, sheet)
        shared = apportion(data, items)
        for index, item in enumerate(items):
            sheet.where = f"items[{index}]."
            applied = _item(item, sheet)
            if rules is not None:
                rules[f"items[{index}]"] = ["TAX-1", *filter(None, (shared, *applied))]
        sheet.where = ""
        summed = totals(data, items, sheet)
        if rules is not None:
            rules["total"] = [summed, "TAX-4"]
    _remind_of_reform(items, sheet)
    if any(is_service(item) for item in items):
        # dCompet of ISSQNtot is mandatory there; unless told otherwise, the day of issue.
        data.setdefault("data_prestacao_servico", sheet.day)
    return sheet.notes


def _gross(item: Item, sheet: Sheet) -> None:
    """vProd = qCom × vUnCom (TAX-1); taxable unit, quantity and price are the commercial ones."""
    for taxable, commercial in _TAXABLE:
        if item.get(taxable) is None and commercial in item:
            item[taxable] = item[commercial]
    quantity, price = item.get("quantidade_comercial"), item.get("valor_unitario_comercial")
    if quantity is not None and price is not None:
        sheet.settle(item, "valor_bruto", product(quantity, price))


def _item(item: Item, sheet: Sheet) -> tuple[str, ...]:
    """Taxes of one item in the order in which their bases need each other; the rules applied."""
    if "valor_bruto" not in item:
        return ()
    get = item.get
    placeless.drop(item, sheet, "ipi", "pis", "cofins")
    sheet.operation = operation = (
        item["valor_bruto"]
        + get("valor_frete", ZERO)
        + get("valor_seguro", ZERO)
        + get("valor_outras_despesas", ZERO)
        - get("valor_desconto", ZERO)
    )
    if operation < 0:
        sheet.note("valor_desconto", "O desconto é maior que o valor do item.")
        placeless.drop(item, sheet, "icms")
        return ()
    sheet.is_import = str(get("cfop", "")).startswith("3")
    own = (issqn(item, sheet),) if is_service(item) else _goods(item, sheet)
    # After ST: that of a Simples issuer deducts an `icms_valor` which has no place of its own.
    placeless.drop(item, sheet, "icms")
    return (*own, pis_cofins(item, sheet), *_reform(item, sheet))


def _goods(item: Item, sheet: Sheet) -> tuple[str, ...]:
    return (
        ipi(item, sheet),
        icms(item, sheet),
        st(item, sheet),
        fcp(item, sheet),
        difal(item, sheet),
    )


def _reform(item: Item, sheet: Sheet) -> tuple[str, ...]:
    """IS, then IBS and CBS, whose base it enters."""
    if "ibs_cbs_situacao_tributaria" not in item:
        return (selective(item, sheet),)
    return (
        selective(item, sheet),
        ibs_cbs(item, sheet),
        ibs_cbs_mono(item, sheet),
        presumed_credit(item, sheet),
    )


def _remind_of_reform(items: list[Item], sheet: Sheet) -> None:
    """One note, not one per item, when the group is owed and left out (§0; rejection 1115)."""
    if sheet.day < OWED_FROM.get(sheet.crt, OWED_FROM[3]):
        return
    for index, item in enumerate(items):
        if "ibs_cbs_situacao_tributaria" not in item:
            sheet.note(
                f"items[{index}].ibs_cbs_situacao_tributaria",
                "Informe o IBS e a CBS do item: são devidos por este regime nesta data.",
            )
            return
