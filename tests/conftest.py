"""Shared fixtures. The engine is chosen by DATABASE_URL, as in production."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models.signals import post_migrate

from lib import append_only

# Tests never write into a developer's data folder; the environment is for their child processes.
_FOLDER = Path(tempfile.mkdtemp(prefix="faturamento-tests-"))
os.environ["DATA_DIR"] = str(_FOLDER)
os.environ.pop("UX_TODAY", None)

APPEND_ONLY = (
    "accounts_auditevent",
    "billing_partysnapshot",
    "billing_documenttemplateversion",
    "billing_asset",
)


# In these folders and modules the database is reached by other processes.
BY_PROCESS = ("e2e/", "soak/", "test_benchmarks")
OF_NEITHER = ("test_dev_script", "test_support_postgres")  # they choose an engine by themselves
DATABASE = {"db", "transactional_db"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--of-database",
        action="store_true",
        help="only what can depend on the database: the rest has run with the other engine",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--of-database"):
        others = [item for item in items if not _sees_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _sees_database(item)]


def _sees_database(item: pytest.Item) -> bool:
    """pytest-django refuses the database to a test that has not asked for it."""
    asked = DATABASE & set(getattr(item, "fixturenames", ())) or item.get_closest_marker(
        "django_db"
    )
    if any(name in item.nodeid for name in OF_NEITHER):
        return False
    by_process = any(name in item.nodeid for name in BY_PROCESS)
    return bool(asked) or by_process or hasattr(getattr(item, "module", None), "subprocess")


def pytest_configure() -> None:
    # pytest-django has read the settings by now.
    settings.DATA_DIR = _FOLDER
    settings.MEDIA_ROOT = _FOLDER / "media"
    # Another thread sees nothing of the transaction that a test runs in.
    settings.FISCAL_SENDERS = 1


def pytest_unconfigure() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)


def _guard_again(**_: object) -> None:
    tables = connection.introspection.table_names()
    for table in APPEND_ONLY:
        if table in tables:
            append_only.install(connection, table)


# Emptying the database after a transactional test ends with this signal.
post_migrate.connect(_guard_again, dispatch_uid="tests.guard_again")


@pytest.fixture(autouse=True)
def _emptiable(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lift the append-only rule when a transactional test is over, so the tables can be emptied."""
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    for table in APPEND_ONLY:
        append_only.remove(connection, table)


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    """Requests are counted by token, and after a rollback the next test's token has the same id."""
    cache.clear()


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> object:
    """Move the product's calendar: today("2026-01-31")."""

    def move(text: str) -> None:
        monkeypatch.setenv("UX_TODAY", text)

    return move


@pytest.fixture
def account(db: None) -> object:
    from factories import AccountFactory

    return AccountFactory()


@pytest.fixture
def other_account(db: None) -> object:
    from factories import AccountFactory

    return AccountFactory(slug="outra", name="Outra conta")


@pytest.fixture
def organization(account: object) -> object:
    from factories import OrganizationFactory

    return OrganizationFactory(account=account)


@pytest.fixture
def customer(account: object) -> object:
    from factories import CompanyFactory

    return CompanyFactory(account=account)
