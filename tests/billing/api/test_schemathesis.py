"""Every operation under generated requests; the long version is `./dev soak schemathesis`."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from support.fuzzing import attack, operations
from support.tenants import DAY, build

EXAMPLES = 5  # of each kind, for each operation
SEED = 20250212


@pytest.fixture
def world(account, today, settings, monkeypatch) -> dict[str, Any]:
    today(DAY)
    settings.RATE_LIMIT_PER_MINUTE = 1_000_000

    def offline(*args: object, **kwargs: object) -> None:
        raise socket.gaierror("no network in tests")

    made = build(account, "Meu", 1000)
    monkeypatch.setattr(socket, "getaddrinfo", offline)  # addresses of webhooks are generated too
    return made


@pytest.mark.slow
@pytest.mark.django_db
def test_no_request_brings_an_answer_that_is_not_documented(world, subtests):
    found = operations()

    assert len(found) > 60
    for name, operation in found.items():
        with subtests.test(operation=name):
            attack(operation, world, examples=EXAMPLES, number=SEED)
