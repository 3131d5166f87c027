"""Sheets of our own design: a page and its style in a folder under templates/billing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "billing"


def sheet_html(folder: str, name: str, **values: Any) -> str:
    """`<folder>/<name>.html` with `<name>.css` as `css`; equal values give equal text."""
    return (
        _environment(folder).get_template(f"{name}.html").render(css=_css(folder, name), **values)
    )


@cache
def _css(folder: str, name: str) -> Markup:
    return Markup((TEMPLATES / folder / f"{name}.css").read_text(encoding="utf-8"))  # noqa: S704  ours


@cache
def _environment(folder: str) -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES / folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
