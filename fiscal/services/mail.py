"""E-mail to buyers and issuers: queued with what it tells of, sent afterwards, tried again.

§2.10, §16, KEEP-3; CRT-5 for certificates.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from fiscal.errors import InvalidRequest, NotAuthorized, PrintFailed
from fiscal.models import (
    Certificate,
    Company,
    FiscalDocument,
    MailMessage,
    MailState,
    NoteState,
    ServiceNote,
    State,
)
from fiscal.services import mail_delivery, mail_text
from fiscal.services.mail_blocks import block_bounce, is_blocked
from fiscal.services.mail_delivery import NotDelivered
from lib import clock
from lib.queue import enqueue

log = logging.getLogger(__name__)

TASK = "fiscal.tasks.send_mail"
MOST = 10
# Twice the longest task: whoever holds a message is done, or dead.
LEASE = timedelta(minutes=5)
PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240, 720, 1440))
PER_SWEEP = 200
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


# --- sending -----------------------------------------------------------------------------------


def send(message_id: int, n_attempts: int) -> None:
    """Send a message, if it was tried `n_attempts` times before. Never inside a transaction."""
    row = _claim(message_id, n_attempts, now=clock.now())
    if row is None:
        return
    if is_blocked(row.account_id, row.recipient):
        _finish(row, lambda message: message.skip())
        return
    if row.kind == MailMessage.Kind.CERTIFICADO and row.certificate_id is None:
        _finish(row, lambda message: message.give_up(error="O certificado foi removido."))
        return
    try:
        mail_delivery.deliver(mail_text.compose(row), row.company)
    except NotDelivered as error:
        _failed(row, error, now=clock.now())
    except PrintFailed as error:
        _failed(row, NotDelivered(error.mensagem), now=clock.now())
    else:
        now = clock.now()
        _finish(row, lambda message: message.send(at=now))
        about = row.document_id or row.service_note_id
        log.info("mail.sent", extra={"mensagem_id": row.pk, "nota_id": about})


@transaction.atomic
def _claim(message_id: int, n_attempts: int, *, now: datetime) -> MailMessage | None:
    """The row for one attempt, None when another has it or it is done."""
    row: MailMessage | None = (
        MailMessage.objects.select_for_update()
        .filter(pk=message_id, state=MailState.PENDENTE, n_attempts=n_attempts)
        .first()
    )
    if row is None:
        return None
    row.claim(again_at=now + LEASE)
    row.save()
    return row


@transaction.atomic
def _finish(row: MailMessage, change: Callable[[MailMessage], None]) -> None:
    """Record the end of our attempt, unless a later one began meanwhile."""
    message = MailMessage.objects.select_for_update().get(pk=row.pk)
    if message.state == MailState.PENDENTE and message.n_attempts == row.n_attempts:
        change(message)
        message.save()


def _failed(row: MailMessage, error: NotDelivered, *, now: datetime) -> None:
    """Try again later, ever later; give up what cannot become better."""
    text = str(error)
    log.warning("mail.not_sent", extra={"mensagem_id": row.pk, "error": text[:200]})
    if error.is_bounce:
        block_bounce(row.account_id, row.recipient, diagnostic=text, now=now)
    if error.is_final or row.n_attempts > len(PAUSES):
        _finish(row, lambda message: message.give_up(error=text))
        return
    again_at = now + PAUSES[row.n_attempts - 1]
    _finish(row, lambda message: message.postpone(error=text, again_at=again_at))


def sweep(*, now: datetime) -> int:
    """Queue the messages whose time has come; answers how many."""
    due = MailMessage.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "id")
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True)[:PER_SWEEP])
        for row in rows:
            row.next_attempt_at = now + LEASE
            row.save(update_fields=["next_attempt_at"])
            enqueue(TASK, row.pk, row.n_attempts)
    return len(rows)
