"""The portal in a browser, on the demonstration: each test has a world of its own.

    def test_p05_6(browser_page): browser_page.goto("/central/")

`open_page(email, size=PHONE, js=False, dark=True)` opens further ones; "" is nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from support import browser, demo_world
from support.browser import PHONE, Visit, chromium  # noqa: F401
from support.demo_world import World
from support.payment_sandbox import Providers

from accounts.models import Account

TITULAR = "titular@aurora.test"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a browser shows cannot differ between two databases; the Client tests run on both."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.either_engine)


@pytest.fixture
def demo(
    demo_rows: World,
    transactional_db: None,
    live_server: Any,
    providers: Providers,
    settings: Any,
    today: Callable[[str], None],
) -> Account:
    """As for other tests, but seen by the server too: it is committed."""
    for name, value in demo_world.around(providers).items():
        setattr(settings, name, value)
    settings.PUBLIC_URL = live_server.url
    today(demo_world.DAY)
    demo_world.put_back(demo_rows, providers, site=live_server.url)
    return Account.objects.get(slug="demo")


@pytest.fixture
def open_page(
    chromium: Browser,  # noqa: F811
    demo: Account,
    live_server: Any,
    allowed_abroad: tuple[str, ...],
) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end no script failed, and nothing was asked of another origin (V-2)."""
    visits: list[Visit] = []

    def open_one(email: str = TITULAR, **options: Any) -> Page:
        session = demo_world.session_key(email) if email else ""
        made, page = browser.visit(chromium, live_server.url, session=session, **options)
        visits.append(made)
        return page

    yield open_one
    for each in visits:
        each.context.close()
    assert [error for each in visits for error in each.errors] == []
    abroad = [url for each in visits for url in each.abroad]
    assert [url for url in abroad if not url.startswith(allowed_abroad)] == []


@pytest.fixture
def allowed_abroad(providers: Providers) -> tuple[str, ...]:
    """Origins that pages may ask: the stand-ins' own pages. A test of card fields adds Stripe's."""
    return (providers.base_url,)


@pytest.fixture
def browser_page(open_page: Callable[..., Page]) -> Page:
    """The titular of A at a desk."""
    return open_page()


@pytest.fixture
def phone_page(open_page: Callable[..., Page]) -> Page:
    """The titular of A with a phone."""
    return open_page(size=PHONE)


@pytest.fixture
def plain_page(open_page: Callable[..., Page]) -> Page:
    """The titular of A without JavaScript."""
    return open_page(js=False)
