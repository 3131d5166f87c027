"""Gunicorn's configuration: the product is imported while the database is being prepared."""

from __future__ import annotations

import os


def on_starting(arbiter: object) -> None:
    """Wait for an open gate; gunicorn calls this after the import and before it listens.

    The gate is a pipe that reads as ended once the supervisor has closed its other end.
    """
    os.read(int(os.environ["DEV_GATE"]), 1)
