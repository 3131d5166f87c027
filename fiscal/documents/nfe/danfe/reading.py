"""From the stored XML, and from it alone, to what the DANFE templates show (PDF-1)."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.danfe import amounts, items, parties
from fiscal.documents.nfe.danfe.dates import NT2026, layout_of
from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.standing import Cancellation, standing_of
from fiscal.documents.nfe.danfe.tags import Tag, address, amount, day, serial
from fiscal.documents.nfe.danfe.view import Block, Sheet
from fiscal.xml import BadXml, parse


def document_of(xml: bytes) -> Tag:
    """The root of nfeProc or NFe. Raises BadXml when there is no infNFe inside."""
    root = Tag(parse(xml))
    if not root.anywhere("infNFe"):
        raise BadXml("O XML não é de uma NF-e nem de uma NFC-e.")
    return root


def read_sheet(
    xml: bytes,
    *,
    events: Iterable[bytes],
    options: DanfeOptions,
    cancellation: Cancellation | None = None,
) -> Sheet:
    """The view of a DANFE in the layout of its date of issue. Raises BadXml."""
    root = document_of(xml)
    nfe = root.anywhere("infNFe")
    ide = nfe.tag("ide")
    layout = layout_of(ide("dhEmi"))
    is_new = layout == NT2026
    return Sheet(
        layout=layout,
        chave=nfe.attribute("Id")[3:],
        numero=serial(ide("nNF")),
        serie=ide("serie").zfill(3),
        tp_nf=ide("tpNF"),
        natureza=ide("natOp"),
        receipt=_receipt(nfe) if options.recibo_danfe else "",
        issuer=parties.issuer(nfe, with_regime=is_new),
        standing=standing_of(root, events, cancellation=cancellation, preview=options.previa),
        before=_before(nfe, options, is_new=is_new),
        items=items.items(nfe, options, is_new=is_new),
        after=amounts.services(nfe, options),
        notes=_notes(nfe),
        reserved=root.anywhere("protNFe")("infProt/xMsg"),
        qrcode=root.anywhere("infNFeSupl")("qrCode") if is_new else "",
        title=f"DANFE {serial(ide('nNF'))}",
    )


def _before(nfe: Tag, options: DanfeOptions, *, is_new: bool) -> tuple[Block, ...]:
    """The blocks above the items, in the order of the layout."""
    totals = amounts.totals(nfe, options) if is_new else (amounts.taxes(nfe, options),)
    return (
        parties.recipient(nfe),
        *parties.places(nfe),
        *amounts.bill(nfe, options),
        *totals,
        parties.carrier(nfe, options, is_new=is_new),
    )


def _receipt(nfe: Tag) -> str:
    dest = nfe.tag("dest")
    where = dest.tag("enderDest")
    place = " - ".join(filter(None, (address(where), where("xMun"), where("UF"))))
    to = f" DESTINATÁRIO: {dest('xNome')} - {place}." if dest("xNome") else ""
    return (
        f"RECEBEMOS DE {nfe('emit/xNome')} OS PRODUTOS E/OU SERVIÇOS CONSTANTES DA NOTA FISCAL "
        f"ELETRÔNICA INDICADA AO LADO. EMISSÃO: {day(nfe('ide/dhEmi'))} "
        f"VALOR TOTAL: R$ {amount(nfe('total/ICMSTot/vNF'))}.{to}"
    )


def _notes(nfe: Tag) -> str:
    """infAdFisco, infCpl and the free observations, all in one field (MOC 7.0, Anexo II, 3.1.8).

    The writer joined lines with ` | ` (XML-6). The field of the fisco is not the issuer's.
    """
    lines = [nfe(f"infAdic/{tag}").replace(" | ", "\n") for tag in ("infAdFisco", "infCpl")]
    lines += [
        f"{note.attribute('xCampo')}: {note('xTexto')}" for note in nfe.all("infAdic/obsCont")
    ]
    return "\n".join(filter(None, lines))
