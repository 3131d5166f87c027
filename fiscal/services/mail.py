"""E-mail to buyers and issuers: who is told of what, queued with what it tells of.

§2.10, §16, KEEP-3; CRT-5 for certificates. `mail_sending` sends it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from fiscal.errors import InvalidRequest, NotAuthorized
from fiscal.models import (
    Certificate,
    Company,
    FiscalDocument,
    MailMessage,
    NoteState,
    ServiceNote,
    State,
)
from fiscal.services import mail_delivery
from lib.queue import enqueue

log = logging.getLogger(__name__)

TASK = "fiscal.tasks.send_mail"
MOST = 10
# Twice the longest task: whoever holds a message is done, or dead.
LEASE = timedelta(minutes=5)
_SEPARATORS = re.compile(r"[;,\s]+")
_OF_NFCE = (MailMessage.Kind.AUTORIZADO,)
_OF_NOTES = (MailMessage.Kind.AUTORIZADO, MailMessage.Kind.CANCELADO)
_NOTE_KINDS = {
    NoteState.AUTORIZADO: MailMessage.Kind.AUTORIZADO,
    NoteState.CANCELAMENTO_EM_ANALISE: MailMessage.Kind.AUTORIZADO,
    NoteState.CANCELADO: MailMessage.Kind.CANCELADO,
    NoteState.SUBSTITUIDO: MailMessage.Kind.CANCELADO,
}
_LONGEST = 254  # RFC 5321, §4.5.3.1.3


# --- what is to be told ------------------------------------------------------------------------


def tell_recipient(document: FiscalDocument, event: str, *, now: datetime, n_seq: int = 0) -> int:
    """Queue the automatic messages of a decision, in its transaction; answers how many are new.

    `event` is a MailMessage.Kind, with the sequence of a carta de correção; any other is told to
    nobody, and so is whatever the company turned off. What is decided again is told once.
    """
    if event not in MailMessage.Kind.values or not _is_wanted(document, event):
        return 0
    cause = f"{event}-{n_seq}" if n_seq else event
    addresses = _addresses(_SEPARATORS.split(document.recipient_email))
    return len(_queue(document, event, cause, addresses, n_seq=n_seq, now=now))


def _is_wanted(document: FiscalDocument, event: str) -> bool:
    if document.modelo == 65 and event not in _OF_NFCE:
        return False
    return not document.superseded_by_id and _is_chosen(document.company, document.ambiente)


def _is_chosen(company: Company, ambiente: str) -> bool:
    """§16: what the company wants to be sent by itself."""
    if ambiente == "producao":
        return company.enviar_email_destinatario
    return company.enviar_email_homologacao


def tell_taker(note: ServiceNote, decision: str, *, now: datetime) -> int:
    """Queue the automatic messages to the taker of a service note (§4.6); as `tell_recipient`.

    A note that another one replaced is told of by that one.
    """
    if decision not in _OF_NOTES or not _is_chosen(note.company, note.ambiente):
        return 0
    addresses = _addresses(_SEPARATORS.split(note.taker_email))
    return len(_queue(note, decision, decision, addresses, n_seq=0, now=now))


def send_again(document: FiscalDocument, emails: object, *, now: datetime) -> list[str]:
    """Queue the document for up to ten addresses, which it answers (§2.10).

    Raises InvalidRequest for the list, NotAuthorized for a document nobody may have yet.
    """
    addresses = read_addresses(emails)
    if document.state == State.CANCELADO:
        kind = MailMessage.Kind.CANCELADO
    elif document.state == State.AUTORIZADO or _is_offline(document):
        kind = MailMessage.Kind.AUTORIZADO
    else:
        raise NotAuthorized()
    return _queue_asked(document, kind, addresses, now=now)


def send_note_again(note: ServiceNote, emails: object, *, now: datetime) -> list[str]:
    """Queue the service note for up to ten addresses, which it answers (§4.6).

    Raises InvalidRequest for the list, NotAuthorized for a note that was not issued.
    """
    addresses = read_addresses(emails)
    kind = _NOTE_KINDS.get(NoteState(note.state))
    if kind is None:
        raise NotAuthorized()
    return _queue_asked(note, kind, addresses, now=now)


def _queue_asked(
    subject: FiscalDocument | ServiceNote, kind: str, addresses: list[str], *, now: datetime
) -> list[str]:
    """A request is a cause of its own: whoever asks again gets it again."""
    with transaction.atomic():
        _queue(subject, kind, f"pedido-{secrets.token_hex(8)}", addresses, n_seq=0, now=now)
    return addresses


def tell_of_certificate(
    certificate: Certificate, company: Company, *, days: int, to: list[str], now: datetime
) -> int:
    """Queue the warning that a certificate ends in `days` days; answers how many are new.

    Companies of one CNPJ base share a certificate: an address is told once of it in the account,
    however many of them it answers for.
    """
    cause = f"certificado-{certificate.thumbprint[:16]}-{days}"
    key = {"account_id": company.account_id, "document": None, "service_note": None, "cause": cause}
    count = 0
    for address in _addresses(to):
        row, is_new = MailMessage.objects.get_or_create(
            **key,
            recipient=address.lower(),
            defaults={
                "company": company,
                "certificate": certificate,
                "kind": MailMessage.Kind.CERTIFICADO,
                "message_id": _alone_id(company, cause, address),
                "next_attempt_at": now + LEASE,
                "created_at": now,
            },
        )
        if is_new:
            enqueue(TASK, row.pk, 0)
            count += 1
    return count


def _is_offline(document: FiscalDocument) -> bool:
    waiting = (State.CONTINGENCIA, State.TRANSMITINDO, State.EM_LOTE, State.INDEFINIDO)
    return document.is_offline and document.state in waiting


def read_addresses(emails: object) -> list[str]:
    """The addresses of a request, each once. Raises InvalidRequest naming the first wrong one."""
    if not emails:
        raise InvalidRequest('Parâmetro "emails" não informado.')
    if not isinstance(emails, list) or not all(isinstance(one, str) for one in emails):
        raise InvalidRequest('Parâmetro "emails" deve ser uma lista de endereços.')
    if len(emails) > MOST:
        raise InvalidRequest(f'Parâmetro "emails" deve ter até {MOST} endereços.')
    for one in emails:
        if not is_address(one.strip()):
            raise InvalidRequest(f'Parâmetro "emails" inválido: {one[:100]}')
    return _addresses(emails)


def _addresses(texts: Iterable[str]) -> list[str]:
    """The valid ones among `texts`, each once."""
    found: dict[str, str] = {}
    for text in texts:
        if is_address(text.strip()):
            found.setdefault(text.strip().lower(), text.strip())
    return list(found.values())


def is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= _LONGEST


def _queue(
    subject: FiscalDocument | ServiceNote,
    kind: str,
    cause: str,
    addresses: list[str],
    *,
    n_seq: int,
    now: datetime,
) -> list[MailMessage]:
    """Rows and tasks for the addresses that this cause has none for yet."""
    about = "service_note" if isinstance(subject, ServiceNote) else "document"
    key: dict[str, Any] = {about: subject, "cause": cause}
    known = set(MailMessage.objects.filter(**key).values_list("recipient", flat=True))
    rows = [
        MailMessage(
            account_id=subject.account_id,
            company_id=subject.company_id,
            **key,
            kind=kind,
            n_seq=n_seq,
            recipient=address,
            message_id=_message_id(subject, cause, address),
            next_attempt_at=now + LEASE,
            created_at=now,
        )
        for address in addresses
        if address not in known
    ]
    MailMessage.objects.bulk_create(rows)
    for row in rows:
        enqueue(TASK, row.pk, 0)
    return rows


def _message_id(subject: FiscalDocument | ServiceNote, cause: str, address: str) -> str:
    """The same for the same cause and address, however often it is sent."""
    if isinstance(subject, ServiceNote):
        what = f"nota:{subject.pk}:{subject.number}:{address.lower()}"
    else:
        what = f"{subject.pk}:{cast(FiscalDocument, subject).chave}:{address.lower()}"
    digest = hashlib.sha256(what.encode()).hexdigest()[:32]
    return f"<{cause}.{digest}@{mail_delivery.domain_of(subject.company)}>"


def _alone_id(company: Company, cause: str, address: str) -> str:
    what = f"{company.account_id}:{address.lower()}"
    digest = hashlib.sha256(what.encode()).hexdigest()[:32]
    return f"<{cause}.{digest}@{mail_delivery.domain_of(company)}>"
