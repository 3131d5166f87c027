"""XLSX: checks on the package before it is opened, then rows as text."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import openpyxl
from openpyxl.utils.datetime import WINDOWS_EPOCH

from lib.br import date_br
from lib.tabular.base import FORMULA, BadFile, Limits, Problem

DAMAGED = "A planilha está danificada ou não é um .xlsx. Abra-a e salve de novo como .xlsx."
INSTRUCTIONS = "Instruções"
_MAX_PARTS = 2000
_STREAMED = "xl/worksheets/"


@contextmanager
def open_xlsx(path: Path, limits: Limits) -> Iterator[tuple[Iterator[list[Any]], list[str]]]:
    """The rows of the first sheet, each a list of cell values, and warnings for people."""
    check_package(path, limits)
    with path.open("rb") as file:  # openpyxl would judge a path by its extension
        book = _load(file)
        try:
            if book.epoch != WINDOWS_EPOCH:
                raise BadFile(
                    "A planilha conta as datas desde 1904 (Mac antigo). Desmarque essa opção e "
                    "salve."
                )
            sheet, notes = _choose(book)
            sheet.reset_dimensions()  # the recorded size may lie
            yield _rows(sheet, limits), notes
        finally:
            book.close()


def _load(file: IO[bytes]) -> Any:
    with _damage_as_bad_file(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl comments on validation rules it does not know
        return openpyxl.load_workbook(file, read_only=True, data_only=False, keep_links=False)


def check_package(path: Path, limits: Limits) -> None:
    """Refuse, from the package's directory alone, what would be too big once unpacked.

    zipfile never unpacks more than the directory promises, so the promise is enough.
    """
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise BadFile(DAMAGED) from error
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        raise BadFile("O arquivo não é um .xlsx. Salve como .xlsx ou .csv.")
    total = sum(part.file_size for part in parts)
    kept = sum(part.file_size for part in parts if not part.filename.startswith(_STREAMED))
    if total > limits.unpacked or kept > limits.shared_text or len(parts) > _MAX_PARTS:
        raise BadFile(
            "A planilha fica grande demais quando descompactada. "
            "Copie só os dados para uma planilha nova, ou salve como .csv."
        )


@contextmanager
def _damage_as_bad_file() -> Iterator[None]:
    try:
        yield
    except (BadFile, MemoryError, GeneratorExit):
        raise
    # A broken package makes openpyxl raise almost anything (KeyError, ParseError, TypeError…).
    except Exception as error:
        raise BadFile(DAMAGED) from error


def _choose(book: Any) -> tuple[Any, list[str]]:
    """The first visible sheet that is not our own instructions."""
    sheets = [
        sheet
        for sheet in book.worksheets
        if sheet.sheet_state == "visible" and sheet.title != INSTRUCTIONS
    ]
    if not sheets:
        raise BadFile("A planilha não tem nenhuma aba visível com dados.")
    if len(sheets) == 1:
        return sheets[0], []
    return sheets[0], [f"Só a primeira aba visível foi lida: “{sheets[0].title}”."]


def _rows(sheet: Any, limits: Limits) -> Iterator[list[Any]]:
    with _damage_as_bad_file():
        for row in sheet.iter_rows():
            # One column past the limit is enough to know that it was passed.
            values = [_value(cell) for cell in row[: limits.columns + 1]]
            while values and values[-1] is None:
                values.pop()
            yield values


def _value(cell: Any) -> Any:
    """The cell's value; a number shown as a percentage is already multiplied by 100."""
    value = cell.value
    if type(value) is str or value is None:
        return value
    if isinstance(value, int | float) and "%" in cell.number_format:
        return f"{as_text(Decimal(str(value)) * 100)}%"
    return value


def as_text(value: Any) -> str:
    """A cell as a Brazilian would type it: 1234,5 and 31/12/2026; formulas raise ValueError."""
    if value is None:
        return ""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "sim" if value else "não"
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return date_br(value) if midnight else f"{date_br(value)} {value:%H:%M:%S}"
    if isinstance(value, date):
        return date_br(value)
    if isinstance(value, time):
        return f"{value:%H:%M:%S}"
    raise ValueError(FORMULA)


def _number(value: float | Decimal) -> str:
    if value == int(value):
        return str(int(value))
    # Excel keeps 15 significant digits; the rest is the noise of binary fractions.
    return f"{Decimal(f'{value:.15g}'):f}".replace(".", ",")


def texts(values: list[Any]) -> tuple[list[str], list[Problem]]:
    """The cells of a row as text, with the problems of those that have none."""
    found: list[str] = []
    problems: list[Problem] = []
    for position, value in enumerate(values):
        try:
            found.append(as_text(value))
        except (ValueError, OverflowError):
            found.append("")
            problems.append(Problem(position, "", FORMULA))
    return found, problems
