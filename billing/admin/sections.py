"""Where billing's screens stand in the menu, and how they search."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from lib.br import fold

BILLING = "Faturamento"
CUSTOMERS = "Clientes"
AGREEMENTS = "Contratos e regras"
COLLECTION = "Cobrança"
NOTES = "Notas fiscais"
READJUSTMENTS = "Reajustes"
PRINTING = "Modelos e PDF"

MAX_ID = 2**63 - 1


def folded(queryset: QuerySet[Any], term: str, *, path: str, numbers: tuple[str, ...]) -> Any:
    """Rows whose folded text at `path` holds every word, or whose number is the term itself."""
    condition = Q()
    for word in fold(term).split():
        condition &= Q(**{f"{path}__contains": word})
    if term.strip().isdecimal() and int(term) <= MAX_ID:
        for number in numbers:
            condition |= Q(**{number: int(term)})
    return queryset.filter(condition)


class FoldedSearch:
    """Search without case and accents, over the folded column."""

    fold_path = "fold"
    fold_numbers: tuple[str, ...] = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        found = folded(queryset, search_term, path=self.fold_path, numbers=self.fold_numbers)
        return found, False
