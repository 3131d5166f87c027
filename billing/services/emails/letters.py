"""E-mails to the people who use the Central de Faturas, about anything but one invoice.

Each is a row beside those of invoices, with the same sender, suppression and delivery. What opens
a door (an invitation's link, a new password's) is kept closed in the row: staff may read every
message that went out, and may not come in by it.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template import Context, Template, engines

from accounts.models import Account
from accounts.services.calls import call_after_commit
from billing.models import EmailMessage, Party
from billing.selectors.billers import biller_of
from billing.services.emails.composing import TASK, sender_for
from billing.services.emails.rendering import one_line
from lib import clock
from lib.crypto import Unreadable, decrypt, encrypt

SANDBOX = "HOMOLOGAÇÃO – documentos sem validade fiscal"
HIDDEN = "[endereço reservado ao destinatário]"
_SUBJECT = "Assunto: "
_PURPOSE = "billing.letter"
_CLOSED = re.compile(r"\[\[fechado:([A-Za-z0-9_=-]+)\]\]")
_LONGEST_KEY, _LONGEST_SUBJECT = 150, 300


def send_letter(
    account: Account,
    *,
    customer: Party,
    recipient: str,
    template: str,
    context: Mapping[str, Any],
    key: str = "",
    trigger: str = EmailMessage.Trigger.PORTAL,
    secrets: Mapping[str, str] | None = None,
) -> EmailMessage:
    """Queue the text `templates/email/<template>.txt` for one address; may be in a transaction.

    The file is a template of Django's without escaping: first line "Assunto: …", an empty line,
    the body. It knows `context`, `secrets`, `empresa` (who bills; its name), `cliente` (the
    customer's name) and `central` (the portal's address). With a `key`, of the account and
    recipient, the same letter is written once: again it answers the row that is there. `secrets`
    are values, such as links with a token, that only the recipient's copy shows.
    """
    own = _key(key, recipient)
    known = _written(account, own)
    if known is not None:
        return known
    organization = biller_of(account, customer)
    subject, body = _rendered(
        template,
        {
            "empresa": organization.name if organization is not None else account.name,
            "cliente": customer.name,
            "central": f"{settings.PUBLIC_URL}/central/",
            **context,
            **{name: _close(value) for name, value in (secrets or {}).items()},
        },
        is_sandbox=account.is_sandbox,
    )
    row = EmailMessage(
        account=account,
        customer=customer,
        trigger=trigger,
        key=own,
        batch=uuid.uuid4(),
        recipient=recipient.strip(),
        sender=sender_for(account, organization),
        subject=subject,
        body=body,
        next_attempt_at=clock.now(),
        created_at=clock.now(),
    )
    return _write(row)


@transaction.atomic
def _write(row: EmailMessage) -> EmailMessage:
    """The row, or the one that another wrote under its key meanwhile."""
    EmailMessage.objects.bulk_create([row], ignore_conflicts=bool(row.key))
    call_after_commit(TASK)
    found: EmailMessage = EmailMessage.objects.of(row.account).get(
        **({"key": row.key} if row.key else {"batch": row.batch})
    )
    return found


def _written(account: Account, key: str) -> EmailMessage | None:
    if not key:
        return None
    found: EmailMessage | None = EmailMessage.objects.of(account).filter(key=key).first()
    return found


def _key(key: str, recipient: str) -> str:
    """At most 200 characters; empty for what may be sent any number of times."""
    if not key:
        return ""
    digest = hashlib.sha256(recipient.strip().lower().encode()).hexdigest()
    return f"{key[:_LONGEST_KEY]}:{digest[:32]}"


def _rendered(template: str, values: dict[str, Any], *, is_sandbox: bool) -> tuple[str, str]:
    """Subject on one line, and body."""
    subject, body = _texts(template)
    context = Context(values, autoescape=False)
    text = body.render(context).strip() + "\n"
    head = f"{SANDBOX}\n\n" if is_sandbox else ""
    return one_line(subject.render(context))[:_LONGEST_SUBJECT], head + text


@lru_cache(maxsize=64)
def _texts(template: str) -> tuple[Template, Template]:
    """Apart before they are rendered: what a customer calls itself begins no new line."""
    path = Path(settings.BASE_DIR) / "templates" / "email" / f"{template}.txt"
    subject, _, body = path.read_text(encoding="utf-8").partition("\n")
    engine = engines["django"].engine  # type: ignore[attr-defined]
    return Template(subject.removeprefix(_SUBJECT), engine=engine), Template(body, engine=engine)


# --- what only the recipient reads ----------------------------------------------------------------


def _close(value: str) -> str:
    return f"[[fechado:{encrypt(value, purpose=_PURPOSE)}]]"


def opened(body: str) -> str:
    """The text as its recipient reads it. What no key opens any more stays hidden."""

    def value(found: re.Match[str]) -> str:
        try:
            return decrypt(found[1], purpose=_PURPOSE)
        except Unreadable:
            return HIDDEN

    return _CLOSED.sub(value, body)


def hidden(body: str) -> str:
    """The text as staff may read it."""
    return _CLOSED.sub(HIDDEN, body)
