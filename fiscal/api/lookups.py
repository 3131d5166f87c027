"""/v2/ncms, cfops, codigos_cnae, municipios, ceps and cnpjs (fiscal-api §17).

Public facts: any token of /v2 may ask, of a company or of the account.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.urls import path
from rest_framework.response import Response

from accounts.models import ApiToken
from fiscal.api.base import FiscalView
from fiscal.errors import InvalidRequest
from fiscal.selectors import lookups
from fiscal.selectors.lookups import LOOKUPS, NFSE_STATUSES, Lookup, Page
from lib.errors import NotFound


class LookupView(FiscalView):
    """Base: lists are arrays, with how many there are in X-Total-Count."""

    scopes = (ApiToken.Scope.FISCAL, ApiToken.Scope.MASTER)
    resource: ClassVar[str] = "municipios"

    @property
    def lookup(self) -> Lookup:
        return LOOKUPS[self.resource]

    def listed(self, page: Page) -> Response:
        answer = Response(page.rows)
        answer["X-Total-Count"] = str(page.total)
        return answer


class ListView(LookupView):
    """Search, a page at a time."""

    def get(self, request: Any) -> Response:
        wanted = {name: self.parameter(name) for name in self.lookup.filters}
        status = wanted.get("status_nfse")
        if status and status not in NFSE_STATUSES:
            raise InvalidRequest(
                f'Parâmetro "status_nfse" deve ser um de: {", ".join(NFSE_STATUSES)}.'
            )
        return self.listed(
            lookups.search(self.lookup, wanted, offset=self.offset(), limit=self._limit())
        )

    def _limit(self) -> int:
        """Municipalities may be asked for in smaller pages."""
        text = self.parameter("limit") if self.lookup.name == "municipios" else ""
        if not text:
            return self.lookup.page
        if not re.fullmatch("[0-9]{1,9}", text) or int(text) == 0:
            raise InvalidRequest('Parâmetro "limit" deve ser um número maior que zero.')
        return min(int(text), self.lookup.page)


class OneView(LookupView):
    """One code."""

    def get(self, request: Any, code: str) -> Response:
        return Response(lookups.entry_of(self.lookup, code))


class ServicesView(LookupView):
    """The service list of a municipality: nothing, where its NFS-e is not implemented."""

    def get(self, request: Any, code: str) -> Response:
        wanted = {name: self.parameter(name) for name in ("codigo", "descricao")}
        return self.listed(lookups.search_services(code, wanted, offset=self.offset()))


class ServiceView(LookupView):
    """One item of it."""

    def get(self, request: Any, code: str, item: str) -> Response:
        return Response(lookups.service_of(code, item))


class TaxCodesView(LookupView):
    """The codes of the municipality's own table: there is no common source of them."""

    def get(self, request: Any, code: str) -> Response:
        lookups.entry_of(self.lookup, code)
        return self.listed(Page())


class TaxCodeView(LookupView):
    def get(self, request: Any, code: str, item: str) -> Response:
        lookups.entry_of(self.lookup, code)
        raise NotFound("Código tributário não encontrado")


class CepsView(LookupView):
    def get(self, request: Any) -> Response:
        names = ("codigo_ibge", "uf", "logradouro", "localidade")
        wanted = {name: self.parameter(name) for name in names}
        return self.listed(lookups.search_ceps(wanted, offset=self.offset()))


class CepView(LookupView):
    def get(self, request: Any, code: str) -> Response:
        return Response(lookups.cep_of(code))


class CnpjView(LookupView):
    def get(self, request: Any, cnpj: str) -> Response:
        return Response(lookups.cnpj_of(cnpj))


def _of(resource: str) -> list[Any]:
    return [
        path(resource, ListView.as_view(resource=resource)),
        path(f"{resource}/<str:code>", OneView.as_view(resource=resource)),
    ]


routes = [
    path("municipios/<str:code>/itens_lista_servico", ServicesView.as_view()),
    path("municipios/<str:code>/itens_lista_servico/<str:item>", ServiceView.as_view()),
    path("municipios/<str:code>/codigos_tributarios_municipio", TaxCodesView.as_view()),
    path("municipios/<str:code>/codigos_tributarios_municipio/<str:item>", TaxCodeView.as_view()),
    *(route for resource in LOOKUPS for route in _of(resource)),
    path("ceps", CepsView.as_view()),
    path("ceps/<str:code>", CepView.as_view()),
    path("cnpjs/<str:cnpj>", CnpjView.as_view()),
]
