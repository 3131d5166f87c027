"""Payments of NF-e and NFC-e (XML-10, catalogue `payment_rules`)."""

from __future__ import annotations

from decimal import Decimal

from fiscal.documents.nfe.defaults import CARD_FIELDS
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data

_OTHER = "99"
# Means that can pass through a terminal or an acquirer: cards, vouchers, Pix, transfer, wallet.
_ELECTRONIC = frozenset(("03", "04", "10", "11", "12", "13", "16", "17", "18", "20", "22", "23"))


def check(data: Data, faults: Faults) -> None:
    for n, payment in enumerate(data.get("formas_pagamento", ())):
        where = f"formas_pagamento[{n}]."
        _described(payment, faults, where)
        _card(payment, faults, where)
        if "cnpj_transacional" in payment or "uf_transacional" in payment:
            names = ("cnpj_transacional", "uf_transacional")
            faults.need(payment, names, "do estabelecimento do pagamento", where=where)


def check_sum(data: Data, faults: Faults) -> None:
    """767: what is paid, less the change, is the total (NFC-e)."""
    total = data.get("valor_total")
    payments = data.get("formas_pagamento", ())
    if total is None or not payments:
        return
    paid = sum((payment["valor_pagamento"] for payment in payments), Decimal(0))
    paid -= data.get("valor_troco") or Decimal(0)
    if paid != total:
        faults.reject(
            767,
            "formas_pagamento",
            f"a soma dos pagamentos menos o troco ({paid:.2f}) deve ser igual ao valor_total "
            f"({total:.2f}).",
        )


def _described(payment: Data, faults: Faults, where: str) -> None:
    if payment.get("forma_pagamento") == _OTHER:
        faults.need(payment, ["descricao_pagamento"], "quando forma_pagamento é 99", where=where)


def _card(payment: Data, faults: Faults, where: str) -> None:
    means = payment.get("forma_pagamento")
    if means is not None and means not in _ELECTRONIC:
        for name in sorted({"tipo_integracao", *CARD_FIELDS} & payment.keys()):
            if name != "tipo_integracao" or not CARD_FIELDS & payment.keys():
                faults.add(where + name, "Só com pagamento por cartão (03, 04) ou eletrônico.")
    elif payment.get("tipo_integracao") == "1":
        names = ("cnpj_credenciadora", "numero_autorizacao")
        faults.need(payment, names, "quando tipo_integracao é 1", where=where)
