"""The banks that boletos can be issued for. A new one is a module and a line here."""

from __future__ import annotations

from billing.gateways.boleto.banco_do_brasil import BancoDoBrasil
from billing.gateways.boleto.bank import Bank
from billing.gateways.boleto.bradesco import Bradesco
from billing.gateways.boleto.caixa import Caixa
from billing.gateways.boleto.itau import Itau
from billing.gateways.boleto.santander import Santander
from billing.gateways.boleto.sicoob import Sicoob
from billing.gateways.boleto.sicredi import Sicredi

_KNOWN: tuple[Bank, ...] = (
    BancoDoBrasil(), Santander(), Caixa(), Bradesco(), Itau(), Sicredi(), Sicoob(),
)  # fmt: skip
BANKS: dict[str, Bank] = {one.code: one for one in _KNOWN}
