"""Accepting a service note: one row for each `ref`, never two (fiscal-api §1.3, §4.3, §5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from fiscal.authorities.provider import Provider
from fiscal.documents.service import NFSE, Declared
from fiscal.errors import (
    AlreadyAuthorized,
    InProcessing,
    InvalidRequest,
    IssuerForbidden,
    NotEnabled,
)
from fiscal.models import Company, NoteState, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services.certificates import Open, opened
from fiscal.services.issue import refuse_ref
from fiscal.services.nfse import choice, dispatch, numbering, replace, signing
from lib import clock
from lib.br import document_kind, normalise_document
from lib.kept_json import kept

_ISSUED = (
    NoteState.AUTORIZADO,
    NoteState.CANCELAMENTO_EM_ANALISE,
    NoteState.CANCELADO,
    NoteState.SUBSTITUIDO,
)
NOT_ENABLED = {
    "nfse": "Emitente ainda não habilitado para emissão de NFSe",
    "nfsen": "Emitente ainda não habilitado para emissão de NFSe Nacional",
}
_ISSUER_FIELDS = {
    "nfse": ("prestador.cnpj",),
    "nfsen": ("cnpj_prestador", "cpf_prestador"),
}
ALREADY = "Nota fiscal já autorizada"
PROCESSING = "Nota fiscal em processamento"
_NFE = 55


def issue_note(
    company: Company, *, ambiente: str, tipo: str, ref: str, body: Mapping[str, Any]
) -> ServiceNote:
    """Accept a note under `ref` and have it sent; its state tells later what became of it.

    After a refusal the same `ref` takes a corrected body and keeps its number (NUM-3). Raises
    InvalidRequest for the ref, a missing field and a city without service, NotEnabled,
    IssuerForbidden, CertificateExpired, NoCertificate, AlreadyAuthorized, InProcessing, and
    SchemaInvalid with every fault of the body; nothing is kept then. Not inside a transaction:
    what is known of the city may have to be asked for.
    """
    now = clock.now()
    refuse_ref(ref, modelo=_NFE)
    _refuse_issuer(company, body, tipo)
    if not is_enabled(company, tipo=tipo, ambiente=ambiente):
        raise NotEnabled(NOT_ENABLED[tipo])
    certificate = opened(company, at=now)
    declared = choice.read(company, body, tipo=tipo, ambiente=ambiente, now=now)
    provider = choice.choose(declared, ambiente=ambiente, now=now)
    choice.refuse_faults(declared, provider, now=now)
    accepted = _Accepted(company, ambiente, tipo, ref, body, declared, provider, certificate, now)
    return accepted.keep()


def is_enabled(company: Company, *, tipo: str, ambiente: str) -> bool:
    """Does the company's record let it issue such notes there?"""
    if tipo == NFSE:
        return company.habilita_nfse
    is_live = ambiente == "producao"
    return company.habilita_nfsen_producao if is_live else company.habilita_nfsen_homologacao


def _refuse_issuer(company: Company, body: Mapping[str, Any], tipo: str) -> None:
    """The issuer that the body names is the company of the token (§1.8)."""
    for path in _ISSUER_FIELDS[tipo]:
        named = _at(body, path)
        if named and document_kind(named) is None:
            raise InvalidRequest(f'Parâmetro "{path}" inválido.')
        if named and normalise_document(named) != company.document:
            raise IssuerForbidden()


def _at(body: Any, path: str) -> str:
    """The text at a path; "" without one, and for another type, which is the reader's to refuse."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, Mapping) else None
    is_text = isinstance(body, str | int) and not isinstance(body, bool)
    return str(body).strip() if is_text else ""


@dataclass(frozen=True)
class _Accepted:
    """One accepted body on its way into a row."""

    company: Company
    ambiente: str
    tipo: str
    ref: str
    body: Mapping[str, Any]
    declared: Declared
    provider: Provider
    certificate: Open
    now: datetime

    def keep(self) -> ServiceNote:
        try:
            with transaction.atomic():
                return self._keep()
        except IntegrityError as error:
            # Another request with the same ref, or a number that the client gave twice.
            raise InProcessing(PROCESSING) if self._row() else _number_taken() from error

    def _row(self, *, is_locked: bool = False) -> ServiceNote | None:
        return service_notes.note_of_ref(
            self.company, ambiente=self.ambiente, tipo=self.tipo, ref=self.ref, is_locked=is_locked
        )

    def _keep(self) -> ServiceNote:
        row = self._row(is_locked=True)
        if row is None:
            return self._new()
        if row.state in _ISSUED:
            raise AlreadyAuthorized(ALREADY)
        if row.state != NoteState.REJEITADO:
            raise InProcessing(PROCESSING)
        return self._again(row)

    def _new(self) -> ServiceNote:
        # Told now, not by a queued note that nobody can issue.
        numbering.refuse_chosen(self.company, self.declared, self.provider, ambiente=self.ambiente)
        note = ServiceNote(
            account_id=self.company.account_id,
            company=self.company,
            ambiente=self.ambiente,
            tipo=self.tipo,
            ref=self.ref,
            payload=kept(dict(self.body)),
            provider=self.provider.slug,
            municipality=self.provider.municipality,
            next_attempt_at=self.now,
            created_at=self.now,
        )
        replace.link(note, self.declared)
        signing.remember(note, self.declared, self.provider.features.carries)
        service_notes.keep_progress(note)
        dispatch.call()
        return note

    def _again(self, note: ServiceNote) -> ServiceNote:
        """The corrected body under the same row and number, signed at once: it is processing."""
        note.payload = kept(dict(self.body))
        note.save(update_fields=["payload"])
        replace.link(note, self.declared)
        signed = signing.sign_row(
            note, self.declared, self.provider, now=self.now, certificate=self.certificate
        )
        note.next_attempt_at = self.now
        service_notes.keep_progress(note)
        signed.keep()
        dispatch.call()
        return note


def _number_taken() -> InvalidRequest:
    return InvalidRequest(numbering.NUMBER_TAKEN)
