"""The demonstration of ux §1.6, loaded once per process and put back, row by row, for each test.

Loading costs seconds, putting back some hundredths of one. The stand-ins of the providers are put
back with it: cards are saved and boletos are registered with them.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client, override_settings
from django.utils.module_loading import import_string
from django_q.models import OrmQ
from support.payment_sandbox import Providers

from accounts.models import TaskCall, User
from accounts.services import sessions
from billing import tasks
from billing.services.demo import gateways, load_demo

DAY = "2026-08-12"
SITE = "http://testserver"
PASSWORD = "Demo!2026-ok"
# Ten Argon2 hashes cost more than the rest of the demonstration.
QUICK_HASHES = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.Argon2PasswordHasher",
]
# As a worker leaves them: everything that was queued is done.
WORKED_OFF = {"django_q_ormq", "accounts_taskcall"}


def around(providers: Providers) -> dict[str, Any]:
    """The settings of the demonstration: as `./dev run` has them, with quick passwords."""
    return {
        "PASSWORD_HASHERS": QUICK_HASHES,
        "PROVIDERS_SANDBOX": providers.base_url,
        "PUBLIC_URL": SITE,
        "CEP_URL": f"{providers.base_url}/cep/{{cep}}/json/",
        "WEBHOOK_ALLOW_HTTP": True,
        "WEBHOOK_ALLOW_PRIVATE": True,
    }


@dataclass(frozen=True)
class World:
    """What loading has written: tables in the form of their engine, and the stand-ins' books."""

    tables: dict[str, Any] = field(default_factory=dict)
    books: dict[str, Any] = field(default_factory=dict)


def make_world(providers: Providers) -> World:
    """Load the demonstration, keep what that wrote, and leave the database as it was."""
    providers.control("reset")
    providers.control("deliveries", mode="off")
    with (
        pytest.MonkeyPatch.context() as patch,
        override_settings(**around(providers)),
        transaction.atomic(),
    ):
        patch.setenv("UX_TODAY", DAY)
        demo = load_demo(today=date.fromisoformat(DAY))
        gateways.connect(demo.account)
        tasks.sweep_boletos()
        world = World(_dump(), copy.deepcopy(providers.running.world.books["providers"]))
        transaction.set_rollback(True)
    return world


def put_back(world: World, providers: Providers, *, site: str = SITE) -> None:
    """Write the world into empty tables, and its books into stand-ins that were reset.

    `site` is where the product is, for the notices of the stand-ins.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            _copy_in(cursor, world)
        else:
            for statement, rows in world.tables.values():
                # Below Django's cursor, which would have each statement logged and rewritten.
                cursor.cursor.connection.executemany(statement, rows)
    books = json.loads(json.dumps(world.books).replace(SITE, site))
    providers.running.world.books["providers"].update(books)


def _dump() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if table in WORKED_OFF or not model._meta.managed or model._meta.proxy:
            continue
        columns = [f.column for f in model._meta.local_concrete_fields if not f.generated]
        kept = _dumped(table, columns)
        if kept is not None:
            found[table] = kept
    for table in ("django_content_type", "auth_permission"):  # what migrating writes
        found.pop(table, None)
    return found


def _dumped(table: str, names: list[str]) -> Any:
    """(statement, data) that writes the table's rows again; None when it has none."""
    columns = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({columns}) TO STDOUT') as copied:
                data = b"".join(copied)
            return (f'COPY "{table}" ({columns}) FROM STDIN', data) if data else None
        # "+" gives the value itself: without it, the driver makes dates of columns of dates.
        plain = columns.replace('"', '+"', 1).replace(', "', ', +"')
        rows = cursor.cursor.connection.execute(f'SELECT {plain} FROM "{table}"').fetchall()
    marks = ", ".join("?" * len(names))
    return (f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', rows) if rows else None


def _copy_in(cursor: Any, world: World) -> None:
    # As a replica: what triggers would add is among the rows, and tables come in any order.
    cursor.execute("SET LOCAL session_replication_role = replica")
    for statement, data in world.tables.values():
        with cursor.copy(statement) as copied:
            copied.write(data)
    cursor.execute("SET LOCAL session_replication_role = origin")


def work_off() -> list[str]:
    """Run what is queued, as a worker does, until nothing is; the tasks' names in order."""
    done = []
    while (row := OrmQ.objects.order_by("pk").first()) is not None:
        task = row.task
        row.delete()
        TaskCall.objects.filter(task=task["func"]).update(called_at=None)
        import_string(task["func"])(*task["args"])
        done.append(task["func"])
    return done


def session_key(email: str) -> str:
    """The key of a new session of that person, as signing in opens it, at the price of a row."""
    request = HttpRequest()
    request.META.update(REMOTE_ADDR="127.0.0.1", HTTP_USER_AGENT="Navegador de teste")
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    sessions.open_session(request, User.objects.get(email=email))
    key = request.session.session_key
    assert key
    return str(key)


def signed_in(email: str, **options: Any) -> Client:
    """A browser in which that person has just signed in."""
    client = Client(**options)
    client.cookies[settings.SESSION_COOKIE_NAME] = session_key(email)
    return client
