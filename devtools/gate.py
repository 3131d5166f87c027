"""Gunicorn's configuration: the product is imported while the database is being prepared."""

from __future__ import annotations

import gc
import os
import threading

worker_class = "devtools.web_worker.Worker"
limit_request_line = 8190  # the most there is: a list of filters may be long


def on_starting(arbiter: object) -> None:
    """Wait for an open gate; gunicorn calls this after the import and before it listens.

    The gate is a pipe that reads as ended once the supervisor has closed its other end.
    """
    _load()
    if gate := os.environ.get("DEV_GATE"):
        os.read(int(gate), 1)


def _load() -> None:
    """What the first requests would load, before the processes are forked: they share it."""
    from importlib import import_module

    from django.conf import settings

    from fiscal import warming

    import_module(settings.ROOT_URLCONF)
    warming.load()


def pre_fork(arbiter: object, worker: object) -> None:
    """What was loaded so far is shared: no collection of a process may touch its pages."""
    gc.freeze()


def post_fork(arbiter: object, worker: object) -> None:
    """One of the processes that answer begins."""
    from lib import interpreter

    interpreter.settle()


WARM_UP_AFTER = 3.0  # seconds: the first page comes first


def post_worker_init(worker: object) -> None:
    """Start the process that renders PDFs before anybody asks for one: it takes a second."""
    from lib import pdf

    timer = threading.Timer(WARM_UP_AFTER, pdf.warm_up)
    timer.daemon = True
    timer.start()
