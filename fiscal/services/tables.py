"""Put a newer official list in the place of the shipped one."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from fiscal.tables.official import read_table
from fiscal.tables.registers import KINDS, refreshed_file, write_rows
from lib import clock


def refresh_table(name: str, source: Path) -> int:
    """Check the file and keep it in DATA_DIR; answers how many codes. Raises BadTable or BadFile.

    The file takes the place of the one before in one step, so that nobody reads half of it.
    """
    kind = KINDS[name]
    rows = read_table(name, source)
    note = f"Tabela oficial, importada em {clock.today():%d/%m/%Y} por refresh_tables."
    target = _place_of(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_suffix(f".{os.getpid()}.new")
    try:
        with made.open("wb") as file:
            file.write(write_rows(kind, rows, note=note))
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)
    return len(kind.entries(rows))


def restore_table(name: str) -> bool:
    """Go back to the shipped list; whether there was another."""
    newer = _place_of(name)
    had = newer.is_file()
    newer.unlink(missing_ok=True)
    return had


def _place_of(name: str) -> Path:
    path = refreshed_file(name)
    if path is None:
        raise ImproperlyConfigured("Tables are refreshed in an installation.")
    return path
