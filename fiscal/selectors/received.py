"""Reading received documents: a company's in one environment (fiscal-api §7, §8)."""

from __future__ import annotations

from django.db.models import QuerySet

from fiscal.errors import ReceivedNotFound
from fiscal.models import Company, ReceivedNfe, ReceivedNfse

PAGE = 100


def received_nfes(
    company: Company,
    *,
    ambiente: str,
    after: int = 0,
    is_pending: bool = False,
    lacks_ciencia: bool = False,
) -> QuerySet[ReceivedNfe]:
    """NF-e with a `versao` greater than `after`, in its order.

    `is_pending`: without a final manifestation; `lacks_ciencia`: without any.
    """
    rows: QuerySet[ReceivedNfe] = ReceivedNfe.objects.filter(
        company=company, ambiente=ambiente, versao__gt=after
    )
    if is_pending:
        rows = rows.filter(manifestacao__in=("", ReceivedNfe.Manifestacao.CIENCIA))
    if lacks_ciencia:
        rows = rows.filter(manifestacao="")
    return rows.order_by("versao")


def received_nfe(company: Company, *, ambiente: str, chave: str) -> ReceivedNfe:
    """One NF-e. Raises ReceivedNotFound."""
    rows = ReceivedNfe.objects.select_related("company")
    found = rows.filter(company=company, ambiente=ambiente, chave=chave).first()
    if found is None:
        raise ReceivedNotFound()
    return found


def received_nfses(
    company: Company, *, ambiente: str, source: str, after: int = 0
) -> QuerySet[ReceivedNfse]:
    """Service notes of a source with a `versao` greater than `after`, in its order."""
    rows: QuerySet[ReceivedNfse] = ReceivedNfse.objects.filter(
        company=company, ambiente=ambiente, source=source, versao__gt=after
    )
    return rows.order_by("versao")


def received_nfse(company: Company, *, ambiente: str, source: str, chave: str) -> ReceivedNfse:
    """One service note. Raises ReceivedNotFound."""
    rows = ReceivedNfse.objects.select_related("company")
    found = rows.filter(company=company, ambiente=ambiente, source=source, chave=chave).first()
    if found is None:
        raise ReceivedNotFound()
    return found
