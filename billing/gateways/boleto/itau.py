"""341 Itaú."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod10

_SIZE = 8
# With the beneficiary's own number and client code in the barcode instead of agency and account.
_WITH_DOCUMENT = {"106", "107", "122", "142", "143", "195", "196", "198"}
_DAC_WITHOUT_ACCOUNT = {"126", "131", "146", "150", "168"}


class Itau(Bank):
    """Its check digits are DACs, by module 10."""

    code, dv, name = "341", "7", "Itaú"
    wanted = (
        Wanted("agency", (4,), "A agência"),
        Wanted("account", (5,), "A conta"),
        Wanted("carteira", (3,), "A carteira"),
    )

    def wants(self, agreement: Agreement) -> tuple[Wanted, ...]:
        if agreement.carteira in _WITH_DOCUMENT:
            return (*self.wanted, Wanted("code", (5,), "O código do cliente"))
        return self.wanted

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        number = sequenced(sequence, _SIZE)
        dac = mod10(_base(agreement) + agreement.carteira + number)
        return NossoNumero(number, dac, f"{agreement.carteira}/{number}-{dac}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        if agreement.carteira in _WITH_DOCUMENT:
            own = f"{document:0>7}"[-7:] + agreement.code
            body = f"{agreement.carteira}{number.number}{own}"
            return f"{body}{mod10(body)}0"
        place = agreement.agency + agreement.account
        return f"{agreement.carteira}{number.number}{number.dv}{place}{mod10(place)}000"

    def beneficiary(self, agreement: Agreement) -> str:
        place = agreement.agency + agreement.account
        return f"{agreement.agency} / {agreement.account}-{mod10(place)}"


def _base(agreement: Agreement) -> str:
    if agreement.carteira in _DAC_WITHOUT_ACCOUNT:
        return ""
    return agreement.agency + agreement.account
