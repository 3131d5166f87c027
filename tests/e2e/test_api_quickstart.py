"""docs/api-quickstart.md does what it says: its code runs against a real server and worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import ApiToken, WebhookEvent
from accounts.services.tokens import create_token
from billing.models import Invoice

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "api-quickstart.md"
# A worker of its own, on the database of the test, for everything that is queued now.
WORKER = """
import sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.core.management import call_command
call_command("qcluster", run_once=True, verbosity=0)
"""


def blocks() -> list[str]:
    """The guide's Python, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.S | re.M)


def start_worker() -> subprocess.Popen[bytes]:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": settings.SECRET_KEY,
        "WEBHOOK_ALLOW_HTTP": "1",
        "WEBHOOK_ALLOW_PRIVATE": "1",
    }
    name = str(connection.settings_dict["NAME"])
    return subprocess.Popen([sys.executable, "-c", WORKER, name], cwd=ROOT, env=env)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_the_guide_goes_from_registration_to_the_notice_of_receipt(
    account, live_server, settings, monkeypatch, today, capsys
):
    settings.WEBHOOK_ALLOW_HTTP = settings.WEBHOOK_ALLOW_PRIVATE = True
    today("2026-03-10")
    _, token = create_token(account, name="Guia", scope=ApiToken.Scope.BILLING)
    monkeypatch.setenv("API_URL", f"{live_server.url}/api/v1")
    monkeypatch.setenv("API_TOKEN", token)
    *before, last = blocks()
    names: dict[str, Any] = {}

    for block in before:
        exec(compile(block, GUIDE.name, "exec"), names)  # noqa: S102 - it is our own guide
    with start_worker() as worker:
        exec(compile(last, GUIDE.name, "exec"), names)  # noqa: S102
        assert worker.wait(60) == 0
    names["receiver"].shutdown()

    assert Invoice.objects.get(pk=names["invoice"]["id"]).state == "received"
    assert Invoice.objects.of(account).count() == 6
    assert WebhookEvent.objects.of(account).count() == 2
    assert capsys.readouterr().out.splitlines() == [
        "6 faturas; a primeira vence em 10/03/2026",
        "vencimento 10/03/2026 received",
        "avisos recebidos: ['emit', 'confirm_receival']",
    ]
