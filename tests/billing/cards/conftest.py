"""Fixtures of the tests about cards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.cards import Shop
from support.cards import shop as make_shop
from support.payment_sandbox import (  # noqa: F401
    Providers,
    _running_providers,
    providers,
)


@pytest.fixture
def shop(db: None, providers: Providers, today: Callable[[str], None]) -> Shop:  # noqa: F811
    """12/08/2026: invoices of tests are due on the 20th."""
    today("2026-08-12")
    return make_shop(providers)


@pytest.fixture
def other_shop(shop: Shop) -> Shop:
    return make_shop(shop.providers, "outra")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits half a second before it repeats a call."""
    from stripe._http_client import HTTPClient

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(HTTPClient, "MAX_DELAY", 0.02)
