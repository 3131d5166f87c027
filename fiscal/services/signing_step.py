"""From a payload to a signed, schema-valid XML under its number, in one transaction (NUM-1, NUM-2).

A rollback anywhere gives the number back, so no number is ever burnt by a fault of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from fiscal import access_key
from fiscal.authorities import tables
from fiscal.authorities.base import Credentials
from fiscal.documents.nfe import make
from fiscal.documents.types import Data, Identity, SignedXml
from fiscal.errors import InProcessing
from fiscal.models import Attempt, Company, FiscalDocument, State
from fiscal.selectors.hot_rows import locked_document
from fiscal.services import archive
from fiscal.services.certificates import Open, opened
from fiscal.services.companies import csc_of, issuer_of
from fiscal.services.numbering import chosen_number, take_number
from fiscal.taxes.sheet import Note

# The queue is asked at once; this is when the sweep takes over what a lost task left behind.
LEASE = timedelta(minutes=2)
OFFLINE = 9
# 704: an NFC-e in normal emission may not be older than five minutes when it arrives (XML-7).
FRESH = timedelta(minutes=4)


@dataclass(frozen=True)
class Mode:
    """tpEmis with, in contingency, since when and why (CON-1)."""

    tp_emis: int = 1
    since: datetime | None = None
    reason: str = ""


NORMAL = Mode()


@dataclass(frozen=True)
class Signature:
    """One that was just made: `keep` archives the signed bytes, once the row is saved, and answers
    them; who signed is who sends."""

    keep: Callable[[], bytes]
    credentials: Credentials


def local_time(company: Company, moment: datetime) -> datetime:
    """`moment` on the wall clock of the issuer's UF, whole seconds (XML-7)."""
    zone = ZoneInfo(tables.state(company.uf).fuso)
    return moment.astimezone(zone).replace(microsecond=0)


def checked(
    company: Company,
    body: Mapping[str, Any],
    *,
    modelo: int,
    ambiente: str,
    now: datetime,
    offline: bool = False,
) -> Data:
    """The payload read, completed and found fit for the schema. Raises SchemaInvalid and others."""
    return make.check(
        body,
        modelo=modelo,
        ambiente=ambiente,
        issuer=issuer_of(company),
        now=local_time(company, now),
        offline=offline,
    )


def prepared(
    company: Company,
    body: Mapping[str, Any],
    *,
    modelo: int,
    ambiente: str,
    now: datetime,
    offline: bool = False,
) -> Data:
    """The payload read and completed, for `sign_row` in the same request, which holds the very
    bytes against the schema before the number is committed. Raises SchemaInvalid and others."""
    return make.prepare(
        body,
        modelo=modelo,
        ambiente=ambiente,
        issuer=issuer_of(company),
        now=local_time(company, now),
        offline=offline,
    )


def data_of(document: FiscalDocument, *, now: datetime, mode: Mode = NORMAL) -> Data:
    """A stored payload, read and completed, with the date that it is to carry now.

    An NFC-e in normal emission is dated when it is signed: the one of the payload may be too old
    by now (704). One that was issued offline by the client keeps its own.
    """
    own = document.payload
    is_client_offline = document.tp_emis == OFFLINE and mode.tp_emis == OFFLINE
    if document.modelo == 65 and not is_client_offline:
        own = {**own, "data_emissao": local_time(document.company, now).isoformat()}
    return prepared(
        document.company, own, modelo=document.modelo, ambiente=document.ambiente, now=now,
        offline=is_client_offline,
    )  # fmt: skip


@transaction.atomic
def sign_document(
    document_id: int, *, data: Data, now: datetime, mode: Mode = NORMAL
) -> FiscalDocument:
    """`sign_row` on the row of that id, saved."""
    document = locked_document(document_id)
    signature = sign_row(document, data=data, now=now, mode=mode)
    document.save()
    signature.keep()
    return document


