"""Files of 400 positions: each bank has its own; what they share is here (boleto-pix §6.4)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from billing.gateways.cnab.base import Heading, Layout, text
from billing.gateways.cnab.layout import DUE, D, Field, N, Record, V, Value
from billing.gateways.cnab.titles import Entry, Sender, Title

Values = dict[str, Value]

WIDTH = 400
SEQUENCE = Field("sequence", 395, 400, N)
ZERO = Decimal("0.00")

# What both banks have in the same places of a retorno's detail.
DETAIL: tuple[Field, ...] = (
    Field("kind", 1, 1),
    Field("company_use", 38, 62),
    Field("occurrence", 109, 110),
    Field("occurred_on", 111, 116, D),
    Field("document_number", 117, 126),
    Field("due", 147, 152, DUE),
    Field("amount", 153, 165, V),
    Field("fee", 176, 188, V),
    Field("abatement", 228, 240, V),
    Field("discount", 241, 253, V),
    Field("principal", 254, 266, V),
    Field("late", 267, 279, V),
    Field("other_credits", 280, 292, V),
    Field("credited_on", 296, 301, D),
)


def record(name: str, *fields: Field) -> Record:
    return Record(name, WIDTH, fields)


class Cnab400(Layout):
    """Header 0, details 1 with what follows them, trailer 9; every line has its number."""

    width = WIDTH
    header: ClassVar[Record]
    detail: ClassVar[Record]
    trailer: ClassVar[Record] = record("trailer", Field("kind", 1, 1, value="9"), SEQUENCE)
    read_header: ClassVar[Record]
    read_detail: ClassVar[Record]
    read_trailer: ClassVar[Record]
    # Kinds of lines that complete a detail and tell nothing that we keep.
    optional: ClassVar[str] = "2345678"

    @abstractmethod
    def of_header(self, sender: Sender, number: int) -> Values:
        """The bank's own values of the header."""

    @abstractmethod
    def details(self, sender: Sender, title: Title) -> list[tuple[Record, Values]]:
        """The lines of one title, but for their sequence."""

    def lines(
        self, sender: Sender, titles: Sequence[Title], *, number: int, made_at: datetime
    ) -> list[str]:
        header: Values = {"made_on": made_at.date(), "company": sender.name}
        wanted = [(self.header, {**header, **self.of_header(sender, number)})]
        for title in titles:
            wanted += self.details(sender, title)
        wanted.append((self.trailer, {}))
        return [
            record.write({**values, "sequence": at})
            for at, (record, values) in enumerate(wanted, 1)
        ]

    # --- retorno -------------------------------------------------------------------------------

    def heading(self, line: str) -> Heading:
        found = self.read_header.read(line)
        number, made_on = found.get("number"), found["made_on"]
        return Heading(
            bank=self.bank,
            agency=text(found.get("agency")),
            account=text(found.get("account")),
            code=text(found.get("code")),
            number=number if isinstance(number, int) else None,
            made_on=made_on if isinstance(made_on, date) else None,
        )

    def entry(self, line: int, detail: str) -> Entry:
        """What a detail, in this line, tells. Raises InvalidRecord."""
        found: dict[str, Any] = self.read_detail.read(detail)
        entry = Entry(
            line=line,
            occurrence=found["occurrence"].strip(),
            reasons=found["reasons"][:10],
            nosso_numero=found["nosso_numero"].strip(),
            carteira=self.carteira(found),
            document_number=text(found["document_number"]),
            company_use=text(found["company_use"]),
            payer=text(found.get("payer")),
            due=found["due"],
            value=found["amount"],
            fee=found["fee"],
            additions=found["late"] + found["other_credits"],
            discount=found["discount"] + found["abatement"],
            credited=found["principal"],
            occurred_on=found["occurred_on"],
            credited_on=found["credited_on"],
        )
        entry.paid = self.paid(entry)
        return self.explain(entry)

    def carteira(self, found: dict[str, Any]) -> str:
        return text(found.get("carteira"))

    def paid(self, entry: Entry) -> Decimal:
        """What the payer paid, where the bank tells what it credited."""
        return entry.credited
