"""The items of a DANFE, in the columns of MOC 7.0 or of NT 2026.010."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
        replace(cell.column, width=round(cell.column.width * 100 / whole, 3)) for cell in cells
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
        _Cell(Column("DESCRIÇÃO DO PRODUTO / SERVIÇO", 29), _described(options, _substitution)),
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
    """Unit, quantity and price; those of taxation below them where that was asked for."""

    def show(commercial: str, taxable: str, shown: Callable[[str], str]) -> Callable[[Tag], Lines]:
        def lines(det: Tag) -> Lines:
            first, second = shown(det(f"prod/{commercial}")), shown(det(f"prod/{taxable}"))
            both = options.exibe_unidade_tributaria and _is_taxed_otherwise(det)
            return (first, second) if both else (first,)

        return lines

    return [
        _Cell(Column("UN", 3.6, "center"), show("uCom", "uTrib", str)),
        _Cell(Column("QUANT.", 7, "right"), show("qCom", "qTrib", number)),
        _Cell(Column("VALOR UNIT.", 7.4, "right"), show("vUnCom", "vUnTrib", price)),
    ]


def _is_taxed_otherwise(det: Tag) -> bool:
    """Other unit or price for taxation than for trade: both must be told (MOC 7.0, II, 3.1.7)."""
    if not det("prod/vUnTrib"):
        return False
    return det("prod/uCom") != det("prod/uTrib") or _bare(det, "vUnCom") != _bare(det, "vUnTrib")


def _bare(det: Tag, path: str) -> str:
    return price(det(f"prod/{path}"))


def _new_cells(options: DanfeOptions) -> list[_Cell]:
    describe = _described(options, _classification)
    with_discount = options.exibe_desconto_itens
    cells = [
        _Cell(Column("CÓDIGO", 6.5), _of("prod/cProd")),
        _Cell(Column("DESCRIÇÃO DO PRODUTO / SERVIÇO", 16.5 if with_discount else 21.5), describe),
        _Cell(Column("CST / CFOP", 4.6, "center"), lambda det: (_situation(det), det("prod/CFOP"))),
        _Cell(Column("QTD / UN", 7, "right"), _quantity_and_unit(options)),
        _Cell(Column("VALOR UNIT.", 7, "right"), _of("prod/vUnCom", price)),
        _Cell(Column("VALOR TOTAL", 7.4, "right"), _of("prod/vProd", amount)),
    ]
    if with_discount:
        cells.append(_Cell(Column("DESC.", 5, "right"), _of("prod/vDesc", amount)))
    return [
        *cells,
        _Cell(Column("BASES DE CÁLCULO", 10.5, "tax right"), _bases),
        *_pair("ALÍQUOTAS (%)", 8.2, lambda det: _taxes(det, 2, rate)),
        *_pair("VALOR DOS TRIBUTOS", 9.6, lambda det: _taxes(det, 3, amount)),
    ]


def _pair(label: str, width: float, show: Callable[[Tag], Lines]) -> tuple[_Cell, _Cell]:
    """Two columns of `width` under one label, read line by line: half the paper for the taxes."""
    return (
        _Cell(Column(label, width, "tax open", span=2), lambda det: show(det)[::2]),
        _Cell(Column("", width, "tax close", span=0), lambda det: show(det)[1::2]),
    )


def _quantity_and_unit(options: DanfeOptions) -> Callable[[Tag], Lines]:
    def lines(det: Tag) -> Lines:
        shown = (f"{number(det('prod/qCom'))} {det('prod/uCom')}",)
        if options.exibe_unidade_tributaria and _is_taxed_otherwise(det):
            return (*shown, f"{number(det('prod/qTrib'))} {det('prod/uTrib')}")
        return shown

    return lines


# name, base, rates (the first one present) and value below `imposto`; ICMS has a group by chance.
# A reduced rate counts as its effective one (NT 2026.010, 4.3).
_G = "IBSCBS/gIBSCBS"
_TAXES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("IPI", "IPI/IPITrib/vBC", ("IPI/IPITrib/pIPI",), "IPI/IPITrib/vIPI"),
    ("ISSQN", "ISSQN/vBC", ("ISSQN/vAliq",), "ISSQN/vISSQN"),
    ("DIFAL", "ICMSUFDest/vBCUFDest", ("ICMSUFDest/pICMSUFDest",), "ICMSUFDest/vICMSUFDest"),
    (
        "IBS UF",
        f"{_G}/vBC",
        (f"{_G}/gIBSUF/gRed/pAliqEfet", f"{_G}/gIBSUF/pIBSUF"),
        f"{_G}/gIBSUF/vIBSUF",
    ),
    (
        "IBS MUN",
        f"{_G}/vBC",
        (f"{_G}/gIBSMun/gRed/pAliqEfet", f"{_G}/gIBSMun/pIBSMun"),
        f"{_G}/gIBSMun/vIBSMun",
    ),
    ("CBS", f"{_G}/vBC", (f"{_G}/gCBS/gRed/pAliqEfet", f"{_G}/gCBS/pCBS"), f"{_G}/gCBS/vCBS"),
    ("IS", "IS/vBCIS", ("IS/pIS",), "IS/vIS"),
    ("IBS MONO", "", (), "IBSCBS/gIBSCBSMono/vTotIBSMonoItem"),
    ("CBS MONO", "", (), "IBSCBS/gIBSCBSMono/vTotCBSMonoItem"),
)
_SHARED_BASE = ("IBS UF", "IBS MUN", "CBS")


def _bases(det: Tag) -> Lines:
    """One base per tax; IBS and CBS have one for all."""
    found = {
        "IBS/CBS" if name in _SHARED_BASE else name: base
        for name, base, _, _ in _tax_rows(det)
        if base
    }
    return tuple(f"{name} {amount(base)}" for name, base in found.items())


def _taxes(det: Tag, part: int, shown: Callable[[str], str]) -> Lines:
    """Rates (part 2) or values (part 3) of the taxes that the item has."""
    return tuple(f"{row[0]} {shown(row[part])}" for row in _tax_rows(det) if row[part])


def _tax_rows(det: Tag) -> list[tuple[str, str, str, str]]:
    icms, imposto = _icms(det), det.tag("imposto")
    rows = [
        ("ICMS", icms("vBC"), icms("pICMS"), icms("vICMS")),
        ("ICMS ST", icms("vBCST"), icms("pICMSST"), icms("vICMSST")),
        ("ICMS MONO", icms("qBCMono"), icms("adRemICMS"), icms("vICMSMono")),
    ]
    rows += [
        (name, _at(imposto, base), _at(imposto, *rates), imposto(value))
        for name, base, rates, value in _TAXES
    ]
    return [row for row in rows if row[3]]


def _at(tag: Tag, *paths: str) -> str:
    """The first text that one of `paths` has; none for no path at all."""
    return next((text for path in paths if path and (text := tag(path))), "")


def _icms(det: Tag) -> Tag:
    return det.first_child("imposto/ICMS")


def _situation(det: Tag) -> str:
    icms = _icms(det)
    return icms("orig") + (icms("CST") or icms("CSOSN"))


def _classification(det: Tag) -> Lines:
    """NCM and cClassTrib, which have no column of their own in the layout of NT 2026.010."""
    named = (("NCM", "prod/NCM"), ("cClassTrib", "imposto/IBSCBS/cClassTrib"))
    parts = [f"[{name} {det(path)}]" for name, path in named if det(path)]
    return (" ".join(parts),) if parts else ()


def _described(
    options: DanfeOptions, more: Callable[[Tag], Lines] = lambda det: ()
) -> Callable[[Tag], Lines]:
    """xProd and everything that a buyer must be able to read about the product."""

    def lines(det: Tag) -> Lines:
        taxed = () if options.exibe_unidade_tributaria else _taxable(det)
        found = [det("prod/xProd"), *more(det), *taxed, *_relief(det)]
        found += [*map(_batch, det.all("prod/rastro")), *_particulars(det), det("infAdProd")]
        return tuple(line for line in found if line)

    return lines


def _particulars(det: Tag) -> Lines:
    """What identifies vehicles, weapons and medicines."""
    chassis, ceiling = det("prod/veicProd/chassi"), det("prod/med/vPMC")
    return (
        f"CHASSI: {chassis}" if chassis else "",
        *(f"Nº SÉRIE: {arm('nSerie')}" for arm in det.all("prod/arma")),
        f"PMC: R$ {amount(ceiling)}" if ceiling else "",
    )


def _taxable(det: Tag) -> Lines:
    if not _is_taxed_otherwise(det):
        return ()
    quantity = f"{number(det('prod/qTrib'))} {det('prod/uTrib')}"
    return (f"TRIBUTÁVEL: {quantity} × R$ {price(det('prod/vUnTrib'))}",)


def _relief(det: Tag) -> Lines:
    """FCP and relief, which have no column of their own."""
    icms = _icms(det)
    named = (("FCP", "vFCP"), ("FCP ST", "vFCPST"), ("ICMS desonerado", "vICMSDeson"))
    parts = [f"{name} R$ {amount(icms(path))}" for name, path in named if icms(path).strip("0.")]
    return (" - ".join(parts),) if parts else ()


def _substitution(det: Tag) -> Lines:
    """ICMS ST of the item: MOC 7.0 lets its columns be left out, and a buyer needs it."""
    icms = _icms(det)
    if not icms("vICMSST"):
        return ()
    base, percent, value = amount(icms("vBCST")), rate(icms("pICMSST")), amount(icms("vICMSST"))
    return (f"ICMS ST: BASE {base} - ALÍQ. {percent}% - VALOR {value}",)


def _batch(trace: Tag) -> str:
    return (
        f"LOTE: {trace('nLote')} QTD: {number(trace('qLote'))} "
        f"FAB: {day(trace('dFab'))} VAL: {day(trace('dVal'))}"
    )
