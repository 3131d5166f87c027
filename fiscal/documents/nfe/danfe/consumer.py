"""The view of a DANFE NFC-e on a paper roll (PDF-6; Manual de Padrões do DANFE NFC-e)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fiscal.documents.nfe.danfe import fitting
from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.reading import document_of
from fiscal.documents.nfe.danfe.standing import Standing, standing_of
from fiscal.documents.nfe.danfe.tags import (
    Tag,
    address,
    amount,
    document,
    grouped,
    moment,
    number,
    price,
)

PAYMENTS = {
    "01": "Dinheiro",
    "02": "Cheque",
    "03": "Cartão de Crédito",
    "04": "Cartão de Débito",
    "05": "Cartão da Loja",
    "10": "Vale Alimentação",
    "11": "Vale Refeição",
    "12": "Vale Presente",
    "13": "Vale Combustível",
    "14": "Duplicata Mercantil",
    "15": "Boleto Bancário",
    "16": "Depósito Bancário",
    "17": "PIX dinâmico",
    "18": "Transferência bancária, Carteira Digital",
    "19": "Programa de fidelidade, Cashback",
    "20": "PIX estático",
    "21": "Crédito em Loja",
    "22": "Pagamento Eletrônico não Informado",
    "90": "Sem pagamento",
    "91": "Pagamento Posterior",
    "99": "Outros",
}


QR_SIZE = 44.0  # millimetres with its quiet zone; 25 at least (PDF-6)
_MARGIN = 3.0
_PART = 3.0
_FIXED_TEXTS = (
    "CNPJ",
    "Documento Auxiliar da Nota Fiscal de Consumidor Eletrônica",
    "Consulte pela Chave de Acesso em",
    "Via Consumidor",
    "Protocolo de Autorização",
    "Data de Autorização: 00/00/0000 00:00:00",
    "Tributos Totais Incidentes (Lei Federal 12.741/2012): R$ 000.000,00",
)


@dataclass(frozen=True)
class Sold:
    """An item in two lines: what, and how much of it."""

    codigo: str
    descricao: str
    quantity: str
    unit_price: str
    total: str


@dataclass(frozen=True)
class Receipt:
    """A DANFE NFC-e."""

    nome: str
    documento: str
    address: str
    standing: Standing
    items: tuple[Sold, ...]
    n_items: int
    totals: tuple[tuple[str, str, bool], ...]  # label, value, is_main
    payments: tuple[tuple[str, str], ...]
    url_chave: str
    chave: str
    consumer: tuple[str, ...]
    identification: str
    tributos: str
    notes: str
    qrcode: str
    copies: tuple[str, ...]


def read_receipt(xml: bytes, *, events: Iterable[bytes], options: DanfeOptions) -> Receipt:
    """The view of a NFC-e. Raises BadXml."""
    root = document_of(xml)
    nfe = root.anywhere("infNFe")
    emit, ide, supplement = nfe.tag("emit"), nfe.tag("ide"), root.anywhere("infNFeSupl")
    standing = standing_of(root, events, preview=options.previa)
    return Receipt(
        nome=emit("xNome"),
        documento=document(emit),
        address=_address(emit.tag("enderEmit")),
        standing=standing,
        items=() if options.resumo_danfce else tuple(map(_sold, nfe.all("det"))),
        n_items=len(nfe.all("det")),
        totals=_totals(nfe.tag("total")),
        payments=_payments(nfe.tag("pag")),
        url_chave=supplement("urlChave"),
        chave=nfe.attribute("Id")[3:],
        consumer=_consumer(nfe),
        identification=(
            f"NFC-e nº {ide('nNF').zfill(9)} Série {ide('serie').zfill(3)} {moment(ide('dhEmi'))}"
        ),
        tributos=amount(nfe("total/ICMSTot/vTotTrib")),
        notes=nfe("infAdic/infCpl").replace(" | ", "\n"),
        qrcode=supplement("qrCode"),
        copies=_copies(ide, standing),
    )


def _copies(ide: Tag, standing: Standing) -> tuple[str, ...]:
    """Two copies while the authority does not know the note (CON-6)."""
    is_pending = ide("tpEmis") == "9" and not standing.protocolo
    return ("Via Consumidor", "Via Empresa") if is_pending else ("",)


def _address(place: Tag) -> str:
    town = " - ".join(filter(None, (place("xMun"), place("UF"))))
    return ", ".join(filter(None, (address(place), place("xBairro"), town)))


def _sold(det: Tag) -> Sold:
    return Sold(
        codigo=det("prod/cProd"),
        descricao=det("prod/xProd"),
        quantity=f"{number(det('prod/qCom'))} {det('prod/uCom')}",
        unit_price=price(det("prod/vUnCom")),
        total=amount(det("prod/vProd")),
    )


def _totals(total: Tag) -> tuple[tuple[str, str, bool], ...]:
    """What leads from the products to the amount to pay; zero steps are left out."""
    steps = (
        ("Desconto R$", "vDesc"),
        ("Frete R$", "vFrete"),
        ("Seguro R$", "vSeg"),
        ("Acréscimos R$", "vOutro"),
        ("ICMS desonerado R$", "vICMSDeson"),
    )
    icms = total.tag("ICMSTot")
    found = [(label, amount(icms(path)), False) for label, path in steps if icms(path).strip("0.")]
    goods = [("Valor total R$", amount(icms("vProd")), False)]
    if total("ISSQNtot/vServ"):
        goods.append(("Valor dos serviços R$", amount(total("ISSQNtot/vServ")), False))
    return (*goods, *found, ("Valor a Pagar R$", amount(icms("vNF")), True))


def _payments(pag: Tag) -> tuple[tuple[str, str], ...]:
    rows = [
        (det("xPag") or PAYMENTS.get(det("tPag"), det("tPag")), amount(det("vPag")))
        for det in pag.all("detPag")
    ]
    if pag("vTroco").strip("0."):
        rows.append(("Troco R$", amount(pag("vTroco"))))
    return tuple(rows)


def _consumer(nfe: Tag) -> tuple[str, ...]:
    dest = nfe.tag("dest")
    if not dest:
        return ("CONSUMIDOR NÃO IDENTIFICADO",)
    kind = "CNPJ" if dest("CNPJ") else "CPF" if dest("CPF") else "Id. Estrangeiro"
    place = nfe.tag("entrega") or dest.tag("enderDest")
    return tuple(
        filter(None, (f"CONSUMIDOR - {kind} {document(dest)}", dest("xNome"), _address(place)))
    )


def height_of(receipt: Receipt, *, width: float, has_logo: bool) -> float:
    """Millimetres of paper for one copy, at least what it takes: the height follows the content.

    Estimated line by line; the print ends in a few blank millimetres rather than on a second page.
    """
    inner = width - 2 * _MARGIN

    def rows(text: str, size: float = 7.0) -> int:
        return fitting.count(text, width=inner, size=size)

    standing = (*receipt.standing.phrases, *receipt.standing.marks)
    texts = (
        *_FIXED_TEXTS,
        receipt.address,
        receipt.url_chave,
        grouped(receipt.chave),
        receipt.identification,
        *receipt.consumer,
        receipt.notes,
    )
    lines = sum(map(rows, texts))
    large = sum(rows(text, 8.5) for text in (receipt.nome, *standing))
    table = sum(rows(f"{item.codigo} {item.descricao}") + 1 for item in receipt.items)
    table += len(receipt.totals) + len(receipt.payments) + 4
    height = lines * 3.1 + large * 3.8 + table * 3.6
    return height + QR_SIZE + 8 * _PART + 2 * _MARGIN + 4.0 + (16.0 if has_logo else 0.0)
