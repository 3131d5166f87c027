"""033 Santander."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod11_zero

_SIZE = 12


class Santander(Bank):
    """Carteira 101 is the registered one; no IOF."""

    code, dv, name = "033", "7", "Santander"
    wanted = (
        Wanted("agency", (4,), "A agência"),
        Wanted("code", (7,), "O código do beneficiário"),
        Wanted("carteira", (3,), "A carteira"),
    )

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        number = sequenced(sequence, _SIZE)
        dv = mod11_zero(number)
        return NossoNumero(number, dv, f"{number} {dv}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        return f"9{agreement.code}{number.number}{number.dv}0{agreement.carteira}"

    def beneficiary(self, agreement: Agreement) -> str:
        return f"{agreement.agency} / {agreement.code}"
