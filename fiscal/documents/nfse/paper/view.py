"""What the print of a municipal note is filled with, whichever city's XML it came from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from fiscal.documents.nfe.danfe.tags import amount
from fiscal.documents.nfe.danfe.view import Block, Box
from lib import br, money

NOTE_TITLE = "Nota Fiscal de Serviços Eletrônica – NFS-e"
RPS_TITLE = "Recibo Provisório de Serviços – RPS"
CANCELLED, REPLACED = "CANCELADA", "SUBSTITUÍDA"
NO_VALUE = "SEM VALOR FISCAL"
_ZERO = Decimal("0.00")


@dataclass(frozen=True)
class Facts:
    """What the XML of a city does not say, and the note's row does.

    `mark` is CANCELLED, REPLACED or ""; `is_test` a note of a test environment.
    """

    url: str = ""
    mark: str = ""
    is_test: bool = False


@dataclass(frozen=True)
class Party:
    """Prestador, tomador or intermediário; empty texts are left out."""

    nome: str = ""
    documento: str = ""
    inscricao: str = ""
    address: str = ""
    town: str = ""
    cep: str = ""
    email: str = ""
    phone: str = ""

    def __bool__(self) -> bool:
        return bool(self.nome or self.documento)


@dataclass(frozen=True)
class Amounts:
    """Amounts of a note; None is one that the XML does not have. `rate` is in per cent."""

    services: Decimal | None = None
    deductions: Decimal | None = None
    unconditional: Decimal | None = None
    conditional: Decimal | None = None
    base: Decimal | None = None
    rate: Decimal | None = None
    iss: Decimal | None = None
    is_withheld: bool = False
    pis: Decimal | None = None
    cofins: Decimal | None = None
    inss: Decimal | None = None
    ir: Decimal | None = None
    csll: Decimal | None = None
    others: Decimal | None = None
    iss_withheld: Decimal | None = None
    net: Decimal | None = None
    credit: Decimal | None = None

    @property
    def retained(self) -> Decimal:
        """ISS that the taker keeps."""
        if not self.is_withheld:
            return _ZERO
        return self.iss_withheld or self.iss or _ZERO

    @property
    def payable(self) -> Decimal:
        """Net amount as the city told it, else what is left of the services."""
        if self.net is not None:
            return self.net
        federal = (self.pis, self.cofins, self.inss, self.ir, self.csll, self.others)
        away = sum((one for one in federal if one is not None), self.retained)
        discounts = (self.unconditional or _ZERO) + (self.conditional or _ZERO)
        return (self.services or _ZERO) - away - discounts


@dataclass(frozen=True)
class Paper:
    """A municipal note, or an RPS that is to become one. `details` are label and text."""

    title: str
    town: str
    numero: str
    codigo: str
    issued: str
    competencia: str
    rps: str
    replaces: str
    prestador: Party
    tomador: Party
    intermediario: Party
    discriminacao: str
    details: tuple[tuple[str, str], ...]
    amounts: Amounts
    notes: tuple[str, ...]

    @property
    def is_rps(self) -> bool:
        return self.title == RPS_TITLE


def decimal(text: str) -> Decimal | None:
    """An amount of the XML; None for none, and for what is no number."""
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None


def percent_of(
    rate: Decimal | None, *, base: Decimal | None, iss: Decimal | None
) -> Decimal | None:
    """A rate in per cent: cities write 5, 5.00 or 0.05, and the tax tells which it is (ABR-2)."""
    if rate is None or not rate:
        return rate
    if base and iss:
        due = iss * 100 / base
        return rate * 100 if abs(rate * 100 - due) < abs(rate - due) else rate
    return rate * 100 if rate < 1 else rate


def reais(value: Decimal | None) -> str:
    return "" if value is None else money.brl(value)


def percent(value: Decimal | None) -> str:
    return "" if value is None else f"{amount(str(value))} %"


def document(text: str) -> str:
    return br.document_mask(text) if text else ""


def clean_item(text: str) -> str:
    """Line breaks that cities have their own marks for (`|`, `\\s\\n`, `\\n`)."""
    return text.replace("\\s\\n", "\n").replace("\\n", "\n").replace("|", "\n").strip()


def service_block(paper: Paper) -> Block:
    """Codes of the service, four to a row."""
    found = [Box(label, text) for label, text in paper.details if text]
    rows = tuple(tuple(found[at : at + 3]) for at in range(0, len(found), 3))
    return Block("DADOS DO SERVIÇO", rows)


def value_block(paper: Paper) -> Block:
    """From the amount of the services to the ISS."""
    own = paper.amounts
    kept = "Sim, pelo tomador" if own.is_withheld else "Não"
    return Block(
        "VALORES E ISS",
        (
            (
                Box("Valor dos serviços", reais(own.services), align="right"),
                Box("Deduções", reais(own.deductions or _ZERO), align="right"),
                Box("Desconto incondicionado", reais(own.unconditional or _ZERO), align="right"),
                Box("Desconto condicionado", reais(own.conditional or _ZERO), align="right"),
            ),
            (
                Box("Base de cálculo do ISS", reais(own.base), align="right"),
                Box("Alíquota", percent(own.rate), align="right"),
                Box("Valor do ISS", reais(own.iss), align="right"),
                Box("ISS retido", kept, align="right"),
            ),
        ),
    )


def withheld_block(paper: Paper) -> Block:
    """What the taker keeps of the amount."""
    own = paper.amounts
    found = (
        ("PIS", own.pis), ("COFINS", own.cofins), ("INSS", own.inss), ("IR", own.ir),
        ("CSLL", own.csll), ("Outras", own.others), ("ISS retido", own.retained),
    )  # fmt: skip
    row = tuple(Box(label, reais(value or _ZERO), align="right") for label, value in found)
    return Block("RETENÇÕES", (row,))


def party_block(title: str, party: Party) -> Block:
    """Name and document, then where and how to reach it, as far as the note tells."""
    who = (
        Box("Nome / razão social", party.nome, 2.2),
        Box("CNPJ / CPF", party.documento),
        Box("Inscrição municipal", party.inscricao, 0.8),
    )
    more = (
        (
            Box("Endereço", party.address, 2.2),
            Box("Município / UF", party.town),
            Box("CEP", party.cep, 0.8),
        ),
        (Box("E-mail", party.email, 2.2), Box("Telefone", party.phone, 1.8)),
    )
    return Block(title, (who, *(row for row in more if any(box.value for box in row))))
