"""The browser of the tests itself: it sees what it has to see."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from support import browser


def test_requests_to_others_and_refused_scripts_are_noticed(chromium, live_server, demo):
    made, page = browser.visit(chromium, live_server.url)
    page.route(f"{live_server.url}/", lambda route: route.fulfill(
        content_type="text/html",
        headers={"Content-Security-Policy": "script-src 'self'"},
        body="<img src='https://exemplo.invalid/x.png'><script>1</script>",
    ))  # fmt: skip

    page.goto("/")
    page.wait_for_load_state("networkidle")

    assert made.abroad == ["https://exemplo.invalid/x.png"]
    assert len(made.errors) == 1
    made.context.close()


@pytest.mark.parametrize("js", [True, False])
def test_somebody_is_signed_in_at_once(open_page, js):
    page: Page = open_page("leitura@aurora.test", js=js)

    answer = page.goto("/__teste__/componentes/")

    assert answer
    assert answer.status in (200, 404)
