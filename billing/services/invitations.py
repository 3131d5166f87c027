"""Invitations to the portal: an address, a role and a link that works until it is used (ux P02).

Only its digest is kept of a link, and looking at it changes nothing: mail scanners open all of
them. A further e-mail is a further row, so that no link is ended by a later one; the first that is
used settles the others.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.models import Account, AuditEvent, User
from accounts.services import attempts
from accounts.services.audit import Actor, record
from billing.models import CustomerAccess, Invitation, Party
from billing.services.emails.letters import send_letter
from lib import clock
from lib.br import date_br
from lib.errors import Conflict

VALID = timedelta(days=7)
_RESEND, _RESENDS, _RESEND_WINDOW = "convite", 3, timedelta(hours=1)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class AlreadyUser(Conflict):
    codigo = "ja_tem_acesso"
    mensagem = "Este e-mail já tem acesso."


class InvitationState(StrEnum):
    """What a token is worth now; `unknown` is one that we never gave."""

    VALID = "valid"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Opened:
    """What a token names; None when it is unknown."""

    state: InvitationState
    invitation: Invitation | None = None


# --- inviting -------------------------------------------------------------------------------------


@transaction.atomic
def invite(
    customer: Party, *, email: str, name: str, role: str, actor: Actor, by: User | None = None
) -> Invitation:
    """Ask a person to the portal of `customer`, by e-mail; audited as convite.enviado.

    Whether the address is somebody's elsewhere shows nowhere. Earlier invitations of the address
    that are open keep working, with the role of this one. Raises AlreadyUser.
    """
    Party.objects.select_for_update().get(pk=customer.pk)
    address = email.strip().lower()
    if CustomerAccess.objects.filter(customer=customer, user__email=address).exists():
        raise AlreadyUser()
    open_invitations(customer).filter(email=address).update(role=role)
    row = _new(customer, email=address, name=name, role=role, by=by)
    told = {"email": address, "papel": role, "empresa": customer.name}
    record(customer.account, actor=actor, action="convite.enviado", target=row, after=told)
    record(customer.account, actor=actor, action="usuario.convidado", target=row, after=told)
    return row


def _new(customer: Party, *, email: str, name: str, role: str, by: User | None) -> Invitation:
    """The row and its letter, which alone knows the token."""
    token, now = secrets.token_urlsafe(32), clock.now()
    row: Invitation = Invitation.objects.create(
        account=customer.account,
        customer=customer,
        email=email,
        name=name[:200],
        role=role,
        digest=_digest(token),
        invited_by=by,
        created_at=now,
        expires_at=now + VALID,
    )
    send_letter(
        customer.account,
        customer=customer,
        recipient=email,
        template="convite",
        context={
            "nome": name,
            "validade": date_br(clock.today(customer.account.time_zone) + VALID),
        },
        secrets={"link": f"{settings.PUBLIC_URL}/central/convite/{token}/"},
        key=f"convite:{row.pk}",
    )
    return row


def _local(moment: datetime, customer: Party) -> datetime:
    return moment.astimezone(ZoneInfo(customer.account.time_zone))


def open_invitations(customer: Party) -> QuerySet[Invitation]:
    """Those that may still be accepted."""
    rows: QuerySet[Invitation] = Invitation.objects.filter(
        customer=customer, accepted_at=None, revoked_at=None, expires_at__gt=clock.now()
    )
    return rows.order_by("-pk")


def waiting_invitations(customer: Party) -> list[Invitation]:
    """The last one of each address that nobody accepted or took back, expired ones too."""
    rows = Invitation.objects.filter(customer=customer).order_by("pk")
    last = {row.email: row for row in rows}
    waiting = [row for row in last.values() if row.accepted_at is None and row.revoked_at is None]
    return sorted(waiting, key=lambda row: -row.pk)


def get_invitation(customer: Party, invitation_id: int) -> Invitation:
    """Its customer and account loaded. Raises NotFound."""
    rows = Invitation.objects.select_related("account", "customer__account")
    found: Invitation = rows.get_of(customer.account, pk=invitation_id, customer=customer)
    return found


@transaction.atomic
def revoke(invitation_id: int, *, customer: Party, actor: Actor) -> None:
    """Take an invitation back, with the others of its address. Raises NotFound."""
    row = get_invitation(customer, invitation_id)
    mine = Invitation.objects.filter(
        customer=customer, email=row.email, accepted_at=None, revoked_at=None
    )
    if mine.update(revoked_at=clock.now()):
        told = {"email": row.email}
        record(customer.account, actor=actor, action="convite.retirado", target=row, after=told)


# --- asking for another letter --------------------------------------------------------------------


def resend(invitation: Invitation) -> None:
    """Send the person another letter, where the invitation still means something.

    Three in an hour for each address; who asks learns nothing of it. Audited as convite.reenviado.
    """
    if _may_resend(invitation) and attempts.begin(
        _RESEND, invitation.email, limit=_RESENDS, within=_RESEND_WINDOW
    ):
        _send_again(invitation)


def resend_to(email: str) -> None:
    """The same for whoever only knows their address: all that wait for it."""
    address = email.strip().lower()
    if "\x00" in address or not attempts.begin(
        _RESEND, address, limit=_RESENDS, within=_RESEND_WINDOW
    ):
        return
    last: dict[int, Invitation] = {}
    for row in Invitation.objects.filter(email=address).select_related("account", "customer"):
        last[row.customer_id] = row
    for row in last.values():
        if _may_resend(row):
            _send_again(row)


def _may_resend(row: Invitation) -> bool:
    """Not what was accepted or taken back, nor for somebody who is in."""
    if row.accepted_at is not None or row.revoked_at is not None or not row.account.is_active:
        return False
    settled = Invitation.objects.filter(customer_id=row.customer_id, email=row.email, pk__gt=row.pk)
    accesses = CustomerAccess.objects.filter(customer_id=row.customer_id, user__email=row.email)
    return not settled.exclude(accepted_at=None, revoked_at=None).exists() and not accesses.exists()


@transaction.atomic
def _send_again(row: Invitation) -> None:
    fresh = _new(row.customer, email=row.email, name=row.name, role=row.role, by=row.invited_by)
    actor = Actor(AuditEvent.Actor.LINK, label=row.email)
    told = {"email": row.email, "empresa": row.customer.name}
    record(row.account, actor=actor, action="convite.reenviado", target=fresh, after=told)


# --- accepting ------------------------------------------------------------------------------------


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def open_invitation(token: str) -> Opened:
    """What a token names, its customer and account loaded. Writes nothing."""
    if not _TOKEN.fullmatch(token):
        return Opened(InvitationState.UNKNOWN)
    row: Invitation | None = (
        Invitation.objects.filter(digest=_digest(token), account__is_active=True)
        .select_related("account", "customer__account")
        .first()
    )
    if row is None:
        return Opened(InvitationState.UNKNOWN)
    return Opened(InvitationState.VALID if _is_open(row) else InvitationState.OVER, row)


def _is_open(row: Invitation) -> bool:
    return row.accepted_at is None and row.revoked_at is None and row.expires_at > clock.now()


def user_of(invitation: Invitation) -> User | None:
    """Who has the invited address already, from another company: asked for their own password."""
    return User.objects.filter(email=invitation.email).first()


@transaction.atomic
def accept(
    invitation_id: int, *, account: Account, user: User | None, password: str, ip: str | None
) -> User | None:
    """Use the invitation up and let the person in; None when it is over.

    `user` has the address and proved to be who they are; without one they are made, with
    `password`, which has no faults. Audited as convite.aceito.
    """
    row: Invitation = Invitation.objects.select_for_update().get_of(account, pk=invitation_id)
    Party.objects.select_for_update().get(pk=row.customer_id)
    if not _is_open(row):
        return None
    person = user or _new_user(row, password)
    if person is None:
        return None
    CustomerAccess.objects.update_or_create(
        user=person,
        customer_id=row.customer_id,
        defaults={"role": row.role},
        create_defaults={"role": row.role, "account": account},
    )
    Invitation.objects.filter(
        customer_id=row.customer_id, email=row.email, accepted_at=None, revoked_at=None
    ).update(accepted_at=clock.now())
    actor = Actor(AuditEvent.Actor.CUSTOMER, person.pk, person.email, ip)
    told = {"email": row.email, "papel": row.role, "aviso_de_privacidade": "lido"}
    record(account, actor=actor, action="convite.aceito", target=row, after=told)
    return person


def _new_user(row: Invitation, password: str) -> User | None:
    try:
        with transaction.atomic():
            return User.objects.create_user(row.email, password, name=row.name)
    except IntegrityError:  # made meanwhile, by another invitation: the page asks again
        return None
