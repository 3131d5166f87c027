"""One object per Idempotency-Key, however often and however parallel the request comes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from accounts.models import Account, IdempotencyRecord
from lib import clock
from lib.errors import Conflict, InvalidInput

KEPT = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Answer(NamedTuple):
    """What the first request was told; `is_replay` when this is its repetition."""

    status: int
    body: Any
    is_replay: bool = False


class BadKey(InvalidInput):
    mensagem = "Idempotency-Key inválida: use de 1 a 255 caracteres ASCII, sem espaços."


class KeyUsed(Conflict):
    codigo = "idempotency_key_reused"
    mensagem = "Esta Idempotency-Key já foi usada com outra requisição."


def fingerprint(method: str, path: str, body: Any) -> str:
    """SHA-256 of a request; bodies that differ only in spaces or order of keys are equal."""
    text = json.dumps(body, sort_keys=True, default=_plain, ensure_ascii=False)
    return hashlib.sha256(f"{method} {path}\n{text}".encode(errors="surrogatepass")).hexdigest()


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def once(
    account: Account, *, key: str, fingerprint: str, run: Callable[[], tuple[int, Any]]
) -> Answer:
    """Run `run` and keep its (status, body) under `key`, or repeat what was kept.

    Work, answer and key commit together; a second request with the key waits for the first. A
    refusal is repeated too, but leaves the key free for another body: it made nothing. Raises
    BadKey, or KeyUsed when the key made something with another body.
    """
    if not _KEY.fullmatch(key):
        raise BadKey()
    with transaction.atomic():
        record, is_new = _claim(account, key, fingerprint)
        if not is_new:
            if record.fingerprint == fingerprint:
                return Answer(record.status, record.body, is_replay=True)
            if record.status < 400:
                raise KeyUsed()
        record.fingerprint = fingerprint
        record.status, record.body = run()
        record.save()
        return Answer(record.status, record.body)


def is_known(account: Account, *, key: str, fingerprint: str) -> bool:
    """Will this very request be answered with what was kept?"""
    fresh = clock.now() - KEPT
    known = IdempotencyRecord.objects.of(account).filter(key=key, created_at__gte=fresh)
    return bool(known.filter(fingerprint=fingerprint).exists())


def _claim(account: Account, key: str, fingerprint: str) -> tuple[IdempotencyRecord, bool]:
    """The key's row, locked until the commit, and whether it is new."""
    now = clock.now()
    mine = IdempotencyRecord.objects.of(account).filter(key=key)
    mine.filter(created_at__lt=now - KEPT).delete()
    try:
        with transaction.atomic():
            record = IdempotencyRecord.objects.create(
                account=account, key=key, fingerprint=fingerprint, created_at=now
            )
        return record, True
    except IntegrityError:
        return mine.select_for_update().get(), False


def purge_expired() -> int:
    """Forget keys older than 24 hours. Answers how many."""
    expired = clock.now() - KEPT
    return IdempotencyRecord.objects.filter(created_at__lt=expired).delete()[0]
