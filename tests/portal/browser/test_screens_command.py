"""manage.py screens, which makes the pictures that are looked at."""

from __future__ import annotations

import builtins
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection

MAGIC = b"\x89PNG\r\n\x1a\n"


def run(*screens: str, folder) -> list[str]:
    """In a thread: the tests' own browser keeps an event loop in this one."""
    out = StringIO()

    def work() -> None:
        try:
            call_command("screens", *screens, dir=str(folder), stdout=out)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    return out.getvalue().split()


def test_a_screen_is_photographed_light_dark_and_narrow(demo, tmp_path, monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    told = run("P16", "P21", folder=tmp_path)

    assert [line.rpartition("/")[2] for line in told] == [
        f"{screen}-1-{look}.png" for look in ("claro", "escuro", "390") for screen in ("P16", "P21")
    ]
    assert all((tmp_path / name).read_bytes().startswith(MAGIC) for name in told)
    assert not Session.objects.exists()  # nobody stays signed in


def test_what_it_needs_is_told(db, settings, monkeypatch):
    with pytest.raises(CommandError, match=r"manage\.py demo"):
        call_command("screens")
    settings.AMBIENTE = "producao"
    with pytest.raises(CommandError, match="AMBIENTE=producao"):
        call_command("screens")


def test_without_the_development_packages_it_says_so(demo, monkeypatch):
    real = builtins.__import__

    def without(name: str, *args, **kwargs):
        if name.startswith("portal.screenshots"):
            raise ModuleNotFoundError("No module named 'playwright'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(CommandError, match="Faltam os pacotes de desenvolvimento"):
        call_command("screens")
