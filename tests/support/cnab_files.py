"""Retornos as banks would send them, made of the layouts that the product reads them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing.gateways.boleto.bank import Agreement, NossoNumero
from billing.gateways.boleto.registry import BANKS
from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.bradesco400 import Bradesco400
from billing.gateways.cnab.cnab240 import Cnab240
from billing.gateways.cnab.cnab400 import SEQUENCE, Cnab400, record
from billing.gateways.cnab.layout import Field, N, Record, V
from billing.gateways.cnab.titles import Late, Movement, Payer, Sender, Title

DAY = date(2026, 8, 20)
CREDIT_DAY = date(2026, 8, 21)
ZERO = Decimal("0.00")

SENDERS: dict[str, Sender] = {
    bank: Sender("Organização Exemplo", "12ABC34501DE35", terms, agency_dv="1", variation="019")
    for bank, terms in {
        "001": Agreement(
            agency="4042", account="00061900", account_dv="5", code="1238798", carteira="17"
        ),
        "033": Agreement(
            agency="0123", account="13000123", account_dv="4", code="1899775", carteira="101"
        ),
        "104": Agreement(agency="1234", code="245274", modality="1", carteira="RG"),
        "237": Agreement(agency="4042", account="0061900", account_dv="7", carteira="09"),
        "341": Agreement(agency="0810", account="53678", carteira="109"),
        "748": Agreement(agency="0710", post="65", code="00129", carteira="1"),
        "756": Agreement(
            agency="0001", account="123456", account_dv="7", code="0000019", modality="01",
            carteira="1",
        ),
    }.items()
}  # fmt: skip
PAYER = Payer(
    name="Cliente Açaí & Filhos",
    document="12ABC34501DE35",
    address="Rua São João, 100 – sala 2",
    district="Centro",
    zipcode="01001000",
    city="São Paulo",
    uf="SP",
)


def number_of(bank: str, sequence: int) -> NossoNumero:
    """Of the agreement in SENDERS."""
    return BANKS[bank].nosso_numero(SENDERS[bank].terms, sequence, on=DAY)


def title(bank: str, sequence: int = 1, **fields: Any) -> Title:
    """An entry of R$ 500,00 with a fine of 2 % and interest of 1 % a month."""
    given: dict[str, Any] = {
        "movement": Movement.ENTRY,
        "number": number_of(bank, sequence),
        "document_number": "00042-1",
        "company_use": "77",
        "due": date(2026, 8, 10),
        "amount": Decimal("500.00"),
        "issued_on": date(2026, 8, 1),
        "payer": PAYER,
        "late": Late(interest_month=Decimal("1.00"), fine_percent=Decimal("2.00")),
        "limit_days": 59,
    }
    return Title(**(given | fields))


@dataclass(frozen=True)
class Fact:
    """What the bank tells of a title; BRL."""

    number: NossoNumero
    occurrence: str = "06"
    value: Decimal = Decimal("100.00")
    paid: Decimal = ZERO
    fee: Decimal = ZERO
    additions: Decimal = ZERO
    discount: Decimal = ZERO
    reasons: str = ""
    document_number: str = ""
    company_use: str = ""
    payer: str = "CLIENTE EXEMPLO"
    due: date = DAY
    occurred_on: date | None = DAY
    credited_on: date | None = CREDIT_DAY


def lines_of(
    layout: Cnab240 | Cnab400, sender: Sender, facts: Sequence[Fact], *, number: int = 1
) -> list[str]:
    """The lines of a retorno, without their ends."""
    if isinstance(layout, Cnab240):
        return _lines_240(layout, sender, facts, number)
    return _lines_400(layout, sender, facts, number)


def retorno(
    layout: Cnab240 | Cnab400, sender: Sender, facts: Sequence[Fact], *, number: int = 1
) -> bytes:
    """The bytes of a retorno."""
    return joined(lines_of(layout, sender, facts, number=number))


def joined(lines: Sequence[str], *, end: str = "\r\n") -> bytes:
    return "".join(line + end for line in lines).encode("latin-1")


def put(line: str, first: int, value: str) -> str:
    """`line` with `value` from position `first` on."""
    return line[: first - 1] + value + line[first - 1 + len(value) :]


# --- 240 -----------------------------------------------------------------------------------------


def _lines_240(layout: Cnab240, sender: Sender, facts: Sequence[Fact], number: int) -> list[str]:
    header = _header_240(layout, sender, number)
    lot = put(febraban.LOT_HEADER.write({"bank": layout.bank, "lot": 1}), 9, "T")
    details = []
    for fact in facts:
        details += [_t(layout, sender, fact, len(details) + 1), _u(layout, fact, len(details) + 2)]
    total = sum((fact.value for fact in facts), ZERO)
    return [
        header,
        lot,
        *details,
        febraban.LOT_TRAILER.write({
            "bank": layout.bank, "lot": 1, "n_records": len(details) + 2,
            "n_titles": len(facts), "total": total,
        }),
        febraban.FILE_TRAILER.write(
            {"bank": layout.bank, "n_lots": 1, "n_records": len(details) + 4}
        ),
    ]  # fmt: skip


def _header_240(layout: Cnab240, sender: Sender, number: int) -> str:
    place = f"{sender.terms.agency:0>5} {sender.terms.account or sender.terms.code:0>12}"
    line = febraban.FILE_HEADER.write({
        "bank": layout.bank, "direction": 2, "made_on": DAY, "number": number,
        "company": sender.name, "document": sender.document, "document_kind": 2,
    })  # fmt: skip
    line = put(line, 53, place)
    if layout.bank == "001":
        line = put(line, 33, f"{sender.terms.code:0>9}")
    if layout.bank == "033":
        line = put(line, 33, f"{sender.terms.agency:0>4}0{sender.terms.account:0>9}0")
        line = put(line, 53, f"{sender.terms.code:0>9}".ljust(20))
    if layout.bank == "104":
        line = put(line, 59, sender.terms.code.ljust(14, "0"))
    return line


def _t(layout: Cnab240, sender: Sender, fact: Fact, sequence: int) -> str:
    head = {"bank": layout.bank, "lot": 1, "sequence": sequence, "movement": 0}
    names = {one.name for one in layout.segment_t.fields}
    values: dict[str, Any] = {
        **head,
        "nosso_numero": _number_240(layout, sender, fact),
        "document_number": fact.document_number,
        "due": fact.due,
        "amount": fact.value,
        "company_use": fact.company_use,
        "name": fact.payer,
        "fee": fact.fee,
        "reasons": fact.reasons,
    }
    for name in ("product", "carteira_code"):
        if name in names:
            values[name] = sender.terms.carteira.zfill(3)
    return put(layout.segment_t.write(values), 16, fact.occurrence)


def _number_240(layout: Cnab240, sender: Sender, fact: Fact) -> str:
    """In the positions of segment T that the layout names so."""
    return {
        "033": fact.number.number + fact.number.dv,
        "104": fact.number.number,
        "237": fact.number.number,
        "341": fact.number.number,
    }.get(layout.bank) or layout.nosso_numero(
        sender, replace(title(layout.bank), number=fact.number)
    )


def _u(layout: Cnab240, fact: Fact, sequence: int) -> str:
    line = febraban.U.write({
        "bank": layout.bank, "lot": 1, "sequence": sequence, "movement": 0,
        "additions": fact.additions, "discount": fact.discount, "paid": fact.paid,
        "credited": max(fact.paid - fact.fee, ZERO), "occurred_on": fact.occurred_on,
        "credited_on": fact.credited_on,
    })  # fmt: skip
    return put(line, 16, fact.occurrence)


# --- 400 -----------------------------------------------------------------------------------------


def _lines_400(layout: Cnab400, sender: Sender, facts: Sequence[Fact], number: int) -> list[str]:
    detail = _writable(layout.read_detail)
    lines = [_header_400(layout, sender, number)]
    for fact in facts:
        values = {
            "kind": "1", "company_use": fact.company_use, "occurrence": fact.occurrence,
            "occurred_on": fact.occurred_on, "document_number": fact.document_number,
            "due": fact.due, "amount": fact.value, "fee": fact.fee, "discount": fact.discount,
            "principal": fact.paid, "late": fact.additions, "credited_on": fact.credited_on,
            "nosso_numero": fact.number.number, "carteira": sender.terms.carteira.zfill(3),
            "reasons": fact.reasons, "sequence": len(lines) + 1,
        }  # fmt: skip
        if not isinstance(layout, Bradesco400):
            values["payer"] = fact.payer
        lines.append(detail.write(values))
    lines.append(_trailer_400(layout, facts, len(lines) + 1))
    return lines


def _writable(found: Record) -> Record:
    return found.changed(SEQUENCE)


def _header_400(layout: Cnab400, sender: Sender, number: int) -> str:
    line = layout.header.write({**layout.of_header(sender, number), "made_on": DAY, "sequence": 1})
    line = put(line, 2, "2RETORNO")
    return put(line, 109, f"{number:05d}  ")


def _trailer_400(layout: Cnab400, facts: Sequence[Fact], sequence: int) -> str:
    places = (213, 221) if layout.bank == "341" else (18, 26)
    count, total = places
    trailer = record(
        "trailer",
        Field("kind", 1, 1, value="9"),
        Field("n", count, count + 7, N),
        Field("total", total, total + 13, V),
        SEQUENCE,
    )
    value = sum((fact.value for fact in facts), ZERO)
    return trailer.write({"n": len(facts), "total": value, "sequence": sequence})
