"""Endpoints of integrators: registered, changed, paused, resumed, given new secrets, resent to."""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from accounts.models import (
    Account,
    ApiToken,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from accounts.services.audit import Actor, record
from accounts.services.webhook_outbox import nudge_after_commit
from accounts.services.webhook_requests import SECRET, Outcome, Receiver, ping, policy, receiver_of
from lib import clock, outbound
from lib.crypto import Unreadable, decrypt, encrypt
from lib.errors import Conflict, FieldError, InvalidInput

MAX_ENDPOINTS = 20
ROTATION = timedelta(hours=24)  # for how long the secret before is still signed with
KEPT = timedelta(days=30)  # WH-6
_PURGED_AT_ONCE = 2_000

NOT_PUBLIC = "Use um endereço https público: {}."
BACKWARDS = "O fim do período vem antes do começo."
UNTESTED = "Não foi possível testar o endereço. Tente de novo."
BY_HAND = "Desativado manualmente."

# Attribute of the API and of the screens → column, where they differ.
_COLUMNS = {"ping": "ping_first"}


class AlreadyPaused(Conflict):
    mensagem = "Este endereço já está desativado."


class NotPaused(Conflict):
    mensagem = "Este endereço já está ativo."


class Paused(Conflict):
    mensagem = "Este endereço está desativado. Retome-o antes de reenviar."


@dataclass(frozen=True)
class Proof:
    """That an address was tried before it is saved, with the secret that is saved with it."""

    url: str
    secret: str
    outcome: Outcome | None
    fault: str = ""


def new_secret() -> str:
    return f"whsec_{random.token_urlsafe(32)}"


def prove(url: str, *, secret: str = "") -> Proof:
    """Send the test ping to `url` (WH-2). Never raises; must not be inside a transaction.

    The proof's `fault` says why an address is not one that we go to.
    """
    secret = secret or new_secret()
    try:
        outbound.parse(url, policy())
    except outbound.Blocked as blocked:
        return Proof(url, secret, None, NOT_PUBLIC.format(blocked))
    outcome = ping(Receiver(url, (secret,)))
    if outcome.is_silent and outcome.error == outbound.NOT_PUBLIC:
        return Proof(url, secret, None, NOT_PUBLIC.format(outcome.error))
    fault = f"O endereço não respondeu ao teste com 2xx: {outcome.error}." if outcome.error else ""
    return Proof(url, secret, outcome, fault)


def prove_change(endpoint: WebhookEndpoint, *, url: str, secret: str = "") -> Proof:
    """`prove` for another address of an endpoint, under its own secret unless it gets a new one."""
    try:
        own = receiver_of(endpoint, at=clock.now()).secrets[0]
    except Unreadable:
        own = ""
    return prove(url, secret=secret or own)


@transaction.atomic
def create_endpoint(
    values: dict[str, Any],
    *,
    account: Account,
    actor: Actor,
    proof: Proof | None,
    token: ApiToken | None = None,
    faults: Sequence[FieldError] = (),
) -> WebhookEndpoint:
    """Register an address that `proof` shows to work. Raises InvalidInput.

    `values`: url, description, events, version, ping, active, ignore_own; `token` is who asks,
    for `ignore_own` (WH-9).
    """
    found = [*faults, *_proof_faults(values.get("url"), proof, faults)]
    if WebhookEndpoint.objects.of(account).count() >= MAX_ENDPOINTS:
        found.append(FieldError("base", f"São no máximo {MAX_ENDPOINTS} endereços por conta."))
    if found or proof is None:
        raise InvalidInput(erros=found)
    last = WebhookEvent.objects.of(account).aggregate(last=Max("id"))["last"]
    endpoint = WebhookEndpoint(account=account, after_event_id=last or 0)
    endpoint.secret = encrypt(proof.secret, purpose=SECRET)
    names = _apply(endpoint, values, token=token)
    if values.get("active") is False:
        endpoint.pause(at=clock.now(), reason=BY_HAND)
    endpoint.save()
    after = {"url": endpoint.url, "campos": names}
    record(account, actor=actor, action="webhook.criado", target=endpoint, after=after)
    return endpoint


@transaction.atomic
def update_endpoint(
    endpoint_id: int,
    values: dict[str, Any],
    *,
    account: Account,
    actor: Actor,
    proof: Proof | None = None,
    token: ApiToken | None = None,
    faults: Sequence[FieldError] = (),
) -> WebhookEndpoint:
    """Change what was sent; another url needs its `proof`. Raises NotFound or InvalidInput.

    Another `secret` is a rotation: the one before is signed with for 24 hours more. The present one
    sent again changes nothing.
    """
    endpoint = _locked(endpoint_id, account)
    found = list(faults)
    if values.get("url", endpoint.url) != endpoint.url:
        found += _proof_faults(values["url"], proof, faults)
    if found:
        raise InvalidInput(erros=found)
    before = {"url": endpoint.url}
    names = _apply(endpoint, values, token=token)
    if values.get("secret"):
        _rotate(endpoint, values["secret"])
    active = values.get("active")
    if active is False and endpoint.is_active:
        endpoint.pause(at=clock.now(), reason=BY_HAND)
    elif active is True and not endpoint.is_active:
        _resume(endpoint)
    endpoint.save()
    after = {"url": endpoint.url, "campos": names}
    record(
        account, actor=actor, action="webhook.alterado", target=endpoint, before=before, after=after
    )
    return endpoint


@transaction.atomic
def delete_endpoint(endpoint_id: int, *, account: Account, actor: Actor) -> None:
    """Forget an address, what waits for it and its log. Raises NotFound."""
    endpoint = _locked(endpoint_id, account)
    record(
        account,
        actor=actor,
        action="webhook.removido",
        target=endpoint,
        before={"url": endpoint.url},
    )
    deliveries = WebhookDelivery.objects.filter(endpoint=endpoint)
    # A worker that is recording an attempt holds its delivery: wait for it, then nothing is added.
    list(deliveries.select_for_update().order_by("pk").values_list("pk", flat=True))
    WebhookAttempt.objects.filter(delivery__endpoint=endpoint).delete()
    deliveries._raw_delete(deliveries.db)
    endpoint.delete()


@transaction.atomic
def rotate_secret(endpoint_id: int, *, account: Account, actor: Actor) -> str:
    """Give a new secret, returned to be shown once; both are signed with for 24 hours (SIG-1)."""
    endpoint = _locked(endpoint_id, account)
    secret = new_secret()
    _rotate(endpoint, secret)
    endpoint.save()
    record(account, actor=actor, action="webhook.segredo_girado", target=endpoint)
    return secret


@transaction.atomic
def pause_endpoint(
    endpoint_id: int, *, account: Account, actor: Actor, reason: str = BY_HAND
) -> WebhookEndpoint:
    """Stop sending; events are kept. Raises NotFound or AlreadyPaused."""
    endpoint = _locked(endpoint_id, account)
    if not endpoint.is_active:
        raise AlreadyPaused()
    endpoint.pause(at=clock.now(), reason=reason)
    endpoint.save()
    after = {"motivo": reason}
    record(account, actor=actor, action="webhook.desativado", target=endpoint, after=after)
    return endpoint


@transaction.atomic
def resume_endpoint(endpoint_id: int, *, account: Account, actor: Actor) -> WebhookEndpoint:
    """Send again, beginning with what was kept, in order (WH-6). Raises NotFound or NotPaused."""
    endpoint = _locked(endpoint_id, account)
    if endpoint.is_active:
        raise NotPaused()
    n = _resume(endpoint)
    endpoint.save()
    after = {"eventos": n}
    record(account, actor=actor, action="webhook.retomado", target=endpoint, after=after)
    return endpoint


def test_endpoint(endpoint_id: int, *, account: Account, actor: Actor) -> Outcome:
    """Send the test ping now and answer how it went. Raises NotFound.

    No transaction is open while it is sent.
    """
    endpoint = WebhookEndpoint.objects.get_of(account, pk=endpoint_id)
    try:
        outcome = ping(receiver_of(endpoint, at=clock.now()))
    except Unreadable as error:
        raise Conflict("O segredo não pode ser lido. Gire o segredo.") from error
    after = {"status": outcome.status, "erro": outcome.error, "ms": outcome.duration_ms}
    record(account, actor=actor, action="webhook.testado", target=endpoint, after=after)
    return outcome


# --- sending again -----------------------------------------------------------------------------


@transaction.atomic
def resend_delivery(delivery_id: int, *, account: Account, actor: Actor) -> WebhookDelivery:
    """Begin a new round of attempts with the same event id. Raises NotFound or Paused."""
    delivery: WebhookDelivery = WebhookDelivery.objects.select_for_update().get_of(
        account, pk=delivery_id
    )
    if not delivery.endpoint.is_active:
        raise Paused()
    delivery.resend(at=clock.now())
    delivery.save()
    record(account, actor=actor, action="webhook.reenviado", target=delivery)
    nudge_after_commit(account.pk)
    return delivery


@transaction.atomic
def resend_range(
    endpoint_id: int,
    *,
    since: datetime,
    until: datetime | None = None,
    only_failed: bool = True,
    account: Account,
    actor: Actor,
) -> int:
    """Resend an endpoint's events announced from `since` to before `until`; answers how many.

    With `only_failed`, those that were given up or failed at least once. Raises InvalidInput,
    NotFound or Paused.
    """
    if until is not None and until <= since:
        raise InvalidInput(BACKWARDS)
    endpoint = _locked(endpoint_id, account)
    if not endpoint.is_active:
        raise Paused()
    chosen = Q(endpoint=endpoint, event__created_at__gte=since)
    if until is not None:
        chosen &= Q(event__created_at__lt=until)
    if only_failed:
        chosen &= ~Q(state=WebhookDelivery.State.DELIVERED) & Q(n_attempts__gt=0)
    n = _again(WebhookDelivery.objects.filter(chosen))
    after = {"desde": since, "ate": until, "entregas": n, "so_falhas": only_failed}
    record(account, actor=actor, action="webhook.reenviado", target=endpoint, after=after)
    nudge_after_commit(account.pk)
    return n


def purge_old() -> int:
    """Forget events older than 30 days with their deliveries and log. Answers how many."""
    limit, n = clock.now() - KEPT, 0
    while ids := list(
        WebhookEvent.objects.filter(created_at__lt=limit)
        .order_by("pk")
        .values_list("pk", flat=True)[:_PURGED_AT_ONCE]
    ):
        n += _purge(ids)
    return n


@transaction.atomic
def _purge(ids: list[int]) -> int:
    WebhookAttempt.objects.filter(delivery__event_id__among=ids).delete()
    WebhookEvent.objects.filter(id__among=ids).delete()
    return len(ids)


# --- parts -------------------------------------------------------------------------------------


def _locked(endpoint_id: int, account: Account) -> WebhookEndpoint:
    found: WebhookEndpoint = WebhookEndpoint.objects.select_for_update().get_of(
        account, pk=endpoint_id
    )
    return found


def _proof_faults(url: Any, proof: Proof | None, faults: Sequence[FieldError]) -> list[FieldError]:
    if any(fault.campo == "url" for fault in faults):
        return []
    if proof is not None and proof.url == url:
        return [FieldError("url", proof.fault)] if proof.fault else []
    # With other faults nothing was sent: the address is tried when the rest is right.
    return [] if faults else [FieldError("url", UNTESTED)]


def _apply(
    endpoint: WebhookEndpoint, values: dict[str, Any], *, token: ApiToken | None
) -> list[str]:
    """Put the values into their columns; answers the names that were sent."""
    for name in ("url", "description", "events", "version", "ping"):
        if values.get(name) is not None:
            setattr(endpoint, _COLUMNS.get(name, name), values[name])
    if values.get("description", "") is None:
        endpoint.description = ""
    if values.get("ignore_own") is not None:
        endpoint.muted_token = token if values["ignore_own"] else None
    if "muted_token" in values:
        endpoint.muted_token = values["muted_token"]
    return sorted(values)


def _rotate(endpoint: WebhookEndpoint, secret: str) -> None:
    if _has_secret(endpoint, secret):
        return  # sent again, as whole-object clients do: the one before stays valid meanwhile
    endpoint.old_secret = endpoint.secret
    endpoint.old_secret_until = clock.now() + ROTATION
    endpoint.secret = encrypt(secret, purpose=SECRET)


def _has_secret(endpoint: WebhookEndpoint, secret: str) -> bool:
    try:
        return decrypt(endpoint.secret, purpose=SECRET) == secret
    except Unreadable:
        return False


def _resume(endpoint: WebhookEndpoint) -> int:
    """Activate; what waits, and what was given up in the streak that led here, goes out again."""
    waiting = Q(state=WebhookDelivery.State.PENDING)
    if endpoint.failing_since is not None:
        waiting |= Q(state=WebhookDelivery.State.DEAD, last_attempt_at__gte=endpoint.failing_since)
    endpoint.resume()
    n = _again(WebhookDelivery.objects.filter(waiting, endpoint=endpoint))
    nudge_after_commit(endpoint.account_id)
    return n


def _again(deliveries: QuerySet[WebhookDelivery]) -> int:
    # As the transition `resend` does, for any number of rows.
    return int(
        deliveries.update(state=WebhookDelivery.State.PENDING, tries=0, next_attempt_at=clock.now())
    )
