"""Reading companies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import Account, ApiToken
from accounts.models.account import TenantQuerySet
from fiscal.errors import CompanyNotFound, NotOwned
from fiscal.models import (
    Certificate,
    Company,
    FiscalDocument,
    Series,
    ServiceNote,
    ServiceSeries,
)
from fiscal.selectors import hot_rows
from lib.br import document_kind, normalise_document
from lib.errors import NotFound

MAX_ID = 2**63 - 1


def company_of_token(token: ApiToken) -> Company:
    """The company that a fiscal token acts for. Raises NotFound (also for a removed one).

    Every request of /v2 begins with it: the logo is not loaded.
    """
    found = hot_rows.company_of_cnpj(token.account_id, token.company_cnpj)
    return found or company_by_document(token.account, document=token.company_cnpj)


def company_by_document(account: Account, *, document: str) -> Company:
    """The company with that CNPJ or CPF, masked or not. Raises NotFound."""
    return _by_document(Company.objects.all(), account, normalise_document(document))


def _by_document(rows: TenantQuerySet, account: Account, document: str) -> Company:
    name = "cpf" if len(document) == 11 else "cnpj"
    found: Company = rows.get_of(account, removed_at=None, **{name: document})
    return found


def get_company(account: Account, *, key: str) -> Company:
    """The company of that id, CNPJ or CPF (§14.1).

    Raises CompanyNotFound, or NotOwned for an id of another account. By document nobody learns
    whom other accounts serve: those are not found.
    """
    if document_kind(key):
        try:
            return company_by_document(account, document=key)
        except NotFound as error:
            raise CompanyNotFound() from error
    company_id = int(key) if key.isascii() and key.isdecimal() else 0
    row = Company.objects.filter(pk=min(company_id, MAX_ID), removed_at=None).first()
    if row is None:
        raise CompanyNotFound()
    if row.account_id != account.pk:
        raise NotOwned()
    return row


def listed_companies(account: Account, *, cnpj: str = "", cpf: str = "") -> QuerySet[Company]:
    """Companies by id, narrowed to a CNPJ and to a CPF where given."""
    rows: QuerySet[Company] = Company.objects.of(account).filter(removed_at=None)
    if cnpj:
        rows = rows.filter(cnpj=normalise_document(cnpj))
    if cpf:
        rows = rows.filter(cpf=normalise_document(cpf))
    return rows.order_by("pk")


@dataclass(frozen=True)
class Around:
    """What records of companies show from other tables; keys begin with the company's id."""

    certificates: dict[int, Certificate]
    series: dict[tuple[int, str, int, int], int]  # ambiente, modelo, serie → next number
    # ambiente, kind, municipality, series → next number of RPS and DPS
    service_series: dict[tuple[int, str, str, str, str], int]
    issues: dict[int, datetime]
    live_tokens: frozenset[str]  # digests


def around(companies: Sequence[Company]) -> Around:
    """The rows around these companies, in a fixed number of queries."""
    ids = [company.pk for company in companies]
    certificates = Certificate.objects.filter(company__in=ids).defer("key", "pem")
    return Around(
        # The last one stays: of each company the certificate that ends last.
        {row.company_id: row for row in certificates.order_by("not_after", "pk")},
        {
            (row.company_id, row.ambiente, row.modelo, row.serie): row.next_number
            for row in Series.objects.filter(company__in=ids)
        },
        {
            (row.company_id, row.ambiente, row.tipo, row.municipality, row.series): row.next_number
            for row in ServiceSeries.objects.filter(company__in=ids)
        },
        _last_issues(ids),
        frozenset(
            ApiToken.objects.filter(
                scope=ApiToken.Scope.FISCAL,
                revoked_at=None,
                account__in={company.account_id for company in companies},
                company_cnpj__in=[company.document for company in companies],
            ).values_list("digest", flat=True)
        ),
    )


def _last_issues(ids: list[int]) -> dict[int, datetime]:
    """When each company last issued a document with legal effect.

    One look into the index for each company and model: a maximum would read all its documents.
    """
    issued = FiscalDocument.objects.filter(
        company=OuterRef("pk"), ambiente="producao", dh_emi__isnull=False
    ).order_by("-dh_emi")
    notes = ServiceNote.objects.filter(
        company=OuterRef("pk"), ambiente="producao", rps_number__isnull=False
    ).order_by("-dh_emi")
    rows = Company.objects.filter(pk__in=ids).values_list(
        "pk",
        *(Subquery(issued.filter(modelo=modelo).values("dh_emi")[:1]) for modelo in (55, 65)),
        *(Subquery(notes.filter(tipo=tipo).values("dh_emi")[:1]) for tipo in ("nfse", "nfsen")),
    )
    last = {pk: max(filter(None, moments), default=None) for pk, *moments in rows}
    return {pk: moment for pk, moment in last.items() if moment is not None}
