"""CSV: encoding, separator and rows."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lib.tabular.base import BadFile, Limits

SEPARATORS = ";,\t|"
_SEP_HINT = re.compile(r'^"?sep=(.)"?\s*$', re.IGNORECASE)


@contextmanager
def open_csv(path: Path, limits: Limits) -> Iterator[Iterator[list[str]]]:
    """The rows of a CSV as lists of text, blank ones included, so that rows can be counted."""
    with path.open(encoding=find_encoding(path), newline="") as file:
        hint = _SEP_HINT.match(file.readline(10))
        if not hint:
            file.seek(0)
        separator = hint[1] if hint else _find_separator(file)
        yield _rows(file, separator)


def _rows(file: IO[str], separator: str) -> Iterator[list[str]]:
    # strict: a quote left open would otherwise swallow the rest of the file in silence.
    reader = csv.reader(file, delimiter=separator, strict=True)
    number = 0
    try:
        for row in reader:
            number += 1
            yield row
    except csv.Error as error:
        raise BadFile(
            f"Linha {number + 1} em diante: aspas mal fechadas ou texto longo demais. "
            'Dentro de um texto entre aspas, cada aspa se escreve duas vezes ("").'
        ) from error


def _find_separator(file: IO[str]) -> str:
    """The separator that gives the header most columns; `;` when none gives two."""
    start = file.tell()
    header = ""
    while not header.strip():
        line = file.readline(1_000_000)
        if not line:
            break
        header = line
    file.seek(start)
    bare = re.sub(r'"[^"]*"', "", header)
    return max(SEPARATORS, key=bare.count)


def find_encoding(path: Path) -> str:
    """UTF-8 (with or without mark), UTF-16 with mark (Excel's "Texto Unicode") or Windows-1252.

    Raises BadFile for a file that is none of them, naming the line.
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _checked(path, "utf-16")
        file.seek(0)
        valid, broken, first_broken = _survey(file)
    if not broken:
        return "utf-8-sig"
    if valid >= broken or start.startswith(codecs.BOM_UTF8):
        raise BadFile(
            f"Linha {first_broken}: há bytes que não são UTF-8, a codificação do resto do "
            "arquivo. Corrija a linha ou salve o arquivo de novo como CSV UTF-8."
        )
    return _checked(path, "cp1252")


def _survey(file: IO[bytes]) -> tuple[int, int, int]:
    """Lines with accents that are UTF-8, lines that are not, and the first of these."""
    valid = broken = first_broken = 0
    for number, line in enumerate(file, start=1):
        if b"\x00" in line:
            raise BadFile(
                f"O arquivo não é uma planilha: a linha {number} contém bytes nulos. "
                "Salve como .xlsx ou .csv."
            )
        if line.isascii():
            continue
        try:
            line.decode()
            valid += 1
        except UnicodeDecodeError:
            broken += 1
            first_broken = first_broken or number
    return valid, broken, first_broken


def _checked(path: Path, encoding: str) -> str:
    """`encoding`, when the whole file can be read in it."""
    number = 0
    try:
        with path.open(encoding=encoding, newline="") as file:
            for number, line in enumerate(file, start=1):
                if "\x00" in line:
                    raise BadFile(f"Linha {number}: contém um caractere nulo.")
    except UnicodeError as error:
        raise BadFile(
            f"Linha {number + 1} em diante: a codificação não é UTF-8 nem Windows-1252. "
            "Salve o arquivo como CSV UTF-8."
        ) from error
    return encoding
