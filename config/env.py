"""Settings from the environment. Every secret may also come as NAME_FILE (a path to read)."""

from __future__ import annotations

import os
import re
import secrets
import time
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.FileAwareEnv()


def flag(name: str, *, default: bool = False) -> bool:
    """A yes or no; anything else stops the start."""
    text = env.str(name, default="").strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    if text:
        raise ImproperlyConfigured(f"{name} must be true or false.")
    return default


def number(name: str, *, default: int, least: int = 1) -> int:
    """A whole number of at least `least`; anything else stops the start."""
    text = env.str(name, default="").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number, {least} or more.")
    return int(text)


def calendar_day(name: str) -> None:
    """A date as aaaa-mm-dd, or nothing; anything else stops the start."""
    text = env.str(name, default="")
    try:
        date.fromisoformat(text or "2000-01-01")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a date as aaaa-mm-dd.") from error


def header_name(name: str, *, default: str) -> str:
    """The beginning of an HTTP header's name; anything else stops the start."""
    text = str(env.str(name, default="").strip() or default)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,60}[A-Za-z0-9]", text):
        raise ImproperlyConfigured(f"{name} must be letters, digits and dashes, as in X-Webhook.")
    return text


def one_of(name: str, *choices: str) -> str:
    """One of `choices`, the first when not set."""
    text = env.str(name, default="") or choices[0]
    if text not in choices:
        raise ImproperlyConfigured(f"{name} must be one of: {', '.join(choices)}.")
    return str(text)


def data_dir(base: Path) -> Path:
    """The folder of everything we keep on disk; created with mode 0700 on first use."""
    folder = Path(env.str("DATA_DIR", default=str(base / "var"))).resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def secret_key(folder: Path) -> str:
    """SECRET_KEY, or a random one kept in the data folder so that restarts keep sessions."""
    given = env.str("SECRET_KEY", default="")
    if given:
        return given
    path = folder / "secret_key"
    try:
        # O_EXCL: two processes starting together must end up with the same key.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_key(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(50))
    return path.read_text()


def _read_key(path: Path) -> str:
    for _ in range(50):
        text = path.read_text().strip()
        if text:
            return text
        time.sleep(0.02)  # the other process created the file and is about to write it
    raise ImproperlyConfigured(f"{path} is empty: remove it or set SECRET_KEY.")


def database(folder: Path) -> dict[str, Any]:
    """PostgreSQL from DATABASE_URL, else one SQLite file in the data folder."""
    given = env.str("DATABASE_URL", default="")
    if not given:
        return sqlite(folder / "db.sqlite3")
    if not given.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// address.")
    try:
        _ = urlsplit(given).port
        config = dict(env.db_url("DATABASE_URL"))
    except Exception:
        # Several kinds are raised here, and their text may hold the password.
        raise ImproperlyConfigured("DATABASE_URL is malformed.") from None
    # Docs of the queue: reconnecting for each task costs most of its speed; a pool breaks its fork.
    config |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # The default takes a page read out of order for four in order, as on a spinning disk, and
    # answers from the table what an index has whole.
    asked = config.get("OPTIONS", {})
    options = f"-c random_page_cost=1.1 {asked.get('options', '')}".strip()
    config["OPTIONS"] = {**asked, "options": options}
    return config


def sqlite(path: Path) -> dict[str, Any]:
    """One writer at a time, readers never blocked: the embedded default."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;"
                "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;"
            ),
        },
        # A file, not memory: concurrency tests open it from several connections.
        "TEST": {"NAME": str(path.with_name(f"test-{os.getpid()}.sqlite3"))},
    }
