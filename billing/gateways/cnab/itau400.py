"""341 Itaú, 400 positions.

"Cobrança Itaú, intercâmbio eletrônico de arquivos, layout CNAB 400", julho de 2021: interest in
reais a day in the detail, the fine in an optional detail of kind 2.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from billing.gateways.boleto.digits import mod10
from billing.gateways.cnab import occurrences, reasons
from billing.gateways.cnab.base import document_kind
from billing.gateways.cnab.cnab400 import DETAIL, SEQUENCE, Cnab400, Values, record
from billing.gateways.cnab.itau import MAX_DAYS, SPECIES
from billing.gateways.cnab.layout import DOC, D, Field, N, Record, V
from billing.gateways.cnab.titles import Entry, Movement, Sender, Title

_PLACE = (Field("agency", 27, 30, N), Field("_zeros", 31, 32, N), Field("account", 33, 37, N))
HEADER = record(
    "header",
    Field("kind", 1, 1, N, 0),
    Field("operation", 2, 2, N, 1),
    Field("literal", 3, 9, value="REMESSA"),
    Field("service", 10, 11, N, 1),
    Field("service_name", 12, 26, value="COBRANCA"),
    *_PLACE,
    Field("dac", 38, 38, N),
    Field("company", 47, 76),
    Field("bank", 77, 79, N, 341),
    Field("bank_name", 80, 94, value="BANCO ITAU SA"),
    Field("made_on", 95, 100, D),
    SEQUENCE,
)
TITLE = record(
    "detalhe",
    Field("kind", 1, 1, N, 1),
    Field("own_kind", 2, 3, N),
    Field("own_document", 4, 17, DOC),
    Field("agency", 18, 21, N),
    Field("_zeros", 22, 23, N),
    Field("account", 24, 28, N),
    Field("dac", 29, 29, N),
    Field("_zeros_2", 34, 37, N),
    Field("company_use", 38, 62),
    Field("nosso_numero", 63, 70, N),
    Field("_zeros_3", 71, 83, N),
    Field("carteira", 84, 86, N),
    Field("carteira_code", 108, 108, value="I"),
    Field("movement", 109, 110, N),
    Field("document_number", 111, 120),
    Field("due", 121, 126, D),
    Field("amount", 127, 139, V),
    Field("bank", 140, 142, N, 341),
    Field("_zeros_4", 143, 147, N),
    Field("species", 148, 149, N),
    Field("aceite", 150, 150, value="N"),
    Field("issued_on", 151, 156, D),
    Field("instruction_1", 157, 158),
    Field("instruction_2", 159, 160),
    Field("interest", 161, 173, V),
    Field("discount_on", 174, 179, D),
    Field("discount", 180, 192, V),
    Field("iof", 193, 205, V),
    Field("abatement", 206, 218, V),
    Field("document_kind", 219, 220, N),
    Field("document", 221, 234, DOC),
    Field("name", 235, 264),
    Field("address", 275, 314),
    Field("district", 315, 326),
    Field("zipcode", 327, 334, N),
    Field("city", 335, 349),
    Field("uf", 350, 351),
    Field("final_name", 352, 381),
    Field("interest_on", 386, 391, D),
    Field("days", 392, 393, N),
    SEQUENCE,
)
FINE = record(
    "multa",
    Field("kind", 1, 1, N, 2),
    Field("code", 2, 2),
    Field("since", 3, 10, D),
    Field("value", 11, 23, V),
    SEQUENCE,
)
RETURNED = record(
    "detalhe",
    *DETAIL,
    Field("nosso_numero", 63, 70),
    Field("carteira", 83, 85),
    Field("payer", 325, 354),
    Field("reasons", 378, 385),
    Field("means", 393, 394),
)
# Protest so many days after the due date; write off so many days after it.
_PROTEST, _WRITE_OFF = "34", "92"


class Itau400(Cnab400):
    bank, bank_name = "341", "Itaú"
    header, detail = HEADER, TITLE
    read_header = record(
        "header",
        Field("agency", 27, 30),
        Field("account", 33, 37),
        Field("made_on", 95, 100, D),
        Field("number", 109, 113, N),
    )
    read_detail = RETURNED
    read_trailer = record("trailer", Field("n_records", 213, 220, N), Field("total", 221, 234, V))
    occurrences, reasons = occurrences.ITAU, reasons.ITAU
    species = SPECIES
    daily_interest_only = True
    change_of_amount = Movement.CHANGE

    def of_header(self, sender: Sender, number: int) -> Values:
        return _place(sender)

    def details(self, sender: Sender, title: Title) -> list[tuple[Record, Values]]:
        found = [(TITLE, {**_place(sender), **self._title(sender, title)})]
        if title.movement is not Movement.WRITE_OFF and (fine := _fine(title)):
            found.append((FINE, fine))
        return found

    def _title(self, sender: Sender, title: Title) -> Values:
        payer, daily = title.payer, title.daily_interest()
        return {
            "own_kind": document_kind(sender.document),
            "own_document": sender.document,
            "company_use": title.company_use,
            "nosso_numero": title.number.number,
            "carteira": sender.terms.carteira,
            "movement": title.movement.value,
            "document_number": title.document_number,
            "due": title.due,
            "amount": title.amount,
            "species": self.species_of(title),
            "issued_on": title.issued_on,
            "interest": daily,
            "interest_on": title.due + timedelta(days=1) if daily else None,
            "document_kind": document_kind(payer.document),
            "document": payer.document,
            "name": payer.name,
            "address": payer.address,
            "district": payer.district,
            "zipcode": payer.zipcode,
            "city": payer.city,
            "uf": payer.uf,
            **_instructions(title),
        }

    def paid(self, entry: Entry) -> Decimal:
        """The bank tells what it put on the account, fee taken or not, late charges in it or not.

        What agrees with the title and its additions is what was paid; else what was credited.
        """
        expected = entry.value + entry.additions - entry.discount
        given = entry.credited
        readings = (given, given + entry.fee, given + entry.additions)
        if given and (*readings, given + entry.additions + entry.fee).count(expected):
            return expected
        return given


def _place(sender: Sender) -> Values:
    agency, account = sender.terms.agency, sender.terms.account
    return {"agency": agency, "account": account, "dac": mod10(agency + account)}


def _fine(title: Title) -> Values:
    percent = title.late.registrable_percent()
    value = percent or title.fine()
    if not value:
        return {}
    return {"code": "2" if percent else "1", "since": title.due + timedelta(days=1), "value": value}


def _instructions(title: Title) -> Values:
    """One number of days for both: protest goes before."""
    if title.protest_days:
        return {"instruction_1": _PROTEST, "days": min(title.protest_days, MAX_DAYS)}
    if title.limit_days:
        return {"instruction_1": _WRITE_OFF, "days": min(title.limit_days, MAX_DAYS)}
    return {"days": 0}
