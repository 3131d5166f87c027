"""What a city's layout has no place for, told instead of dropped in silence (ABR-9, §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fiscal.documents.nfse.catalogue import catalogue
from fiscal.documents.service import NFSE, Declared

UNTOLD = "campo_ignorado"
_TEXT = "O sistema do município não recebe este campo: ele não consta na NFS-e."
# Carried under another name where the layout has that one.
_ALIASES = {
    "data_competencia": "competencia",
    "servico.codigo_indicador_operacao": "codigo_indicador_operacao",
}


def notes_of(declared: Declared, carried: frozenset[str] | None) -> list[dict[str, str]]:
    """One note for each field of the reform, or of some cities only, that will not be told.

    `carried` names what the layout has a place for; None, everything.
    """
    if carried is None or declared.tipo != NFSE:
        return []
    return [
        {"codigo": UNTOLD, "campo": path, "mensagem": _TEXT}
        for path in _special(declared.data)
        if path not in carried and _ALIASES.get(path) not in carried
    ]


def _special(data: Mapping[str, Any]) -> list[str]:
    fields = catalogue()
    return [path for path in data if path in fields and fields[path].is_special]
