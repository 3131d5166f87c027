"""/v2/nfses_recebidas and /v2/nfsens_recebidas: service notes taken by the company (§7, §20)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import URLPattern, path, re_path
from rest_framework.response import Response

from fiscal.api.hooks import told_hooks
from fiscal.api.received_common import ReceivedView, xml_answer
from fiscal.errors import InvalidRequest, ReceivedNotFound
from fiscal.models import ReceivedNfse, Source
from fiscal.selectors.received import received_nfse, received_nfses
from fiscal.services import archive
from fiscal.services.received import files
from fiscal.services.received.bodies import nfse_entry
from fiscal.services.received.cursors import receives
from fiscal.services.received.telling import tell_nfse
from lib import clock

NOT_ENABLED = "CNPJ não habilitado para o recebimento de NFS-e."
NO_XML = "O XML desta nota não foi disponibilizado."


class ServiceView(ReceivedView):
    """Base: of a city or of the national system."""

    source: ClassVar[str] = Source.NFSE.value


class ListView(ServiceView):
    """GET: the hundred after `versao`; `completa=1` for the extended bodies."""

    def get(self, request: Any) -> Response:
        self.check_cnpj(required=True)
        if not receives(self.company, source=self.source, ambiente=self.ambiente):
            raise InvalidRequest(NOT_ENABLED)
        rows = received_nfses(
            self.company, ambiente=self.ambiente, source=self.source, after=self.after()
        )
        is_whole = self.is_on("completa")
        return self.page(rows, lambda row: nfse_entry(row, completa=is_whole))


class NoteView(ServiceView):
    """Base of the addresses of one note."""

    def note(self, chave: str) -> ReceivedNfse:
        """Raises ReceivedNotFound, and as `check_cnpj`."""
        self.check_cnpj()
        return received_nfse(self.company, ambiente=self.ambiente, source=self.source, chave=chave)


class OneView(NoteView):
    """GET: one note, complete, or its XML."""

    def get(self, request: Any, chave: str, form: str = "") -> Any:
        row = self.note(chave)
        if form != "xml":
            return Response(nfse_entry(row, completa=True))
        kept = files.service_note(row)
        if kept is None:
            raise ReceivedNotFound(NO_XML)
        return xml_answer(archive.unpacked(kept.content), f"{chave}-nfse.xml")


class AgainView(NoteView):
    """POST: tell the matching hooks once more; answers those of the company."""

    def post(self, request: Any, chave: str) -> Response:
        return Response(told_hooks(self, tell_nfse(self.note(chave), at=clock.now())))


def _routes(resource: str, source: Source) -> list[URLPattern]:
    key = rf"^{resource}/(?P<chave>[0-9A-Za-z-]{{10,140}})"
    one, again = OneView.as_view(source=source.value), AgainView.as_view(source=source.value)
    return [
        path(resource, ListView.as_view(source=source.value)),
        re_path(rf"{key}$", one),
        re_path(rf"{key}\.(?P<form>json|xml)$", one),
        re_path(rf"{key}/hook$", again),
    ]


routes = [*_routes("nfses_recebidas", Source.NFSE), *_routes("nfsens_recebidas", Source.NFSEN)]
