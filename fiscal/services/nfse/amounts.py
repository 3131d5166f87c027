"""What was declared against what came back (NAC-10): both are kept, differences are told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fiscal.authorities.provider import IssuedNote
from fiscal.documents.nfse import rules
from fiscal.documents.service import NFSE, Declared, Summary
from fiscal.models import ServiceNote
from lib.br import normalise_document
from lib.money import half_up

TOLERANCE = Decimal("0.01")
DIFFERENCE = "divergencia"
_TAKER = "tomador"
_NAMES = {
    "valor_servicos": "Valor dos serviços",
    "base_calculo": "Base de cálculo do ISS",
    "valor_iss": "Valor do ISS",
    "valor_liquido": "Valor líquido",
}
_ZERO = Decimal("0.00")
# NT 007: what is withheld of a national note; PIS and COFINS are in the CSLL.
_NATIONAL_WITHHELD = ("valor_cp", "valor_irrf", "valor_csll")
_NATIONAL_DISCOUNTS = ("desconto_incondicionado", "desconto_condicionado")


def summary_of(declared: Declared) -> Summary:
    """What lists, hooks and searches show."""
    data, is_city = declared.data, declared.tipo == NFSE
    names = (
        ("tomador.cnpj", "tomador.cpf", "tomador.nif", "tomador.razao_social", "tomador.email",
         "servico.valor_servicos")
        if is_city
        else ("cnpj_tomador", "cpf_tomador", "nif_tomador", "razao_social_tomador",
              "email_tomador", "valor_servico")
    )  # fmt: skip
    cnpj, cpf, nif, name, email, total = (data.get(one) for one in names)
    return Summary(
        taker_document=str(cnpj or cpf or nif or ""),
        taker_name=str(name or ""),
        taker_email=str(email or ""),
        total=half_up(Decimal(total or 0), 2),
    )


def declared_of(declared: Declared) -> dict[str, str]:
    """The amounts that can be compared, as text with two decimals, and the taker."""
    data = declared.data
    found: dict[str, Decimal | None]
    if declared.tipo == NFSE:
        sums = rules.amounts(data)
        found = {
            "valor_servicos": sums.service,
            "base_calculo": sums.base,
            "valor_iss": sums.iss,
            "valor_liquido": sums.net,
        }
    else:
        found = {"valor_servicos": data.get("valor_servico"), "valor_liquido": _national_net(data)}
    told = {name: f"{half_up(value, 2):f}" for name, value in found.items() if value is not None}
    taker = summary_of(declared).taker_document
    return told | ({_TAKER: taker} if taker else {})


def _national_net(data: Mapping[str, Any]) -> Decimal | None:
    """vLiq, where no ISS is withheld: its rate is the city's, not ours to know."""
    if data.get("tipo_retencao_iss") not in (None, "1") or "valor_servico" not in data:
        return None
    away = (*_NATIONAL_WITHHELD, *_NATIONAL_DISCOUNTS)
    net: Decimal = data["valor_servico"] - sum((data.get(name, _ZERO) for name in away), _ZERO)
    return net


def returned_of(issued: IssuedNote) -> dict[str, str]:
    """What the authority told, in the same shape."""
    found = {
        "valor_servicos": issued.service_amount,
        "base_calculo": issued.base,
        "valor_iss": issued.iss,
        "valor_liquido": issued.net,
    }
    told = {name: f"{half_up(value, 2):f}" for name, value in found.items() if value is not None}
    taker = normalise_document(issued.taker_document)
    return told | ({_TAKER: taker} if taker else {})


def differences(note: ServiceNote) -> list[dict[str, str]]:
    """One note for each value that came back other than it was declared, beyond a cent."""
    told = []
    for name, label in _NAMES.items():
        ours, theirs = note.declared.get(name), note.returned.get(name)
        if ours and theirs and abs(Decimal(ours) - Decimal(theirs)) > TOLERANCE:
            text = f"{label}: declarado {ours}, devolvido {theirs}."
            told.append({"codigo": DIFFERENCE, "campo": name, "mensagem": text})
    ours, theirs = note.declared.get(_TAKER), note.returned.get(_TAKER)
    if ours and theirs and ours != theirs:
        text = f"Tomador: declarado {ours}, devolvido {theirs}."
        told.append({"codigo": DIFFERENCE, "campo": _TAKER, "mensagem": text})
    return told


def agrees(note: ServiceNote, issued: IssuedNote) -> bool:
    """Do service amount and taker of a note that was found say that it is ours?"""
    theirs = returned_of(issued)
    amount, taker = note.declared.get("valor_servicos"), note.declared.get(_TAKER)
    is_amount = (
        "valor_servicos" not in theirs
        or amount is None
        or abs(Decimal(amount) - Decimal(theirs["valor_servicos"])) <= TOLERANCE
    )
    is_taker = _TAKER not in theirs or taker is None or taker == theirs[_TAKER]
    return is_amount and is_taker
