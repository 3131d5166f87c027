"""Reading voided ranges of numbers."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.void_requests import Filters
from fiscal.models import Archive, Company, Inutilizacao, Series, VoidState


def series_of(company: Company, *, ambiente: str, modelo: int) -> set[int]:
    """The series of which a number was ever taken or configured."""
    rows = Series.objects.filter(company=company, ambiente=ambiente, modelo=modelo)
    return set(rows.values_list("serie", flat=True))


def voided(company: Company, *, ambiente: str, modelo: int, wanted: Filters) -> list[Inutilizacao]:
    """Ranges that the authority voided, oldest first; of numbers, those that touch the range."""
    rows = Inutilizacao.objects.filter(
        company=company, ambiente=ambiente, modelo=modelo, state=VoidState.HOMOLOGADA
    )
    conditions = {
        "received_at__gte": wanted.since,
        "received_at__lt": wanted.before,
        "last__gte": wanted.first,
        "first__lte": wanted.last,
    }
    given = {name: value for name, value in conditions.items() if value is not None}
    return list(rows.filter(**given).select_related("company").order_by("received_at", "id"))


def months_of(company: Company, names: Iterable[str]) -> dict[str, str]:
    """File name → month (AAAAMM) of its folder, for those that are kept."""
    rows = Archive.objects.filter(company=company, kind=Archive.Kind.VOID, name__in=list(names))
    return dict(rows.order_by("id").values_list("name", "month"))
