"""What every layout of bank files answers, so that readers, writers and services know no bank."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from billing.gateways.cnab import occurrences, reasons
from billing.gateways.cnab.layout import InvalidRecord, Value
from billing.gateways.cnab.titles import Entry, Late, Movement, Sender, Title
from lib.money import half_up

CRLF = "\r\n"
OTHER_SPECIES = 99
_WANTED = {"agency": "a agência", "account": "a conta", "code": "o código"}


@dataclass(frozen=True)
class Heading:
    """Who a file is of, as its first line says; texts of digits, "" where it says nothing."""

    bank: str
    agency: str = ""
    account: str = ""
    code: str = ""
    number: int | None = None
    made_on: date | None = None

    @property
    def shown(self) -> str:
        """The agreement as people know it."""
        if self.code.strip("0 "):
            return self.code.lstrip("0 ")
        return f"agência {self.agency.lstrip('0') or '—'}, conta {self.account.lstrip('0') or '—'}"


class Layout(ABC):
    """One bank's files of one width. Pure arithmetic over text."""

    bank: ClassVar[str]
    bank_name: ClassVar[str]
    printed_name: ClassVar[str]  # as the bank wants itself called in its files
    width: ClassVar[int]
    occurrences: ClassVar[occurrences.Table] = occurrences.FEBRABAN
    reasons: ClassVar[reasons.Reasons] = reasons.FEBRABAN
    # Codes of kinds of documents; another kind is sent as "others".
    species: ClassVar[Mapping[str, int]] = {"DM": 2, "DS": 4, "NP": 12, "RC": 17, "ND": 19}
    # The bank takes interest in reais a day only (LATE-3).
    daily_interest_only: ClassVar[bool] = False
    # What asks for another value: some banks have no code of its own for it.
    change_of_amount: ClassVar[Movement] = Movement.CHANGE_AMOUNT
    # A bank that still wants digits refuses the CNPJ with letters with its own words.
    takes_letters: ClassVar[bool] = True

    # What the file needs and a boleto may not.
    wanted: ClassVar[tuple[str, ...]] = ("agency", "account")

    @property
    def code(self) -> str:
        """As kept with a file."""
        return f"{self.width}-{self.bank}"

    @property
    def title(self) -> str:
        return f"CNAB {self.width} {self.bank_name}"

    @abstractmethod
    def lines(
        self, sender: Sender, titles: Sequence[Title], *, number: int, made_at: datetime
    ) -> list[str]:
        """The lines of a remessa. Raises InvalidRecord."""

    @abstractmethod
    def heading(self, line: str) -> Heading:
        """What the first line of a retorno says. Raises InvalidRecord."""

    def write(
        self, sender: Sender, titles: Sequence[Title], *, number: int, made_at: datetime
    ) -> bytes:
        """The bytes of a remessa: ASCII, each line ended by CR LF; the same each time.

        `made_at` is local time. Raises InvalidRecord (pt-BR) for what the layout cannot say.
        """
        for name in self.wanted:
            if not getattr(sender.terms, name):
                raise InvalidRecord(f"Informe {_WANTED[name]} do convênio para gerar o arquivo.")
        if not self.takes_letters:
            for title in titles:
                _without_letters(title)
        lines = self.lines(sender, titles, number=number, made_at=made_at)
        return "".join(line + CRLF for line in lines).encode("ascii")

    def is_of(self, heading: Heading, sender: Sender) -> bool:
        """Is a file of this agreement? By its code where the bank tells it, else by the account."""
        if heading.code.strip("0 ") and sender.terms.code:
            return same(heading.code, sender.terms.code)
        return same(heading.agency, sender.terms.agency) and same(
            heading.account, sender.terms.account
        )

    def is_daily(self, late: Late) -> bool:
        """Is interest registered in reais a day? Also a rate that has more than two decimals."""
        rate = late.interest_month
        return self.daily_interest_only or rate is None or rate != half_up(rate)

    def species_of(self, title: Title) -> int:
        return self.species.get(title.species, OTHER_SPECIES)

    def explain(self, entry: Entry) -> Entry:
        """Put an entry's occurrence and reasons in words."""
        told = occurrences.told(self.occurrences, entry.occurrence)
        entry.meaning, entry.text = told.meaning, told.text
        entry.why = reasons.why(self.reasons, told.meaning, entry.reasons)
        return entry


def same(one: str, other: str) -> bool:
    """The same number, whatever zeros stand before it; nothing is like nothing."""
    bare = one.strip().lstrip("0")
    return bool(bare) and bare == other.strip().lstrip("0")


def document_kind(document: str) -> int:
    """1 for a CPF, 2 for a CNPJ, 0 for none."""
    return {11: 1, 14: 2}.get(len(document), 0)


def text(value: Value) -> str:
    return str(value or "").strip()


def _without_letters(title: Title) -> None:
    document = title.payer.document
    if document and not document.isdecimal():
        raise InvalidRecord(
            f"{title.payer.name}: o banco ainda não aceita CNPJ com letras no arquivo."
        )
