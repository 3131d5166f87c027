"""756 Sicoob, 240 positions.

"Layouts para troca de informações, CNAB 240 SICOOB", version 081 of the file and 040 of the lot:
with the number go parcel, modality and kind of form; what is written off by itself is not told.
"""

from __future__ import annotations

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.cnab240 import Cnab240, Values
from billing.gateways.cnab.layout import Field
from billing.gateways.cnab.titles import Sender, Title

_ONE_PARCEL, _A4 = "01", "4"


class Sicoob240(Cnab240):
    bank, bank_name, printed_name = "756", "Sicoob", "SICOOB"
    file_version, lot_version = 81, 40
    p = febraban.P.changed(Field("write_off_days", 225, 227))
    no_interest = 0
    write_off = 0

    def agreement(self, sender: Sender) -> str:
        return ""

    def of_file(self, sender: Sender) -> Values:
        return {"dv": "0"}

    def of_p(self, sender: Sender, title: Title) -> Values:
        return {
            "carteira": sender.terms.carteira,
            "registration": 0,
            "document_type": "",
            "write_off_days": "",
        }

    def nosso_numero(self, sender: Sender, title: Title) -> str:
        number = f"{title.number.number:0>9}{title.number.dv}"
        return f"{number}{_ONE_PARCEL}{sender.terms.modality:0>2}{_A4}"

    def own_number(self, given: str) -> str:
        return given[:9][-7:]
