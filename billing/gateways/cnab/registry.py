"""The layouts that are written and read. A new one is a module and a line here."""

from __future__ import annotations

from billing.gateways.cnab.banco_do_brasil import BancoDoBrasil240
from billing.gateways.cnab.base import Layout
from billing.gateways.cnab.bradesco import Bradesco240
from billing.gateways.cnab.bradesco400 import Bradesco400
from billing.gateways.cnab.caixa import Caixa240
from billing.gateways.cnab.cnab240 import Cnab240
from billing.gateways.cnab.cnab400 import Cnab400
from billing.gateways.cnab.itau import Itau240
from billing.gateways.cnab.itau400 import Itau400
from billing.gateways.cnab.santander import Santander240
from billing.gateways.cnab.sicoob import Sicoob240
from billing.gateways.cnab.sicredi import Sicredi240

_ALL_240: tuple[Cnab240, ...] = (
    BancoDoBrasil240(), Santander240(), Caixa240(), Bradesco240(), Itau240(), Sicredi240(),
    Sicoob240(),
)  # fmt: skip
_ALL_400: tuple[Cnab400, ...] = (Bradesco400(), Itau400())

OF_240: dict[str, Cnab240] = {one.bank: one for one in _ALL_240}
OF_400: dict[str, Cnab400] = {one.bank: one for one in _ALL_400}


def layout(bank: str, width: int) -> Layout | None:
    """None for a bank whose files of this width are not known."""
    return OF_240.get(bank) if width == 240 else OF_400.get(bank)
