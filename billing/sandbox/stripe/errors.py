"""Refusals as Stripe words them."""

from __future__ import annotations

from typing import Any

from billing.sandbox.wire import Reply, as_json


class Refusal(Exception):
    """An error object and its status."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **more}

    def reply(self) -> Reply:
        return as_json({"error": self.error}, self.status)


def invalid(message: str, *, status: int = 400, **more: Any) -> Refusal:
    return Refusal(status, "invalid_request_error", message, **more)


def missing(what: str, given: str, param: str = "id") -> Refusal:
    return invalid(f"No such {what}: '{given}'", status=404, code="resource_missing", param=param)
