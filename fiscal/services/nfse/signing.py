"""From a body to signed, schema-valid bytes under their number, in one transaction (NUM-1, NUM-2).

A rollback anywhere gives the number back, so no number is ever burnt by a fault of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from fiscal.authorities.base import Credentials
from fiscal.authorities.provider import Provider
from fiscal.documents.nfse import untold
from fiscal.documents.service import Declared, Prepared
from fiscal.models import NoteState, ServiceAttempt, ServiceNote
from fiscal.services.certificates import Open, opened
from fiscal.services.nfse import amounts, choice, files, numbering

LEASE = timedelta(minutes=2)
_UNKNOWN = (ServiceAttempt.Outcome.OPEN, ServiceAttempt.Outcome.LOST)


@dataclass(frozen=True)
class Signed:
    """What is to be sent: `keep` archives bytes that were just made, once the row is saved."""

    prepared: Prepared
    credentials: Credentials
    keep: Callable[[], None]


def signed(note: ServiceNote, provider: Provider, *, now: datetime) -> Signed:
    """The bytes of a locked note that is to be sent, signed now if they were not.

    Raises SchemaInvalid and others for a body that cannot be signed, CertificateExpired,
    NoCertificate.
    """
    certificate = opened(note.company, at=now)
    if note.state == NoteState.ASSINADO:
        xml = files.declared_xml(note)
        if not _needs_other_signature(note, xml, certificate):
            prepared = Prepared(note.sent_id, xml, note.digest_value)
            return Signed(prepared, certificate.credentials, _nothing)
    declared = choice.read(
        note.company, note.payload, tipo=note.tipo, ambiente=note.ambiente, now=now
    )
    return sign_row(note, declared, provider, now=now, certificate=certificate)


def sign_row(
    note: ServiceNote,
    declared: Declared,
    provider: Provider,
    *,
    now: datetime,
    certificate: Open,
) -> Signed:
    """Number, signature and schema; the state is `assinado` afterwards.

    For a row that this transaction has locked, which the caller saves before `keep`.
    """
    is_first = note.state == NoteState.RECEBIDO
    taken = choice.as_taken(declared, provider, now=now)
    # The series row is the hottest lock of all: taken last, after everything that can refuse.
    identity = numbering.identity(note, taken, provider)
    prepared = provider.build(taken, identity, signer=certificate.signer)
    note.provider, note.municipality = provider.slug, provider.municipality
    note.series, note.rps_number = identity.series, identity.number
    note.rps_kind, note.batch_number = identity.kind, identity.batch
    remember(note, declared, provider.features.carries)
    note.protocol = note.last_code = note.last_message = ""
    note.sign(sent_id=prepared.id[:60], digest_value=prepared.digest_value)
    note.next_attempt_at = now + LEASE

    def keep() -> None:
        name = files.declared_name(note)
        files.keep(note, files.Kind.DECLARED, name, prepared.xml, at=now, is_first=is_first)

    return Signed(prepared, certificate.credentials, keep)


def _needs_other_signature(note: ServiceNote, xml: bytes, certificate: Open) -> bool:
    """Signed under a certificate that no longer signs, and provably never arrived (CRT-5)."""
    if b"X509Certificate>" not in xml:
        return False
    if base64.b64encode(certificate.signer.certificate_der) in xml:
        return False
    return not note.attempts.filter(order=None, outcome__in=_UNKNOWN).exists()


def remember(note: ServiceNote, declared: Declared, carries: frozenset[str] | None = None) -> None:
    """What the row shows without opening the XML; from its acceptance on.

    `carries` as in the features of its provider.
    """
    summary = amounts.summary_of(declared)
    note.dh_emi, note.competence = declared.issued_at, declared.competence
    note.taker_document = summary.taker_document[:40]
    note.taker_name = summary.taker_name[:300]
    note.taker_email = summary.taker_email[:80]
    note.total = summary.total
    note.declared = amounts.declared_of(declared)
    note.memory = declared.memory
    note.notes = [*declared.notes, *untold.notes_of(declared, carries)]


def _nothing() -> None:
    """The bytes are in the archive already."""
