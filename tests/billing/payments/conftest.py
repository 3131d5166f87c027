"""The queue of a test, run by hand."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.fixture
def run_queued(monkeypatch):
    """Keeps what billing's books enqueue; called, runs it and answers what it was."""
    queued = []
    monkeypatch.setattr(
        "billing.services.books.enqueue", lambda task, *pks: queued.append((task, *pks))
    )

    def run():
        done = list(queued)
        queued.clear()
        for task, *pks in done:
            module, name = task.rsplit(".", 1)
            getattr(import_module(module), name)(*pks)
        return done

    return run
