"""Sending what is queued: each message once, whatever is cut or repeated (EM-7).

A row is taken by moving its next attempt into the future; its files are read, and only then is it
marked as being sent and handed over. So a row that is found as `sending` was handed over by
somebody who did not come back, and nobody knows what came of it:

- Mailjet is asked by our id first. What it has counts as sent; what it has not is sent again.
- A mail server cannot be asked, and a second copy of a bill makes people pay twice. So the message
  is not sent again by itself: it ends as failed, says why, and a person sends it anew if the
  customer does not have it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from accounts.services import calls
from billing.gateways.mail.base import Letter, Mailer, NotNow, Refused, Taken, Unknown
from billing.models import (
    EmailMessage,
    EmailSuppression,
    GatewayAccount,
    Invoice,
    Party,
    Receivable,
)
from billing.selectors.billers import biller_of
from billing.services.emails import files
from billing.services.emails.composing import TASK, linked_note
from billing.services.emails.letters import opened
from billing.services.emails.mailers import gateway_for, mailer_of
from billing.services.emails.recipients import is_address
from billing.services.emails.rendering import add_note, both_parts
from billing.services.emails.rewriting import is_stale, rewrite, still_asked
from billing.services.emails.suppressions import bounced
from lib import clock
from lib.errors import DomainError

log = logging.getLogger(__name__)

State = EmailMessage.State
LEASE = timedelta(minutes=5)  # longer than the queue lets a task run
# Mailjet needs a moment before it finds by our id what it took.
BACK_OFF = (
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
)
MAX_ATTEMPTS = len(BACK_OFF) + 1
REFUSED = "O provedor de e-mail recusou o envio: {}."
NOT_KNOWN = (
    "O envio foi interrompido e não se sabe se a mensagem saiu. "
    "Confirme com o cliente e, se preciso, envie de novo."
)
INTERRUPTED = "O processo foi interrompido em todas as tentativas; a mensagem não saiu."
SUPPRESSED = "O endereço está suspenso e não recebe mensagens."
PAID = "O que a mensagem cobra foi pago, cancelado ou posto em pausa antes do envio."
REPLACED = "Parte do que a mensagem cobra foi paga antes do envio; outra tomou o lugar dela."
UNEXPECTED = "Erro inesperado; veja o registro do servidor."


def work_off(*, seconds: float = 60) -> int:
    """Send what is due, the longest waiting first; starts nothing more after `seconds`.

    Answers how many were taken. Safe to run many times together, and to be cut anywhere.
    """
    calls.begin(TASK)
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until and (row := _take(clock.now())) is not None:
        _attempt(row)
        n += 1
    if _due(clock.now()).exists():
        calls.call(TASK)
    return n


def _due(now: datetime) -> QuerySet[EmailMessage]:
    return EmailMessage.objects.filter(
        state__in=(State.QUEUED, State.SENDING), next_attempt_at__lte=now
    )


@transaction.atomic
def _take(now: datetime) -> EmailMessage | None:
    """A row that is ours until its `next_attempt_at`, its attempt counted."""
    row: EmailMessage | None = (
        _due(now)
        .order_by("next_attempt_at", "pk")
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("account", "customer", "invoice__organization", "gateway")
        .first()
    )
    if row is None:
        return None
    row.attempts += 1
    row.next_attempt_at = now + LEASE
    row.save(update_fields=["attempts", "next_attempt_at"])
    return row


def _attempt(row: EmailMessage) -> None:
    """One attempt, whatever it ends in."""
    if row.attempts > MAX_ATTEMPTS:  # each was begun and none was ended
        _fail(row, NOT_KNOWN if row.state == State.SENDING else INTERRUPTED)
        return
    try:
        _send(row)
    except NotNow as reason:
        _put_off(row, REFUSED.format(reason))
    except Unknown as reason:
        _put_off(row, f"{NOT_KNOWN} ({reason})", state=State.SENDING)
    except Refused as reason:
        _refused(row, reason)
    except DomainError as error:  # of its files
        _put_off(row, error.mensagem)
    except Exception:
        # One message that nobody foresaw must not keep the others waiting.
        log.exception("email.crashed", extra={"mensagem_id": row.pk})
        _put_off(row, UNEXPECTED, state=None)


def _send(row: EmailMessage) -> None:
    if row.state == State.SENDING and _is_settled(row):
        return
    left = still_asked(row)
    if (why := _unwanted(row, left)) is not None:
        _fail(row, why)
        return
    if left and row.key and is_stale(row, left):
        rewrite(row, left)
        _replaced(row)
        return
    gateway = row.gateway if row.state == State.SENDING else _gateway(row)
    mailer = mailer_of(gateway)
    letter = letter_of(row)
    if _begin(row, gateway):
        _hand_over(row, mailer, letter)


def _gateway(row: EmailMessage) -> GatewayAccount | None:
    organization = _organization(row)
    return gateway_for(row.account, organization.pk if organization is not None else None)


def _organization(row: EmailMessage) -> Party | None:
    """In whose name it goes: the invoice's, else of whoever bills the customer."""
    if row.invoice is not None:
        return row.invoice.organization
    return biller_of(row.account, row.customer)


