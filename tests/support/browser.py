"""A headless Chromium on the running product: one process per session, a context for each page.

Nothing leaves this machine: no name but the product's and the stand-ins' resolves, and what a page
asks of any other origin is recorded (V-2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from portal.screenshots import CHROMIUM, SWITCHES

DESKTOP, PHONE, NARROW = (1280, 900), (390, 844), (320, 800)
PATIENCE = 15_000  # milliseconds; machines that test several things at once are slow
OF_NOBODY = ("data", "blob", "about")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; Django takes it for a view of ours.
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield browser
        browser.close()


@dataclass
class Visit:
    """A person's browser. `errors` are faults of scripts and of the policy on content.

    `abroad` are the addresses that its pages asked for outside of the product.
    """

    context: BrowserContext
    site: str
    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.context.on("request", lambda request: self._note(request.url))
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on("console", self._listen)

    def _note(self, url: str) -> None:
        if urlsplit(url).scheme not in OF_NOBODY and not url.startswith(f"{self.site}/"):
            self.abroad.append(url)

    def _listen(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.errors.append(message.text)


def visit(
    browser: Browser,
    site: str,
    *,
    session: str = "",
    size: tuple[int, int] = DESKTOP,
    js: bool = True,
    dark: bool = False,
    **more: Any,
) -> tuple[Visit, Page]:
    """A new context with one page; `session` is the key of somebody's session."""
    context = browser.new_context(
        base_url=site,
        viewport={"width": size[0], "height": size[1]},
        java_script_enabled=js,
        color_scheme="dark" if dark else "light",
        locale="pt-BR",
        timezone_id="America/Sao_Paulo",
        permissions=["clipboard-read", "clipboard-write"],
        **more,
    )
    context.set_default_timeout(PATIENCE)
    if session:
        context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    made = Visit(context, site)
    made.watch()
    return made, context.new_page()
