"""Header freight, insurance, discount and other expenses, split over the items (TAX-2)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from fiscal.documents.types import Data
from fiscal.taxes.rounding import ZERO

RULE = "TAX-2"
APPORTIONED = ("valor_frete", "valor_seguro", "valor_desconto", "valor_outras_despesas")


def split(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Parts of `total` (two decimals, not negative) in proportion to `weights`, in their order.

    Floor in cents; the cents left over go one by one to the largest remainders, ties to the first.
    The parts always add up to `total`. Weights that are all zero count as equal.
    """
    if not weights:
        raise ValueError("nothing to split over")
    shares = [int(weight.scaleb(2)) for weight in weights]
    if not any(shares):
        shares = [1] * len(shares)
    whole, amount = sum(shares), int(total.scaleb(2))
    parts = [amount * share // whole for share in shares]
    # sorted() is stable: among equal remainders the first item comes first.
    order = sorted(range(len(shares)), key=lambda index: -(amount * shares[index] % whole))
    for index in order[: amount - sum(parts)]:
        parts[index] += 1
    return [Decimal(part).scaleb(-2) for part in parts]


def apportion(data: Data, items: list[dict[str, Any]]) -> str:
    """Give the items their part of header amounts that no item has; answers the rule or "".

    Only items that enter the total take part. Zero parts stay absent: the layout forbids them.
    """
    sharing: list[dict[str, Any]] = []
    for campo in APPORTIONED:
        total = data.get(campo)
        if not total or any(item.get(campo) is not None for item in items):
            continue
        sharing = sharing or [item for item in items if item.get("inclui_no_total") != "0"]
        if sharing:
            _share(campo, total, sharing)
    return RULE if sharing else ""


def _share(campo: str, total: Decimal, items: list[dict[str, Any]]) -> None:
    parts = split(total, [item.get("valor_bruto") or ZERO for item in items])
    for item, part in zip(items, parts, strict=True):
        if part:
            item[campo] = part
