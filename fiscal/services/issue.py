"""Accepting a document: one row for each `ref`, never two (fiscal-api §1.3, §2.3, §3.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from fiscal.documents.types import Data
from fiscal.errors import (
    AlreadyAuthorized,
    CompanyNotConfigured,
    EnvironmentNotConfigured,
    InProcessing,
    InvalidRequest,
    IssuerForbidden,
    NotEnabled,
    RefMissing,
)
from fiscal.models import Company, FiscalDocument, State
from fiscal.selectors import hot_rows
from fiscal.services import (
    contingency,
    delivery,
    dispatch,
    event_epec,
    numbering,
    replacing,
    signing_step,
    transmit,
)
from fiscal.services.certificates import Open, opened
from fiscal.services.companies import csc_of
from fiscal.services.signing_step import LEASE, NORMAL, OFFLINE, Mode
from fiscal.services.transmit import Sending
from lib import clock
from lib.br import document_kind, normalise_document
from lib.kept_json import kept

NFE, NFCE = contingency.NFE, contingency.NFCE
# They take batches only, never a synchronous NF-e (fiscal-api §2.3).
WITHOUT_SYNCHRONOUS = frozenset({"SP", "GO", "BA"})
_REF = re.compile(r"[A-Za-z0-9_.-]{1,255}")
# Below /v2/nfe these are something else, so a document of that name could never be asked for.
_TAKEN = frozenset({".", "..", "danfe", "importacao", "inutilizacao", "inutilizacoes"})
_FINAL = (State.AUTORIZADO, State.CANCELADO, State.DENEGADO, State.CONTINGENCIA)
_CLIENT_REASON = "Emitida em contingencia pelo emitente sem comunicacao"


def issue_document(
    company: Company,
    *,
    ambiente: str,
    modelo: int,
    ref: str,
    body: Mapping[str, Any],
    offline: bool = False,
) -> FiscalDocument:
    """Accept a document under `ref`, and issue it now where the company asks for that.

    NF-e is queued unless the company is synchronous; NFC-e is always issued now. With `offline`
    the body is an NFC-e that the client issued by itself: numero, serie and codigo_unico are its
    own. After a refusal the same `ref` takes a corrected body and keeps its number (NUM-3).

    Raises RefMissing or InvalidRequest for the ref, NotEnabled, IssuerForbidden,
    CertificateExpired, NoCertificate, EnvironmentNotConfigured, CompanyNotConfigured,
    AlreadyAuthorized, InProcessing, and SchemaInvalid with every fault of the body; nothing is
    kept then.
    """
    now = clock.now()
    refuse_ref(ref, modelo=modelo)
    certificate = certificate_for(company, ambiente=ambiente, modelo=modelo, now=now)
    refuse_issuer(company, body)
    is_now = is_synchronous(company, ambiente=ambiente, modelo=modelo)
    # What is signed now is held against the schema then, and a fault gives its number back.
    read = signing_step.prepared if is_now else signing_step.checked
    data = read(company, body, modelo=modelo, ambiente=ambiente, now=now, offline=offline)
    accepted = _Accepted(
        company, ambiente, modelo, ref, kept(dict(body)), data, offline, is_now, certificate, now
    )
    document = accepted.keep()
    return delivery.issue_now(document.pk, accepted.sending) if is_now else document


def is_synchronous(company: Company, *, ambiente: str, modelo: int) -> bool:
    """Does the client wait for the authority's answer?"""
    if modelo == NFCE:
        return True
    asked = company.nfe_sincrono if ambiente == "producao" else company.nfe_sincrono_homologacao
    return asked and company.uf not in WITHOUT_SYNCHRONOUS


def refuse_ref(ref: str, *, modelo: int) -> None:
    """§1.3: letters, digits and `_`, `.`, `-`, at most 255; nothing that is an address itself."""
    if not ref:
        raise RefMissing() if modelo == NFCE else InvalidRequest('Parâmetro "ref" não informado.')
    if ref in _TAKEN:
        raise InvalidRequest(f'Parâmetro "ref" inválido: "{ref}" é reservado.')
    if not _REF.fullmatch(ref):
        raise InvalidRequest(
            'Parâmetro "ref" inválido: use de 1 a 255 letras, números, "_", "." ou "-".'
        )


def certificate_for(company: Company, *, ambiente: str, modelo: int, now: datetime) -> Open:
    """What will sign and send; raises for whatever of the company's record stops its documents."""
    if not company.emits(modelo):
        raise NotEnabled()
    certificate = opened(company, at=now)
    if modelo == NFCE and csc_of(company, ambiente) is None:
        other = "homologacao" if ambiente == "producao" else "producao"
        raise EnvironmentNotConfigured() if csc_of(company, other) else CompanyNotConfigured()
    return certificate


