"""Blocks of a DANFE about money: bill, taxes and totals, services."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.tags import Tag, amount, day, number
from fiscal.documents.nfe.danfe.view import Block, Box

_PER_ROW = {"portrait": 6, "landscape": 9}
_INSTALMENTS_PER_ROW = {"portrait": 5, "landscape": 7}


def bill(nfe: Tag, options: DanfeOptions) -> tuple[Block, ...]:
    """Fatura and its instalments, where the document has them."""
    cobr = nfe.tag("cobr")
    if not (cobr and options.exibe_fatura):
        return ()
    rows = [_bill(cobr.tag("fat"))] if cobr.tag("fat") else []
    due = [
        Box(f"Nº {dup('nDup')} - VENCIM. / VALOR", f"{day(dup('dVenc'))}\t{amount(dup('vDup'))}")
        for dup in cobr.all("dup")
    ]
    rows += _rows(due, _INSTALMENTS_PER_ROW[options.orientacao])
    return (Block("FATURA / DUPLICATAS", tuple(rows)),)


def _bill(fat: Tag) -> tuple[Box, ...]:
    return (
        Box("NÚMERO DA FATURA", fat("nFat"), 2),
        Box("VALOR ORIGINAL", amount(fat("vOrig")), 1, "right"),
        Box("VALOR DO DESCONTO", amount(fat("vDesc")), 1, "right"),
        Box("VALOR LÍQUIDO", amount(fat("vLiq")), 1, "right"),
    )


def _rows(boxes: list[Box], size: int) -> list[tuple[Box, ...]]:
    """Rows of `size` boxes, the last one filled up with empty ones."""
    rows = []
    for at in range(0, len(boxes), size):
        row = boxes[at : at + size]
        rows.append((*row, *[Box("", "")] * (size - len(row))))
    return rows


Fields = Iterable[tuple[str, str]]

_MOC_FIRST = (
    ("BASE DE CÁLCULO DO ICMS", "vBC"),
    ("VALOR DO ICMS", "vICMS"),
    ("BASE DE CÁLCULO DO ICMS ST", "vBCST"),
    ("VALOR DO ICMS ST", "vST"),
    ("VALOR TOTAL DOS PRODUTOS", "vProd"),
)
_MOC_SECOND = (
    ("VALOR DO FRETE", "vFrete"),
    ("VALOR DO SEGURO", "vSeg"),
    ("DESCONTO", "vDesc"),
    ("OUTRAS DESPESAS", "vOutro"),
    ("VALOR TOTAL DO IPI", "vIPI"),
)
_ADDITIONAL = (
    ("IMP. DE IMPORTAÇÃO", "vII"),
    ("ICMS UF REMETENTE", "vICMSUFRemet"),
    ("ICMS UF DESTINO", "vICMSUFDest"),
    ("FCP UF DESTINO", "vFCPUFDest"),
    ("VALOR DO PIS", "vPIS"),
    ("VALOR DA COFINS", "vCOFINS"),
)
_APPROXIMATE = ("V. APROX. TRIBUTOS", "vTotTrib")  # Lei 12.741/2012
_WHOLE = ("VALOR TOTAL DA NOTA", "vNF")


def taxes(nfe: Tag, options: DanfeOptions) -> Block:
    """Cálculo do imposto in the layout of MOC 7.0 (Anexo II, 3.8).

    The approximate taxes have a field of their own wherever the document states them.
    """
    total = nfe.tag("total/ICMSTot")
    more = options.exibe_impostos_adicionais
    approximate = (_APPROXIMATE,) if more or _counts(total("vTotTrib")) else ()
    second = (*_MOC_SECOND, *approximate, _WHOLE)
    rows = [_boxes(total, _MOC_FIRST), _boxes(total, second)]
    if more:
        rows.append(_boxes(total, _ADDITIONAL))
    return Block("CÁLCULO DO IMPOSTO", tuple(rows))


def _counts(text: str) -> bool:
    return bool(text.strip("0."))


def _boxes(total: Tag, fields: Fields) -> tuple[Box, ...]:
    return tuple(Box(label, _shown(total, path), 1, "right") for label, path in fields)


def _shown(total: Tag, path: str) -> str:
    is_quantity = path.rpartition("/")[2].startswith("q")
    return number(total(path)) if is_quantity else amount(total(path))


# NT 2026.010: what its model always has, and what only a value brings in (4.1, 4.4).
_PRODUCTS = (
    ("VALOR TOTAL DOS PRODUTOS", "ICMSTot/vProd"),
    ("VALOR DO FRETE", "ICMSTot/vFrete"),
    ("VALOR DO SEGURO", "ICMSTot/vSeg"),
    ("DESCONTO", "ICMSTot/vDesc"),
    ("OUTRAS DESPESAS", "ICMSTot/vOutro"),
    ("VALOR TOTAL DA NOTA", "ICMSTot/vNF"),
)
_PRODUCTS_OPTIONAL = (
    ("V. APROX. TRIBUTOS", "ICMSTot/vTotTrib"),
    ("TOTAL COM IBS/CBS/IS", "vNFTot"),
)
_ICMS_IPI = (
    ("BASE DE CÁLC. DO ICMS", "ICMSTot/vBC"),
    ("VALOR DO ICMS", "ICMSTot/vICMS"),
    ("BASE CÁLC. ICMS ST", "ICMSTot/vBCST"),
    ("VALOR DO ICMS ST", "ICMSTot/vST"),
    ("VALOR DO IPI", "ICMSTot/vIPI"),
)
_ICMS_IPI_OPTIONAL = (
    ("VALOR DO FCP", "ICMSTot/vFCP"),
    ("FCP RETIDO POR ST", "ICMSTot/vFCPST"),
    ("DIFAL UF DE DESTINO", "ICMSTot/vICMSUFDest"),
    ("FCP UF DE DESTINO", "ICMSTot/vFCPUFDest"),
    ("BC ICMS MONOFÁSICO", "ICMSTot/qBCMono"),
    ("ICMS MONOFÁSICO", "ICMSTot/vICMSMono"),
    ("BC MONOF. RETENÇÃO", "ICMSTot/qBCMonoReten"),
    ("ICMS MONOF. RETENÇÃO", "ICMSTot/vICMSMonoReten"),
    ("ICMS DESONERADO", "ICMSTot/vICMSDeson"),
    ("IMP. DE IMPORTAÇÃO", "ICMSTot/vII"),
    ("IPI DEVOLVIDO", "ICMSTot/vIPIDevol"),
)
_ICMS_IPI_ADDITIONAL = (
    ("ICMS UF REMETENTE", "ICMSTot/vICMSUFRemet"),
    ("VALOR DO PIS", "ICMSTot/vPIS"),
    ("VALOR DA COFINS", "ICMSTot/vCOFINS"),
)
_REFORM = (
    ("VALOR DA CBS", "IBSCBSTot/gCBS/vCBS"),
    ("VALOR DO IBS UF", "IBSCBSTot/gIBS/gIBSUF/vIBSUF"),
    ("VALOR DO IBS MUNICÍPIO", "IBSCBSTot/gIBS/gIBSMun/vIBSMun"),
    ("IMPOSTO SELETIVO", "ISTot/vIS"),
)
_REFORM_OPTIONAL = (
    ("IBS MONOFÁSICO", "IBSCBSTot/gMono/vIBSMono"),
    ("CBS MONOFÁSICA", "IBSCBSTot/gMono/vCBSMono"),
    ("IBS MONOF. RETENÇÃO", "IBSCBSTot/gMono/vIBSMonoReten"),
    ("CBS MONOF. RETENÇÃO", "IBSCBSTot/gMono/vCBSMonoReten"),
)


def totals(nfe: Tag, options: DanfeOptions) -> tuple[Block, ...]:
    """The three blocks of totals of NT 2026.010.

    A field of its model stays empty when the XML lacks the value: never a zero of our own.
    """
    total = nfe.tag("total")
    additional = _ICMS_IPI_ADDITIONAL if options.exibe_impostos_adicionais else ()
    groups: tuple[tuple[str, Fields, Fields], ...] = (
        ("TOTAL DOS PRODUTOS E TOTAL DA NOTA", _PRODUCTS, _PRODUCTS_OPTIONAL),
        ("TOTAL DO ICMS / IPI", _ICMS_IPI, (*_ICMS_IPI_OPTIONAL, *additional)),
        ("TOTAL DO IBS / CBS / IS", _REFORM, _REFORM_OPTIONAL),
    )
    most = _PER_ROW[options.orientacao]
    return tuple(_group(title, total, always, some, most) for title, always, some in groups)


def _group(title: str, total: Tag, always: Fields, some: Fields, most: int) -> Block:
    present = [field for field in some if _counts(total(field[1]))]
    boxes = list(_boxes(total, (*always, *present)))
    n_rows = -(-len(boxes) // most)
    return Block(title, tuple(_rows(boxes, -(-len(boxes) // n_rows))))


def services(nfe: Tag, options: DanfeOptions) -> tuple[Block, ...]:
    """Cálculo do ISSQN, where there are services or the company always shows it."""
    total = nfe.tag("total/ISSQNtot")
    if not (total or options.exibe_issqn):
        return ()
    row = (
        Box("INSCRIÇÃO MUNICIPAL", nfe("emit/IM")),
        Box("VALOR TOTAL DOS SERVIÇOS", amount(total("vServ")), 1, "right"),
        Box("BASE DE CÁLCULO DO ISSQN", amount(total("vBC")), 1, "right"),
        Box("VALOR DO ISSQN", amount(total("vISS")), 1, "right"),
    )
    return (Block("CÁLCULO DO ISSQN", (row,)),)
