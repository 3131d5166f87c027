"""cClassTrib of an item against the official table: CST, reductions, documents (XML-14).

What the table says of a code is refused before a number is taken; what only its date or the kind
of document is about is told, and the authority judges.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from fiscal.documents.nfe.faults import Faults
from fiscal.documents.types import Data
from fiscal.tables.cclasstrib import Classification, classification
from fiscal.taxes.sheet import Note

CST, CODE = "ibs_cbs_situacao_tributaria", "ibs_cbs_classificacao_tributaria"
_REGULAR = ("ibs_cbs_situacao_tributaria_regular", "ibs_cbs_classificacao_tributaria_regular")
_TAXES = ("ibs_uf", "ibs_mun", "cbs")
# CST with a reduced rate (ind_gRed of the table of CST); one code of 011 has a reduction of zero.
_REDUCED = ("011", "200", "515")


def check(item: Data, faults: Faults, where: str) -> None:
    """A fault for a code that does not exist, is another CST's, or has another reduction."""
    found = _known(item, faults, where, CST, CODE)
    if found is not None:
        _reductions(item, found, faults, where)
    _known(item, faults, where, *_REGULAR)


def warnings(item: Data, where: str, *, modelo: int, day: str) -> Iterator[Note]:
    """A code of other documents, or one whose time is over on `day` (AAAA-MM-DD)."""
    found = classification(item.get(CODE, ""))
    if found is None:
        return
    if modelo not in found.models:
        name = "NFC-e" if modelo == 65 else "NF-e"
        yield Note(where + CODE, f"A classificação {found.code} não é prevista para {name}.")
    if found.ends_on and day >= found.ends_on:
        yield Note(where + CODE, f"A classificação {found.code} valeu até {found.ends_on}.")


def _known(
    item: Data, faults: Faults, where: str, cst_field: str, code_field: str
) -> Classification | None:
    code, cst = item.get(code_field), item.get(cst_field)
    if not code or where + code_field in faults:
        return None
    if cst and code[:3] != cst:
        faults.add(
            where + code_field,
            f"A classificação {code} é da situação tributária {code[:3]}, e não da {cst}.",
        )
        return None
    found = classification(code)
    if found is None:
        faults.add(where + code_field, f"A classificação {code} não existe na tabela oficial.")
    return found


def _reductions(item: Data, found: Classification, faults: Faults, where: str) -> None:
    for tax in _TAXES:
        name = f"{tax}_percentual_reducao_aliquota"
        sent: Decimal | None = item.get(name)
        wanted = found.reduction(tax)
        if sent is None or sent == wanted or where + name in faults:
            continue
        if wanted:
            faults.add(where + name, f"A redução da classificação {found.code} é de {wanted}%.")
        elif found.cst not in _REDUCED:
            faults.add(where + name, f"A classificação {found.code} não tem redução de alíquota.")