def _is_settled(row: EmailMessage) -> bool:
    """Ask what came of an earlier attempt; False when the letter was certainly not taken.

    Raises Unknown as long as nobody says.
    """
    try:
        mailer = mailer_of(row.gateway)
        taken = mailer.find(reference_of(row)) if mailer.can_ask else None
    except NotNow as reason:
        raise Unknown(str(reason)) from reason
    if taken is not None:
        _sent(row, taken)
    elif not mailer.can_ask:
        _fail(row, NOT_KNOWN)
    return taken is not None or not mailer.can_ask


def _hand_over(row: EmailMessage, mailer: Mailer, letter: Letter) -> None:
    try:
        taken = mailer.send(letter)
    except Refused as reason:
        if not (reason.about_files and row.attached and row.link is not None):
            raise
        _without_files(row)
        taken = mailer.send(letter_of(row))
    except Unknown:
        if mailer.can_ask:
            raise
        _fail(row, NOT_KNOWN)
        return
    _sent(row, taken)


def _without_files(row: EmailMessage) -> None:
    """The provider does not like them: they become links, and the text says so."""
    assert row.link is not None
    row.linked, row.attached = files.linked(row.attached, row.link), []
    row.body = add_note(row.body, linked_note(row.linked), is_html=row.is_html)
    row.save(update_fields=["linked", "attached", "body"])


def reference_of(row: EmailMessage) -> str:
    """What Mailjet finds the message by, and the Message-ID elsewhere."""
    return f"{row.batch.hex}.{row.pk}"


def letter_of(row: EmailMessage) -> Letter:
    """Reads the files: never inside a transaction. Raises DomainError."""
    text, page = both_parts(opened(row.body), is_html=row.is_html)
    reference = reference_of(row)
    organization = _organization(row)
    return Letter(
        reference=reference,
        key=f"{reference}-links" if row.linked else reference,
        sender=row.sender,
        recipient=row.recipient,
        subject=row.subject,
        text=text,
        html=page,
        reply_to=_reply_to(organization),
        files=files.files_of(row.attached, row.account),
    )


def _reply_to(organization: Party | None) -> str:
    """Where answers go; none where what is kept is no address."""
    found = organization.email.strip() if organization is not None else ""
    return found if is_address(found) else ""


def _unwanted(row: EmailMessage, left: Sequence[Receivable]) -> str | None:
    """Why it must not go any more; looked at again at each attempt (DUN-5)."""
    address = row.recipient.lower()
    if EmailSuppression.objects.of(row.account).filter(address=address).exists():
        return SUPPRESSED
    return PAID if row.receivables and not left else None


# --- what is written ----------------------------------------------------------------------------


def _ours(row: EmailMessage) -> QuerySet[EmailMessage]:
    """The row, unless it was taken by another or its provider told of it meanwhile."""
    return EmailMessage.objects.filter(
        pk=row.pk,
        state__in=(State.QUEUED, State.SENDING),
        next_attempt_at=row.next_attempt_at,
    )


def _begin(row: EmailMessage, gateway: GatewayAccount | None) -> bool:
    """From now on nobody knows what comes of it until it is written."""
    row.state, row.gateway = State.SENDING, gateway
    return bool(_ours(row).update(state=State.SENDING, gateway=gateway))


@transaction.atomic
def _sent(row: EmailMessage, taken: Taken) -> None:
    now = clock.now()
    if row.invoice_id is not None:  # invoices are locked before what hangs on them
        Invoice.objects.filter(pk=row.invoice_id).update(sent_at=now)
    _ours(row).update(
        state=State.SENT,
        external_id=taken.external_id[:100],
        answer=taken.answer,
        error="",
        sent_at=now,
        next_attempt_at=None,
    )
    log.info("email.sent", extra={"mensagem_id": row.pk, "invoice_id": row.invoice_id})


def _put_off(row: EmailMessage, error: str, *, state: str | None = State.QUEUED) -> None:
    """Try again later, or give up and say why. `state` None: as it is in the database."""
    if row.attempts >= MAX_ATTEMPTS:
        _fail(row, error)
        return
    log.info("email.put_off", extra={"mensagem_id": row.pk, "attempts": row.attempts})
    kept = {"state": state} if state is not None else {}
    again = clock.now() + BACK_OFF[row.attempts - 1]
    _ours(row).update(**kept, error=error, next_attempt_at=again)


def _fail(row: EmailMessage, error: str) -> None:
    log.warning("email.failed", extra={"mensagem_id": row.pk, "invoice_id": row.invoice_id})
    _ours(row).update(state=State.FAILED, error=error, next_attempt_at=None)


def _replaced(row: EmailMessage) -> None:
    log.info("email.replaced", extra={"mensagem_id": row.pk, "invoice_id": row.invoice_id})
    _ours(row).update(state=State.FAILED, error=REPLACED, next_attempt_at=None)


def _refused(row: EmailMessage, reason: Refused) -> None:
    if reason.is_bounce:
        bounced(row, detail=str(reason))
    _fail(row, REFUSED.format(reason))
