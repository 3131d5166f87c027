"""Open a table from a person's file: what it is, by its content; its header; its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lib.tabular import text, xlsx
from lib.tabular.base import BadFile, Limits, Problem, Row, clean, clean_row

SAVE_AS = "Salve como .xlsx ou .csv."
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"


@dataclass
class Table:
    """A header and its rows. `n_rows` counts the rows with something in them, as they pass."""

    header: list[str]
    rows: Iterator[Row]
    notes: list[str] = field(default_factory=list)


@contextmanager
def open_table(path: Path, limits: Limits = Limits()) -> Iterator[Table]:  # noqa: B008 - frozen
    """The table in `path`, CSV or XLSX by content, whatever its name. Rows come as a stream.

    Blank rows are skipped but counted in the numbers. Raises BadFile, here or while reading rows.
    """
    kind = check_file(path, limits)
    if kind == "xlsx":
        with xlsx.open_xlsx(path, limits) as (values, notes):
            yield _table(_from_xlsx(values), limits, notes)
    else:
        with text.open_csv(path, limits) as lines:
            yield _table(((cells, []) for cells in lines), limits, [])


def check_file(path: Path, limits: Limits) -> str:
    """`xlsx` or `csv`; BadFile for what is neither, before reading more than a few bytes."""
    try:
        if not path.is_file():
            raise BadFile(_missing(path))
        size = path.stat().st_size
        if size > limits.size:
            most, found = limits.size // 1_000_000, size // 1_000_000
            raise BadFile(
                f"O arquivo tem {found} MB; o máximo é {most} MB. Divida-o em arquivos menores."
            )
        with path.open("rb") as file:
            start = file.read(2048)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name itself
        raise BadFile(f"Não foi possível abrir {path}: {_reason(error)}.") from error
    if not start.strip():
        raise BadFile("O arquivo está vazio.")
    return _sniff(start)


def _missing(path: Path) -> str:
    if path.is_dir():
        return f"{path} é uma pasta; informe um arquivo .csv ou .xlsx."
    if path.exists():
        return f"{path} não é um arquivo comum; informe um arquivo .csv ou .xlsx."
    return f"Arquivo não encontrado: {path}."


def _reason(error: Exception) -> str:
    return "sem permissão de leitura" if isinstance(error, PermissionError) else "nome inválido"


def _sniff(start: bytes) -> str:
    if start.startswith(_OLE):
        raise BadFile(f"O arquivo é um .xls antigo ou está protegido por senha. {SAVE_AS}")
    if start.startswith(_ZIP):
        if b"application/vnd.oasis.opendocument" in start[:200]:
            raise BadFile(f"O arquivo é do LibreOffice (.ods). {SAVE_AS}")
        return "xlsx"
    folded = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if folded.startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta")):
        raise BadFile(f"O arquivo é uma página ou XML com nome de planilha. Abra-o e {_lower()}")
    if start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"{\\rtf", b"\x1f\x8b")):
        raise BadFile(f"O arquivo não é uma planilha. {SAVE_AS}")
    return "csv"


def _lower() -> str:
    return SAVE_AS[0].lower() + SAVE_AS[1:]


def _from_xlsx(rows: Iterator[list[Any]]) -> Iterator[tuple[list[str], list[Problem]]]:
    return (xlsx.texts(values) for values in rows)


def _table(
    source: Iterator[tuple[list[str], list[Problem]]], limits: Limits, notes: list[str]
) -> Table:
    for number, (cells, _) in enumerate(source, start=1):
        header = [clean(cell) for cell in cells]
        while header and not header[-1]:
            header.pop()
        if not header:
            continue
        if len(header) > limits.columns:
            raise BadFile(
                f"O arquivo tem {len(header)} colunas ou mais; o máximo é {limits.columns}."
            )
        return Table(header, _rows(source, len(header), number, limits), notes)
    raise BadFile("O arquivo está vazio.")


def _rows(
    source: Iterator[tuple[list[str], list[Problem]]], width: int, last: int, limits: Limits
) -> Iterator[Row]:
    found = 0
    for number, (cells, problems) in enumerate(source, start=last + 1):
        if not problems and not any(cells):
            continue
        row = clean_row(number, cells, limits)
        row.problems.extend(problems)
        if not row.problems and not any(row.cells):
            continue
        found += 1
        if found > limits.rows:
            raise BadFile(
                f"O arquivo tem mais de {limits.rows} linhas. Divida-o em arquivos menores."
            )
        yield _fitted(row, width)


def _fitted(row: Row, width: int) -> Row:
    """The row with exactly `width` cells; text past the header is a problem of the row."""
    extra = next((cell for cell in row.cells[width:] if cell), None)
    if extra is not None:
        message = (
            "Há mais células que títulos de coluna. Em arquivo separado por vírgula, escreva "
            'números com vírgula entre aspas ("1,50").'
        )
        row.problems.append(Problem(None, extra[:100], message))
    row.cells = (row.cells + [""] * (width - len(row.cells)))[:width]
    row.problems = [p for p in row.problems if p.position is None or p.position < width]
    return row
