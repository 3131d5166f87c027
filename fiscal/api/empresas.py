"""/v2/empresas: the issuers of an account (fiscal-api §14), with the account's own token."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework.response import Response

from accounts.models import ApiToken
from fiscal.api.base import FiscalView
from fiscal.api.company_record import record_of, records, rehearsed
from fiscal.errors import CompanyNotFound
from fiscal.models import Company
from fiscal.selectors.companies import get_company, listed_companies
from fiscal.services.companies import change_company, create_company, rehearsal, remove_company
from lib import clock

PAGE = 50


class CompaniesView(FiscalView):
    """Base: 401 without a body, and 400 for what is no JSON (§14.3)."""

    scopes = (ApiToken.Scope.MASTER,)
    denies_silently = True
    malformed = (400, "parametros_invalidos")

    def attributes(self) -> dict[str, Any]:
        """What was sent, in `empresa` or bare."""
        body = self.body()
        inner = body.get("empresa")
        return inner if isinstance(inner, dict) else body

    def wanted(self, key: str) -> Company:
        return get_company(self.account, key=key)


class ListView(CompaniesView):
    """Create (200) and list, 50 at a time."""

    def post(self, request: Any) -> Response:
        is_rehearsed = self.is_on("dry_run")
        with rehearsal(is_rehearsed):
            company = create_company(
                self.account, body=self.attributes(), actor=self.actor, at=clock.now()
            )
            shown = record_of(company)
        return Response(rehearsed(shown, is_new=True) if is_rehearsed else shown)

    def get(self, request: Any) -> Response:
        rows = listed_companies(
            self.account, cnpj=self.parameter("cnpj"), cpf=self.parameter("cpf")
        )
        first = self.offset()
        answer = Response(records(list(rows[first : first + PAGE])))
        answer["X-Total-Count"] = str(rows.count())
        return answer


class OneView(CompaniesView):
    """One company, by id, CNPJ or CPF."""

    def get(self, request: Any, key: str) -> Response:
        return Response(record_of(self.wanted(key)))

    def put(self, request: Any, key: str) -> Response:
        is_rehearsed = self.is_on("dry_run")
        with rehearsal(is_rehearsed):
            company = change_company(
                self.wanted(key).pk,
                account=self.account,
                body=self.attributes(),
                actor=self.actor,
                at=clock.now(),
            )
            shown = record_of(company)
        return Response(shown)

    def delete(self, request: Any, key: str) -> Response:
        company = self.wanted(key)
        shown = record_of(company)
        remove_company(company.pk, account=self.account, actor=self.actor, at=clock.now())
        return Response(shown)


class LogoView(CompaniesView):
    """The logo, as `caminho_logo` names it."""

    def get(self, request: Any, key: str) -> HttpResponse:
        logo = self.wanted(key).logo
        if not logo:
            raise CompanyNotFound("Empresa sem logotipo.")
        return HttpResponse(bytes(logo), content_type="image/png")


routes = [
    path("empresas", ListView.as_view(), name="v2-empresas"),
    path("empresas/<str:key>", OneView.as_view(), name="v2-empresa"),
    path("empresas/<str:key>/logo.png", LogoView.as_view(), name="v2-empresa-logo"),
]
