"""748 Sicredi, 240 positions.

"Manual CNAB 240 Sicredi, agosto de 2019", version 081 of the file and 040 of the lot: no agreement
in the headers, the number with its check digit to the left, written off after 60 days always.
"""

from __future__ import annotations

from billing.gateways.cnab import occurrences
from billing.gateways.cnab.base import Heading, same
from billing.gateways.cnab.cnab240 import Cnab240, Values
from billing.gateways.cnab.titles import Movement, Sender, Title

_WRITE_OFF_DAYS = 60
_SIZE = 8


class Sicredi240(Cnab240):
    bank, bank_name, printed_name = "748", "Sicredi", "SICREDI"
    file_version, lot_version, density = 81, 40, 1600
    occurrences = occurrences.SICREDI
    species = {"DM": 3, "DS": 5, "NP": 12, "RC": 17, "ND": 19}
    wanted = ("agency", "code")
    change_of_amount = Movement.CHANGE

    def place(self, sender: Sender) -> Values:
        terms = sender.terms
        return {
            "agency": terms.agency,
            "account": terms.account or terms.code,
            "account_dv": terms.account_dv[:1],
        }

    def agreement(self, sender: Sender) -> str:
        return ""

    def of_p(self, sender: Sender, title: Title) -> Values:
        return {"document_type": "1", "write_off_days": _WRITE_OFF_DAYS}

    def own_number(self, given: str) -> str:
        return given.strip().lstrip("0")[:_SIZE]

    def is_of(self, heading: Heading, sender: Sender) -> bool:
        terms = sender.terms
        return same(heading.agency, terms.agency) and same(
            heading.account, terms.account or terms.code
        )
