"""From the notices to the integrators' servers (fiscal-api §13.4).

The pool of threads and its turns are those of the account's webhooks: an address that hangs keeps
nobody else waiting. Each attempt is claimed by a conditional update, sent in no transaction and
recorded in another: a worker killed in between leaves a notice that is due again after its lease.
"""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.services.audit import SYSTEM, record
from accounts.services.webhook_requests import SEND_SECONDS, Outcome, exchange
from accounts.services.webhook_turns import Turn, Turns
from fiscal.models import FiscalHook, HookNotice
from fiscal.services.hook_bodies import body_of
from fiscal.services.hooks import SECRET, clear_nudges, nudge
from lib import clock
from lib.crypto import Unreadable, decrypt
from lib.locks import exclusive

log = logging.getLogger(__name__)

# §13.4: the wait after each failed attempt; the sixth is the last.
BACK_OFF = (
    timedelta(minutes=1),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=24),
)
MAX_TRIES = len(BACK_OFF) + 1
LEASE = timedelta(seconds=60)  # longer than an attempt
DISABLED_AFTER = timedelta(days=7)

THREADS = 4
TRIAL_NOTICES = 1  # until it has answered in this task
TURN_NOTICES = 20
TURN_SECONDS = 5.0
TASK_SECONDS = 20.0

DISABLED = "gatilho.desativado"
REASON = "A maioria dos avisos falhou por 7 dias."
INTERRUPTED = "O processo foi interrompido durante a tentativa."
UNREADABLE = "A autorização não pode ser lida: a SECRET_KEY mudou. Crie o gatilho de novo."


def deliver(*, seconds: float = TASK_SECONDS, threads: int = THREADS) -> int:
    """Send what is due. Answers how many attempts were made.

    One task does this at a time; another that comes leaves the work to it. Queues a successor when
    something is left that may be sent now.
    """
    clear_nudges()
    with ThreadPoolExecutor(threads) as pool:
        with exclusive("fiscal_hooks", 0) as free:
            if not free:
                return 0
            turns = _turns(deadline=time.monotonic() + seconds, threads=threads)
            turns.run(pool)
        if turns.running:  # somebody hangs beyond the deadline, whom the pool waits for
            _call_successor(without=turns.down | set(turns.busy))
    turns.collect(turns.running)
    _call_successor(without=turns.down)
    return turns.n_attempts


def _turns(*, deadline: float, threads: int) -> Turns:
    def look() -> list[tuple[int, bool]]:
        rows = due_hooks().values_list("pk", "failing_since")
        return [(pk, since is not None) for pk, since in rows]

    def take(hook_id: int, is_trial: bool) -> tuple[Turn, int]:
        notices = TRIAL_NOTICES if is_trial else TURN_NOTICES
        return take_turn(hook_id, deadline=deadline, notices=notices)

    return Turns(look, take, deadline=deadline, threads=threads)


def _call_successor(*, without: set[int]) -> None:
    if due_hooks().exclude(pk__in=without).exists():
        nudge()


def due_hooks() -> QuerySet[FiscalHook]:
    """Active addresses with something to send now: healthy first, then who waits longest."""
    found: QuerySet[FiscalHook] = FiscalHook.objects.filter(
        Exists(_sendable(clock.now()).filter(hook=OuterRef("pk"))),
        state=FiscalHook.State.ACTIVE,
    )
    return found.order_by(
        F("failing_since").asc(nulls_first=True), F("last_tried_at").asc(nulls_first=True), "pk"
    )


def _sendable(now: datetime) -> QuerySet[HookNotice]:
    """What is due, unless an earlier notice of its document or service note is being sent at this
    moment."""
    pending: QuerySet[HookNotice] = HookNotice.objects.filter(state=HookNotice.State.PENDING)
    earlier = pending.filter(
        Q(document=OuterRef("document")) | Q(service_note=OuterRef("service_note")),
        hook=OuterRef("hook"),
        id__lt=OuterRef("id"),
        next_attempt_at__lte=now + LEASE,
    )
    return pending.filter(~Exists(earlier), next_attempt_at__lte=now)


def take_turn(hook_id: int, *, deadline: float, notices: int = TURN_NOTICES) -> tuple[Turn, int]:
    """Some attempts for one address, until it is served, silent, or the turn's time is over."""
    until = min(deadline, time.monotonic() + TURN_SECONDS)
    for n in range(notices):
        if n and time.monotonic() >= until:
            return Turn.MORE, n
        claimed = claim(hook_id)
        if claimed is None:
            return Turn.EMPTY, n
        try:
            is_silent = _attempt(claimed)
        except Exception:
            # What nobody foresaw for one notice must not keep the others of the task from leaving.
            log.exception("hook.crashed", extra={"notice_id": claimed.notice.pk})
            return Turn.DOWN, n + 1
        if is_silent:
            return Turn.DOWN, n + 1
    return Turn.MORE, notices


