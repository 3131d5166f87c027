"""E-mails that a person asks for: always allowed, always audited (EM-7)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction

from accounts.models import Account
from accounts.services.audit import Actor, record
from accounts.services.calls import call_after_commit
from billing.errors import CannotRenewLink, EmailSuppressed
from billing.models import EmailMessage, Invoice, InvoiceLink
from billing.services import links
from billing.services.emails import words
from billing.services.emails.automatic import check_sendable, invoice_of
from billing.services.emails.composing import TASK, Draft, compose, queue
from billing.services.emails.recipients import Recipient, check_address, is_address
from billing.services.emails.variables import About
from lib import clock
from lib.errors import RateLimited

SENT = "E-mail da fatura enviado com sucesso"
LINKS_PER_HOUR = 3  # P17
OTHERS_PER_HOUR = 30  # of one customer: enough for people, too few for spam


def draft_of(invoice: Invoice, *, template_id: int | None = None, as_links: bool = False) -> Draft:
    """What `send_invoice` would send, to be looked at first (B05). Raises as it does."""
    whole = invoice_of(invoice.pk, invoice.account)
    check_sendable(whole)
    return compose(About(whole), words.words_of(whole, template_id), as_links=as_links)


def send_invoice(
    invoice: Invoice, *, actor: Actor, template_id: int | None = None, as_links: bool = False
) -> list[EmailMessage]:
    """Send the invoice to its customer, again as often as asked for.

    Never inside a transaction. Raises CannotEmail, EmailNoContact, EmailSuppressed,
    EmailNoTemplate, PdfFailed.
    """
    draft = draft_of(invoice, template_id=template_id, as_links=as_links)
    with transaction.atomic():
        rows = queue(draft, trigger=EmailMessage.Trigger.MANUAL)
        _audit(draft.invoice, actor, [row.recipient for row in rows])
    return rows


def send_to(invoice: Invoice, address: str, *, actor: Actor, key: str) -> EmailMessage | None:
    """P07: send the invoice to one more address, that a customer has typed; with a link of its own.

    The same `key` again sends nothing and answers None. Never inside a transaction. Raises
    RateLimited, CannotEmail, EmailSuppressed, PdfFailed.
    """
    whole = invoice_of(invoice.pk, invoice.account)
    check_sendable(whole)
    recent = EmailMessage.objects.of(invoice.account).filter(
        customer=whole.customer_id,
        invoice__isnull=False,
        trigger=EmailMessage.Trigger.PORTAL,
        created_at__gt=clock.now() - timedelta(hours=1),
    )
    if recent.count() >= OTHERS_PER_HOUR:
        raise RateLimited("Você já enviou muitas faturas há pouco. Tente de novo em uma hora.")
    check_address(invoice.account, address)
    draft = compose(About(whole), words.words_of(whole), recipients=[Recipient(address)])
    with transaction.atomic():
        rows = queue(draft, trigger=EmailMessage.Trigger.PORTAL, key=f"portal:{key}")
        for row in rows:
            told = {"recipients": [row.recipient], "link": row.link_id}
            record(
                invoice.account,
                actor=actor,
                action="fatura.enviada_email",
                target=whole,
                after=told,
            )
    return rows[0] if rows else None


def send_new_link(link: InvoiceLink, *, ip: str | None = None) -> EmailMessage:
    """P17: whoever has an expired link asks for another, which goes to the link's own address.

    It allows what the old one did. Raises RateLimited at the fourth within an hour, CannotEmail, or
    CannotRenewLink, which names no address.
    """
    invoice = invoice_of(link.invoice_id, link.account)
    check_sendable(invoice)
    _refuse_more_links(link)
    try:
        check_address(link.account, link.recipient)
    except EmailSuppressed:
        raise CannotRenewLink() from None
    if not is_address(link.recipient):
        raise CannotRenewLink()
    to = Recipient(link.recipient, link.contact, scopes=tuple(link.scopes))
    draft = compose(About(invoice), words.shipped("link"), recipients=[to])
    with transaction.atomic():
        Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)  # counted one by one
        _refuse_more_links(link)
        [row] = queue(draft, trigger=EmailMessage.Trigger.LINK)
        who = links.visitor(link, ip=ip)
        record(link.account, actor=who, action="link_publico.reenviado", target=invoice)
    return row


def _refuse_more_links(link: InvoiceLink) -> None:
    recent = EmailMessage.objects.of(link.account).filter(
        invoice=link.invoice_id,
        recipient=link.recipient,
        trigger=EmailMessage.Trigger.LINK,
        created_at__gt=clock.now() - timedelta(hours=1),
    )
    if recent.count() >= LINKS_PER_HOUR:
        raise RateLimited("Já enviamos links novos há pouco. Tente de novo em uma hora.")


@transaction.atomic
def send_again(message_id: int, *, account: Account, actor: Actor) -> EmailMessage:
    """The same text and files to the same recipient, as a message of its own. Raises NotFound."""
    row: EmailMessage = EmailMessage.objects.get_of(account, pk=message_id)
    now = clock.now()
    copied = (
        "account_id", "template_id", "invoice_id", "customer_id", "contact_id", "link_id",
        "recipient", "is_copy", "sender", "subject", "body", "is_html", "attached", "linked",
    )  # fmt: skip
    again = EmailMessage.objects.create(
        **{name: getattr(row, name) for name in copied},
        trigger=EmailMessage.Trigger.MANUAL,
        batch=uuid.uuid4(),
        next_attempt_at=now,
        created_at=now,
    )
    call_after_commit(TASK)
    if row.invoice is not None:
        _audit(row.invoice, actor, [row.recipient])
    return again


def _audit(invoice: Invoice, actor: Actor, recipients: list[str]) -> None:
    record(
        invoice.account,
        actor=actor,
        action="fatura.email_enviado",
        target=invoice,
        after={"recipients": recipients},
    )
