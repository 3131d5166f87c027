"""756 Sicoob."""

from __future__ import annotations

from datetime import date
from itertools import cycle

from billing.gateways.boleto.bank import Agreement, Bank, NossoNumero, Wanted, sequenced

_SIZE = 7
_WEIGHTS = (3, 1, 9, 7)
_PARCEL = "001"


class Sicoob(Bank):
    """The check digit of its numbers has weights of its own, from the left."""

    code, dv, name = "756", "0", "Sicoob"
    wanted = (
        Wanted("agency", (4,), "A cooperativa"),
        Wanted("code", (7,), "O código do cliente"),
        Wanted("carteira", (1,), "A carteira"),
        Wanted("modality", (2,), "A modalidade"),
    )

    def longest(self, agreement: Agreement) -> int:
        return _SIZE

    def nosso_numero(self, agreement: Agreement, sequence: int, *, on: date) -> NossoNumero:
        number = sequenced(sequence, _SIZE)
        dv = _dv(f"{agreement.agency}{agreement.code:0>10}{number}")
        return NossoNumero(number, dv, f"{number}-{dv}")

    def campo_livre(self, agreement: Agreement, number: NossoNumero, *, document: str) -> str:
        place = f"{agreement.carteira}{agreement.agency}{agreement.modality}{agreement.code}"
        return f"{place}{number.number}{number.dv}{_PARCEL}"

    def beneficiary(self, agreement: Agreement) -> str:
        return f"{agreement.agency} / {agreement.code}"


def _dv(digits: str) -> str:
    rest = sum(int(one) * weight for one, weight in zip(digits, cycle(_WEIGHTS), strict=False)) % 11
    return str(11 - rest) if rest > 1 else "0"
