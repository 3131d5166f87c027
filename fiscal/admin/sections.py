"""Where fiscal's screens stand in the menu, and who may act on them (ux §5)."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.access import Capability, Level, Role, grant
from accounts.admin_trail import signed_in

ISSUING = "Emissão fiscal"


@dataclass(frozen=True)
class Right:
    """A capability of the matrix; `even_limited` counts a cell with a side note as well."""

    capability: Capability
    even_limited: bool = False


EMIT = Right(Capability.FISCAL_ISSUE, even_limited=True)  # also financeiro: "só emitir"
ISSUE = Right(Capability.FISCAL_ISSUE)
SETUP = Right(Capability.FISCAL_SETUP)
MAIL = Right(Capability.SEND_INVOICE)
TELL = Right(Capability.WEBHOOKS, even_limited=True)  # also suporte: "reenviar"


def may(request: HttpRequest, account_id: int | None, right: Right) -> bool:
    """May the person act by that right in the account? None is no account: only the operator."""
    user = signed_in(request)
    if user.is_superuser:
        return True
    role = user.roles.get(account_id, "") if account_id is not None else ""
    return _has(role, right)


def accounts_acting(request: HttpRequest, right: Right) -> list[int] | None:
    """Ids of the accounts in which the person has the right; None is all of them."""
    user = signed_in(request)
    if user.is_superuser:
        return None
    return [pk for pk, role in user.roles.items() if _has(role, right)]


def _has(role: str, right: Right) -> bool:
    if role not in Role.__members__.values():
        return False
    found = grant(role, right.capability)
    return found.level is Level.FULL and (right.even_limited or not found.limit)
