"""Sending what is queued, each message once, tried again later and ever later (§16)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from fiscal.errors import PrintFailed
from fiscal.models import MailMessage, MailState
from fiscal.services import mail_delivery, mail_text
from fiscal.services.mail import LEASE, TASK
from fiscal.services.mail_blocks import block_bounce, is_blocked
from fiscal.services.mail_delivery import NotDelivered
from lib import clock
from lib.queue import enqueue

log = logging.getLogger(__name__)

PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240, 720, 1440))
PER_SWEEP = 200


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
