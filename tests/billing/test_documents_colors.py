"""Colours of the documents."""

import re

import pytest

from billing.documents.colors import contrast, css_variables


def shades(primary, accent="#000"):
    css = css_variables(primary, accent)
    return dict(re.findall(r"(--[\w-]+):(#\w+)", css))


@pytest.mark.parametrize(
    "color", ["#1351b4", "#ffd43b", "#fff", "#000000", "#808080", "#e8e8e8", "#00ff00", "#777"]
)
def test_every_shade_can_be_read_on_its_paper(color):
    found = shades(color)

    assert contrast(found["--primary"], found["--on-primary"]) >= 4.5
    assert contrast(found["--primary-text"], "#ffffff") >= 4.5
    assert contrast(found["--primary-text"], found["--primary-soft"]) >= 4.5


def test_a_readable_colour_is_used_as_it_is():
    found = shades("#1351b4")

    assert found["--primary"] == found["--primary-text"] == "#1351b4"
    assert found["--on-primary"] == "#ffffff"


@pytest.mark.parametrize("color", ["", None, "red;}", "#12", "#1234567", 3, "url(x)"])
def test_anything_but_a_hex_colour_is_replaced(color):
    assert shades(color)["--primary"] == "#1351b4"


def test_the_variables_reach_the_page_margins_too():
    css = css_variables("#123456", "#654321")

    assert css.startswith(":root{--primary:#123456;")
    assert "@page{--primary:#123456;" in css
    assert "--accent:#654321" in css
