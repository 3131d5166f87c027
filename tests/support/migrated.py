"""An empty, migrated SQLite database kept between runs: migrating takes longer than most tests.

It is named by what it was made from, so a changed migration makes a new one. Only for SQLite on
disk; a server's databases are made anew each time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "billing", "fiscal", "portal")


def bring() -> bool:
    """Put the kept database where the tests' one is to be; False when there is none."""
    if connection.vendor != "sqlite" or not _kept().exists():
        return False
    shutil.copyfile(_kept(), _of_tests())
    return True


def keep() -> None:
    """Keep the tests' database, which was just migrated and is empty."""
    if connection.vendor != "sqlite" or _kept().exists():
        return
    part = _kept().with_suffix(f".{os.getpid()}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(part)])
    os.replace(part, _kept())


def remove() -> None:
    """Delete the tests' database, which nobody else does when it was brought."""
    connection.close()
    for name in ("", "-wal", "-shm"):
        Path(f"{_of_tests()}{name}").unlink(missing_ok=True)


def _of_tests() -> str:
    name: str = connection.creation._get_test_db_name()
    return name


def _kept() -> Path:
    return Path(tempfile.gettempdir()) / f"faturamento-migrated-{_digest()}.sqlite3"


def _digest() -> str:
    """Of the migrations, of the SQL they share, and of the packages that bring their own."""
    found = hashlib.sha256(f"{version('django')} {version('django-q2')}".encode())
    files = [path for app in APPS for path in sorted((ROOT / app).glob("migrations/*.py"))]
    for path in [*files, *sorted((ROOT / "lib").glob("append_only.py"))]:
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
