"""What a document template may not contain is taken out when it is saved (SAFE-5).

The text is scanned, not parsed and written again, so that Jinja between table rows and inside
attributes stays exactly as typed. What is removed leaves its line breaks behind: lines still count.
This keeps honest templates clean; what protects the system is the fetcher of lib.pdf_layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

# Every pattern reaches the end of the text rather than fail there: a template of one megabyte of
# unclosed quotes is read once, not once per quote.
_QUOTED = r"\"[^\"]*(?:\"|$)|'[^']*(?:'|$)"
_TOKEN = re.compile(
    r"(?P<comment><!--.*?(?:-->|$))"
    r"|(?P<tag><(?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*)"
    rf"(?P<attributes>(?:{_QUOTED}|[^>\"'])*+)(?:>|$))",
    re.DOTALL,
)
_NAME_AND_VALUE = rf"(?P<name>[^\s/=>\"']+)(?:\s*+=\s*+(?P<value>{_QUOTED}|[^\s\"'>]+))?"
_ATTRIBUTE = re.compile(rf"(?=[^\s/])(?:{_NAME_AND_VALUE})", re.DOTALL)
_CSS = re.compile(
    r"(?P<skip>/\*.*?(?:\*/|$))|(?P<import>@import\b[^;}]*(?:;|(?=\})|$))"
    rf"|url\(\s*+(?P<url>{_QUOTED}|[^)\"']*)[^)]*(?:\)|$)",
    re.DOTALL | re.IGNORECASE,
)
_JINJA_OPEN = re.compile(r"\{[{%#]")
_JINJA_CLOSE = {"{{": "}}", "{%": "%}", "{#": "#}"}
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
# Private-use characters stand for the Jinja parts while the HTML around them is looked at.
_MASK, _MASK_END = "\ue000", "\ue001"
_MASKED = re.compile(rf"{_MASK}(\d+){_MASK_END}")

_STYLE_END = re.compile(r"</style", re.IGNORECASE)
_PASSES = 10

_REMOVED_WITH_CONTENT = {"script", "iframe", "object", "applet", "noscript", "frameset"}
_REMOVED = {"embed", "frame", "base", "portal"}
_RESOURCES = {"src", "srcset", "poster", "background", "data", "xlink:href", "action", "formaction"}
_HREF_IS_RESOURCE = {"link", "image", "use", "feimage", "pattern", "lineargradient"}
_EXTERNAL = re.compile(r"(?!data:|asset:)(?:[a-z][a-z0-9+.-]*:|//|\\\\)", re.IGNORECASE)
_IGNORED_IN_URL = re.compile(r"[\x00-\x20]+")


@dataclass
class _Report:
    """Warnings in the order they were found, each once."""

    warnings: list[str] = field(default_factory=list)

    def add(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def removed(self, what: str) -> None:
        self.add(_removed(what))


def screen(html: str) -> tuple[str, list[str]]:
    """`html` without what may not be in a template, and a warning in pt-BR for each thing removed.

    Removes script, iframe, object, embed and their like, event attributes, `javascript:` links,
    meta refresh, attachments, `@import` and resources that are neither `data:` nor `asset:`.
    """
    report = _Report()
    text, jinja = _masked(html)
    for _ in range(_PASSES):
        clean = _Screening(text, jinja, report).run()
        if clean == text:
            break
        text = clean  # <<script></script>script> becomes one when its middle is gone
    return _unmasked(text, jinja), report.warnings


def screen_css(css: str) -> tuple[str, list[str]]:
    """The same for a style sheet."""
    report = _Report()
    return _screened_css(css, report), report.warnings


def _masked(html: str) -> tuple[str, list[str]]:
    """The text with a mark for each Jinja part, and the parts."""
    html = html.replace(_MASK, "").replace(_MASK_END, "")
    kept: list[str] = []
    jinja: list[str] = []
    at = 0
    unclosed: set[str] = set()
    for opening in _JINJA_OPEN.finditer(html):
        if opening.start() < at or opening[0] in unclosed:
            continue
        end = _end_of_jinja(html, opening.start())
        if end < 0:
            unclosed.add(opening[0])
            continue
        kept += [html[at : opening.start()], f"{_MASK}{len(jinja)}{_MASK_END}"]
        jinja.append(html[opening.start() : end])
        at = end
    return "".join([*kept, html[at:]]), jinja


def _end_of_jinja(html: str, start: int) -> int:
    """Where the Jinja part at `start` ends; -1 when it never does. A raw block is one part."""
    raw = _RAW.match(html, start)
    if raw:
        closing = _END_RAW.search(html, raw.end())
        return closing.end() if closing else len(html)
    at = html.find(_JINJA_CLOSE[html[start : start + 2]], start + 2)
    return at + 2 if at >= 0 else -1


def _unmasked(text: str, jinja: list[str]) -> str:
    return _MASKED.sub(lambda found: jinja[int(found[1])], text)


class _Screening:
    """One pass over a text whose Jinja parts are masked."""

    def __init__(self, text: str, jinja: list[str], report: _Report) -> None:
        self._text = text
        self._jinja = jinja
        self._report = report
        self._kept: list[str] = []
        self._never_closed: set[str] = set()

    def run(self) -> str:
        """The text without what was removed."""
        at = 0
        while token := _TOKEN.search(self._text, at):
            self._kept.append(self._text[at : token.start()])
            at = self._take(token)
        return "".join([*self._kept, self._text[at:]])

    def _take(self, token: re.Match[str]) -> int:
        """Keep or remove one token; where the text goes on."""
        if not token["tag"]:
            self._kept.append(token[0])
            return token.end()
        name = token["name"].lower()
        if name in _REMOVED_WITH_CONTENT or name in _REMOVED:
            return self._remove(token, name)
        self._kept.append(self._screened_tag(token, name))
        if name == "style" and not token["end"]:
            return self._take_style(token.end())
        return token.end()

    def _remove(self, token: re.Match[str], name: str) -> int:
        at = token.end()
        if not (token["end"] or name in _REMOVED or token[0].endswith("/>")):
            at = self._closing(name, at)
        self._report.removed(f"<{name}>")
        self._kept.append(self._line_breaks(self._text[token.start() : at]))
        return at

    def _closing(self, name: str, at: int) -> int:
        """After the closing tag, or `at` when there is none."""
        if name in self._never_closed:
            return at
        end = re.compile(rf"</{name}[^>]*(?:>|$)", re.IGNORECASE).search(self._text, at)
        if end is None:
            self._never_closed.add(name)
            return at
        return end.end()

    def _take_style(self, at: int) -> int:
        end = _STYLE_END.search(self._text, at)
        stop = end.start() if end else len(self._text)
        self._kept.append(_screened_css(self._text[at:stop], self._report))
        return stop

    def _line_breaks(self, text: str) -> str:
        """The line breaks of a removed part, those of its Jinja too."""
        return "\n" * _unmasked(text, self._jinja).count("\n")

    def _screened_tag(self, token: re.Match[str], name: str) -> str:
        """A tag without its forbidden attributes."""
        attributes = token["attributes"]
        if token["end"] or not attributes.strip(" /\n\t"):
            return token[0]
        if _is_refresh(name, attributes):
            self._report.removed("<meta http-equiv=refresh>")
            return self._line_breaks(token[0])
        clean = _ATTRIBUTE.sub(lambda found: self._screened_attribute(found, name), attributes)
        return token[0].replace(attributes, clean, 1) if clean != attributes else token[0]

    def _screened_attribute(self, found: re.Match[str], tag: str) -> str:
        name, value = found["name"].lower(), _bare(found["value"])
        refusal = _refusal(tag, name, value)
        if refusal:
            self._report.add(_unmasked(refusal, self._jinja))
            # `<svg/onload=x>` must not turn into `<svg/>`.
            return " " + self._line_breaks(found[0])
        if name == "style" and found["value"]:
            css = _screened_css(found["value"], self._report)
            return found[0].replace(found["value"], css, 1)
        return found[0]


def _is_refresh(name: str, attributes: str) -> bool:
    return name == "meta" and "http-equiv" in attributes.lower() and "refresh" in attributes.lower()


def _bare(value: str | None) -> str:
    """An attribute's value as a browser would read it."""
    return _IGNORED_IN_URL.sub("", unescape((value or "").strip("\"'")))


def _refusal(tag: str, name: str, value: str) -> str:
    """The warning for an attribute that may not stay; empty when it may."""
    if re.fullmatch(r"on[a-z]+", name):
        return _removed(f"O atributo {name}")
    if name == "srcdoc" or value.lower().startswith(("javascript:", "vbscript:")):
        return _removed(f"O atributo {name} com código")
    if name == "rel" and "attachment" in value.lower():
        return _removed("rel=attachment")
    is_resource = name in _RESOURCES or (name == "href" and tag in _HREF_IS_RESOURCE)
    return _external(value) if is_resource and _EXTERNAL.match(value) else ""


def _removed(what: str) -> str:
    return f"{what} não é permitido e foi removido."


def _external(url: str) -> str:
    return f"Recursos externos não são permitidos: {url[:200]}"


def _screened_css(css: str, report: _Report) -> str:
    return _CSS.sub(lambda found: _screened_rule(found, report), css)


def _screened_rule(found: re.Match[str], report: _Report) -> str:
    if found["skip"]:
        return found[0]
    if found["import"]:
        report.removed("@import")
        return "\n" * found[0].count("\n")
    url = _bare(found["url"])
    if _EXTERNAL.match(url):
        report.add(_external(url))
        return "none"
    return found[0]
