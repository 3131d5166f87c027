"""Pictures of the screens, by a headless Chromium; needs the development packages.

The portal is served from this process to this machine only, for as long as it takes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from playwright.sync_api import Browser, sync_playwright

from accounts.models import Account, User
from accounts.services import sessions
from portal.screens import Screen, on_demo

CHROMIUM = "/usr/bin/chromium"
# Nothing leaves this machine: no name but the product's own resolves.
SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)  # fmt: skip
HEIGHT = 900


@dataclass(frozen=True)
class Look:
    """How a screen is looked at; `name` is what the picture's name ends with."""

    name: str
    width: int
    is_dark: bool = False


LOOKS = (Look("claro", 1280), Look("escuro", 1280, is_dark=True), Look("390", 390))


def photograph(account: Account, folder: Path, *, only: set[str]) -> Iterator[Path]:
    """Every screen (of `only`: their ids) in every look, as `P06-1-claro.png`; each as it is made.

    Raises a model's DoesNotExist where the demonstration is not whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [one for one in on_demo(account) if not only or one.id in only]
    keys = {email: _session(email) for email in sorted({one.email for one in wanted}) if email}
    try:
        with _served() as site, _browser() as browser:
            for look in LOOKS:
                counts: dict[str, int] = {}
                for one in wanted:
                    counts[one.id] = counts.get(one.id, 0) + 1
                    path = folder / f"{one.id}-{counts[one.id]}-{look.name}.png"
                    _photograph(browser, site, one, keys.get(one.email, ""), look, path)
                    yield path
    finally:
        for key in keys.values():
            _store(key).delete()


def _photograph(
    browser: Browser, site: str, screen: Screen, key: str, look: Look, path: Path
) -> None:
    context = browser.new_context(
        base_url=site,
        viewport={"width": look.width, "height": HEIGHT},
        color_scheme="dark" if look.is_dark else "light",
        locale="pt-BR",
    )
    if key:
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": site}])
    page = context.new_page()
    page.goto(screen.path)
    page.screenshot(path=path, full_page=True)
    context.close()


class _Quiet(WSGIRequestHandler):
    """What is asked for is of no interest."""

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its event loop is in this thread, and Django takes it for a view of ours.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@contextmanager
def _served() -> Iterator[str]:
    """The product at a free port of the loopback; answers where."""
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost"]
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _session(email: str) -> str:
    """The key of a session of that person, opened as signing in does."""
    request = HttpRequest()
    request.session = _store(None)
    sessions.open_session(request, User.objects.get(email=email))
    key = request.session.session_key
    assert key
    return str(key)


def _store(key: str | None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)
