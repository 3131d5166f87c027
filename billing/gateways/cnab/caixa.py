"""104 Caixa Econômica Federal (SIGCB), 240 positions.

"Manual de leiaute de arquivo eletrônico padrão CNAB 240, Cobrança Bancária CAIXA": versions 101
and 060, or 107 and 067 for beneficiaries of seven digits. The beneficiary's code stands where
others have the account, filled with zeros to the right.
"""

from __future__ import annotations

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab import occurrences, reasons
from billing.gateways.cnab.base import Heading, same
from billing.gateways.cnab.cnab240 import Cnab240, Values
from billing.gateways.cnab.layout import Field, N
from billing.gateways.cnab.titles import Sender, Title

_LONG_CODE = 7


class Caixa240(Cnab240):
    bank, bank_name, printed_name = "104", "Caixa Econômica Federal", "CAIXA ECONOMICA FEDERAL"
    file_version, lot_version = 101, 60
    header = febraban.FILE_HEADER.changed(
        Field("agreement", 33, 52, N), Field("beneficiary", 59, 72)
    )
    lot_header = febraban.LOT_HEADER.changed(Field("beneficiary", 60, 73))
    p = febraban.P.changed(
        Field("beneficiary", 24, 40),
        Field("nosso_numero", 41, 57, N),
        Field("document_number", 63, 73),
        Field("delivery", 62, 62, value="0"),
    )
    lot_trailer = febraban.LOT_TRAILER.changed(Field("_linked", 47, 92, N), Field("_none", 93, 115))
    file_trailer = febraban.FILE_TRAILER.changed(Field("_accounts", 30, 35))
    read_header = febraban.FILE_HEADER.changed(
        Field("agency", 53, 57), Field("beneficiary", 59, 65)
    ).only("agency", "beneficiary", "made_on", "number")
    segment_t = febraban.T.changed(Field("nosso_numero", 40, 56), Field("document_number", 59, 69))
    wanted = ("agency", "code")
    occurrences, reasons = occurrences.CAIXA, reasons.CAIXA

    def place(self, sender: Sender) -> Values:
        return {
            "agency": sender.terms.agency,
            "agency_dv": sender.agency_dv,
            "beneficiary": sender.terms.code.ljust(14, "0"),
        }

    def place_of_title(self, sender: Sender) -> Values:
        return {**self.place(sender), "beneficiary": sender.terms.code.ljust(17, "0")}

    def agreement(self, sender: Sender) -> str:
        return "0"

    def of_file(self, sender: Sender) -> Values:
        version: Values = {"version": 107} if _is_long(sender) else {}
        return {"company_use": "REMESSA-PRODUCAO", **version}

    def of_lot(self, sender: Sender) -> Values:
        code = sender.terms.code
        place: Values = {"beneficiary": "0" * 14, "version": 67} if _is_long(sender) else {}
        return {"agreement": code.ljust(20, "0"), **place}

    def nosso_numero(self, sender: Sender, title: Title) -> str:
        return title.number.number

    def own_number(self, given: str) -> str:
        return given.strip().zfill(17)

    def told_code(self, header: Values) -> str:
        return str(header["beneficiary"]).strip()

    def is_of(self, heading: Heading, sender: Sender) -> bool:
        """The code is told in seven positions, whether it has six or seven digits."""
        code = sender.terms.code
        return same(heading.code[: len(code)], code) or same(heading.code, code)


def _is_long(sender: Sender) -> bool:
    return len(sender.terms.code) == _LONG_CODE
