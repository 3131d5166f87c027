"""/v2/nfes_recebidas: NF-e issued against the company, and its word on them (fiscal-api §8)."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import path, re_path
from rest_framework.response import Response

from fiscal.api.danfe import pdf_response
from fiscal.api.hooks import told_hooks
from fiscal.api.received_common import NfeNoteView, ReceivedView, xml_answer
from fiscal.api.received_events import NO_ANSWER, GenericView
from fiscal.errors import InvalidRequest, ReceivedNotFound
from fiscal.models import EventState, Manifestation, ReceivedDocument, ReceivedNfe, Source
from fiscal.selectors.received import received_nfes
from fiscal.services import archive
from fiscal.services.received import files, manifestation
from fiscal.services.received.bodies import nfe_complete, nfe_entry
from fiscal.services.received.cursors import receives
from fiscal.services.received.manifested import NAMES
from fiscal.services.received.telling import tell_nfe
from lib import clock

NOT_ENABLED = "CNPJ não habilitado para o recebimento de NF-e: ligue habilita_manifestacao."
NO_XML = "O XML completo ainda não foi disponibilizado; ele chega depois da manifestação."


class ListView(ReceivedView):
    """GET: the hundred after `versao`."""

    def get(self, request: Any) -> Response:
        self.check_cnpj(required=True)
        if not receives(self.company, source=Source.NFE, ambiente=self.ambiente):
            raise InvalidRequest(NOT_ENABLED)
        rows = received_nfes(
            self.company,
            ambiente=self.ambiente,
            after=self.after(),
            is_pending=self.has("pendente"),
            lacks_ciencia=self.has("pendente_ciencia"),
        )
        return self.page(rows, nfe_entry)


class OneView(NfeNoteView):
    """GET: the note, or one of its files."""

    def get(self, request: Any, chave: str, form: str = "") -> Any:
        row = self.note(chave)
        if form == "xml":
            return _xml(files.whole(row), f"{chave}-nfe.xml", NO_XML)
        if form == "pdf":
            if files.whole(row) is None:
                raise ReceivedNotFound(NO_XML)
            return HttpResponseRedirect(danfe_path(row))
        return Response(nfe_complete(row) if self.is_on("completa") else nfe_entry(row))


class CancellationView(NfeNoteView):
    def get(self, request: Any, chave: str) -> HttpResponse:
        row = self.note(chave)
        text = "Não há XML de cancelamento para esta nota."
        return _xml(files.cancellation(row), f"{chave}-can.xml", text)


class CorrectionView(NfeNoteView):
    def get(self, request: Any, chave: str) -> HttpResponse:
        row = self.note(chave)
        text = "Não há carta de correção para esta nota."
        name = f"{chave}-cce-{row.correction_number or 1:02d}.xml"
        return _xml(files.correction(row), name, text)


class ManifestView(NfeNoteView):
    """POST registers at the authority, now; GET tells the one that counts."""

    def post(self, request: Any, chave: str) -> Response:
        body = self.body()
        row = self.note(chave)
        tipo, text = manifestation.read_request(body.get("tipo"), body.get("justificativa"))
        return _manifested(manifestation.manifest(row.pk, tipo=tipo, justificativa=text))

    def get(self, request: Any, chave: str) -> Response:
        found = manifestation.last_valid(self.note(chave))
        if found is None:
            raise ReceivedNotFound("A nota não tem manifestação.")
        return _manifested(found)


class AgainView(NfeNoteView):
    """POST: tell the matching hooks once more; answers those of the company."""

    def post(self, request: Any, chave: str) -> Response:
        row = self.note(chave)
        return Response(told_hooks(self, tell_nfe(row, at=clock.now())))


class DanfeView(NfeNoteView):
    """GET: the DANFE as PDF, at the address that `.pdf` redirects to."""

    def get(self, request: Any, chave: str) -> HttpResponse:
        content = files.danfe(self.note(chave))
        if content is None:
            raise Http404
        return pdf_response(content, f"{chave}.pdf")


def danfe_path(row: ReceivedNfe) -> str:
    return f"/notas_fiscais/NFe{row.chave}/recebida.pdf"


def _xml(kept: ReceivedDocument | None, name: str, absent: str) -> HttpResponse:
    if kept is None:
        raise ReceivedNotFound(absent)
    return xml_answer(archive.unpacked(kept.content), name)


def _manifested(row: Manifestation) -> Response:
    """A refusal of the authority is 200 with `erro`; without any answer it is 202 (§22)."""
    told = {"status_sefaz": row.c_stat, "mensagem_sefaz": row.x_motivo}
    status, code = "evento_registrado", 200
    if row.state == EventState.REJEITADO:
        status = "erro"
    elif row.state != EventState.REGISTRADO:
        status, code = "processando_autorizacao", 202
        told = {"status_sefaz": "", "mensagem_sefaz": NO_ANSWER}
    shown = {
        **told,
        "status": status,
        "protocolo": row.protocolo,
        "tipo": NAMES[row.tp_evento],
        "justificativa": row.justificativa,
    }
    return Response({name: value for name, value in shown.items() if value}, status=code)


_KEY = r"(?P<chave>[0-9A-Za-z]{44})"
routes = [
    path("nfes_recebidas", ListView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}$", OneView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}\.(?P<form>json|xml|pdf)$", OneView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}/cancelamento\.xml$", CancellationView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}/carta_correcao\.xml$", CorrectionView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}/manifesto$", ManifestView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}/evento$", GenericView.as_view()),
    re_path(rf"^nfes_recebidas/{_KEY}/hook$", AgainView.as_view()),
]
file_routes = [re_path(rf"^notas_fiscais/NFe{_KEY}/recebida\.pdf$", DanfeView.as_view())]
