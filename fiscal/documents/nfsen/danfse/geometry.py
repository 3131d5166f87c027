"""Where everything stands on the one sheet of a DANFSe, in centimetres from its edges (NT 008).

With nothing suppressed each block begins where the NT says, those below the ISSQN 0.32 lower: its
title and its first field have one place there, so the title gets a line of its own. What is
suppressed moves the rest up, and the room goes to the texts.
"""

from __future__ import annotations

from dataclasses import dataclass

from fiscal.documents.nfe.danfe import fitting
from fiscal.documents.nfsen.danfse.view import Block, Danfse, Field, Row

COLUMNS = (0.30, 5.41, 10.51, 15.62)
CELL, WHOLE = 5.09, 20.40
PAGE = (21.0, 29.7)
EDGE = 0.20  # margins of 0.15 to 0.20
OWN_TOP, PARTIES_TOP = 1.48, 4.34
KEY_HEIGHT = 0.79  # 1.48 to 2.27
KEY_WIDTH = 15.30
LINE = 0.32  # a suppressed block, or a title of its own
NOTES_HEAD = 0.41
RECEIPT_TOP = 28.10
BOTTOM = 29.45
CONTENT, LABEL = 7.0, 6.0  # points; least sizes of NT 008, §2.1
LEADING = CONTENT * 0.03528 * 1.15  # centimetres of a line of content
DESCRIPTION_HEAD = 0.30
DESCRIPTION_LEAST = 0.64
_MOST = 1297  # characters of a description, where the room is wanted by the other text
_MARGIN = 0.15  # centimetres inside a cell that its text leaves free
ELLIPSIS = "..."


@dataclass(frozen=True)
class Box:
    """A field in its place. `lines` is its content, cut to what fits."""

    x: float
    y: float
    width: float
    height: float
    label: str = ""
    lines: tuple[str, ...] = ()
    kind: str = ""  # title, line, grey, own


@dataclass(frozen=True)
class Sheet:
    """All boxes, the heights of the rules between blocks, and the grey areas."""

    boxes: tuple[Box, ...]
    rules: tuple[float, ...]


def sheet_of(danfse: Danfse, *, with_receipt: bool) -> Sheet:
    """Lay a DANFSe out on one page, whatever the length of its texts."""
    builder = _Builder()
    builder.own(danfse)
    builder.y = PARTIES_TOP
    for block in danfse.parties:
        builder.block(block)
    bottom = RECEIPT_TOP if with_receipt else BOTTOM
    room = bottom - builder.y - _height(danfse.service) - sum(map(_height, danfse.taxes))
    description, notes = _texts(danfse, room - DESCRIPTION_HEAD - NOTES_HEAD)
    builder.block(danfse.service)
    builder.description(description)
    for block in danfse.taxes:
        builder.block(block)
    builder.notes(notes, bottom)
    if with_receipt:
        builder.y = RECEIPT_TOP
        builder.rule()
        builder.row(danfse.receipt)
    return Sheet(tuple(builder.boxes), tuple(builder.rules))


def _height(block: Block) -> float:
    if block.line:
        return LINE
    rows = sum(row.height for row in block.rows if row.is_shown)
    return rows + (LINE if block.has_title_line else 0.0)


def _texts(danfse: Danfse, room: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines of the description and of the notes that share `room` centimetres.

    The approximate taxes are always there, on the last line; the description gives way first, but
    never below the length that the NT promises it.
    """
    most = int(room / LEADING)
    description, notes = _wrapped(danfse.description), _wrapped(danfse.notes)
    totals = _wrapped(danfse.totals)
    left = most - len(totals)
    if len(description) + len(notes) > left:
        promised = len(_wrapped(danfse.description[:_MOST]))
        for_description = max(promised, left - len(notes))
        description = cut(description, min(for_description, left - 1))
        notes = cut(notes, left - len(description))
    return description, (*notes, *totals)


def _wrapped(text: str) -> tuple[str, ...]:
    width = (WHOLE - _MARGIN) * 10
    found = fitting.lines(text, width=width, size=CONTENT, face=fitting.SANS)
    return tuple(found) if text else ()


def cut(lines: tuple[str, ...], most: int) -> tuple[str, ...]:
    """The first `most` lines; the last one says by "..." that there was more."""
    if len(lines) <= most:
        return lines
    if most < 1:
        return ()
    kept = lines[most - 1]
    return (*lines[: most - 1], fitted(kept + ELLIPSIS + " ", WHOLE))


def fitted(text: str, width: float) -> str:
    """`text` in one line of `width` centimetres; a longer one ends in "..." (NT 008, §2.1)."""
    room = (width - _MARGIN) * 10
    text = " ".join(text.split())
    if fitting.width_of(text, CONTENT, fitting.SANS) <= room:
        return text
    kept = text.removesuffix(ELLIPSIS)
    while kept and fitting.width_of(kept + ELLIPSIS, CONTENT, fitting.SANS) > room:
        kept = kept[:-1]
    return kept.rstrip(" .,;") + ELLIPSIS


class _Builder:
    """Puts one thing below the other."""

    def __init__(self) -> None:
        self.y = 0.0
        self.boxes: list[Box] = []
        self.rules: list[float] = []

    def rule(self) -> None:
        self.rules.append(round(self.y, 3))

    def own(self, danfse: Danfse) -> None:
        """Chave and the data of the note, beside its QR code."""
        self.y = OWN_TOP
        self.rule()
        key = Box(COLUMNS[0], self.y, KEY_WIDTH, KEY_HEIGHT, "CHAVE DE ACESSO DA NFS-e",
                  (danfse.head.chave,), "own key")  # fmt: skip
        self.boxes.append(key)
        self.y += KEY_HEIGHT
        for row in danfse.head.rows:
            self.row(row, kind="own")

    def block(self, block: Block) -> None:
        self.rule()
        if block.line:
            self._whole(block.line, LINE, "line")
            self.y += LINE
            return
        if block.has_title_line:
            self._whole(block.title, LINE, "title")
            self.y += LINE
        else:
            height = block.rows[0].height
            self.boxes.append(Box(COLUMNS[0], self.y, CELL, height, block.title, (), "title"))
        for row in block.rows:
            if row.is_shown:
                self.row(row)

    def row(self, row: Row, kind: str = "") -> None:
        self.boxes += [self._box(field, row.height, kind) for field in row.fields]
        self.y += row.height

    def description(self, lines: tuple[str, ...]) -> None:
        height = max(DESCRIPTION_LEAST, DESCRIPTION_HEAD + len(lines) * LEADING)
        self.boxes.append(
            Box(COLUMNS[0], self.y, WHOLE, height, "Descrição do Serviço", lines, "text")
        )
        self.y += height

    def notes(self, lines: tuple[str, ...], bottom: float) -> None:
        self.rule()
        self._whole("INFORMAÇÕES COMPLEMENTARES", NOTES_HEAD, "title")
        top = self.y + NOTES_HEAD
        self.boxes.append(Box(COLUMNS[0], top, WHOLE, bottom - top, "", lines, "text"))

    def _whole(self, text: str, height: float, kind: str) -> None:
        self.boxes.append(Box(COLUMNS[0], self.y, WHOLE, height, text, (), kind))

    def _box(self, field: Field, height: float, kind: str) -> Box:
        width = round(CELL * field.span + 0.01 * (field.span - 1), 2)
        value = fitted(field.value, width)
        shade = " grey" if field.is_grey else ""
        lines = (value,) if value else ()
        return Box(COLUMNS[field.at], self.y, width, height, field.label, lines, kind + shade)
