"""The customers' portal on the demonstration of ux §1.6, on the day that it is specified for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lxml.html
import pytest
from django.test import Client
from support import demo_world
from support.demo_world import World
from support.payment_sandbox import Providers, _running_providers, providers  # noqa: F401

from accounts.models import Account


@pytest.fixture(scope="session")
def demo_rows(
    django_db_setup: None,
    django_db_blocker: Any,
    _running_providers: Providers,  # noqa: F811
) -> World:
    """The demonstration, loaded once; a test asks for `demo`."""
    with django_db_blocker.unblock():
        return demo_world.make_world(_running_providers)


@pytest.fixture
def demo(
    demo_rows: World,
    db: None,
    providers: Providers,  # noqa: F811
    settings: Any,
    today: Callable[[str], None],
) -> Account:
    """The demonstration's account on 12/08/2026, its providers led to their stand-ins."""
    for name, value in demo_world.around(providers).items():
        setattr(settings, name, value)
    today(demo_world.DAY)
    demo_world.put_back(demo_rows, providers)
    return Account.objects.get(slug="demo")


@pytest.fixture
def central(demo: Account) -> Callable[..., Client]:
    """central("leitura@aurora.test") is a browser in which that person has just signed in."""

    def sign_in(email: str = "titular@aurora.test", **options: Any) -> Client:
        return demo_world.signed_in(email, **options)

    return sign_in


@pytest.fixture
def worker(demo: Account) -> Callable[[], list[str]]:
    """worker() runs what is queued, and what that queues; answers the names of the tasks."""
    return demo_world.work_off


@pytest.fixture
def page() -> Callable[..., lxml.html.HtmlElement]:
    """page(client, "/central/") is the parsed page; `status` where it is not 200."""

    def get(client: Client, path: str, *, status: int = 200, **data: Any) -> lxml.html.HtmlElement:
        answer = client.get(path, data or None)
        assert answer.status_code == status, (path, answer.status_code, answer.headers)
        return lxml.html.fromstring(answer.content.decode())

    return get
