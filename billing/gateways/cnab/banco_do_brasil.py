"""001 Banco do Brasil, 240 positions.

"Cobrança BB, padrão FEBRABAN CNAB 240", version 084 of the file and 042 of the lot (2017): the
agreement is told with the product 0014, carteira and variation; the simple modality of carteira 17
is 7; what is written off by itself was agreed on and is not told; trailers have no totals.
"""

from __future__ import annotations

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.cnab240 import Cnab240, Values
from billing.gateways.cnab.layout import Field
from billing.gateways.cnab.titles import Sender, Title

_PRODUCT = "0014"
_SIMPLE_17 = 7
_WITH_DV = 12  # digits of a number that has a check digit


class BancoDoBrasil240(Cnab240):
    bank, bank_name, printed_name = "001", "Banco do Brasil", "BANCO DO BRASIL S.A."
    file_version, lot_version, density = 84, 42, 1600
    lot_trailer = febraban.LOT_TRAILER.changed(Field("n_titles", 24, 29), Field("total", 30, 46))
    write_off = 0

    def agreement(self, sender: Sender) -> str:
        terms = sender.terms
        place = f"{terms.carteira:0>2}{sender.variation:0>3}"
        return f"{terms.code:0>9}{_PRODUCT}{place}"

    def of_p(self, sender: Sender, title: Title) -> Values:
        is_simple_17 = sender.terms.carteira == "17"
        return {"carteira": _SIMPLE_17 if is_simple_17 else 1, "write_off_days": 0}

    def own_number(self, given: str) -> str:
        number = given.strip()
        return number[:-1] if len(number) == _WITH_DV else number

    def told_code(self, header: Values) -> str:
        return str(header["agreement"])[:9].strip()
