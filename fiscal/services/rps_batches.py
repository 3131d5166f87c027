"""Files of RPS for cities without web service, and what the city answered (fiscal-api §6).

All or nothing: a file is made of every note or of none, and an answer with one wrong line changes
no note. The same ref is the same file for ever: sent again with other contents it would cancel
notes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from fiscal.authorities.municipal.file_only import SLUG, FileOnly
from fiscal.documents.nfse import reading
from fiscal.documents.rps_file import sao_paulo
from fiscal.documents.rps_file.sao_paulo import Rps
from fiscal.documents.service import NFSE, Declared
from fiscal.errors import (
    InvalidRequest,
    IssuerForbidden,
    NotEnabled,
    RecordInvalid,
    SchemaInvalid,
)
from fiscal.models import Archive, Company, RpsBatch, ServiceNote
from fiscal.selectors import service_notes
from fiscal.services import archive
from fiscal.services.issue import refuse_ref
from fiscal.services.nfse import numbering, signing
from fiscal.services.nfse.issue import NOT_ENABLED, is_enabled
from fiscal.services.nfse.issuers import issuer_of
from fiscal.services.signing_step import local_time
from fiscal.tables import nfse_cities, places
from lib import clock
from lib.br import document_kind, normalise_document
from lib.errors import Conflict, FieldError, NotFound
from lib.kept_json import kept

MAX_NOTES = 1000
LONGEST_REF = 240  # the notes add their place to it
_NFE = 55
_DEFAULT_LAYOUT = "sao-paulo-001"
_HAS_SERVICE = "O município recebe notas por web service: use /v2/nfse."
_OTHER_BODY = "Já existe um lote de RPS com esta referência e outro conteúdo."
_NAMED = re.compile(r'^Parâmetro "([^"]+)"')


class BatchNotFound(NotFound):
    mensagem = "Lote de RPS não encontrado"


def create_batch(company: Company, *, ambiente: str, ref: str, body: Mapping[str, Any]) -> RpsBatch:
    """The batch of `ref`: its notes numbered and waiting `em_lote`, its file kept.

    A repeated request finds the first; without a ref (§1.3) the body names the batch, so that a
    client that repeats a lost answer gets the same file and not the same notes twice. Raises
    InvalidRequest for the ref and the CNPJ, IssuerForbidden, NotEnabled, RecordInvalid with every
    fault of every note, and Conflict for another body under the same ref.
    """
    body = kept(dict(body))
    ref = ref or _ref_of(body)
    refuse_ref(ref, modelo=_NFE)
    if len(ref) > LONGEST_REF:
        raise InvalidRequest(f'Parâmetro "ref" inválido: use até {LONGEST_REF} caracteres.')
    found = _found(company, ambiente, ref)
    if found is not None:
        return _same(found, body)
    made = _Asked(company, ambiente, ref, body, clock.now())
    layout = made.layout()
    if not is_enabled(company, tipo=NFSE, ambiente=ambiente):
        raise NotEnabled(NOT_ENABLED[NFSE])
    declared = made.declared()
    _refuse(declared, layout)
    try:
        with transaction.atomic():
            return made.keep(layout, declared)
    except IntegrityError:
        found = _found(company, ambiente, ref)  # another request was quicker
        if found is None:
            raise
        return _same(found, body)


def batch_of(company: Company, *, ambiente: str, ref: str) -> RpsBatch:
    """Raises BatchNotFound."""
    found = _found(company, ambiente, ref)
    if found is None:
        raise BatchNotFound()
    return found


def batch_file(batch: RpsBatch) -> bytes:
    """The file as it was made, byte for byte."""
    rows = Archive.objects.filter(
        company_id=batch.company_id, ambiente=batch.ambiente, name=file_name(batch)
    )
    return archive.read(rows.get(kind=Archive.Kind.BATCH))


def file_name(batch: RpsBatch) -> str:
    return f"lote-rps-{batch.pk}.txt"


def _ref_of(body: Mapping[str, Any]) -> str:
    """The ref of a batch that its client does not name: of its contents, whatever their order."""
    written = json.dumps(body, sort_keys=True).encode()
    return f"lote-{hashlib.sha256(written).hexdigest()[:24]}"


def _found(company: Company, ambiente: str, ref: str) -> RpsBatch | None:
    found: RpsBatch | None = RpsBatch.objects.filter(
        company=company, ambiente=ambiente, ref=ref
    ).first()
    return found


def _same(batch: RpsBatch, body: Mapping[str, Any]) -> RpsBatch:
    if batch.payload != body:
        raise Conflict(_OTHER_BODY)
    return batch


def _refuse(declared: list[Declared], layout: str) -> None:
    faults = [
        FieldError(_place(index, fault.campo), fault.mensagem)
        for index, one in enumerate(declared)
        for fault in sao_paulo.faults(one, layout)
    ]
    if faults:
        raise RecordInvalid(erros=faults)


def _place(index: int, field: str) -> str:
    """A field of a note, as the body of the batch has it."""
    if field.startswith("prestador."):
        return field
    return f"lista_nfse[{index}].{field}" if field else f"lista_nfse[{index}]"


@dataclass(frozen=True)
class _Asked:
    """One request on its way into rows."""

    company: Company
    ambiente: str
    ref: str
    body: Mapping[str, Any]
    now: datetime

    @property
    def issuer(self) -> Mapping[str, Any]:
        sent = self.body.get("prestador")
        if not isinstance(sent, Mapping):
            raise _missing("prestador")
        return sent

    @property
    def city(self) -> str:
        return str(self.issuer.get("codigo_municipio") or "").strip()

    def layout(self) -> str:
        """The layout of the file that the city reads; refuses whoever else may not ask."""
        self._refuse_issuer()
        if not self.city:
            raise _missing("prestador.codigo_municipio")
        if places.municipality(self.city) is None:
            raise _missing("prestador.codigo_municipio", "Município inexistente.")
        known = nfse_cities.cities().get(self.city)
        offered = known.files if known else ()
        if known and known.family and not offered:
            raise _missing("prestador.codigo_municipio", _HAS_SERVICE)
        offered = offered or (_DEFAULT_LAYOUT, "sao-paulo-002")
        asked = str(self.body.get("layout") or offered[0])
        if asked not in offered:
            raise _missing("layout", f"Use um de: {', '.join(offered)}.")
        return asked

    def _refuse_issuer(self) -> None:
        cnpj = str(self.issuer.get("cnpj") or "").strip()
        if not cnpj:
            raise _missing("prestador.cnpj")
        if document_kind(cnpj) != "cnpj":
            raise InvalidRequest('Parâmetro "prestador.cnpj" inválido.')
        if normalise_document(cnpj) != self.company.document:
            raise IssuerForbidden()
        if not str(self.issuer.get("inscricao_municipal") or "").strip():
            raise _missing("prestador.inscricao_municipal")

    def declared(self) -> list[Declared]:
        """Every note of the body. Raises RecordInvalid with the faults of all."""
        bodies = self.body.get("lista_nfse")
        if not isinstance(bodies, list) or not bodies:
            raise _missing("lista_nfse")
        if len(bodies) > MAX_NOTES:
            raise _missing("lista_nfse", f"Informe no máximo {MAX_NOTES} notas.")
        read, faults = [], list[FieldError]()
        for index, body in enumerate(bodies):
            try:
                read.append(self._read(body))
            except (InvalidRequest, SchemaInvalid) as error:
                faults += _faults(index, error)
        if faults:
            raise RecordInvalid(erros=faults)
        return read

    def _read(self, body: Any) -> Declared:
        if not isinstance(body, Mapping):
            raise InvalidRequest("A nota não é um objeto.")
        return reading.read(
            {**body, "prestador": self.issuer},
            issuer=issuer_of(self.company),
            ambiente=self.ambiente,
            now=local_time(self.company, self.now),
        )

    def keep(self, layout: str, declared: list[Declared]) -> RpsBatch:
        batch = RpsBatch.objects.create(
            account_id=self.company.account_id,
            company=self.company,
            ambiente=self.ambiente,
            ref=self.ref,
            layout=layout,
            payload=self.body,
            created_at=self.now,
        )
        made = [self._numbered(index, one) for index, one in enumerate(declared)]
        batch.notes.add(*(note for note, _ in made))
        content = sao_paulo.written([rps for _, rps in made], layout)
        archive.keep_for_company(
            self.company,
            ambiente=self.ambiente,
            month=f"{local_time(self.company, self.now):%Y%m}",
            kind=Archive.Kind.BATCH,
            name=file_name(batch),
            content=content,
            at=self.now,
        )
        return batch

    def _numbered(self, index: int, declared: Declared) -> tuple[ServiceNote, Rps]:
        provider = FileOnly(self.city, self.ambiente)
        note = ServiceNote(
            account_id=self.company.account_id,
            company=self.company,
            ambiente=self.ambiente,
            tipo=NFSE,
            # No ref of a client has a colon: notes of batches take nobody's name.
            ref=f"{self.ref}:{index + 1}",
            payload={**self.body["lista_nfse"][index], "prestador": dict(self.issuer)},
            provider=SLUG,
            municipality=self.city,
            created_at=self.now,
        )
        identity = numbering.identity(note, declared, provider)
        note.series, note.rps_number = identity.series, identity.number
        note.rps_kind, note.batch_number = identity.kind, identity.batch
        signing.remember(note, declared)
        note.sign(sent_id=f"R{identity.kind}S{identity.series}N{identity.number}", digest_value="")
        note.begin(again_at=self.now)
        note.queue(protocol=self.ref[:60], again_at=self.now)
        note.next_attempt_at = None  # the city's answer comes through a person
        service_notes.keep_progress(note)
        return note, Rps(declared, identity)


def _missing(field: str, text: str = "") -> RecordInvalid:
    return RecordInvalid(erros=[FieldError(field, text or f'Parâmetro "{field}" não informado.')])


def _faults(index: int, error: InvalidRequest | SchemaInvalid) -> list[FieldError]:
    if not error.erros:
        named = _NAMED.match(error.mensagem)  # the first that is missing
        return [FieldError(_place(index, named[1] if named else ""), error.mensagem)]
    return [FieldError(_place(index, one.campo), one.mensagem) for one in error.erros]
