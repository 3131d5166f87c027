"""Measures of an A4 DANFE in millimetres: what repeats on every sheet has a fixed height."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fiscal.documents.nfe.danfe import fitting
from fiscal.documents.nfe.danfe.view import Issuer, Sheet

_EDGE = 5.0  # 2 to 8 mm (MOC 7.0, Anexo II, 3.6.2)
_RECEIPT = 19.0
_HEAD = 36.0
_ROW = 7.6
_PHRASE = 4.4
_GAP = 1.2
_LABEL = 3.6
_RESERVED = 58.0
_QR = 33.0
_LOGO = 27.0
# Least and most millimetres of the additional data of the first sheet, by landscape or not.
_NOTES = {False: (30.0, 36.0), True: (14.0, 26.0)}
NOTES_SIZE = 7.0  # points; 6 at least (MOC 7.0, Anexo II, 3.7.8)
_LINE = NOTES_SIZE * 0.3528 * 1.2
# Name and address of the issuer in points: those of the manual (3.7.6), then what a long one needs.
_ISSUER_SIZES = ((12.0, 8.0), (10.5, 8.0), (9.5, 7.5), (8.5, 7.0), (7.5, 6.5), (6.5, 6.0))


@dataclass(frozen=True)
class Notes:
    """Dados adicionais of the first sheet, and what continues after the items."""

    first: str
    reserved: str
    rest: str


@dataclass(frozen=True)
class Head:
    """Columns of the head in millimetres, and sizes of text in points that fit into them.

    A key with letters needs a bar code of 115 mm and leaves the issuer little room in a portrait:
    its logo then stands above the name.
    """

    issuer: float
    danfe: float
    key: float
    bars: float
    is_stacked: bool
    name_size: float
    line_size: float
    natureza_size: float


@dataclass(frozen=True)
class Page:
    """A4 in the chosen orientation and the room that running parts take of it."""

    width: float
    height: float
    first_top: float
    top: float
    first_bottom: float
    notes: float
    columns: Head
    edge: float = _EDGE
    head: float = _HEAD
    row: float = _ROW
    reserved: float = _RESERVED
    qr: float = _QR
    logo: float = _LOGO

    @property
    def inner(self) -> float:
        return self.width - 2 * self.edge


def page_of(sheet: Sheet, *, is_landscape: bool, has_logo: bool) -> Page:
    """Margins that hold the head of this very document."""
    width, height = (297.0, 210.0) if is_landscape else (210.0, 297.0)
    inner = width - 2 * _EDGE
    head = _HEAD + _ROW * (1 + len(sheet.issuer.registration))
    head += _PHRASE * len(sheet.standing.phrases) + _GAP
    top = _EDGE + head
    notes = _height_of_notes(sheet, inner, is_landscape=is_landscape)
    return Page(
        width=width,
        height=height,
        top=top,
        first_top=top + (_RECEIPT if sheet.receipt else 0.0),
        first_bottom=_EDGE + notes + _GAP + 3.0,
        notes=notes,
        columns=_head_of(sheet, inner, has_logo=has_logo),
    )


def _head_of(sheet: Sheet, inner: float, *, has_logo: bool) -> Head:
    is_lettered = not sheet.chave.isdecimal()
    danfe, key, bars = (29.0, 120.0, 117.0) if is_lettered else (33.0, 87.0, 82.0)
    issuer = inner - danfe - key
    is_stacked = has_logo and issuer < 70.0
    width = issuer - 3.0 - (_LOGO if has_logo and not is_stacked else 0.0)
    height = _HEAD - 3.0 - (10.0 if is_stacked else 0.0)
    name_size, line_size = _issuer_sizes(sheet.issuer, width, height)
    return Head(
        issuer=issuer,
        danfe=danfe,
        key=key,
        bars=bars,
        is_stacked=is_stacked,
        name_size=name_size,
        line_size=line_size,
        natureza_size=fitting.size_for(
            sheet.natureza, width=inner - key - 3.0, most=10.0, least=6.0
        ),
    )


def _issuer_sizes(issuer: Issuer, width: float, height: float) -> tuple[float, float]:
    """The largest pair of sizes with which all of the issuer can be read."""
    for name, line in _ISSUER_SIZES:
        n_lines = sum(fitting.count(text, width=width, size=line) for text in issuer.lines)
        needed = fitting.count(issuer.nome, width=width, size=name) * name + n_lines * line
        if needed * 0.3528 * 1.12 <= height:
            return name, line
    return _ISSUER_SIZES[-1]


def _height_of_notes(sheet: Sheet, inner: float, *, is_landscape: bool) -> float:
    """As high as its text, between what is usual and what leaves room for items."""
    least, most = _NOTES[is_landscape]
    n_lines = fitting.count(sheet.notes, width=_room(sheet, inner), size=NOTES_SIZE)
    height = max(least, min(most, _LABEL + n_lines * _LINE + 1.0))
    # The QR code needs 29 mm whatever the orientation.
    return math.ceil(max(height, _QR + 1.0) if sheet.qrcode else height)


def _room(sheet: Sheet, inner: float) -> float:
    return inner - _RESERVED - (_QR if sheet.qrcode else 0.0) - 3.0


def notes_of(sheet: Sheet, page: Page) -> Notes:
    """Split the two texts at what their boxes of the first sheet hold (PDF-2)."""
    room = _room(sheet, page.inner)
    most = int((page.notes - _LABEL) / _LINE)
    first, rest = fitting.split_at(sheet.notes, most=most, width=room, size=NOTES_SIZE)
    if rest:  # the last line tells where to read on
        first, rest = fitting.split_at(sheet.notes, most=most - 1, width=room, size=NOTES_SIZE)
        first += "\n(continua após os itens)"
    reserved, left = fitting.split_at(
        sheet.reserved, most=most, width=_RESERVED - 3.0, size=NOTES_SIZE
    )
    return Notes(first, reserved, "\n".join(filter(None, (rest, left))))
