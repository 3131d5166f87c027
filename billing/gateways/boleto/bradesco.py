"""237 Bradesco."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod11_p

_SIZE = 11


class Bradesco(Bank):
    """The check digit of its numbers may be P."""

    code, dv, name = "237", "2", "Bradesco"
    wanted = (
        Wanted("agency", (4,), "A agência"),
        Wanted("account", (7,), "A conta"),
        Wanted("carteira", (2,), "A carteira"),
    )

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        number = sequenced(sequence, _SIZE)
        dv = mod11_p(agreement.carteira + number)
        return NossoNumero(number, dv, f"{agreement.carteira}/{number}-{dv}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        return f"{agreement.agency}{agreement.carteira}{number.number}{agreement.account}0"