# --- one attempt ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """A notice that is ours until its lease ends; `number` counts this attempt."""

    notice: HookNotice
    hook: FiscalHook
    number: int


def claim(hook_id: int) -> Claimed | None:
    """The next notice of the address that may be sent now; None when there is none.

    Two workers never get the same one: who comes second finds the row changed.
    """
    while True:
        now = clock.now()
        notice = (
            _sendable(now)
            .filter(hook_id=hook_id, hook__state=FiscalHook.State.ACTIVE)
            .order_by("next_attempt_at", "id")
            .select_related(
                "hook", "document__company", "inutilizacao__company", "service_note__company"
            )
            .first()
        )
        if notice is None:
            return None
        taken = HookNotice.objects.filter(
            pk=notice.pk,
            state=HookNotice.State.PENDING,
            next_attempt_at=notice.next_attempt_at,
            tries=notice.tries,
        ).update(next_attempt_at=now + LEASE, tries=F("tries") + 1)
        if taken:
            return Claimed(notice, notice.hook, notice.tries + 1)


def _attempt(claimed: Claimed) -> bool:
    """Send and record; whether the address was silent."""
    if claimed.number > MAX_TRIES:  # the last one was begun and never ended
        outcome = Outcome(clock.now(), 0, error=INTERRUPTED)
    else:
        outcome = transmit(claimed)
    record_attempt(claimed, outcome)
    return outcome.is_silent


def transmit(claimed: Claimed) -> Outcome:
    """The request itself. No transaction is open here."""
    hook, at = claimed.hook, clock.now()
    try:
        secret = _secret_headers(hook)
    except Unreadable:
        log.warning("hook.unreadable", extra={"hook_id": hook.pk})
        return Outcome(at, 0, error=UNREADABLE, is_silent=True)
    raw = json.dumps(body_of(claimed.notice), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    return exchange(hook.url, raw, at=at, headers=headers, secret=secret, timeout=SEND_SECONDS)


def _secret_headers(hook: FiscalHook) -> dict[str, str]:
    if not hook.authorization:
        return {}
    return {hook.authorization_header: decrypt(hook.authorization, purpose=SECRET)}


@transaction.atomic
def record_attempt(claimed: Claimed, outcome: Outcome) -> None:
    """Decide what follows: delivered, again later, or given up; and judge the address."""
    # The address first, as whoever deletes it does.
    hooks = FiscalHook.objects.select_for_update(of=("self",)).select_related("account")
    hook = hooks.filter(pk=claimed.hook.pk).first()
    notice = HookNotice.objects.select_for_update().filter(pk=claimed.notice.pk).first()
    if hook is None or notice is None:
        return
    notice.last_attempt_at, notice.last_ms = outcome.at, outcome.duration_ms
    notice.last_status, notice.last_error = outcome.status, outcome.error
    notice.last_body, notice.last_answer = outcome.body, outcome.answer
    _move(notice, claimed, is_success=not outcome.error)
    notice.save()
    _judge(hook, is_success=not outcome.error)


def _move(notice: HookNotice, claimed: Claimed, *, is_success: bool) -> None:
    if is_success:
        notice.deliver()
        return
    # After the lease another worker may have taken it: then its attempt decides, not ours.
    if notice.state != HookNotice.State.PENDING or notice.tries != claimed.number:
        return
    if notice.tries >= MAX_TRIES:
        notice.bury()
    else:
        notice.retry(at=clock.now() + BACK_OFF[notice.tries - 1])


def _judge(hook: FiscalHook, *, is_success: bool) -> None:
    """Count the attempt; an address that mostly fails for a week is not called any more."""
    now = clock.now()
    hook.note(is_success=is_success, at=now)
    is_hopeless = hook.bad_since is not None and now - hook.bad_since >= DISABLED_AFTER
    if is_hopeless and hook.is_active:
        hook.disable(at=now)
        record(
            hook.account, actor=SYSTEM, action=DISABLED, target=hook,
            after={"motivo": REASON, "url": hook.url},
        )  # fmt: skip
        log.warning(DISABLED, extra={"hook_id": hook.pk, "account_id": hook.account_id})
    hook.save()
