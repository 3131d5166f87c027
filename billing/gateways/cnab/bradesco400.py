"""237 Bradesco, 400 positions.

"Layout de arquivos de cobrança, 400 posições" (MX): the title's number with the carteira in it
identifies it; the fine is a percentage in the detail itself, interest is in reais a day.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from billing.gateways.cnab import occurrences, reasons
from billing.gateways.cnab.base import Heading, document_kind, same
from billing.gateways.cnab.cnab400 import DETAIL, SEQUENCE, Cnab400, Values, record
from billing.gateways.cnab.layout import DOC, D, Field, N, Record, V
from billing.gateways.cnab.titles import Movement, Sender, Title

HEADER = record(
    "header",
    Field("kind", 1, 1, N, 0),
    Field("operation", 2, 2, N, 1),
    Field("literal", 3, 9, value="REMESSA"),
    Field("service", 10, 11, N, 1),
    Field("service_name", 12, 26, value="COBRANCA"),
    Field("code", 27, 46, N),
    Field("company", 47, 76),
    Field("bank", 77, 79, N, 237),
    Field("bank_name", 80, 94, value="BRADESCO"),
    Field("made_on", 95, 100, D),
    Field("system", 109, 110, value="MX"),
    Field("number", 111, 117, N),
    SEQUENCE,
)
TITLE = record(
    "detalhe",
    Field("kind", 1, 1, N, 1),
    Field("_debit_agency", 2, 6, N),
    Field("_debit_rest", 8, 19, N),
    Field("_zero", 21, 21, N),
    Field("carteira", 22, 24, N),
    Field("agency", 25, 29, N),
    Field("account", 30, 36, N),
    Field("account_dv", 37, 37),
    Field("company_use", 38, 62),
    Field("_debit_bank", 63, 65, N),
    Field("fine_code", 66, 66, N),
    Field("fine", 67, 70, V),
    Field("nosso_numero", 71, 81, N),
    Field("nosso_numero_dv", 82, 82),
    Field("_bonus", 83, 92, N),
    Field("issue", 93, 93, N, 2),
    Field("_debit", 94, 94, value="N"),
    Field("_notice", 106, 106, N, 2),
    Field("movement", 109, 110, N),
    Field("document_number", 111, 120),
    Field("due", 121, 126, D),
    Field("amount", 127, 139, V),
    Field("_bank", 140, 142, N),
    Field("_agency", 143, 147, N),
    Field("species", 148, 149, N),
    Field("aceite", 150, 150, value="N"),
    Field("issued_on", 151, 156, D),
    Field("instruction_1", 157, 158, N),
    Field("instruction_2", 159, 160, N),
    Field("interest", 161, 173, V),
    Field("discount_on", 174, 179, D),
    Field("discount", 180, 192, V),
    Field("iof", 193, 205, V),
    Field("abatement", 206, 218, V),
    Field("document_kind", 219, 220, N),
    Field("document", 221, 234, DOC),
    Field("name", 235, 274),
    Field("address", 275, 314),
    Field("message", 315, 326),
    Field("zipcode", 327, 334, N),
    Field("message_2", 335, 394),
    SEQUENCE,
)
RETURNED = record(
    "detalhe",
    *DETAIL,
    Field("carteira", 22, 24),
    Field("nosso_numero", 71, 81),
    Field("reasons", 319, 328),
)
_PROTEST = 6
_PERCENT = 2
_CENT = Decimal("0.01")


class Bradesco400(Cnab400):
    bank, bank_name = "237", "Bradesco"
    header, detail = HEADER, TITLE
    read_header = record(
        "header",
        Field("code", 27, 46),
        Field("made_on", 95, 100, D),
        Field("number", 109, 113, N),
    )
    read_detail = RETURNED
    # Its trailer tells of the whole portfolio, not of the file: nothing there to compare with.
    read_trailer = record("trailer", Field("kind", 1, 1))
    occurrences, reasons = occurrences.BRADESCO_400, reasons.BRADESCO_400
    species = {"DM": 1, "NP": 2, "RC": 5, "ND": 11, "DS": 12}
    daily_interest_only = True
    change_of_amount = Movement.CHANGE

    def is_of(self, heading: Heading, sender: Sender) -> bool:
        """The company's code, or what stands for it where the bank gave none."""
        return same(heading.code, _code(sender))

    def of_header(self, sender: Sender, number: int) -> Values:
        return {"code": _code(sender), "number": number}

    def details(self, sender: Sender, title: Title) -> list[tuple[Record, Values]]:
        terms, payer = sender.terms, title.payer
        return [(TITLE, {
            "carteira": terms.carteira, "agency": terms.agency, "account": terms.account,
            "account_dv": terms.account_dv[:1], "company_use": title.company_use,
            "nosso_numero": title.number.number, "nosso_numero_dv": title.number.dv,
            "movement": title.movement.value, "document_number": title.document_number,
            "due": title.due, "amount": title.amount, "species": self.species_of(title),
            "issued_on": title.issued_on, "interest": title.daily_interest(),
            "document_kind": document_kind(payer.document), "document": payer.document,
            "name": payer.name, "address": payer.address, "zipcode": payer.zipcode,
            **_fine(title), **_protest(title),
        })]  # fmt: skip

    def carteira(self, found: Values) -> str:
        return str(found["carteira"]).strip().lstrip("0")


def _code(sender: Sender) -> str:
    terms = sender.terms
    own = f"{terms.carteira:0>4}{terms.agency:0>5}{terms.account:0>7}{terms.account_dv:0>1}"
    return terms.code or own


def _fine(title: Title) -> Values:
    """A percentage only: a fixed fine is told as the nearest one that is not more."""
    percent = title.late.registrable_percent()
    if percent is None and title.fine():
        percent = (title.fine() * 100 / title.amount).quantize(_CENT, rounding=ROUND_DOWN)
    return {"fine_code": _PERCENT, "fine": percent} if percent else {}


def _protest(title: Title) -> Values:
    if not title.protest_days:
        return {}
    return {"instruction_1": _PROTEST, "instruction_2": title.protest_days}
