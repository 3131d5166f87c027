"""The items of a DANFE, in the columns of MOC 7.0 or of NT 2026.010."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.tags import Tag, amount, day, number, price, rate
from fiscal.documents.nfe.danfe.view import Column, Items

Lines = tuple[str, ...]


@dataclass(frozen=True)
class _Cell:
    """A column with what it shows of an item."""

    column: Column
    show: Callable[[Tag], Lines]


def items(nfe: Tag, options: DanfeOptions, *, is_new: bool) -> Items:
    """The table of items; widths always add up to 100 per cent."""
    cells = _new_cells(options) if is_new else _moc_cells(nfe, options)
    whole = sum(cell.column.width for cell in cells)
    columns = tuple(
        Column(cell.column.label, round(cell.column.width * 100 / whole, 3), cell.column.align)
        for cell in cells
    )
    rows = tuple(tuple(cell.show(det) for cell in cells) for det in nfe.all("det"))
    return Items(columns, rows)


def _of(path: str, shown: Callable[[str], str] = str) -> Callable[[Tag], Lines]:
    return lambda det: (shown(det(path)),)


def _moc_cells(nfe: Tag, options: DanfeOptions) -> list[_Cell]:
    has_ipi = any(det("imposto/IPI/IPITrib/vIPI") for det in nfe.all("det"))
    with_ipi = has_ipi or options.exibe_sempre_ipi
    situation = "O/CSOSN" if nfe("emit/CRT") in ("1", "4") else "O/CST"
    cells = [
        _Cell(Column("CÓDIGO", 8), _of("prod/cProd")),
        _Cell(Column("DESCRIÇÃO DO PRODUTO / SERVIÇO", 29), _description),
        _Cell(Column("NCM/SH", 6.2, "center"), _of("prod/NCM")),
        _Cell(Column(situation, 4.6, "center"), lambda det: (_situation(det),)),
        _Cell(Column("CFOP", 3.8, "center"), _of("prod/CFOP")),
        *_quantities(options),
        _Cell(Column("VALOR TOTAL", 7, "right"), _of("prod/vProd", amount)),
    ]
    if options.exibe_desconto_itens:
        cells.append(_Cell(Column("DESC.", 5.5, "right"), _of("prod/vDesc", amount)))
    cells += [
        _Cell(Column("B. CÁLC. ICMS", 7, "right"), lambda det: (amount(_icms(det)("vBC")),)),
        _Cell(Column("VALOR ICMS", 6.2, "right"), lambda det: (amount(_icms(det)("vICMS")),)),
    ]
    if with_ipi:
        cells.append(
            _Cell(Column("VALOR IPI", 5.8, "right"), _of("imposto/IPI/IPITrib/vIPI", amount))
        )
    cells.append(
        _Cell(Column("ALÍQ. ICMS", 4.4, "right"), lambda det: (rate(_icms(det)("pICMS")),))
    )
    if with_ipi:
        cells.append(
            _Cell(Column("ALÍQ. IPI", 4.2, "right"), _of("imposto/IPI/IPITrib/pIPI", rate))
        )
    return cells


def _quantities(options: DanfeOptions) -> list[_Cell]:
    """Unit, quantity and price; those of taxation below when they differ and were asked for."""

    def show(commercial: str, taxable: str, shown: Callable[[str], str]) -> Callable[[Tag], Lines]:
        def lines(det: Tag) -> Lines:
            first, second = shown(det(f"prod/{commercial}")), shown(det(f"prod/{taxable}"))
            differs = det("prod/uCom") != det("prod/uTrib")
            return (first, second) if options.exibe_unidade_tributaria and differs else (first,)

        return lines

    return [
        _Cell(Column("UN", 3.6, "center"), show("uCom", "uTrib", str)),
        _Cell(Column("QUANT.", 7, "right"), show("qCom", "qTrib", number)),
        _Cell(Column("VALOR UNIT.", 7.4, "right"), show("vUnCom", "vUnTrib", price)),
    ]


def _new_cells(options: DanfeOptions) -> list[_Cell]:
    cells = [
        _Cell(Column("CÓDIGO", 8), _of("prod/cProd")),
        _Cell(Column("DESCRIÇÃO DO PRODUTO / SERVIÇO", 27), _description_with_ncm),
        _Cell(Column("CST / CFOP", 5.4, "center"), lambda det: (_situation(det), det("prod/CFOP"))),
        _Cell(Column("QTD / UN", 7, "right"), _quantity_and_unit(options)),
        _Cell(Column("VALOR UNIT.", 7.4, "right"), _of("prod/vUnCom", price)),
        _Cell(Column("VALOR TOTAL", 7.4, "right"), _of("prod/vProd", amount)),
    ]
    if options.exibe_desconto_itens:
        cells.append(_Cell(Column("DESC.", 5.5, "right"), _of("prod/vDesc", amount)))
    return [
        *cells,
        _Cell(Column("BASES DE CÁLCULO", 11, "tax"), lambda det: _taxes(det, 1, amount)),
        _Cell(Column("ALÍQUOTAS (%)", 9, "tax"), lambda det: _taxes(det, 2, rate)),
        _Cell(Column("VALOR DOS TRIBUTOS", 11, "tax"), lambda det: _taxes(det, 3, amount)),
    ]


def _quantity_and_unit(options: DanfeOptions) -> Callable[[Tag], Lines]:
    def lines(det: Tag) -> Lines:
        shown = (f"{number(det('prod/qCom'))} {det('prod/uCom')}",)
        if options.exibe_unidade_tributaria and det("prod/uCom") != det("prod/uTrib"):
            return (*shown, f"{number(det('prod/qTrib'))} {det('prod/uTrib')}")
        return shown

    return lines


# name, base, rate and value below `imposto`; ICMS is read from its chosen group.
_TAXES = (
    ("IPI", "IPI/IPITrib/vBC", "IPI/IPITrib/pIPI", "IPI/IPITrib/vIPI"),
    ("ISSQN", "ISSQN/vBC", "ISSQN/vAliq", "ISSQN/vISSQN"),
    ("ICMS UF D.", "ICMSUFDest/vBCUFDest", "ICMSUFDest/pICMSUFDest", "ICMSUFDest/vICMSUFDest"),
    ("IS", "IS/vBCIS", "IS/pIS", "IS/vIS"),
    (
        "IBS UF",
        "IBSCBS/gIBSCBS/vBC",
        "IBSCBS/gIBSCBS/gIBSUF/pIBSUF",
        "IBSCBS/gIBSCBS/gIBSUF/vIBSUF",
    ),
    (
        "IBS MUN",
        "IBSCBS/gIBSCBS/vBC",
        "IBSCBS/gIBSCBS/gIBSMun/pIBSMun",
        "IBSCBS/gIBSCBS/gIBSMun/vIBSMun",
    ),
    ("CBS", "IBSCBS/gIBSCBS/vBC", "IBSCBS/gIBSCBS/gCBS/pCBS", "IBSCBS/gIBSCBS/gCBS/vCBS"),
)


def _taxes(det: Tag, part: int, shown: Callable[[str], str]) -> Lines:
    """One line per tax that the item has; the three columns keep the same lines."""
    found = [row for row in _tax_rows(det) if any(row[1:])]
    return tuple(f"{row[0]}\t{shown(row[part])}" for row in found)


def _tax_rows(det: Tag) -> list[tuple[str, str, str, str]]:
    icms, imposto = _icms(det), det.tag("imposto")
    rows = [
        ("ICMS", icms("vBC"), icms("pICMS"), icms("vICMS")),
        ("ICMS ST", icms("vBCST"), icms("pICMSST"), icms("vICMSST")),
    ]
    rows += [
        (name, imposto(base), imposto(percent), imposto(value))
        for name, base, percent, value in _TAXES
        if imposto(value)
    ]
    return rows


def _icms(det: Tag) -> Tag:
    return det.first_child("imposto/ICMS")


def _situation(det: Tag) -> str:
    icms = _icms(det)
    return icms("orig") + (icms("CST") or icms("CSOSN"))


def _description_with_ncm(det: Tag) -> Lines:
    ncm = det("prod/NCM")
    return (*_description(det), *((f"NCM {ncm}",) if ncm else ()))


def _description(det: Tag) -> Lines:
    """xProd and everything a buyer must be able to read about the product."""
    lines = [det("prod/xProd"), *_relief(det), *map(_batch, det.all("prod/rastro"))]
    vehicle = det("prod/veicProd/chassi")
    if vehicle:
        lines.append(f"CHASSI: {vehicle}")
    lines += [f"Nº SÉRIE: {arm('nSerie')}" for arm in det.all("prod/arma")]
    if det("prod/med/vPMC"):
        lines.append(f"PMC: R$ {amount(det('prod/med/vPMC'))}")
    if det("infAdProd"):
        lines.append(det("infAdProd"))
    return tuple(line for line in lines if line)


def _relief(det: Tag) -> Lines:
    """FCP and relief, which have no column of their own."""
    icms = _icms(det)
    named = (("FCP", "vFCP"), ("FCP ST", "vFCPST"), ("ICMS desonerado", "vICMSDeson"))
    parts = [f"{name} R$ {amount(icms(path))}" for name, path in named if icms(path)]
    return (" - ".join(parts),) if parts else ()


def _batch(trace: Tag) -> str:
    return (
        f"LOTE: {trace('nLote')} QTD: {number(trace('qLote'))} "
        f"FAB: {day(trace('dFab'))} VAL: {day(trace('dVal'))}"
    )
