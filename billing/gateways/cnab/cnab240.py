"""Files of 240 positions: FEBRABAN's, which each bank changes in part (boleto-pix §6.2, §6.3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.base import Heading, Layout, document_kind, text
from billing.gateways.cnab.layout import Field, InvalidRecord, Record, Value
from billing.gateways.cnab.titles import MAX_AMOUNT, Entry, Movement, Sender, Title

Values = dict[str, Value]

LOT = 1
PER_DAY, PER_MONTH, NO_INTEREST = 1, 2, 3
FIXED_FINE, PERCENT_FINE = 1, 2
_ZERO = Decimal("0.00")

# What is read of a retorno; numbers that only identify are read as the text they are.
_HEADER = febraban.FILE_HEADER.changed(Field("agency", 53, 57), Field("account", 59, 70))
_HEADER_READ = ("agreement", "agency", "account", "made_on", "number")
T_READ = (
    "movement", "nosso_numero", "document_number", "due", "amount", "company_use", "name", "fee",
    "reasons",
)  # fmt: skip
_U_READ = (
    "additions", "discount", "abatement", "paid", "credited", "other_credits", "occurred_on",
    "credited_on",
)  # fmt: skip


class Cnab240(Layout):
    """FEBRABAN's layout as it stands; a bank's module changes records, versions and formats."""

    width = febraban.WIDTH
    file_version: ClassVar[int] = 103
    lot_version: ClassVar[int] = 60
    density: ClassVar[int] = 0
    header: ClassVar[Record] = febraban.FILE_HEADER
    lot_header: ClassVar[Record] = febraban.LOT_HEADER
    p: ClassVar[Record] = febraban.P
    q: ClassVar[Record] = febraban.Q
    r: ClassVar[Record] = febraban.R
    lot_trailer: ClassVar[Record] = febraban.LOT_TRAILER
    file_trailer: ClassVar[Record] = febraban.FILE_TRAILER
    read_header: ClassVar[Record] = _HEADER.only(*_HEADER_READ)
    segment_t: ClassVar[Record] = febraban.T
    t_read: ClassVar[tuple[str, ...]] = T_READ
    u: ClassVar[Record] = febraban.U.only(*_U_READ)
    no_interest: ClassVar[int] = NO_INTEREST
    # Days for not protesting and for writing off by itself: code and how it is counted.
    protest: ClassVar[int] = 1
    no_protest: ClassVar[int] = 3
    write_off: ClassVar[int] = 1

    # --- what a bank changes -------------------------------------------------------------------

    def place(self, sender: Sender) -> Values:
        """Agency and account, in headers."""
        return {
            "agency": sender.terms.agency,
            "agency_dv": sender.agency_dv,
            "account": sender.terms.account,
            "account_dv": sender.terms.account_dv[:1],
            "dv": sender.terms.account_dv[1:],
        }

    def place_of_title(self, sender: Sender) -> Values:
        """Agency and account, in segment P."""
        return self.place(sender)

    def agreement(self, sender: Sender) -> str:
        """The 20 positions of the agreement in both headers."""
        return sender.terms.code

    def of_file(self, sender: Sender) -> Values:
        """Further values of the file's header."""
        return {}

    def of_lot(self, sender: Sender) -> Values:
        """Further values of the lot's header."""
        return {}

    def of_p(self, sender: Sender, title: Title) -> Values:
        """Further values of segment P."""
        return {}

    def nosso_numero(self, sender: Sender, title: Title) -> str:
        """The 20 positions of the number in segment P."""
        return title.number.number + title.number.dv

    def own_number(self, given: str) -> str:
        """The number as we keep it, without check digit, from segment T."""
        return given.strip()

    def carteira(self, t: Values) -> str:
        """The carteira of a record, where the number alone does not tell the title."""
        return ""

    # --- remessa -------------------------------------------------------------------------------

    def lines(
        self, sender: Sender, titles: Sequence[Title], *, number: int, made_at: datetime
    ) -> list[str]:
        details: list[str] = []
        for title in titles:
            details += self._segments(sender, title, first=len(details) + 1)
        total = sum((title.amount for title in titles), _ZERO)
        return [
            self._file_header(sender, number, made_at),
            self._lot_header(sender, number, made_at.date()),
            *details,
            self.lot_trailer.write({
                "bank": self.bank, "lot": LOT, "n_records": len(details) + 2,
                "n_titles": len(titles), "total": total,
            }),
            self.file_trailer.write(
                {"bank": self.bank, "n_lots": 1, "n_records": len(details) + 4}
            ),
        ]  # fmt: skip

    def _file_header(self, sender: Sender, number: int, made_at: datetime) -> str:
        return self.header.write({
            **self._sender(sender), "made_on": made_at.date(), "made_at": f"{made_at:%H%M%S}",
            "number": number % 10**6, "version": self.file_version, "density": self.density,
            "bank_name": self.printed_name, **self.of_file(sender),
        })  # fmt: skip

    def _lot_header(self, sender: Sender, number: int, made_on: date) -> str:
        return self.lot_header.write({
            **self._sender(sender), "lot": LOT, "made_on": made_on, "number": number,
            "version": self.lot_version, **self.of_lot(sender),
        })  # fmt: skip

    def _sender(self, sender: Sender) -> Values:
        return {
            **self.place(sender),
            "bank": self.bank,
            "document_kind": document_kind(sender.document),
            "document": sender.document,
            "agreement": self.agreement(sender),
            "company": sender.name,
        }

    def _segments(self, sender: Sender, title: Title, *, first: int) -> list[str]:
        """P and Q, and R unless there is nothing to say in it."""
        common: Values = {"bank": self.bank, "lot": LOT, "movement": title.movement.value}
        values = [(self.p, self._p(sender, title)), (self.q, _q(title))]
        if title.movement is not Movement.WRITE_OFF:
            values.append((self.r, _fine(title)))
        return [
            record.write({**common, **given, "sequence": first + at})
            for at, (record, given) in enumerate(values)
        ]

    def _p(self, sender: Sender, title: Title) -> Values:
        return {
            **self.place_of_title(sender),
            **self.interest(title),
            "nosso_numero": self.nosso_numero(sender, title),
            "document_number": title.document_number,
            "due": title.due,
            "amount": title.amount,
            "species": self.species_of(title),
            "issued_on": title.issued_on,
            "company_use": title.company_use,
            "protest_code": self.protest if title.protest_days else self.no_protest,
            "protest_days": title.protest_days,
            "write_off_code": self.write_off,
            "write_off_days": title.limit_days,
            **self.of_p(sender, title),
        }

    def interest(self, title: Title) -> Values:
        """Of the day after the due date on, or banks refuse it (§6.2)."""
        if self.is_daily(title.late):
            code, value = PER_DAY, title.daily_interest()
        else:
            code, value = PER_MONTH, title.late.interest_month or _ZERO
        if not value:
            return {"interest_code": self.no_interest, "interest_on": None, "interest": _ZERO}
        on = title.due + timedelta(days=1)
        return {"interest_code": code, "interest_on": on, "interest": value}

    # --- retorno -------------------------------------------------------------------------------

    def heading(self, line: str) -> Heading:
        found = self.read_header.read(line)
        number, made_on = found.get("number"), found["made_on"]
        return Heading(
            bank=self.bank,
            agency=text(found.get("agency")),
            account=text(found.get("account")),
            code=self.told_code(found),
            number=number if isinstance(number, int) else None,
            made_on=made_on if isinstance(made_on, date) else None,
        )

    def told_code(self, header: Values) -> str:
        """The agreement's code as the header of a retorno tells it; "" where it does not."""
        return ""

    @cached_property
    def t(self) -> Record:
        """Segment T as it is read: an occurrence may have letters."""
        return self.segment_t.changed(Field("movement", 16, 17)).only(*self.t_read)

    def entry(self, line: int, t: str) -> Entry:
        """What segment T, in this line, tells. Raises InvalidRecord."""
        found: dict[str, Any] = self.t.read(t)
        entry = Entry(
            line=line,
            occurrence=found["movement"],
            reasons=found["reasons"][:10],
            nosso_numero=self.own_number(found["nosso_numero"]),
            carteira=self.carteira(found),
            document_number=text(found["document_number"]),
            company_use=text(found["company_use"]),
            payer=text(found["name"]),
            due=found["due"],
            value=found["amount"],
            fee=found["fee"],
        )
        return self.explain(entry)

    def complete(self, entry: Entry, u: str) -> None:
        """Add what segment U tells. Raises InvalidRecord."""
        found: dict[str, Any] = self.u.read(u)
        additions = found["additions"] + found["other_credits"]
        discount = found["discount"] + found["abatement"]
        for name, value in (("acréscimos", additions), ("desconto", discount)):
            if value > MAX_AMOUNT:
                raise InvalidRecord(f"{name}: o valor é grande demais.")
        entry.additions, entry.discount = additions, discount
        entry.paid, entry.credited = found["paid"], found["credited"]
        entry.occurred_on, entry.credited_on = found["occurred_on"], found["credited_on"]


def _q(title: Title) -> Values:
    payer = title.payer
    return {
        "document_kind": document_kind(payer.document),
        "document": payer.document,
        "name": payer.name,
        "address": payer.address,
        "district": payer.district,
        "zipcode": payer.zipcode,
        "city": payer.city,
        "uf": payer.uf,
    }


def _fine(title: Title) -> Values:
    percent = title.late.registrable_percent()
    value = percent or title.fine()
    if not value:
        return {}
    return {
        "fine_code": PERCENT_FINE if percent else FIXED_FINE,
        "fine_on": title.due + timedelta(days=1),
        "fine": value,
    }
