"""What both formats share: limits, rows and the cleaning of a cell's text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from lib.errors import InvalidInput

FORMULA = "A célula contém fórmula; cole como valor."
LIKE_FORMULA = "O texto começa como fórmula; apague o sinal do começo ou cole como valor."
SHEET_ERROR = "A célula contém um erro da planilha; corrija a conta ou digite o valor."
CONTROL = "A célula contém um caractere de controle invisível; digite o texto de novo."

# fmt: off
_SHEET_ERRORS = frozenset((
    "#N/A", "#N/D", "#REF!", "#VALUE!", "#VALOR!", "#NAME?", "#NOME?", "#DIV/0!", "#NUM!", "#NÚM!",
    "#NULL!", "#NULO!",
))
# fmt: on
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# Characters that nobody sees: they come with text copied from pages and break equal codes apart.
_INVISIBLE = str.maketrans({"\u00a0": " ", "\u200b": None, "\u200e": None, "\ufeff": None})
# After +, - or @ a formula shows itself by a function call, a cell address, DDE or another sheet;
# a telephone (+55 11 …), a dash before a text and a negative number are none of these.
_FUNCTION_OR_SHEET = re.compile(r"[+\-@*/(,;&^][ ]?[A-Za-zÀ-ú_.][\w.]*\(|\|[ ]?'|![$A-Z]")
_CELL_ADDRESS = re.compile(r"[+\-@][ ]*\$?[A-Z]{1,3}\$?[0-9]+[ ]*(?:$|[+\-*/:^&])")
_ESCAPED = re.compile(r"'[=+\-@\t\r]")


class BadFile(InvalidInput):
    """The file as a whole cannot be read; the message says why and what to do."""

    codigo = "arquivo_invalido"
    mensagem = "Não foi possível ler o arquivo."


@dataclass(frozen=True)
class Limits:
    """What is refused before it can hurt. Sizes in bytes; `cell` in characters."""

    size: int = 50_000_000
    rows: int = 200_000
    columns: int = 200
    cell: int = 10_000
    unpacked: int = 600_000_000  # all parts of an XLSX; the sheet itself is read as a stream
    shared_text: int = 60_000_000  # the parts of an XLSX that its reader keeps in memory


@dataclass(frozen=True)
class Problem:
    """Why a cell cannot be read; `position` counts columns from 0, None is the whole row."""

    position: int | None
    value: str
    message: str


@dataclass
class Row:
    """One row with its number as the spreadsheet shows it, the first being 1."""

    number: int
    cells: list[str]
    problems: list[Problem] = field(default_factory=list)


def clean_row(number: int, cells: list[str], limits: Limits) -> Row:
    """Trim and judge every cell; one with a problem becomes empty."""
    row = Row(number, cells)
    for position, text in enumerate(cells):
        if not text:
            continue
        if len(text) > limits.cell:
            message = f"O texto tem {len(text)} caracteres; o máximo é {limits.cell}."
            _refuse(row, position, text, message)
            continue
        cells[position] = text = clean(text)
        message = fault(text)
        if message:
            _refuse(row, position, text, message)
    return row


def _refuse(row: Row, position: int, text: str, message: str) -> None:
    # What is shown to people never drives their terminal.
    row.problems.append(Problem(position, _CONTROL.sub("�", text[:100]), message))
    row.cells[position] = ""


def clean(text: str) -> str:
    """Composed accents, no invisible characters, no spaces around, our own escape undone."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    text = text.strip()
    return text[1:] if _ESCAPED.match(text) else text


def fault(text: str) -> str:
    """Why a clean text is refused whatever its column, else empty."""
    if not text:
        return ""
    first = text[0]
    if first == "=":
        return FORMULA
    if first in "+-@" and (_FUNCTION_OR_SHEET.search(text) or _CELL_ADDRESS.match(text)):
        return LIKE_FORMULA
    if first == "#" and text.upper() in _SHEET_ERRORS:
        return SHEET_ERROR
    return CONTROL if _CONTROL.search(text) else ""
