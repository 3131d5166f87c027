"""Answers as received: where each element begins and ends in the bytes (ANS-1, ANS-4).

A tree library gives the content but not the bytes, and what is archived must be those of the
authority. Expat tells positions, so one pass gives both. No DOCTYPE, no entities, no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

NFE = "http://www.portalfiscal.inf.br/nfe"
MAX_DEPTH = 100
_DECLARED = re.compile(rb"""\A<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_DECLARATION = re.compile(r"\A\ufeff?\s*(?:<\?xml\b[^>]*\?>\s*)?")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


class Unreadable(Exception):
    """These bytes are not an XML document that may be read."""


@dataclass(eq=False, slots=True)
class Element:
    """An element: `start` and `end` are positions in `source` (UTF-8).

    All elements of a document stand in one list, in document order: what is below one follows it.
    """

    name: str  # as written, with its prefix
    local: str  # without
    attributes: dict[str, str]
    source: bytes = field(repr=False)
    scope: dict[str, str] = field(repr=False)  # prefix → namespace, its own declarations included
    everything: list[Element] = field(repr=False)
    parent: Element | None = field(default=None, repr=False)
    children: list[Element] = field(default_factory=list, repr=False)
    parts: list[str] = field(default_factory=list, repr=False)
    start: int = 0
    end: int = 0
    first: int = 0  # where it stands in `everything`, and where what is below it ends
    last: int = 0

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()

    def walk(self) -> list[Element]:
        """Itself and everything below, in document order."""
        return self.everything[self.first : self.last]

    def child(self, local: str) -> Element | None:
        for found in self.children:
            if found.local == local:
                return found
        return None

    def value(self, local: str) -> str:
        """The text of its child, empty when there is none."""
        found = self.child(local)
        return found.text if found else ""

    def all(self, local: str) -> list[Element]:
        """Descendants of that name, wherever they are."""
        below = self.everything[self.first + 1 : self.last]
        return [found for found in below if found.local == local]

    def bytes(self, *, default: str | None = NFE) -> bytes:
        """The element as it came, able to stand alone: inherited namespaces are declared on it.

        The default one is always NFE: some authorities answer in the namespace of the service,
        and the document to be kept has only one. With None it is the one that was inherited.
        """
        raw = self.source[self.start : self.end]
        missing = b"".join(
            f' xmlns{":" if prefix else ""}{prefix}="{uri}"'.encode()
            for prefix, uri in self._inherited(default)
        )
        cut = 1 + len(self.name.encode())
        return raw[:cut] + missing + raw[cut:]

    def _inherited(self, default: str | None) -> list[tuple[str, str]]:
        used = {name.rpartition(":")[0] for name in self._names()}
        declared = {_prefix(name) for name in self.attributes if _is_declaration(name)}
        known = self.scope if default is None else {**self.scope, "": default}
        return [(prefix, known[prefix]) for prefix in sorted(used - declared) if prefix in known]

    def _names(self) -> Iterator[str]:
        for element in self.walk():
            yield element.name
            # An attribute without prefix has no namespace: it says nothing about the default one.
            yield from (
                name for name in element.attributes if ":" in name and not _is_declaration(name)
            )


def read(raw: bytes, *, charset: str = "") -> Element:
    """The root of a document in any encoding that it or the transport (`charset`) names.

    Raises Unreadable for anything that is not well-formed XML without DOCTYPE.
    """
    text = _DECLARATION.sub("", _decode(raw, charset), count=1)
    return _Reader(text.strip().encode()).root()


def _decode(raw: bytes, charset: str) -> str:
    encoding = _encoding(raw, charset)
    try:
        return raw.decode(encoding)
    except (LookupError, UnicodeDecodeError) as error:
        raise Unreadable(f"não está em {encoding}") from error


def _encoding(raw: bytes, charset: str) -> str:
    """The mark, the document's own word, the transport's: its default is the one often wrong."""
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            return encoding
    declared = _DECLARED.match(raw.lstrip())
    return declared.group(1).decode() if declared else charset or "utf-8"


class _Reader:
    """Builds the elements of one document."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._open: list[Element] = []
        self._everything: list[Element] = []
        self._root: Element | None = None
        self._parser = expat.ParserCreate(encoding="utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def root(self) -> Element:
        try:
            self._parser.Parse(self._source, True)
        except expat.ExpatError as error:
            raise Unreadable(str(error)) from error
        if self._root is None:
            raise Unreadable("documento vazio")
        return self._root

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._open[-1] if self._open else None
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable("elementos demais uns dentro dos outros")
        scope = parent.scope if parent else {}
        if attributes:
            own = {_prefix(key): uri for key, uri in attributes.items() if _is_declaration(key)}
            scope = {**scope, **own} if own else scope
        local = name.rpartition(":")[2]
        element = Element(name, local, attributes, self._source, scope, self._everything, parent)
        element.first = len(self._everything)
        self._everything.append(element)
        element.start = self._parser.CurrentByteIndex
        if parent is None:
            self._root = element
        else:
            parent.children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        element.last = len(self._everything)
        position = self._parser.CurrentByteIndex
        # Of <x/> expat tells the place behind it; of <x></x>, where the end tag begins.
        is_empty = not element.children and not element.parts
        if is_empty and self._source[position - 2 : position] == b"/>":
            element.end = position
        else:
            element.end = self._source.index(b">", position) + 1

    def _text(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def _doctype(self, *_: object) -> None:
        raise Unreadable("DOCTYPE não é aceito")


def _is_declaration(name: str) -> bool:
    return name == "xmlns" or name.startswith("xmlns:")


def _prefix(name: str) -> str:
    return name.partition(":")[2]
