"""What /v2/nfse and /v2/nfsen do the same way (fiscal-api §4, §5)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path, re_path
from rest_framework.response import Response

from fiscal.api import hooks
from fiscal.api.base import FiscalView
from fiscal.documents.nfe.values import Refused, read_boolean
from fiscal.errors import InvalidRequest
from fiscal.models import (
    NOTE_PUBLISHED,
    Archive,
    NoteState,
    OrderState,
    ServiceNote,
    ServiceOrder,
)
from fiscal.selectors import service_notes
from fiscal.selectors.hooks import listed_hooks
from fiscal.selectors.service_notes import get_note
from fiscal.services import mail, nfse_links
from fiscal.services.nfse import files, notices
from fiscal.services.nfse.cancel import cancel_note, request_analysis
from fiscal.services.nfse.issue import issue_note
from fiscal.services.signing_step import local_time
from lib import clock

PROCESSING = NOTE_PUBLISHED[NoteState.RECEBIDO]
NO_ANSWER = "Ainda não há resposta: o cancelamento está em processamento."
IN_ANALYSIS = "O cancelamento está em análise."
_ISSUED = (
    NoteState.AUTORIZADO,
    NoteState.CANCELAMENTO_EM_ANALISE,
    NoteState.CANCELADO,
    NoteState.SUBSTITUIDO,
)
_ROOTS = {"producao": "arquivos", "homologacao": "arquivos_development"}


class NotesView(FiscalView):
    """POST: accept a note; 202, and the query tells what became of it."""

    tipo: ClassVar[str] = ""

    def post(self, request: Any) -> Response:
        note = issue_note(
            self.company,
            ambiente=self.ambiente,
            tipo=self.tipo,
            ref=self.parameter("ref"),
            body=self.body(),
        )
        return Response(_accepted(note), status=202)


class OfNoteView(FiscalView):
    """Base: the note of the address."""

    tipo: ClassVar[str] = ""

    def note(self, ref: str) -> ServiceNote:
        return get_note(self.company, ambiente=self.ambiente, tipo=self.tipo, ref=ref)


class NoteView(OfNoteView):
    """GET: where the note stands. DELETE cancels it (§4.5), or asks the city to (NAC-11)."""

    def get(self, request: Any, ref: str) -> Response:
        return Response(shown(self.note(ref)))

    def delete(self, request: Any, ref: str) -> Response:
        sent = self.body()
        ask = request_analysis if _is_asked(sent, "analise_fiscal") else cancel_note
        order = ask(
            self.note(ref),
            justificativa=sent.get("justificativa", ""),
            codigo=str(sent.get("codigo_cancelamento") or ""),
        )
        told = _cancellation(self.note(ref), order)
        return Response(told, status=202 if told["status"] == PROCESSING else 200)


class NoteMailView(OfNoteView):
    """POST: confirmed at once, sent in the background (§4.6)."""

    def post(self, request: Any, ref: str) -> Response:
        emails = mail.send_note_again(self.note(ref), self.body().get("emails"), now=clock.now())
        return Response({"emails": emails, "mensagem": "Os e-mails serão enviados em instantes."})


class NoteHookView(OfNoteView):
    """POST: tell the matching hooks of the note once more; answers them (§13.1)."""

    def post(self, request: Any, ref: str) -> Response:
        note = self.note(ref)
        own = listed_hooks(self.account, company=self.company, ambiente=self.ambiente)
        # The account's own hooks are told too, but their addresses are not the company's to see.
        seen = set(own.values_list("pk", flat=True))
        told = notices.tell_hooks(note, at=clock.now())
        return Response([hooks.shown(hook) for hook in told if hook.pk in seen])


def _is_asked(sent: dict[str, Any], name: str) -> bool:
    """A flag of the body; absent is false. Raises InvalidRequest."""
    if sent.get(name) in (None, ""):
        return False
    try:
        return read_boolean(sent[name]) == "S"
    except Refused as error:
        raise InvalidRequest(f'Parâmetro "{name}" inválido: {error}') from error


# --- answers -----------------------------------------------------------------------------------


def shown(note: ServiceNote) -> dict[str, Any]:
    """The body of GET and of gatilhos; absent values are left out."""
    body = _accepted(note) | _declaration(note)
    if note.state in _ISSUED:
        body |= _issued(note) | _links(note)
    elif note.state == NoteState.REJEITADO:
        body["erros"] = note.errors
    return {name: value for name, value in body.items() if value not in ("", None)}


def _accepted(note: ServiceNote) -> dict[str, Any]:
    company = note.company
    issuer = {"cnpj_prestador": company.cnpj} if company.cnpj else {"cpf_prestador": company.cpf}
    return {**issuer, "ref": note.ref, "status": note.status}


def _declaration(note: ServiceNote) -> dict[str, Any]:
    if note.rps_number is None:
        return {}
    return {
        "numero_rps": str(note.rps_number),
        "serie_rps": note.series,
        "tipo_rps": str(note.rps_kind),
    }


def _issued(note: ServiceNote) -> dict[str, Any]:
    at = local_time(note.company, note.issued_at) if note.issued_at else None
    body: dict[str, Any] = {
        "numero": note.number,
        "codigo_verificacao": note.verification_code,
        "data_emissao": at.isoformat(timespec="seconds") if at else None,
        "url": note.url,
        "url_danfse": nfse_links.pdf_url(note),
        "caminho_xml_nota_fiscal": _path(note, Archive.Kind.NOTE),
        # NAC-10, and what the authority warns of; what was ignored in the body is for staff.
        "avisos": [one for one in note.notes if one.get("codigo")] or None,
    }
    if note.state == NoteState.CANCELADO:
        body["caminho_xml_cancelamento"] = _path(note, Archive.Kind.EVENT)
    return body


def _links(note: ServiceNote) -> dict[str, Any]:
    """§4.4: the second is known only when the substitute was issued here."""
    body: dict[str, Any] = {"numero_nfse_substituida": note.replaces_number}
    if note.state == NoteState.SUBSTITUIDO:
        found = service_notes.replacement_of(note)
        body["numero_nfse_substituta"] = found.number if found else None
    return body


def _cancellation(note: ServiceNote, order: ServiceOrder) -> dict[str, Any]:
    """§4.5: by the note, then by the order."""
    if note.state == NoteState.CANCELADO:
        told: dict[str, Any] = {"status": "cancelado"}
        path = _path(note, Archive.Kind.EVENT)
        return told | ({"caminho_xml_cancelamento": path} if path else {})
    if order.state == OrderState.REJEITADO:
        return {"status": "erro_cancelamento", "erros": order.errors}
    is_analysed = order.state == OrderState.EM_ANALISE
    return {"status": PROCESSING, "mensagem": IN_ANALYSIS if is_analysed else NO_ANSWER}


# --- paths (§1.10) -----------------------------------------------------------------------------


def folder(note: ServiceNote) -> str:
    owner = f"{note.company.document}_{note.company_id}"
    month = files.month_of(note, at=note.created_at)
    return f"/{_ROOTS[note.ambiente]}/{owner}/{month}"


def pdf_path(note: ServiceNote) -> str:
    """Where our own print of the note is, by token."""
    return f"{folder(note)}/DANFSEs/{files.stem(note)}.pdf"


def _path(note: ServiceNote, kind: str) -> str:
    found = service_notes.last_file_name(note, kind)
    return f"{folder(note)}/XMLs/{found}" if found else ""


def routes_of(tipo: str) -> list[Any]:
    """The addresses of a kind of note."""
    views = [("email", NoteMailView), ("hook", NoteHookView)]
    return [
        path(tipo, NotesView.as_view(tipo=tipo)),
        *(
            re_path(rf"^{tipo}/(?P<ref>[^/]+)/{name}$", view.as_view(tipo=tipo))
            for name, view in views
        ),
        re_path(rf"^{tipo}/(?P<ref>[^/]+)$", NoteView.as_view(tipo=tipo)),
    ]
