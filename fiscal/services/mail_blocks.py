"""Addresses that an account no longer writes to (fiscal-api §16)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.services.audit import Actor, record
from fiscal.errors import InvalidRequest
from fiscal.models import BlockedEmail


def is_blocked(account_id: int, email: str) -> bool:
    """Is nothing sent to it? A passing bounce blocks like a lasting one, until it is lifted."""
    return BlockedEmail.objects.filter(account_id=account_id, email=email.lower()).exists()


def block_bounce(account_id: int, email: str, *, diagnostic: str, now: datetime) -> None:
    """The address does not exist: nothing more is sent to it."""
    BlockedEmail.objects.get_or_create(
        account_id=account_id,
        email=email.lower(),
        defaults={
            "block_type": BlockedEmail.BlockType.BOUNCE,
            "bounce_type": BlockedEmail.BounceType.PERMANENT,
            "diagnostic_code": diagnostic[:300],
            "blocked_at": now,
        },
    )


@transaction.atomic
def unblock(blocked: BlockedEmail, *, actor: Actor) -> None:
    """Write to the address again. Raises InvalidRequest (422) after a complaint."""
    if blocked.block_type == BlockedEmail.BlockType.COMPLAINT:
        raise _Complained()
    before = {"email": blocked.email, "motivo": blocked.block_type}
    record(blocked.account, actor=actor, action="email.desbloqueado", target=blocked, before=before)
    blocked.delete()


class _Complained(InvalidRequest):
    """§16: 422, where other invalid requests are 400."""

    mensagem = "O endereço foi bloqueado por uma reclamação e não pode ser desbloqueado."
    http_status = 422
