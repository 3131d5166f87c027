"""237 Bradesco, 240 positions.

"Layout de arquivos, Cobrança Multipag 240", version 084 of the file and 042 of the lot: the number
of the title begins with the carteira in three positions.
"""

from __future__ import annotations

from billing.gateways.cnab import febraban240 as febraban
from billing.gateways.cnab.base import text
from billing.gateways.cnab.cnab240 import T_READ, Cnab240, Values
from billing.gateways.cnab.layout import Field, N
from billing.gateways.cnab.titles import Movement, Sender, Title


class Bradesco240(Cnab240):
    bank, bank_name, printed_name = "237", "Bradesco", "BRADESCO"
    file_version, lot_version, density = 84, 42, 1600
    header = febraban.FILE_HEADER.changed(Field("agreement", 33, 52, N))
    lot_header = febraban.LOT_HEADER.changed(Field("agreement", 34, 53, N))
    p = febraban.P.changed(
        Field("product", 38, 40, N), Field("_zeros", 41, 45, N), Field("nosso_numero", 46, 57)
    )
    segment_t = febraban.T.changed(Field("product", 38, 40), Field("nosso_numero", 46, 56))
    t_read = (*T_READ, "product")
    change_of_amount = Movement.CHANGE

    def agreement(self, sender: Sender) -> str:
        terms = sender.terms
        own = f"{terms.carteira:0>4}{terms.agency:0>5}{terms.account:0>7}{terms.account_dv:0>1}"
        return terms.code or own

    def of_p(self, sender: Sender, title: Title) -> Values:
        return {"product": sender.terms.carteira, "document_type": "1"}

    def carteira(self, t: Values) -> str:
        return text(t["product"]).lstrip("0")
