"""The view of a DANFE on a paper roll (PDF-6; Manual do DANFE NFC-e 6.0; NT 2026.003)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fiscal.documents.nfe.danfe.options import DanfeOptions
from fiscal.documents.nfe.danfe.reading import document_of
from fiscal.documents.nfe.danfe.standing import Cancellation, Standing, standing_of
from fiscal.documents.nfe.danfe.tags import (
    Tag,
    address,
    amount,
    document,
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
_NFCE = "65"
_OFFLINE = "9"
_NBSP = "\u00a0"  # keeps together what a narrow roll would tear apart


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
    """A DANFE NFC-e, or a DANFE Simplificado Tipo 2, which has the same divisions.

    `taxes` are IBS, CBS and IS (division III-A of NT 2026.003); `fiscal` is the message to and of
    the fisco, `notes` that of the issuer.
    """

    title: str
    nome: str
    documento: str
    address: str
    standing: Standing
    items: tuple[Sold, ...]
    n_items: int
    totals: tuple[tuple[str, str, bool], ...]  # label, value, is_main
    payments: tuple[tuple[str, str], ...]
    taxes: tuple[tuple[str, str], ...]
    url_chave: str
    chave: str
    consumer: tuple[str, ...]
    identification: str
    tributos: str
    fiscal: str
    notes: str
    qrcode: str
    copies: tuple[str, ...]

    @property
    def is_pending(self) -> bool:
        """Issued at the till, and unknown to the authority until now (CON-6)."""
        return len(self.copies) > 1


def read_receipt(
    xml: bytes,
    *,
    events: Iterable[bytes],
    options: DanfeOptions,
    cancellation: Cancellation | None = None,
) -> Receipt:
    """The view of an NFC-e, or of an NF-e with tpImp 6. Raises BadXml."""
    root = document_of(xml)
    nfe = root.anywhere("infNFe")
    emit, ide, supplement = nfe.tag("emit"), nfe.tag("ide"), root.anywhere("infNFeSupl")
    standing = standing_of(root, events, cancellation=cancellation, preview=options.previa)
    is_nfce = ide("mod") == _NFCE
    return Receipt(
        title=_TITLES[is_nfce],
        nome=emit("xNome"),
        documento=_registrations(emit),
        address=_address(emit.tag("enderEmit")),
        standing=standing,
        items=() if is_nfce and options.resumo_danfce else tuple(map(sold, nfe.all("det"))),
        n_items=len(nfe.all("det")),
        totals=_totals(nfe.tag("total")),
        payments=_payments(nfe.tag("pag")),
        taxes=() if is_nfce else _reform(nfe.tag("total")),
        url_chave=supplement("urlChave"),
        chave=nfe.attribute("Id")[3:],
        consumer=_consumer(nfe),
        identification=(
            f"{'NFC-e' if is_nfce else 'NF-e'} nº {ide('nNF').zfill(9)} "
            f"Série {ide('serie').zfill(3)} {moment(ide('dhEmi')).replace(' ', _NBSP)}"
        ),
        tributos=amount(nfe("total/ICMSTot/vTotTrib")),
        fiscal=_joined(nfe("infAdic/infAdFisco"), root.anywhere("protNFe")("infProt/xMsg")),
        notes=_joined(nfe("infAdic/infCpl")),
        qrcode=supplement("qrCode"),
        copies=_copies(ide, standing, is_nfce=is_nfce),
    )


_TITLES = {
    True: "Documento Auxiliar da Nota Fiscal de Consumidor Eletrônica",
    False: "DANFE Simplificado Tipo 2",
}


def _copies(ide: Tag, standing: Standing, *, is_nfce: bool) -> tuple[str, ...]:
    """Two copies while the authority does not know the note (CON-6; NT 2026.003)."""
    if ide("tpEmis") != _OFFLINE or standing.protocolo:
        return ("",)
    return ("Via Consumidor", "Via Empresa" if is_nfce else "Via Estabelecimento")


def _joined(*texts: str) -> str:
    """Lines of the texts, which the writer joined with ` | ` (XML-6)."""
    return "\n".join(filter(None, texts)).replace(" | ", "\n")


def _registrations(emit: Tag) -> str:
    kind = "CNPJ" if emit("CNPJ") else "CPF"
    ie = f"IE:{_NBSP}{emit('IE')}" if emit("IE") else ""
    return " ".join(filter(None, (f"{kind}:{_NBSP}{document(emit)}", ie)))


def _reform(total: Tag) -> tuple[tuple[str, str], ...]:
    named = (
        ("CBS R$", "IBSCBSTot/gCBS/vCBS"),
        ("IBS R$", "IBSCBSTot/gIBS/vIBS"),
        ("IS R$", "ISTot/vIS"),
    )
    return tuple((label, amount(total(path))) for label, path in named if total(path))


def _address(place: Tag) -> str:
    town = f"{_NBSP}-{_NBSP}".join(filter(None, (place("xMun"), place("UF"))))
    return ", ".join(filter(None, (address(place), place("xBairro"), town)))


def sold(det: Tag) -> Sold:
    """An item as both kinds of short prints show it."""
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
    rows.append(("Troco R$", amount(pag("vTroco") or "0")))  # always (Manual do DANFE NFC-e 6.0)
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
