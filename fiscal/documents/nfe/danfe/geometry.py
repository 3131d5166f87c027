"""Measures of an A4 DANFE in millimetres: what repeats on every sheet has a fixed height."""

from __future__ import annotations

from dataclasses import dataclass

from fiscal.documents.nfe.danfe import fitting
from fiscal.documents.nfe.danfe.view import Sheet

_EDGE = 6.0
_RECEIPT = 19.0
_HEAD = 33.0
_ROW = 7.6
_PHRASE = 4.4
_GAP = 1.2
_NOTES = {False: 36.0, True: 22.0}  # by whether the sheet is a landscape
_NOTES_LABEL = 3.4
_RESERVED = 58.0
_QR = 33.0
NOTES_SIZE = 6.5  # points
_LINE = NOTES_SIZE * 0.3528 * 1.22


@dataclass(frozen=True)
class Notes:
    """Dados adicionais of the first sheet, and what continues after the items."""

    first: str
    reserved: str
    rest: str


@dataclass(frozen=True)
class Page:
    """A4 in the chosen orientation and the room that running parts take of it."""

    width: float
    height: float
    first_top: float
    top: float
    first_bottom: float
    notes: float
    edge: float = _EDGE
    head: float = _HEAD
    row: float = _ROW
    reserved: float = _RESERVED
    qr: float = _QR

    @property
    def inner(self) -> float:
        return self.width - 2 * self.edge


def page_of(sheet: Sheet, *, is_landscape: bool) -> Page:
    """Margins that hold the head of this very document."""
    width, height = (297.0, 210.0) if is_landscape else (210.0, 297.0)
    head = _HEAD + _ROW * (1 + len(sheet.issuer.registration))
    head += _PHRASE * len(sheet.standing.phrases) + _GAP
    top = _EDGE + head
    # The QR code needs 29 mm (NT 2026.010), whatever the orientation.
    notes = _NOTES[is_landscape and not sheet.qrcode]
    return Page(
        width=width,
        height=height,
        top=top,
        first_top=top + (_RECEIPT if sheet.receipt else 0.0),
        first_bottom=_EDGE + notes + _GAP + 3.0,
        notes=notes,
    )


def notes_of(sheet: Sheet, page: Page) -> Notes:
    """Split the two texts at what their boxes of the first sheet hold (PDF-2)."""
    room = page.inner - _RESERVED - (_QR if sheet.qrcode else 0.0) - 3.0
    most = int((page.notes - _NOTES_LABEL) / _LINE)
    first, rest = fitting.split_at(sheet.notes, most=most, width=room, size=NOTES_SIZE)
    if rest:  # the last line tells where to read on
        first, rest = fitting.split_at(sheet.notes, most=most - 1, width=room, size=NOTES_SIZE)
        first += "\n(continua após os itens)"
    reserved, left = fitting.split_at(
        sheet.reserved, most=most, width=_RESERVED - 3.0, size=NOTES_SIZE
    )
    return Notes(first, reserved, "\n".join(filter(None, (rest, left))))
