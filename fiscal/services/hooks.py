"""Gatilhos: registered, removed, and what they are to be told, written with the change (§13)."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Model, QuerySet

from accounts.models import Account
from accounts.services.audit import Actor, record
from accounts.services.webhook_requests import policy
from fiscal.errors import InvalidRequest
from fiscal.models import (
    HOOK_EVENTS,
    Company,
    FiscalHook,
    HookNotice,
)
from fiscal.selectors.hot_rows import hooks_of
from lib import clock, outbound
from lib.crypto import encrypt
from lib.errors import NotFound
from lib.queue import enqueue

TASK = "fiscal.tasks.deliver_hooks"
SECRET = "fiscal.hook"  # noqa: S105  the purpose of the key, not a secret
MAX_PER_EVENT = 5
KEPT = timedelta(days=30)
# A call whose task was lost is forgotten after this; the sweep of each minute works anyway.
NUDGE_LASTS = timedelta(minutes=2)
CHECK_SECONDS = 3.0
_PURGED_AT_ONCE = 2_000
_ID_LETTERS = string.ascii_letters + string.digits
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,60}", re.ASCII)
# What the request itself says of its form; an integrator's header must not contradict it.
_OWN_HEADERS = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer",
     "upgrade", "expect", "user-agent", "accept", "accept-encoding"}
)  # fmt: skip

BAD_EVENT = 'Parâmetro "event" deve ser um evento válido.'
TOO_MANY = "Já existe um gatilho para este evento."


@dataclass(frozen=True)
class Wanted:
    """A hook as it was asked for, each value read."""

    event: str
    url: str
    authorization: str
    authorization_header: str


def read_wanted(body: dict[str, Any]) -> Wanted:
    """The values of a request. Raises InvalidRequest.

    Looks the address up, for a few seconds at most: must not be inside a transaction.
    """
    event = body.get("event")
    if event not in HOOK_EVENTS:
        raise InvalidRequest(BAD_EVENT)
    url = body.get("url")
    if not url:
        raise InvalidRequest('Parâmetro "url" não informado.')
    _refuse_url(url)
    header = body.get("authorization_header") or "Authorization"
    return Wanted(str(event), url, _authorization(body.get("authorization")), _header(header))


def _refuse_url(url: Any) -> None:
    """Raises InvalidRequest for what we would not go to. A name that has no address now may."""
    if not isinstance(url, str):
        raise InvalidRequest(f"URL inválida: {str(url)[:200]}")
    try:
        outbound.check(url, policy(), timeout=CHECK_SECONDS)
    except outbound.Blocked as error:
        raise InvalidRequest(f"URL inválida: {url[:200]}") from error
    except outbound.NoAnswer:
        return


def _authorization(value: Any) -> str:
    if value in (None, ""):
        return ""
    is_sendable = isinstance(value, str) and len(value) <= 2_000 and value.isprintable()
    if not (is_sendable and _is_latin(value)):
        raise InvalidRequest('Parâmetro "authorization" inválido.')
    return str(value)


def _is_latin(text: str) -> bool:
    """Headers have no other letters."""
    return all(ord(char) < 256 for char in text)


def _header(value: Any) -> str:
    is_name = isinstance(value, str) and _HEADER.fullmatch(value)
    if not is_name or value.lower() in _OWN_HEADERS:
        raise InvalidRequest('Parâmetro "authorization_header" inválido.')
    return str(value)


@transaction.atomic
def create_hook(
    wanted: Wanted,
    *,
    account: Account,
    company: Company | None,
    ambiente: str,
    actor: Actor,
    at: datetime,
) -> FiscalHook:
    """Register an address for an event of `company`, or of every company of the account (None).

    `ambiente` blank means both. Raises InvalidRequest for the sixth of a company and event.
    """
    _lock_owner(account, company)
    same = FiscalHook.objects.of(account).filter(
        company=company, ambiente=ambiente, event=wanted.event
    )
    if same.count() >= MAX_PER_EVENT:
        raise InvalidRequest(TOO_MANY)
    hook = FiscalHook.objects.create(
        account=account,
        public_id=_new_id(),
        company=company,
        ambiente=ambiente,
        event=wanted.event,
        url=wanted.url,
        authorization=_closed(wanted.authorization),
        authorization_header=wanted.authorization_header,
        created_at=at,
    )
    after = {"evento": hook.event, "url": hook.url}
    record(account, actor=actor, action="gatilho.criado", target=hook, after=after)
    return hook


def _closed(authorization: str) -> str:
    return encrypt(authorization, purpose=SECRET) if authorization else ""


def _lock_owner(account: Account, company: Company | None) -> None:
    """Two requests at once must not both be the fifth."""
    owner: QuerySet[Any] = (
        Account.objects.filter(pk=account.pk)
        if company is None
        else Company.objects.filter(pk=company.pk)
    )
    # no_key: documents that refer to the row are written meanwhile.
    list(owner.select_for_update(no_key=True).values_list("pk", flat=True))


def _new_id() -> str:
    """Eight letters and digits, 47 bits: `Vj5rmkBq`."""
    while True:
        made = "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
        if not FiscalHook.objects.filter(public_id=made).exists():
            return made


@transaction.atomic
def delete_hook(hook: FiscalHook, *, actor: Actor) -> None:
    """Forget an address and what waits for it. Raises NotFound when somebody else did."""
    found = FiscalHook.objects.select_for_update().filter(pk=hook.pk).first()
    if found is None:
        raise NotFound("Gatilho não encontrado")
    before = {"evento": found.event, "url": found.url}
    record(hook.account, actor=actor, action="gatilho.removido", target=found, before=before)
    notices = HookNotice.objects.filter(hook=found)
    # A worker that is recording an attempt holds its notice: wait for it.
    list(notices.select_for_update().order_by("pk").values_list("pk", flat=True))
    notices._raw_delete(notices.db)
    found.delete()


# --- what is to be told --------------------------------------------------------------------------


def announce(
    company: Company,
    *,
    ambiente: str,
    event: str,
    at: datetime,
    **subject: Model,
) -> list[FiscalHook]:
    """Write a notice for every matching address; `subject` is one of NOTICE_SUBJECTS.

    In the transaction of the change; delivered after its commit. Answers the addresses.
    """
    hooks = hooks_of(company, ambiente, event)
    if not hooks:
        return []
    with transaction.atomic():
        HookNotice.objects.bulk_create(
            HookNotice(
                account_id=company.account_id,
                hook=hook,
                next_attempt_at=at,
                created_at=at,
                **subject,
            )
            for hook in hooks
        )
        _nudge_after_commit()
    return hooks


def _called() -> None:
    """What runs after the commit; once for each transaction."""
    nudge()


def _nudge_after_commit() -> None:
    if all(waiting[1] is not _called for waiting in connection.run_on_commit):
        transaction.on_commit(_called, robust=True)


def nudge() -> None:
    """Queue a delivery task, unless one is on its way already."""
    now = clock.now()
    active = FiscalHook.objects.filter(state=FiscalHook.State.ACTIVE)
    if active.filter(nudged_at__gt=now - NUDGE_LASTS).exists():
        return
    if active.update(nudged_at=now):
        enqueue(TASK)


def clear_nudges() -> None:
    """A task begins: what is announced from now on may call for another."""
    FiscalHook.objects.filter(nudged_at__isnull=False).update(nudged_at=None)


def purge_old() -> int:
    """Forget notices older than 30 days. Answers how many."""
    limit, n = clock.now() - KEPT, 0
    while ids := list(
        HookNotice.objects.filter(created_at__lt=limit)
        .order_by("pk")
        .values_list("pk", flat=True)[:_PURGED_AT_ONCE]
    ):
        deleted, _ = HookNotice.objects.filter(id__among=ids).delete()
        n += deleted
    return n
