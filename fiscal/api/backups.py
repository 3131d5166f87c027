"""/v2/backups: the monthly files of a company, and their downloads (fiscal-api §15)."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404, HttpResponseBase
from django.urls import re_path
from rest_framework.response import Response

from accounts.models import ApiToken
from fiscal.api.base import FiscalView
from fiscal.errors import CompanyNotFound, IssuerForbidden
from fiscal.models import Backup, Company
from fiscal.selectors.companies import company_by_document
from fiscal.services.backups import AMBIENTE, location
from lib.errors import NotFound


class BackupView(FiscalView):
    """For tokens of produção, each for its own company, and the account's own token."""

    scopes = (ApiToken.Scope.FISCAL, ApiToken.Scope.MASTER)

    def issuer(self, document: str) -> Company:
        """Raises IssuerForbidden for a token of another company, CompanyNotFound."""
        if self.token.scope == ApiToken.Scope.MASTER:
            try:
                return company_by_document(self.account, document=document)
            except NotFound as error:
                raise CompanyNotFound() from error
        if self.ambiente != AMBIENTE:
            raise IssuerForbidden("Backups existem apenas no ambiente de produção.")
        if document != self.company.document:
            raise IssuerForbidden()
        return self.company


class ListView(BackupView):
    """GET: the months, the last one first."""

    def get(self, request: Any, document: str) -> Response:
        company = self.issuer(document)
        rows = Backup.objects.filter(company=company).order_by("-month")
        return Response({"backups": [_shown(row, company) for row in rows if row.xmls]})


class DownloadView(BackupView):
    """GET: a ZIP, as a stream."""

    def get(
        self, request: Any, document: str, company_id: str, month: str, part: str
    ) -> HttpResponseBase:
        company = self.issuer(document)
        row = Backup.objects.filter(company=company, month=month).first()
        name = getattr(row, part) if row is not None and str(company.pk) == company_id else ""
        if not name:
            raise Http404
        try:
            file = location(name).open("rb")
        except FileNotFoundError:
            raise Http404 from None
        response = FileResponse(
            file, as_attachment=True, filename=f"{company.document}-{month}-{part}.zip"
        )
        response["Cache-Control"] = "private, no-store"
        return response


def _shown(row: Backup, company: Company) -> dict[str, str]:
    body = {"mes": row.month}
    for part in ("danfes", "xmls"):
        if getattr(row, part):
            body[part] = f"/arquivos/{company.document}_{company.pk}/{row.month}/backups/{part}.zip"
    return body


routes = [re_path(r"^backups/(?P<document>[0-9A-Z]{11,14})\.json$", ListView.as_view())]
file_routes = [
    re_path(
        r"^arquivos/(?P<document>[0-9A-Z]{11,14})_(?P<company_id>[0-9]+)/(?P<month>[0-9]{6})"
        r"/backups/(?P<part>xmls|danfes)\.zip$",
        DownloadView.as_view(),
    ),
]
