"""Shared fixtures. The engine is chosen by DATABASE_URL, as in production."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db.models.signals import class_prepared
from django.test import TransactionTestCase
from support import migrated
from support.emptying import empty

# Tests never write into a developer's data folder; the environment is for their child processes.
_FOLDER = Path(tempfile.mkdtemp(prefix="faturamento-tests-"))
os.environ["DATA_DIR"] = str(_FOLDER)
os.environ.pop("UX_TODAY", None)

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--of-database"):
        others = [item for item in items if not _sees_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _sees_database(item)]
    # First what keeps one process busy for long, or the others wait for it at the end.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _sees_database(item: pytest.Item) -> bool:
    """pytest-django refuses the database to a test that has not asked for it."""
    asked = DATABASE & set(getattr(item, "fixturenames", ())) or item.get_closest_marker(
        "django_db"
    )
    if any(name in item.nodeid for name in OF_NEITHER) or item.get_closest_marker("either_engine"):
        return False
    by_process = any(name in item.nodeid for name in BY_PROCESS)
    return bool(asked) or by_process or hasattr(getattr(item, "module", None), "subprocess")


def pytest_configure() -> None:
    # pytest-django has read the settings by now.
    settings.DATA_DIR = _FOLDER
    settings.MEDIA_ROOT = _FOLDER / "media"
    settings.TEST_ROUTES = True  # read when the first address is looked up
    # Another thread sees nothing of the transaction that a test runs in.
    settings.FISCAL_SENDERS = 1
    # What collecting makes is kept to the end: looking through it for garbage costs minutes.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None) -> bool:
    """Is the database of an earlier run there, that was migrated in the same way?"""
    return migrated.bring()


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_keepdb: bool, django_db_blocker: Any
) -> Iterator[None]:
    """The database of pytest-django, migrated in half of the time, or once for many runs."""
    with _cheap_models():
        request.getfixturevalue("django_db_setup")
    with django_db_blocker.unblock():
        migrated.keep()
    yield
    if django_db_keepdb:
        with django_db_blocker.unblock():
            migrated.remove()


@contextmanager
def _cheap_models() -> Iterator[None]:
    """Migrating makes thousands of short-lived model classes.

    Each would be announced to every state field that there has ever been, though only the real
    classes, prepared long ago, have transitions to tell of.
    """
    gc.disable()
    class_prepared.connect = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del class_prepared.connect
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _quickly_emptied() -> Iterator[None]:
    """After a transactional test only what has rows is emptied (Django flushes every table)."""

    def teardown(case: Any) -> None:
        for alias in case._databases_names(include_mirrors=False):
            empty(alias)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield


@pytest.fixture(scope="session", autouse=True)
def _shipped_templates() -> None:
    """Every organization gets the shipped templates: compiled once, as a renderer does."""
    from billing.documents.templates import samples

    list(samples())


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
