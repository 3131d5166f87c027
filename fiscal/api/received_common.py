"""What the lists of received documents share: whose they are, and how they are paged (§7, §8)."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.response import Response

from fiscal.api.base import FiscalView
from fiscal.errors import InvalidRequest, IssuerForbidden
from fiscal.models import ReceivedNfe
from fiscal.selectors.received import PAGE, received_nfe
from lib.br import document_kind, normalise_document

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_VERSION = re.compile("[0-9]{1,18}")


class ReceivedView(FiscalView):
    """Base: the token's company must be the one that is asked for."""

    def check_cnpj(self, *, required: bool = False) -> None:
        """Raises InvalidRequest without a usable CNPJ or CPF, IssuerForbidden for another's."""
        text = self.parameter("cnpj")
        if not text and not required:
            return
        if not text:
            raise InvalidRequest('Parâmetro "cnpj" não informado.')
        if document_kind(text) is None:
            raise InvalidRequest('Parâmetro "cnpj" inválido.')
        if normalise_document(text) != self.company.document:
            raise IssuerForbidden("CNPJ não autorizado.")

    def after(self) -> int:
        """`versao`: only what is newer. Raises InvalidRequest."""
        text = self.parameter("versao") or "0"
        if not _VERSION.fullmatch(text):
            raise InvalidRequest('Parâmetro "versao" deve ser um número.')
        return int(text)

    def has(self, name: str) -> bool:
        """A filter that counts by being there, whatever its value; only a denial takes it away."""
        given = self.request.query_params.get(name)
        return given is not None and given.strip().lower() not in ("0", "false", "nao", "não")

    def page(self, rows: QuerySet[Any], show: Any) -> Response:
        """The first hundred; headers tell how many there are, and from where to go on."""
        found = list(rows[:PAGE])
        response = Response([show(row) for row in found])
        response["X-Total-Count"] = str(rows.count())
        response["X-Max-Version"] = str(found[-1].versao if found else self.after())
        return response


class NfeNoteView(ReceivedView):
    """Base of the addresses of one NF-e."""

    def note(self, chave: str) -> ReceivedNfe:
        """Raises ReceivedNotFound, and as `check_cnpj`."""
        self.check_cnpj()
        return received_nfe(self.company, ambiente=self.ambiente, chave=chave)


def xml_answer(content: bytes, name: str) -> HttpResponse:
    """A kept XML as an attachment: its bytes, under a declaration if it came without one."""
    whole = content if content.lstrip().startswith(b"<?xml") else _DECLARATION + content
    response = HttpResponse(whole, content_type="application/xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response
