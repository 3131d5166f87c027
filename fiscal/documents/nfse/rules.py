"""What every city refuses, told before a number is spent; and the amounts of a body (§4.2, §13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data
from lib.money import half_up

_ZERO = Decimal("0.00")
_REDUCES = ("servico.valor_deducoes", "servico.desconto_incondicionado")
_DISCOUNTS = ("servico.desconto_incondicionado", "servico.desconto_condicionado")
WITHHELD = (
    "servico.valor_pis",
    "servico.valor_cofins",
    "servico.valor_inss",
    "servico.valor_ir",
    "servico.valor_csll",
    "servico.outras_retencoes",
)
_LARGEST_RATE = Decimal(100)


@dataclass(frozen=True)
class Amounts:
    """Declared or computed from what was declared, in reais (TAX-12)."""

    service: Decimal
    base: Decimal
    iss: Decimal | None  # None where the city computes it: no rate was declared
    withheld: Decimal
    net: Decimal


def check(data: Data, faults: Faults, *, today: date) -> list[dict[str, Any]]:
    """Add to `faults` what cannot be issued; answers how the amounts come about (§13)."""
    _one_document(data, faults, "tomador")
    _one_document(data, faults, "intermediario")
    if "servico.valor_servicos" not in data or faults:
        return []
    if data["servico.valor_servicos"] <= 0:
        faults.add("servico.valor_servicos", "O valor dos serviços deve ser maior que zero.")
    if data.get("servico.aliquota", _ZERO) > _LARGEST_RATE:
        faults.add("servico.aliquota", "A alíquota é um percentual de 0 a 100.")
    found = amounts(data)
    if found.base < 0:
        faults.add("servico.valor_deducoes", "Deduções e descontos passam do valor dos serviços.")
    if found.net < 0:
        faults.add("servico.valor_servicos", "Retenções e descontos passam do valor dos serviços.")
    if "numero_rps_substituido" in data and "serie_rps_substituido" not in data:
        faults.add("serie_rps_substituido", "Preencha serie_rps_substituido.")
    return _memory(found)


def amounts(data: Mapping[str, Any]) -> Amounts:
    """TAX-12: base = services − deductions − unconditional discount; net = services − what is
    withheld − discounts. What was sent counts as it was sent."""
    service = data["servico.valor_servicos"]
    base = data.get("servico.base_calculo")
    if base is None:
        base = service - sum((data.get(name, _ZERO) for name in _REDUCES), _ZERO)
    iss = data.get("servico.valor_iss")
    if iss is None and "servico.aliquota" in data:
        iss = half_up(base * data["servico.aliquota"] / 100, 2)
    withheld = sum((data.get(name, _ZERO) for name in WITHHELD), _ZERO)
    if data.get("servico.iss_retido") == "S":
        withheld += data.get("servico.valor_iss_retido", iss if iss is not None else _ZERO)
    net = service - withheld - sum((data.get(name, _ZERO) for name in _DISCOUNTS), _ZERO)
    return Amounts(service, base, iss, withheld, net)


def _memory(found: Amounts) -> list[dict[str, Any]]:
    lines = [
        ("TAX-12", "base", "valor dos serviços − deduções − desconto incondicionado", found.base),
        ("TAX-12", "retencoes", "retenções federais, outras e ISS retido", found.withheld),
        ("TAX-12", "liquido", "valor dos serviços − retenções − descontos", found.net),
    ]
    if found.iss is not None:
        lines.insert(1, ("TAX-12", "iss", "base × alíquota, ou como informado", found.iss))
    return [
        {"regra": rule, "valor": name, "conta": text, "resultado": f"{value:.2f}"}
        for rule, name, text, value in lines
    ]


def _one_document(data: Data, faults: Faults, party: str) -> None:
    given = [name for name in ("cnpj", "cpf", "nif") if f"{party}.{name}" in data]
    if len(given) > 1:
        faults.add(f"{party}.{given[1]}", f"Informe só um documento: {' ou '.join(given)}.")