def refuse_issuer(company: Company, body: Mapping[str, Any]) -> None:
    """The issuer that the body names is the company of the token (§1.8, §2.2)."""
    for name in ("cnpj_emitente", "cpf_emitente"):
        named = _named(body, name)
        if named and document_kind(named) is None:
            raise InvalidRequest("CNPJ do emitente não autorizado ou não informado.")
        if named and normalise_document(named) != company.document:
            raise IssuerForbidden()
    # Another state has another authority, which does not know the issuer.
    if _named(body, "uf_emitente").upper() not in ("", company.uf):
        raise InvalidRequest("CNPJ/UF do emitente não autorizado ou não informado.")


def _named(body: Mapping[str, Any], name: str) -> str:
    """A field as text; "" without one, and for another type, which is the reader's to refuse."""
    given = body.get(name)
    is_text = isinstance(given, str | int) and not isinstance(given, bool)
    return str(given).strip() if is_text else ""


class _Accepted:
    """One accepted body on its way into a row."""

    def __init__(
        self,
        company: Company,
        ambiente: str,
        modelo: int,
        ref: str,
        body: dict[str, Any],
        data: Data,
        offline: bool,
        is_now: bool,
        certificate: Open,
        now: datetime,
    ) -> None:
        self.company, self.ambiente, self.modelo = company, ambiente, modelo
        self.ref, self.body, self.data = ref, body, data
        self.offline, self.is_now, self.certificate, self.now = offline, is_now, certificate, now
        self.sending: Sending | None = None

    def keep(self) -> FiscalDocument:
        try:
            with transaction.atomic():
                return self._keep()
        except IntegrityError as error:
            # Another request with the same ref, or a number that the client gave twice.
            taken = hot_rows.document_of_ref(self.company, self.ambiente, self.modelo, self.ref)
            raise InProcessing() if taken else _number_taken() from error

    def _keep(self) -> FiscalDocument:
        row = hot_rows.document_of_ref(
            self.company, self.ambiente, self.modelo, self.ref, is_locked=True
        )
        if row is None:
            self._refuse_number()
            return self._begun(hot_rows.stands_alone(self._new()))
        if row.state in _FINAL or (row.is_offline and row.state != State.REJEITADO):
            raise AlreadyAuthorized()
        if row.state == State.INUTILIZADO:  # its number is gone: another row, another number
            return self._begun(replacing.take_over(row, payload=self.body, now=self.now))
        if row.state != State.REJEITADO:
            raise InProcessing()
        return self._again(row)

    def _refuse_number(self) -> None:
        """Told now, not by a queued document that nobody can issue (§2.3)."""
        numbering.chosen_number(
            self.company, ambiente=self.ambiente, modelo=self.modelo, data=self.data
        )

    def _new(self) -> FiscalDocument:
        """Not inserted yet: one that is signed now is written once."""
        return FiscalDocument(
            account_id=self.company.account_id,
            company=self.company,
            ambiente=self.ambiente,
            modelo=self.modelo,
            ref=self.ref,
            payload=self.body,
            tp_emis=OFFLINE if self.offline else 1,
            next_attempt_at=self.now + LEASE,
            created_at=self.now,
        )

    def _begun(self, document: FiscalDocument) -> FiscalDocument:
        """Where somebody waits, signed and about to be sent in the same transaction, so that the
        row is written once before the call; queued otherwise."""
        if self.is_now:
            return self._signed(document)
        document.next_attempt_at = self.now
        hot_rows.keep_progress(document)
        dispatch.call()
        return document

    def _again(self, document: FiscalDocument) -> FiscalDocument:
        """The corrected body under the same row and number, signed at once: it is processing."""
        document.payload = self.body
        document.next_attempt_at = None
        document.save(update_fields=["payload"])
        return self._signed(document)

    def _signed(self, document: FiscalDocument) -> FiscalDocument:
        bound, announced = event_epec.bound_mode(document), document.chave
        mode = bound or self._mode()
        document.company = self.company
        signature = signing_step.sign_row(
            document, data=self.data, now=self.now, mode=mode, certificate=self.certificate
        )
        if bound:
            event_epec.refuse_other_key(document, announced)
        if self.is_now and mode.tp_emis != OFFLINE:
            self.sending = transmit.begin_row(document, signature, now=self.now)
            return document
        if mode.tp_emis == OFFLINE:
            document.enter_offline(again_at=self.now + LEASE)
        elif not self.is_now:
            document.next_attempt_at = self.now
            dispatch.call()
        hot_rows.keep_progress(document)
        signature.keep()
        return document

    def _mode(self) -> Mode:
        if self.offline:
            since = datetime.fromisoformat(self.data["data_emissao"])
            return Mode(OFFLINE, since, _CLIENT_REASON)
        if self.modelo == NFCE:
            return NORMAL
        return contingency.mode_for(self.company, modelo=self.modelo, ambiente=self.ambiente)


def _number_taken() -> InvalidRequest:
    return InvalidRequest(numbering.NUMBER_TAKEN)
