"""Settings from the environment: an empty one is safe, a malformed value stops the start."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT = (
    "import json; from django.conf import settings as s; "
    "print(json.dumps({n: getattr(s, n) for n in "
    "('DEBUG', 'AMBIENTE', 'SECRET_KEY', 'REDIS_URL', 'HTTPS', 'PDF_CACHE_DAYS')} "
    "| {'engine': s.DATABASES['default']['ENGINE'], 'name': s.DATABASES['default']['NAME']}))"
)


def start(folder: Path, code: str = PRINT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of its own, with nothing else in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def settings(folder: Path, **variables: str) -> dict[str, object]:
    done = start(folder, **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_empty_environment_is_safe(tmp_path):
    found = settings(tmp_path / "dados")

    assert (found["DEBUG"], found["AMBIENTE"], found["HTTPS"]) == (False, "homologacao", False)
    assert found["engine"] == "django.db.backends.sqlite3"
    assert found["name"] == str(tmp_path / "dados" / "db.sqlite3")


def test_the_secret_key_is_random_kept_and_only_its_owner_s(tmp_path):
    first, second = settings(tmp_path / "dados"), settings(tmp_path / "dados")
    other = settings(tmp_path / "outros")

    path = tmp_path / "dados" / "secret_key"
    assert first["SECRET_KEY"] == second["SECRET_KEY"] == path.read_text()
    assert first["SECRET_KEY"] != other["SECRET_KEY"]
    assert len(str(first["SECRET_KEY"])) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_secret_may_come_as_a_file(tmp_path):
    secret = tmp_path / "chave"
    secret.write_text("chave-do-arquivo")

    found = settings(tmp_path / "dados", SECRET_KEY_FILE=str(secret))

    assert found["SECRET_KEY"] == "chave-do-arquivo"
    assert not (tmp_path / "dados" / "secret_key").exists()


def test_the_database_s_address_may_come_as_a_file(tmp_path):
    address = tmp_path / "url"
    address.write_text("postgresql://u:p@db.interno/faturamento")

    found = settings(tmp_path, DATABASE_URL_FILE=str(address))

    assert (found["engine"], found["name"]) == ("django.db.backends.postgresql", "faturamento")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:segredo@h:porta/x"),
        ("DATABASE_URL", "mysql://u:segredo@h/x"),
        ("DATABASE_URL", "segredo"),
        ("DATABASE_URL", "postgresql://u:segredo@[quebrado/x"),
        ("PDF_CACHE_DAYS", "muitos"),
        ("WEBHOOK_ALLOW_PRIVATE", "talvez"),
        ("WEBHOOK_HEADER_PREFIX", "X Webhook"),
        ("WEBHOOK_HEADER_PREFIX", "X-Webhook:"),
        ("DEBUG", "talvez"),
        ("AMBIENTE", "teste"),
    ],
)
def test_a_malformed_value_stops_the_start_naming_itself(tmp_path, name, value):
    done = start(tmp_path, **{name: value})

    assert done.returncode != 0
    assert name in done.stderr
    assert "segredo" not in done.stderr


def test_an_empty_key_file_is_named(tmp_path):
    (tmp_path / "secret_key").write_text("")

    done = start(tmp_path)

    assert done.returncode != 0
    assert "secret_key is empty" in done.stderr
