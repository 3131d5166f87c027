"""The product as `./dev run` serves it: the queue and the test authority in processes of their own.

`live_server` of the tests is the site; `queue` asks for the authority.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
QUEUE = """
import sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.core.management import call_command
call_command("qcluster", verbosity=0)
"""


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A child of this test, ended with it."""
    child = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.terminate()
        child.communicate(timeout=30)


@pytest.fixture
def authority(settings: Any) -> Iterator[dict[str, str]]:
    """The sandbox as a process; answers what leads the product to it."""
    folder = Path(settings.DATA_DIR) / "sandbox"
    # What another test left: the demonstration's issuers would meet their own numbers there (539).
    for file in folder.glob("sandbox.sqlite3*"):
        file.unlink()
    options = ("--port", "0", "--control-port", "0", "--data", str(folder))
    with process("-m", "fiscal.sandbox", *options) as child:
        assert child.stdout
        [address] = re.findall(r"https://\S+?(?=,)", child.stdout.readline())
        found = {
            "FISCAL_ENDPOINTS_BASE": address,
            "FISCAL_CA_FILE": str(folder / "ca" / "ca.pem"),
        }
        for name, value in found.items():
            setattr(settings, name, value)
        yield found


@pytest.fixture
def queue(authority: dict[str, str]) -> Iterator[None]:
    name = str(connection.settings_dict["NAME"])
    own = {
        **authority,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "WEBHOOK_ALLOW_HTTP": "1",
        "WEBHOOK_ALLOW_PRIVATE": "1",
    }
    with process("-c", QUEUE, name, **own):
        yield
