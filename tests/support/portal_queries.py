"""How much a page asks of the database."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

# What a test's own transaction adds to keeping the session, and keeping it: of no page.
OF_THE_SESSION = ("SAVEPOINT", "RELEASE SAVEPOINT", 'UPDATE "django_session"')


def asked(client: Client, path: str) -> tuple[Any, int]:
    """The answer to a GET, and how many statements it took besides keeping the session alive."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    n = sum(not query["sql"].startswith(OF_THE_SESSION) for query in captured)
    return answer, n
