"""From an invoice and words to rows that are to be sent, one for each recipient (EM-5).

Files are made first, outside any transaction: when one fails nothing is queued. The rows keep the
text that the recipient will read, which is the proof of it (DUN-7).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Account
from accounts.services.calls import call_after_commit
from billing.models import Charge, EmailMessage, Invoice, Party
from billing.services import links
from billing.services.emails import files
from billing.services.emails.files import Enclosure
from billing.services.emails.mailers import gateway_for
from billing.services.emails.recipients import Recipient, recipients_of
from billing.services.emails.rendering import Rendered, add_note, one_line, render
from billing.services.emails.variables import About, money, values_of, with_links
from billing.services.emails.words import Words
from billing.services.preferences import preferences_path
from lib import clock
from lib.br import date_br

TASK = "billing.tasks.send_emails"
SCOPES_TO_SEE = ("ver", "baixar")
_LONGEST_KEY = 150
_LONGEST_NAME = 100  # quoted it may take twice as much, and the row has room for 300
_NAMED = re.compile(r"([^<>]*)<([^<>]+)>\s*")
_Trigger = EmailMessage.Trigger
UNASKED = (_Trigger.EMISSION, _Trigger.DUNNING, _Trigger.RECEIPT)  # these say how to have fewer


@dataclass(frozen=True)
class Draft:
    """What is going to be sent, before it is. `is_linked`: the files go as links (EM-4)."""

    about: About
    words: Words
    recipients: Sequence[Recipient]
    enclosures: Sequence[Enclosure]
    is_linked: bool

    @property
    def invoice(self) -> Invoice:
        return self.about.invoice

    @cached_property
    def values(self) -> dict[str, str]:
        return values_of(self.about)

    @property
    def size(self) -> int:
        """Bytes of the files as they travel, in base64."""
        return sum(files.encoded_size(len(one.content)) for one in self.enclosures)


def compose(
    about: About,
    words: Words,
    *,
    charges: Sequence[Charge] | None = None,
    recipients: Sequence[Recipient] | None = None,
    as_links: bool = False,
) -> Draft:
    """Recipients, values and files; writes nothing but caches. Never inside a transaction.

    `recipients` in place of those of EM-1, `charges` in place of all open boletos. Raises
    EmailNoContact, EmailSuppressed, PdfFailed and other DomainErrors of the files.
    """
    found = recipients
    if found is None:
        found = recipients_of(about.invoice.customer, cc=words.cc)
    enclosures = [
        one
        for invoice in about.invoices
        for one in files.enclosures_of(invoice, words.include, charges=charges)
    ]
    size = sum(files.encoded_size(len(one.content)) for one in enclosures)
    texts = 4 * len(words.body.encode())  # both parts, encoded
    is_linked = bool(enclosures) and (as_links or size + texts > files.LIMIT)
    return Draft(about, words, found, enclosures, is_linked)


def preview(draft: Draft) -> Rendered:
    """The text as a recipient will read it; the links are the only thing that is not theirs yet."""
    example = f"{settings.PUBLIC_URL}/p/f/…/"
    return render(draft.words.subject, draft.words.body, with_links(draft.values, example))


@transaction.atomic
def queue(draft: Draft, *, trigger: str, key: str = "") -> list[EmailMessage]:
    """Write the rows and have them sent. With a `key` only those that are new (EM-7).

    Each recipient gets a link of their own. Answers the new rows.
    """
    batch, now = uuid.uuid4(), clock.now()
    sender = sender_of(draft.invoice, draft.words)
    already = _already(draft, key)
    rows = [
        EmailMessage(
            **_written(draft, recipient, trigger),
            account=draft.invoice.account,
            template=draft.words.template,
            invoice=draft.invoice,
            customer=draft.invoice.customer,
            contact=recipient.contact,
            trigger=trigger,
            key=_key(key, recipient),
            batch=batch,
            recipient=recipient.address,
            is_copy=recipient.is_copy,
            sender=sender,
            receivables=[one.pk for one in draft.about.receivables],
            next_attempt_at=now,
            created_at=now,
        )
        for recipient in draft.recipients
        if _key(key, recipient) not in already
    ]
    EmailMessage.objects.bulk_create(rows, ignore_conflicts=bool(key))
    call_after_commit(TASK)
    return list(EmailMessage.objects.filter(batch=batch).order_by("pk"))


def _key(key: str, recipient: Recipient) -> str:
    """Of one row, at most 200 characters; empty for what a person asks for."""
    if not key:
        return ""
    digest = hashlib.sha256(recipient.address.lower().encode()).hexdigest()
    return f"{key[:_LONGEST_KEY]}:{digest[:32]}"


def _already(draft: Draft, key: str) -> set[str]:
    """Keys that were used: their rows need no link and no text. The constraint is what counts."""
    if not key:
        return set()
    keys = [_key(key, recipient) for recipient in draft.recipients]
    rows = EmailMessage.objects.of(draft.invoice.account).filter(key__in=keys)
    return set(rows.values_list("key", flat=True))


def _written(draft: Draft, recipient: Recipient, trigger: str) -> dict[str, Any]:
    """Text, files and link of one recipient."""
    made = {
        invoice.pk: links.make_link(
            invoice,
            recipient=recipient.address,
            contact=recipient.contact,
            scopes=recipient.scopes,
        )
        for invoice in draft.about.invoices
    }
    link = made[draft.about.invoices[0].pk]
    rows = [one.as_row for one in draft.enclosures]
    given = files.linked(rows, link) if draft.is_linked else []
    rendered = render(
        draft.words.subject, draft.words.body, with_links(draft.values, links.address(link))
    )
    body = rendered.body
    notes = [several_note(draft.about, made)] if len(made) > 1 else []
    notes += [linked_note(given)] if given else []
    if trigger in UNASKED and not recipient.is_copy:
        notes.append(unsubscribe_note(draft.invoice.customer, recipient.address))
    for note in notes:
        body = add_note(body, note, is_html=rendered.is_html)
    return {
        "subject": rendered.subject,
        "body": body,
        "is_html": rendered.is_html,
        "link": link,
        "attached": [] if draft.is_linked else rows,
        "linked": given,
    }


def linked_note(rows: Sequence[dict[str, Any]]) -> str:
    """EM-4: what did not fit, and where it is."""
    lines = "\n".join(f"{row['name']}: {row['url']}" for row in rows)
    return f"Os anexos são grandes demais para um e-mail. Baixe por estes endereços:\n{lines}"


def unsubscribe_note(customer: Party, address: str) -> str:
    """P18: where the recipient chooses what comes."""
    path = preferences_path(customer, address)
    return f"Para escolher quais avisos receber:\n{settings.PUBLIC_URL}{path}"


def several_note(about: About, made: dict[int, Any]) -> str:
    """DUN-4: each invoice with its own link, where a message tells of several."""
    lines = [
        f"Fatura {one.invoice.label}, vencimento em {date_br(one.due_date)}, "
        f"{money(one.open_principal)}:\n{links.address(made[one.invoice_id])}"
        for one in about.receivables
    ]
    return "\n".join(["Faturas desta mensagem:", *lines])


def sender_of(invoice: Invoice, words: Words) -> str:
    """The text's sender, else the organization's."""
    return (
        named(words.sender) if words.sender else sender_for(invoice.account, invoice.organization)
    )


def sender_for(account: Account, organization: Party | None) -> str:
    """The organization's name, else the account's, at the address of the way it leaves by."""
    gateway = gateway_for(account, organization.pk if organization is not None else None)
    given = str(gateway.options.get("sender", "")) if gateway is not None else ""
    address = parseaddr(given)[1] or parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    name = organization.name if organization is not None else account.name
    # Not encoded as a header would be: each way of sending has its own alphabet.
    return named(name, address)


def named(text: str, address: str = "") -> str:
    """`Nome <a@b>` in one line, of a name and an address or of both in one text."""
    found = _NAMED.fullmatch(text) if not address else None
    name, bare = (found[1], found[2]) if found else (text, address)
    if not bare:
        return one_line(text)
    return str(Address(one_line(name)[:_LONGEST_NAME].strip(), addr_spec=bare.strip()))
