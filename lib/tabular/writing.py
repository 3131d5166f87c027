"""Files that people open in a spreadsheet: no text of ours or theirs runs as a formula there."""

from __future__ import annotations

import csv
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import openpyxl
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def csv_safe(text: str) -> str:
    """`text` with a quote before what a spreadsheet would take for a formula; reading undoes it."""
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV as Excel in Portuguese opens it (UTF-8 with mark, `;`), all or nothing.

    Raises OSError, leaving no file behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as file:
            file.writelines(_lines(header, rows))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The same file piece by piece, for an answer that is streamed."""
    yield b"\xef\xbb\xbf"
    for line in _lines(header, rows):
        yield line.encode()


class _Echo:
    """Gives back what the writer writes, instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def _lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo(), delimiter=";")
    for row in itertools.chain([header], rows):
        yield writer.writerow([csv_safe(cell) for cell in row])


def write_xlsx(
    path: Path,
    sheets: Sequence[tuple[str, Sequence[Sequence[str]]]],
) -> None:
    """Write sheets of text (name, rows; the first row is the header), all cells as text."""
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for title, rows in sheets:
        _fill(book.create_sheet(title), rows)
    book.save(path)


def _fill(sheet: object, rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows, start=1):
        for position, text in enumerate(row, start=1):
            cell = sheet.cell(row=number, column=position)  # type: ignore[attr-defined]
            cell.value = text
            cell.data_type = "s"  # never a formula, whatever it starts with
            cell.number_format = "@"  # so that 00123 typed here keeps its zeros
            cell.alignment = Alignment(vertical="top", wrap_text=number > 1)
            if number == 1:
                cell.font = Font(bold=True, color="FFFFFF")
                cell.fill = PatternFill("solid", fgColor="1351B4")
    for position, width in enumerate(_widths(rows), start=1):
        letter = get_column_letter(position)
        sheet.column_dimensions[letter].width = width  # type: ignore[attr-defined]
    sheet.freeze_panes = "A2"  # type: ignore[attr-defined]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    columns = max((len(row) for row in rows), default=0)
    return [
        min(60, 3 + max((len(row[i]) for row in rows if i < len(row)), default=0))
        for i in range(columns)
    ]
