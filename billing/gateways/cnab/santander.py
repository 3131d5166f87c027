"""033 Santander, 240 positions.

"Layout de Cobrança CNAB 240, H7815", version 040 of the file and 030 of the lot: headers tell a
code of transmission instead of an account, segment P has agency and account elsewhere, and segment
T stands four or five positions before FEBRABAN's.
"""

from __future__ import annotations

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab import occurrences
from billing.gateways.cnab.cnab240 import Cnab240, Values
from billing.gateways.cnab.layout import DOC, DUE, Field, N, V
from billing.gateways.cnab.titles import Sender, Title

_HEADER = febraban.FILE_HEADER.changed(
    Field("document_kind", 17, 17, N),
    Field("document", 18, 32, DOC),
    Field("agreement", 33, 47, N),
    Field("_none", 48, 72),
    Field("made_at", 152, 157),
    Field("density", 167, 171),
)
_LOT_HEADER = febraban.LOT_HEADER.changed(
    Field("_none", 34, 53), Field("agreement", 54, 68, N), Field("_none_2", 69, 73)
)
_P = febraban.P.changed(
    Field("agency", 18, 21, N),
    Field("agency_dv", 22, 22),
    Field("account", 23, 31, N),
    Field("account_dv", 32, 32),
    Field("fund_account", 33, 41, N),
    Field("fund_account_dv", 42, 42),
    Field("_none", 43, 44),
    Field("nosso_numero", 45, 57, N),
    Field("issue", 61, 61),
    Field("delivery", 62, 62),
    Field("collecting_agency", 101, 104, N),
    Field("collecting_agency_dv", 105, 105, N),
    Field("_none_2", 106, 106),
    Field("currency", 228, 229, N, 0),
    Field("_none_3", 230, 240),
)
_T = febraban.T.changed(
    Field("nosso_numero", 41, 53),
    Field("carteira", 54, 54),
    Field("document_number", 55, 69),
    Field("due", 70, 77, DUE),
    Field("amount", 78, 92, V),
    Field("receiving_bank", 93, 95, N),
    Field("company_use", 101, 125),
    Field("name", 144, 183),
    Field("fee", 194, 208, V),
    Field("reasons", 209, 218),
)
_FAST = 5  # "rápida com registro"


class Santander240(Cnab240):
    bank, bank_name, printed_name = "033", "Santander", "BANCO SANTANDER"
    file_version, lot_version = 40, 30
    header, lot_header, p = _HEADER, _LOT_HEADER, _P
    r = febraban.R.changed(Field("_none", 42, 65))
    lot_trailer = febraban.LOT_TRAILER.changed(
        Field("n_titles", 24, 29), Field("total", 30, 46), Field("_linked", 47, 115)
    )
    file_trailer = febraban.FILE_TRAILER.changed(Field("_accounts", 30, 35))
    read_header = febraban.FILE_HEADER.changed(
        Field("agency", 33, 36), Field("account", 38, 46), Field("agreement", 53, 61)
    ).only("agency", "account", "agreement", "made_on", "number")
    segment_t = _T
    no_protest = 0
    occurrences = occurrences.SANTANDER

    def place(self, sender: Sender) -> Values:
        return {}

    def place_of_title(self, sender: Sender) -> Values:
        account, dv = sender.terms.account, sender.terms.account_dv[:1]
        return {
            "agency": sender.terms.agency,
            "agency_dv": sender.agency_dv,
            "account": account,
            "account_dv": dv,
            "fund_account": account,
            "fund_account_dv": dv,
        }

    def agreement(self, sender: Sender) -> str:
        return f"{sender.terms.agency:0>4}0000{sender.terms.code:0>7}"

    def of_file(self, sender: Sender) -> Values:
        return {"made_at": "", "density": ""}

    def of_p(self, sender: Sender, title: Title) -> Values:
        return {"carteira": _FAST, "issue": "", "delivery": ""}

    def own_number(self, given: str) -> str:
        return given.strip().zfill(13)[:-1]

    def told_code(self, header: Values) -> str:
        return str(header["agreement"]).strip()
