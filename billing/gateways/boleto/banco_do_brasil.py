"""001 Banco do Brasil: the size of the agreement decides everything."""

from __future__ import annotations

from datetime import date

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced
from billing.gateways.boleto.digits import mod11_x

_SEQUENCE = {4: 7, 6: 5, 7: 10, 8: 9}  # digits, by those of the agreement
_FREE = 17


class BancoDoBrasil(Bank):
    """Agreements of 4, 6, 7 and 8 digits."""

    code, dv, name = "001", "9", "Banco do Brasil"
    wanted = (
        Wanted("agency", (4,), "A agência"),
        Wanted("account", (8,), "A conta"),
        Wanted("code", (4, 6, 7, 8), "O convênio"),
        Wanted("carteira", (2,), "A carteira"),
    )

    def longest(self, agreement: Agreement) -> int:
        return _FREE if _is_free(agreement) else _SEQUENCE[len(agreement.code)]

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        counted = sequenced(sequence, self.longest(agreement))
        if _is_free(agreement):
            return NossoNumero(counted, "", counted)
        number = agreement.code + counted
        dv = mod11_x(number) if len(agreement.code) < 7 else ""
        return NossoNumero(number, dv, f"{number}-{dv}" if dv else number)

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        if _is_free(agreement):
            return f"{agreement.code}{number.number}21"
        if len(agreement.code) >= 7:
            return f"000000{number.number}{agreement.carteira}"
        return f"{number.number}{agreement.agency}{agreement.account}{agreement.carteira}"

    def beneficiary(self, agreement: Agreement) -> str:
        agency, account = super().beneficiary(agreement).split(" / ")
        return f"{agency}-{mod11_x(agency)} / {account}"


def _is_free(agreement: Agreement) -> bool:
    return agreement.has_free_number and len(agreement.code) == 6
