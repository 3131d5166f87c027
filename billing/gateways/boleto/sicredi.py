"""748 Sicredi."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod11_zero

_SIZE = 5
_BY_BENEFICIARY = "2"
_REGISTERED, _CARTEIRA = "1", "1"


class Sicredi(Bank):
    """Numbers begin again each year; `modality` is the byte, 2 where nothing else was agreed."""

    code, dv, name = "748", "X", "Sicredi"
    wanted = (
        Wanted("agency", (4,), "A cooperativa"),
        Wanted("post", (2,), "O posto"),
        Wanted("code", (5,), "O código do beneficiário"),
    )

    def wants(self, agreement: Agreement) -> tuple[Wanted, ...]:
        if agreement.modality:
            return (*self.wanted, Wanted("modality", (1,), "O byte"))
        return self.wanted

    def series(self, on: date) -> str:
        return f"{on:%y}"

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        year, byte = self.series(on), agreement.modality or _BY_BENEFICIARY
        number = year + byte + sequenced(sequence, _SIZE)
        dv = mod11_zero(_place(agreement) + number)
        return NossoNumero(number, dv, f"{year}/{number[2:]}-{dv}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        body = f"{_REGISTERED}{_CARTEIRA}{number.number}{number.dv}{_place(agreement)}10"
        return body + mod11_zero(body)

    def beneficiary(self, agreement: Agreement) -> str:
        return f"{agreement.agency}.{agreement.post}.{agreement.code}"


def _place(agreement: Agreement) -> str:
    return agreement.agency + agreement.post + agreement.code
