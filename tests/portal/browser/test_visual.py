"""What every screen has to be, as it is drawn: legible, of one origin, light, accessible (V-1…V-3).

V-2 is checked at the end of every test of this folder, by `open_page`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response

from portal.screens import Screen, on_demo, screens

HERE = Path(__file__).parent
AXE = HERE.parents[1] / "vendor" / "axe-core" / "axe.min.js"
CONTRAST = (HERE / "contrast.js").read_text(encoding="utf-8")
BUDGET = 150_000  # bytes of a page that has nothing in its cache (§1.4)
NARROW = {"width": 320, "height": 800}
SCAN = """
async (rules) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const only = rules.length ? { type: "rule", values: rules } : { type: "tag", values: tags };
  const found = await axe.run(document, { runOnly: only, resultTypes: ["violations"] });
  return found.violations
    .filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}
"""
STRIPE = "https://js.stripe.com/"


@pytest.fixture
def allowed_abroad(providers: Any) -> tuple[str, ...]:
    """The screens for cards load the provider's fields (V-2); nothing of it is reached here."""
    return (providers.base_url, STRIPE)


@pytest.mark.parametrize("path", ["componentes", "formatos"])
@pytest.mark.parametrize("dark", [False, True])
def test_v_1_text_borders_icons_and_focus_stand_out(open_page, path, dark):
    page: Page = open_page(dark=dark)
    page.goto(f"/__teste__/{path}/")

    assert page.evaluate(CONTRAST) == []


def test_the_measure_of_contrast_finds_what_is_faint(open_page):
    page: Page = open_page(js=True)
    page.goto("/__teste__/componentes/")
    page.evaluate("document.querySelector('h1').style.color = '#d0d0d0'")

    assert [one["what"] for one in page.evaluate(CONTRAST)] == ["text"]


@pytest.mark.slow
@pytest.mark.parametrize("screen", sorted({one.id for one in screens()}))
def test_v_3_no_screen_keeps_anybody_out(open_page, demo, screen):
    """Light, dark and 320 px wide; where no login is needed, without one. And the page's weight."""
    faults: list[str] = []
    pages: dict[str, Page] = {}
    for one in [each for each in on_demo(demo) if each.id == screen]:
        page = pages.get(one.email)
        is_first = page is None
        if page is None:
            page = pages[one.email] = open_page(one.email)
            page.context.add_init_script(path=AXE)
        faults += _visited(page, one, weigh=is_first)

    assert not faults, "\n".join(faults)


def _visited(page: Page, screen: Screen, *, weigh: bool) -> list[str]:
    """What is wrong with a screen; `weigh`: nothing of it is in the cache yet."""
    heard: list[Response] = []

    def note(answer: Response) -> None:
        heard.append(answer)

    page.on("response", note)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    answer = page.goto(screen.path)
    assert answer
    faults = [] if answer.status == screen.status else [f"status {answer.status}"]
    faults += [f"light: {one}" for one in page.evaluate(SCAN, [])]
    page.emulate_media(color_scheme="dark")
    faults += [f"dark: {one}" for one in page.evaluate(SCAN, ["color-contrast"])]
    page.set_viewport_size(NARROW)
    faults += [f"320 px: {one}" for one in page.evaluate(SCAN, ["target-size", "color-contrast"])]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        faults.append(f"320 px: {wide} px too wide")
    page.remove_listener("response", note)
    if weigh and (size := _weight(heard, page.url)) > BUDGET:
        faults.append(f"{size} bytes")
    return [f"{screen.path} {fault}" for fault in faults]


def _weight(heard: list[Response], url: str) -> int:
    """Bytes of the product's own answers."""
    origin = "/".join(url.split("/")[:3])
    own = [one for one in heard if one.url.startswith(f"{origin}/")]
    return sum(len(one.body()) for one in own if one.ok)
