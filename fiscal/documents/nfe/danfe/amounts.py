"""Blocks of a DANFE about money: bill, taxes and totals, services."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.tags import Tag, amount, day
from fiscal.documents.nfe.danfe.view import Block, Box

_PER_ROW = {"portrait": 8, "landscape": 12}
_INSTALMENTS_PER_ROW = 5


def bill(nfe: Tag, options: DanfeOptions) -> tuple[Block, ...]:
    """Fatura and its instalments, where the document has them."""
    cobr = nfe.tag("cobr")
    if not (cobr and options.exibe_fatura):
        return ()
    rows = [_bill(cobr.tag("fat"))] if cobr.tag("fat") else []
    due = [
        Box(f"Nº {dup('nDup')}  VENC. {day(dup('dVenc'))}", f"R$ {amount(dup('vDup'))}")
        for dup in cobr.all("dup")
    ]
    rows += _rows(due, _INSTALMENTS_PER_ROW)
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


def taxes(nfe: Tag, options: DanfeOptions) -> Block:
    """Cálculo do imposto in the layout of MOC 7.0."""
    total = nfe.tag("total/ICMSTot")
    first = [
        ("BASE CÁLC. ICMS", "vBC"),
        ("VALOR DO ICMS", "vICMS"),
        ("BASE CÁLC. ICMS ST", "vBCST"),
        ("VALOR DO ICMS SUBST.", "vST"),
    ]
    second = [
        ("VALOR DO FRETE", "vFrete"),
        ("VALOR DO SEGURO", "vSeg"),
        ("DESCONTO", "vDesc"),
        ("OUTRAS DESPESAS", "vOutro"),
        ("VALOR TOTAL DO IPI", "vIPI"),
    ]
    if options.exibe_impostos_adicionais:
        first += [
            ("V. IMP. IMPORTAÇÃO", "vII"),
            ("V. ICMS UF REMET.", "vICMSUFRemet"),
            ("V. FCP UF DEST.", "vFCPUFDest"),
            ("VALOR DO PIS", "vPIS"),
        ]
        second += [
            ("V. ICMS UF DEST.", "vICMSUFDest"),
            ("V. TOT. TRIB.", "vTotTrib"),
            ("VALOR DA COFINS", "vCOFINS"),
        ]
    first.append(("V. TOTAL PRODUTOS", "vProd"))
    second.append(("V. TOTAL DA NOTA", "vNF"))
    return Block("CÁLCULO DO IMPOSTO", (_boxes(total, first), _boxes(total, second)))


def _boxes(total: Tag, fields: Iterable[tuple[str, str]]) -> tuple[Box, ...]:
    return tuple(Box(label, amount(total(path)), 1, "right") for label, path in fields)


# NT 2026.010: what the XML lacks is left out, box by box.
_PRODUCTS = (
    ("TOTAL DOS PRODUTOS", "ICMSTot/vProd"),
    ("TOTAL DOS SERVIÇOS", "ISSQNtot/vServ"),
    ("FRETE", "ICMSTot/vFrete"),
    ("SEGURO", "ICMSTot/vSeg"),
    ("DESCONTO", "ICMSTot/vDesc"),
    ("OUTRAS DESPESAS", "ICMSTot/vOutro"),
    ("TRIB. APROXIMADOS", "ICMSTot/vTotTrib"),
    ("TOTAL DA NOTA", "ICMSTot/vNF"),
    ("TOTAL C/ IBS/CBS/IS", "vNFTot"),
)
_ICMS_IPI = (
    ("BASE DO ICMS", "ICMSTot/vBC"),
    ("VALOR DO ICMS", "ICMSTot/vICMS"),
    ("ICMS DESONERADO", "ICMSTot/vICMSDeson"),
    ("BASE DO ICMS ST", "ICMSTot/vBCST"),
    ("VALOR DO ICMS ST", "ICMSTot/vST"),
    ("FCP", "ICMSTot/vFCP"),
    ("FCP ST", "ICMSTot/vFCPST"),
    ("FCP RETIDO ST", "ICMSTot/vFCPSTRet"),
    ("ICMS UF DESTINO", "ICMSTot/vICMSUFDest"),
    ("ICMS UF REMETENTE", "ICMSTot/vICMSUFRemet"),
    ("FCP UF DESTINO", "ICMSTot/vFCPUFDest"),
    ("ICMS MONOFÁSICO", "ICMSTot/vICMSMono"),
    ("ICMS MONOF. RETENÇ.", "ICMSTot/vICMSMonoReten"),
    ("ICMS MONOF. RETIDO", "ICMSTot/vICMSMonoRet"),
    ("IMP. DE IMPORTAÇÃO", "ICMSTot/vII"),
    ("VALOR DO IPI", "ICMSTot/vIPI"),
    ("IPI DEVOLVIDO", "ICMSTot/vIPIDevol"),
    ("PIS", "ICMSTot/vPIS"),
    ("COFINS", "ICMSTot/vCOFINS"),
)
_REFORM = (
    ("BASE DO IBS / CBS", "IBSCBSTot/vBCIBSCBS"),
    ("IBS DA UF", "IBSCBSTot/gIBS/gIBSUF/vIBSUF"),
    ("IBS DO MUNICÍPIO", "IBSCBSTot/gIBS/gIBSMun/vIBSMun"),
    ("TOTAL DO IBS", "IBSCBSTot/gIBS/vIBS"),
    ("TOTAL DA CBS", "IBSCBSTot/gCBS/vCBS"),
    ("IBS MONOFÁSICO", "IBSCBSTot/gMono/vIBSMono"),
    ("CBS MONOFÁSICA", "IBSCBSTot/gMono/vCBSMono"),
    ("IBS ESTORNADO", "IBSCBSTot/gEstornoCred/vIBSEstCred"),
    ("CBS ESTORNADA", "IBSCBSTot/gEstornoCred/vCBSEstCred"),
    ("IMPOSTO SELETIVO", "ISTot/vIS"),
)


def totals(nfe: Tag, options: DanfeOptions) -> tuple[Block, ...]:
    """The three blocks of totals of NT 2026.010; one without any value is absent."""
    total = nfe.tag("total")
    groups = (
        ("TOTAL DOS PRODUTOS E TOTAL DA NOTA", _PRODUCTS),
        ("TOTAL DO ICMS / IPI", _ICMS_IPI),
        ("TOTAL DO IBS / CBS / IS", _REFORM),
    )
    found = (_present(title, total, fields, options) for title, fields in groups)
    return tuple(block for block in found if block)


def _present(
    title: str, total: Tag, fields: Iterable[tuple[str, str]], options: DanfeOptions
) -> Block | None:
    boxes = [Box(label, amount(total(path)), 1, "right") for label, path in fields if total(path)]
    size = min(_PER_ROW[options.orientacao], len(boxes))
    return Block(title, tuple(_rows(boxes, size))) if boxes else None


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