def sign_row(
    document: FiscalDocument,
    *,
    data: Data,
    now: datetime,
    mode: Mode = NORMAL,
    certificate: Open | None = None,
) -> Signature:
    """Number, key, signature and schema; the state is `assinado` afterwards.

    For a row that this transaction has locked, or has not inserted yet, which the caller saves.
    `certificate` spares looking up the company's. The number of an earlier signature stays, and its
    cNF while the key keeps its other parts (NUM-3, NUM-6). Raises InProcessing while an attempt is
    not closed with the bytes before, SchemaInvalid, CertificateExpired, NoCertificate: the
    transaction must not be committed then.
    """
    is_first = document.state == State.RECEBIDO
    _refuse_open_attempts(document)
    certificate = certificate or opened(document.company, at=now)
    csc = csc_of(document.company, document.ambiente) if document.modelo == 65 else None
    identity = _identity(document, data, mode)
    signed = make.make(data, identity, signer=certificate.signer, csc=csc)
    _remember(document, data, identity, signed)
    document.sign(chave=signed.chave, digest_value=signed.digest_value)
    document.next_attempt_at = now + LEASE

    def keep() -> bytes:
        name = archive.nfe_name(signed.chave)
        archive.keep(document, archive.Kind.SIGNED, name, signed.xml, at=now, is_first=is_first)
        return signed.xml

    return Signature(keep, certificate.credentials)


def is_too_old(document: FiscalDocument, *, now: datetime) -> bool:
    """Would this NFC-e be refused for its date (704)?"""
    is_dated_now = document.modelo == 65 and document.tp_emis == 1
    return is_dated_now and document.dh_emi is not None and document.dh_emi + FRESH < now


def _refuse_open_attempts(document: FiscalDocument) -> None:
    unknown = (Attempt.Outcome.OPEN, Attempt.Outcome.LOST)
    if document.state == State.RECEBIDO:
        return
    if document.attempts.filter(kind=Attempt.Kind.AUTHORIZE, outcome__in=unknown).exists():
        raise InProcessing()


def _identity(document: FiscalDocument, data: Data, mode: Mode) -> Identity:
    # The series row is the hottest lock of all: taken last, after everything that can refuse.
    serie, numero = _number(document, data)
    return Identity(
        modelo=document.modelo,
        ambiente=document.ambiente,
        serie=serie,
        numero=numero,
        cnf=_cnf(document, data, numero, mode),
        tp_emis=mode.tp_emis,
        dh_cont=local_time(document.company, mode.since) if mode.since else None,
        x_just=mode.reason,
    )


def _number(document: FiscalDocument, data: Data) -> tuple[int, int]:
    # 206: the authority has voided this number; it cannot be used any more.
    if document.numero is not None and document.serie is not None and document.c_stat != "206":
        return document.serie, document.numero
    company, ambiente, modelo = document.company, document.ambiente, document.modelo
    own = document.serie, document.numero
    chosen = chosen_number(company, ambiente=ambiente, modelo=modelo, data=data, own=own)
    if chosen is not None:
        return chosen
    wanted = data.get("serie")
    serie = int(wanted) if wanted not in (None, "") else None
    return take_number(company, ambiente=ambiente, modelo=modelo, serie=serie)


def _cnf(document: FiscalDocument, data: Data, numero: int, mode: Mode) -> str:
    given = str(document.payload.get("codigo_unico") or "")
    if mode.tp_emis == OFFLINE and given:
        return given.zfill(8)
    is_same_key = (
        document.cnf
        and document.chave
        and document.numero == numero
        and document.chave[2:6] == access_key.aamm_of(data["data_emissao"])
    )
    return document.cnf if is_same_key else access_key.new_cnf(numero)


def _remember(document: FiscalDocument, data: Data, identity: Identity, signed: SignedXml) -> None:
    """What the row shows without opening the XML."""
    document.serie, document.numero = identity.serie, identity.numero
    document.cnf, document.tp_emis = identity.cnf, identity.tp_emis
    document.dh_emi = datetime.fromisoformat(signed.dh_emi)
    document.dh_cont, document.x_just = identity.dh_cont, identity.x_just
    document.recipient_document = str(
        data.get("cnpj_destinatario")
        or data.get("cpf_destinatario")
        or data.get("id_estrangeiro_destinatario")
        or ""
    )
    document.recipient_name = str(data.get("nome_destinatario") or "")[:60]
    document.recipient_email = str(data.get("email_destinatario") or "")[:60]
    document.total = Decimal(str(data.get("valor_total") or 0))
    document.notes = [_note(note) for note in getattr(data, "notes", ())]
    document.c_stat, document.x_motivo = "", ""


def _note(note: Note) -> dict[str, str]:
    return {name: value for name, value in asdict(note).items() if value}
