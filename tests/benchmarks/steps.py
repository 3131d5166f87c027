"""The cases of `writing`: what runs in the processes that it starts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import plain, seeding
from benchmarks.lab import peak_mb
from django.db import connection

from accounts.models import Account
from billing.services.emission import emit_due
from billing.services.materialise import extend
from lib import bulk


def seed(*, n: int) -> int:
    """A new account with `n` rules that each have one occurrence to bill; answers its id."""
    number = Account.objects.count()
    at = seeding.tenant(f"medida-{number}", customers=n)
    seeding.recurring(at)
    return int(at.account.pk)


def materialise(*, account: int, n: int) -> dict[str, Any]:
    """Create the account's `n` invoices."""
    found = Account.objects.get(pk=account)
    with _measured() as result:
        done = extend(found, until=seeding.TODAY, today=seeding.TODAY)
    assert (done.created, done.parked) == (n, {}), done
    return result


def emission(*, account: int, n: int) -> dict[str, Any]:
    """Emit them."""
    found = Account.objects.get(pk=account)
    seeding.analyse()
    with _measured() as result:
        done = emit_due(found, until=seeding.ISSUE, today=seeding.TODAY)
    assert (done.count, done.refused) == (n, []), done
    return result


@contextlib.contextmanager
def _measured() -> Iterator[dict[str, Any]]:
    """Seconds, queries and peak memory of the block."""
    result: dict[str, Any] = {}
    with _counted_queries() as count:
        started = time.perf_counter()
        yield result
        result["seconds"] = time.perf_counter() - started
    result["queries"] = count[0]
    result["peak_mb"] = peak_mb()


@contextlib.contextmanager
def _counted_queries() -> Iterator[list[int]]:
    """How many statements reach the server, COPY among them."""
    count = [0]

    def counting(execute: Any, *arguments: Any) -> Any:
        count[0] += 1
        return execute(*arguments)

    def copying(*arguments: Any) -> None:
        count[0] += 1
        copy(*arguments)

    # COPY goes past Django's wrappers: there is no other place to count it at.
    copy, bulk._copy = bulk._copy, copying
    try:
        with connection.execute_wrapper(counting):
            yield count
    finally:
        bulk._copy = copy


def plain_insert(*, account: int, step: str) -> float:
    """Seconds for the finished rows of `step` by the fastest plain insert."""
    return plain.insert(account, step=step)
