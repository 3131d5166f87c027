"""The one renderer of e-mail texts (EM-3): `{{ var:x:default }}`, `{{ x }}` and `$NOME`.

Every tag is replaced in the same pass, so what a customer calls itself is never read as a tag.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from html.parser import HTMLParser

from django.utils.html import linebreaks, urlize

from billing.services.note_texts import TAG

_MUSTACHE = r"\{\{\s*(?:var:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<default>[^{}]*))?\s*\}\}"
_ANY = re.compile(f"{_MUSTACHE}|{TAG.pattern}")
_PAGE = re.compile(
    r"<(?:!doctype|html|body|table|div|p|br|a|h[1-6]|ul|ol|strong|b|em|span|img)\b[^>]*>",
    re.IGNORECASE,
)
_LONGEST_SUBJECT = 300
_QUOTES = "\"'"
_BLOCKS = frozenset(
    {"address", "blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"}
    | {"p", "section", "table", "tr", "ul"}
)
_HIDDEN = frozenset({"head", "script", "style", "title"})
_WRAPPED = (
    '<!doctype html>\n<html lang="pt-br"><head><meta charset="utf-8"></head>\n'
    '<body style="font-family: Arial, Helvetica, sans-serif; font-size: 15px; color: #1f2933;">\n'
    "{}\n</body></html>"
)


@dataclass(frozen=True)
class Rendered:
    """A text with its values; `body` is a page where `is_html`."""

    subject: str
    body: str
    is_html: bool


def render(subject: str, body: str, values: Mapping[str, str]) -> Rendered:
    """Subject on one line; values escaped in a body that is a page."""
    is_html = is_page(body)
    return Rendered(
        subject=one_line(expand(subject, values))[:_LONGEST_SUBJECT],
        body=expand(body, values, escaped=is_html),
        is_html=is_html,
    )


def expand(text: str, values: Mapping[str, str], *, escaped: bool = False) -> str:
    """`text` with its tags replaced.

    An empty or unknown variable takes its default; a `$NOME` that is none of ours stays as typed,
    since it may be a sum of money.
    """

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            tag = found[found.re.groups]
            return put(values[tag]) if tag in values else found[0]
        default = (found["default"] or "").strip().strip(_QUOTES)
        return put(values.get(name) or default)

    def put(given: str) -> str:
        return html.escape(given) if escaped else given

    return _ANY.sub(value, text)


def unknown_variables(text: str, known: Mapping[str, object]) -> list[str]:
    """Faults of a template, in pt-BR: variables that do not exist."""
    faults = []
    for found in _ANY.finditer(text):
        name = found["name"]
        if name is None or name in known:
            continue
        line = text.count("\n", 0, found.start()) + 1
        close = get_close_matches(name, list(known), n=1)
        hint = f" Você quis dizer {close[0]}?" if close else ""
        faults.append(f"Linha {line}: a variável {name} não existe.{hint}")
    return faults


def is_page(body: str) -> bool:
    """Is a template written in HTML? Asked of the template, never of what came of it."""
    return _PAGE.search(body) is not None


def one_line(text: str) -> str:
    """Without control characters: a header ends where a line does."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def add_note(body: str, note: str, *, is_html: bool) -> str:
    """`note`, plain text, below the text."""
    if not is_html:
        return f"{body.rstrip()}\n\n{note}\n"
    end = body.lower().rfind("</body")
    end = len(body) if end < 0 else end
    return body[:end] + as_markup(note) + body[end:]


def as_markup(text: str) -> str:
    """Plain text as paragraphs, its addresses as links; everything else in it is escaped."""
    return linebreaks(urlize(text, autoescape=True))


def both_parts(body: str, *, is_html: bool) -> tuple[str, str]:
    """(text, page) of a rendered body."""
    return (plain(body), body) if is_html else (body, _WRAPPED.format(as_markup(body)))


def plain(page: str) -> str:
    """A page as text, with the addresses of its links."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in _HIDDEN))
        if tag in _BLOCKS:
            self.parts.append("\n")
        if tag == "a" and self.links:
            link = self.links.pop()
            if link and self.parts[-1:] != [link]:
                self.parts.append(f" ({link})")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data.replace("\n", " "))
