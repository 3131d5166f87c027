"""Groups of the layout that come whole or not at all: one field sent asks for the others.

The catalogue says which fields form a group by giving them the same condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from fiscal.documents.nfe.catalogue import Catalogue, catalogue
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data

# condition of the catalogue → how the group is called to people
_OF_BODY = {
    "when the retirada group is sent": "do local de retirada",
    "when the entrega group is sent": "do local de entrega",
    "when the government-purchase group is present": "da compra governamental",
    "when the technical-responsible group is sent": "do responsável técnico",
    "when identificador_csrt is sent": "do CSRT",
    "when freight ICMS is withheld": "do ICMS retido do transporte",
    "when the vehicle group is sent": "do veículo",
    "export operations": "da exportação",
    "sugar-cane purchases": "da compra de cana",
    "when a transit guide is sent": "da guia de trânsito",
}
_OF_ITEM = {
    "new vehicles": "de veículo novo",
    "medicines": "de medicamento",
    "fuels and lubricants": "de combustível",
    "CIDE applies": "da CIDE",
    "fuel-pump meter group": "do encerrante da bomba",
    "regular-taxation group": "da tributação regular",
    "credit transfer": "da transferência de crédito",
    "period adjustment": "do ajuste de competência",
    "Manaus free-zone presumed credit": "do crédito presumido da ZFM",
}
# Fields of a group that are optional themselves, but bring the group with them: by ending.
_BRINGS = {
    "when the retirada group is sent": "_retirada",
    "when the entrega group is sent": "_entrega",
    "when the technical-responsible group is sent": "_responsavel_tecnico",
}
_VEHICLE = ("veiculo_uf", "veiculo_rntc")


@dataclass(frozen=True)
class Group:
    triggers: frozenset[str]
    members: tuple[str, ...]
    name: str


def check(data: Data, faults: Faults, *, modelo: int) -> None:
    """A fault for each missing member of a group of which something was sent."""
    for group in _groups(modelo, ""):
        if not group.triggers.isdisjoint(data):
            faults.need(data, group.members, group.name)
    of_item = _groups(modelo, "items")
    anything = frozenset().union(*(group.triggers for group in of_item))
    for n, item in enumerate(data.get("items", ())):
        for group in () if anything.isdisjoint(item) else of_item:
            if not group.triggers.isdisjoint(item):
                faults.need(item, group.members, group.name, where=f"items[{n}].")
    _one_document(data, faults)


def _one_document(data: Data, faults: Faults) -> None:
    """Places of pick-up and delivery have one document (TLocal)."""
    for group in ("retirada", "entrega"):
        cnpj, cpf = f"cnpj_{group}", f"cpf_{group}"
        if cnpj in data and cpf in data:
            faults.add(cpf, f"Informe só um: {cnpj} ou {cpf}.")
        is_sent = f"logradouro_{group}" in data
        if is_sent and cnpj not in data and cpf not in data and cpf not in faults:
            faults.add(cnpj, f"Preencha {cnpj} ou {cpf}.")


@cache
def _groups(modelo: int, parent: str) -> tuple[Group, ...]:
    source = catalogue(modelo)
    names: Mapping[str, str] = _OF_ITEM if parent else _OF_BODY
    level = (parent,) if parent else ()
    made = (_group(source, level, condition, name) for condition, name in names.items())
    return tuple(group for group in made if group.members)


def _group(source: Catalogue, level: tuple[str, ...], condition: str, name: str) -> Group:
    fields = source.level(*level)
    members = tuple(n for n, field in fields.items() if field.condition == condition)
    ending = _BRINGS.get(condition)
    brought = {n for n in fields if ending and n.endswith(ending)}
    if members == ("veiculo_placa",):
        brought.update(_VEHICLE)
    if members == ("hash_csrt",):
        brought.add("identificador_csrt")
    return Group(frozenset(members) | brought, members, name)
