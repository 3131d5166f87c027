"""104 Caixa Econômica Federal (SIGCB)."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod11_zero

_SIZE = 15
_BY_BENEFICIARY = "4"


class Caixa(Bank):
    """Modality 1 is the registered one; issued by the beneficiary."""

    code, dv, name = "104", "0", "Caixa Econômica Federal"
    wanted = (
        Wanted("agency", (4,), "A agência"),
        Wanted("code", (6, 7), "O código do beneficiário"),
        Wanted("modality", (1,), "A modalidade"),
    )

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        number = agreement.modality + _BY_BENEFICIARY + sequenced(sequence, _SIZE)
        dv = mod11_zero(number)
        return NossoNumero(number, dv, f"{number}-{dv}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        nn = number.number
        body = f"{_beneficiary(agreement)}{nn[2:5]}{nn[0]}{nn[5:8]}{nn[1]}{nn[8:]}"
        return body + mod11_zero(body)

    def beneficiary(self, agreement: Agreement) -> str:
        code = agreement.code
        shown = f"{code}-{mod11_zero(code)}" if len(code) == 6 else code
        return f"{agreement.agency} / {shown}"


def _beneficiary(agreement: Agreement) -> str:
    code = agreement.code
    return code if len(code) == 7 else code + mod11_zero(code)
