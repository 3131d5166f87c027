"""Links to one invoice for one recipient, good without login (EM-6, P17).

The address carries the row's key, signed, so that none can be guessed or made up; everything else
(until when, what for, revoked) is in the row. Opening one changes nothing: mail scanners open all.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import DatabaseError, transaction
from django.db.models import F, Max, Q

from accounts.models import Account, AuditEvent
from accounts.services.audit import Actor, record
from billing.models import Contact, Invoice, InvoiceLink, OrganizationProfile
from lib import clock
from lib.locks import impatient

_SALT = "billing.public_link"
_LONGEST = 100
COUNT_EVERY = timedelta(minutes=1)
LINK_DAYS = 60  # P17, for an organization without a profile


class LinkState(StrEnum):
    """What a token is worth now. `unknown`: forged, or of something that is not shown any more."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Opened:
    """What a token names; `link` is None when it is unknown."""

    state: LinkState
    link: InvoiceLink | None = None


def make_link(
    invoice: Invoice,
    *,
    recipient: str,
    contact: Contact | None = None,
    scopes: Sequence[str] = InvoiceLink.SCOPES,
) -> InvoiceLink:
    """The recipient's link to the invoice, made or kept good for longer.

    It works for the organization's `link_days` after the last due date, or after today for an
    invoice that is overdue already. A live link with the same scopes is the answer again, so that
    a second e-mail says the same address; no link is ever ended by another one.
    """
    expires_at = _expiry(invoice)
    alive = InvoiceLink.objects.of(invoice.account).filter(
        invoice=invoice, recipient=recipient, scopes=list(scopes), revoked_at=None
    )
    link: InvoiceLink | None = alive.filter(expires_at__gt=clock.now()).order_by("id").last()
    if link is None:
        return InvoiceLink.objects.create(
            account=invoice.account,
            invoice=invoice,
            contact=contact,
            recipient=recipient,
            key=uuid.uuid4(),
            scopes=list(scopes),
            expires_at=expires_at,
            created_at=clock.now(),
        )
    alive.filter(pk=link.pk, expires_at__lt=expires_at).update(expires_at=expires_at)
    link.expires_at = max(link.expires_at, expires_at)
    return link


@transaction.atomic
def share(invoice: Invoice, *, actor: Actor) -> InvoiceLink:
    """The link that a customer's user passes on (P07): one of their own for each invoice."""
    known = shared_by(invoice, actor)
    link = make_link(invoice, recipient=actor.label)
    if known is None or known.pk != link.pk:
        told = {"link": link.pk, "recipient": link.recipient}
        record(
            invoice.account, actor=actor, action="link_publico.criado", target=invoice, after=told
        )
    return link


def shared_by(invoice: Invoice, actor: Actor) -> InvoiceLink | None:
    """The link that they have shared already, while it works."""
    mine = InvoiceLink.objects.of(invoice.account).filter(
        invoice=invoice, recipient=actor.label, revoked_at=None, expires_at__gt=clock.now()
    )
    found: InvoiceLink | None = mine.order_by("id").last()
    return found


def _expiry(invoice: Invoice) -> datetime:
    """The end of the last day on which the link works, in the account's zone."""
    account = invoice.account
    profile = OrganizationProfile.objects.filter(party_id=invoice.organization_id).first()
    last_due = invoice.receivables.aggregate(last=Max("due_date"))["last"]
    begin = max(filter(None, (last_due, invoice.due_date, clock.today(account.time_zone))))
    days = profile.link_days if profile is not None else LINK_DAYS
    end = datetime.combine(begin + timedelta(days=days + 1), time.min)
    return end.replace(tzinfo=ZoneInfo(account.time_zone))


# --- addresses ----------------------------------------------------------------------------------


def _signer() -> Signer:
    # A colon in an address is where some readers of mail end the link.
    return Signer(salt=_SALT, sep=".")


def token_of(link: InvoiceLink) -> str:
    """The signed key, the same each time; letters, digits, `-`, `_` and one dot."""
    return _signer().sign(base64.urlsafe_b64encode(link.key.bytes).rstrip(b"=").decode())


def address(link: InvoiceLink) -> str:
    """The absolute URL of the page."""
    return f"{settings.PUBLIC_URL}/p/f/{token_of(link)}/"


def _key_of(token: str) -> uuid.UUID | None:
    """The key that a token carries; None when we did not sign it."""
    if len(token) > _LONGEST:
        return None
    try:
        text = _signer().unsign(token)
        return uuid.UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    except (BadSignature, ValueError):
        return None


def open_link(token: str) -> Opened:
    """What a token names, its invoice, customer and account loaded. Writes nothing.

    Only invoices that were emitted are shown; a void one is, so that nobody pays it.
    """
    key = _key_of(token)
    if key is None:
        return Opened(LinkState.UNKNOWN)
    link: InvoiceLink | None = (
        InvoiceLink.objects.filter(key=key, invoice__emitted_at__isnull=False)
        .filter(account__is_active=True, invoice__account_id=F("account_id"))
        .select_related(
            "account", "invoice__account", "invoice__series", "invoice__customer",
            "invoice__organization", "contact",
        )
        .first()
    )  # fmt: skip
    if link is None:
        return Opened(LinkState.UNKNOWN)
    return Opened(state_of(link), link)


def state_of(link: InvoiceLink) -> LinkState:
    """Whether the link works now."""
    if link.revoked_at is not None:
        return LinkState.REVOKED
    return LinkState.VALID if clock.now() < link.expires_at else LinkState.EXPIRED


# --- what happens to them -----------------------------------------------------------------------


def count_opening(link: InvoiceLink, *, ip: str | None = None) -> bool:
    """Note that the page was looked at, at most once a minute; whether it was noted.

    It never delays or spoils the answer: a database that is busy writing means no count.
    """
    now = clock.now()
    if link.last_opened_at is not None and now - link.last_opened_at < COUNT_EVERY:
        return False
    try:
        with impatient(), transaction.atomic():
            return _counted(link, now, ip)
    except DatabaseError:
        return False


def _counted(link: InvoiceLink, now: datetime, ip: str | None) -> bool:
    stale = Q(last_opened_at=None) | Q(last_opened_at__lte=now - COUNT_EVERY)
    row = InvoiceLink.objects.filter(stale, pk=link.pk)
    if not row.update(opens=F("opens") + 1, last_opened_at=now):
        return False
    record(
        link.account,
        actor=visitor(link, ip=ip),
        action="link_publico.aberto",
        target=link.invoice,
        after={"link": link.pk},
    )
    return True


def visitor(link: InvoiceLink, *, ip: str | None = None) -> Actor:
    """Whoever holds the link, as the audit trail names them."""
    return Actor(AuditEvent.Actor.LINK, link.pk, link.recipient, ip)


@transaction.atomic
def revoke(link_id: int, *, account: Account, actor: Actor) -> InvoiceLink:
    """The link stops working now and for good; others to the same invoice do not.

    Revoking it again changes nothing. Raises NotFound.
    """
    link: InvoiceLink = InvoiceLink.objects.get_of(account, pk=link_id)
    link = InvoiceLink.objects.select_for_update().get(pk=link.pk)
    if link.revoked_at is not None:
        return link
    link.revoked_at = clock.now()
    link.save(update_fields=["revoked_at"])
    told = {"link": link.pk, "recipient": link.recipient}
    record(account, actor=actor, action="link_publico.revogado", target=link.invoice, after=told)
    return link
