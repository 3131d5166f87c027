"""JSON log lines with the request's id; personal data and secrets are dropped by name."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

REDACTED = "[removido]"
_SECRET = re.compile(
    r"(authorization|cookie|csrf|document|email|body|xml|cpf|card|name|"
    r"pass|senha|secret|token|certificate|pfx)",
    re.IGNORECASE,
)
_ALLOWED = {"event", "logger", "level", "timestamp", "filename", "func_name", "taskName"}
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every key that names a secret or personal data, whatever its value."""
    for key in event:
        if key not in _ALLOWED and _SECRET.search(key):
            event[key] = REDACTED
    return event


# A database error repeats the row it refused; CPF, CNPJ and e-mail may stand in any message.
_ROWS = re.compile(r"^(?:DETAIL|CONTEXT):.*$", re.MULTILINE)
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.]+|\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b|"
    r"\b[0-9A-Z]{2}\.?[0-9A-Z]{3}\.?[0-9A-Z]{3}/?[0-9A-Z]{4}-?\d{2}\b"
)


def mask_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop the data of people from a traceback; where it happened stays."""
    if "exception" in event:
        event["exception"] = _PERSONAL.sub(REDACTED, _ROWS.sub(REDACTED, str(event["exception"])))
    return event


# Addresses that open a door: banks that sign nothing prove themselves by the rest of theirs, and
# people come in by invitations, links to new passwords and links to invoices.
_DOORS = re.compile(
    r"(/hooks/[0-9a-f-]{36}/|/central/convite/|/central/senha/redefinir/|/p/f/)[^\s\"']+"
)


def mask_doors(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop the secret part of an address from the line and from a traceback."""
    for key in ("event", "exception"):
        if "/" in str(event.get(key, "")):
            event[key] = _DOORS.sub(rf"\1{REDACTED}", str(event[key]))
    return event


def logging_config(*, level: str) -> dict[str, Any]:
    """The LOGGING dictionary: one JSON object per line on standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    _drop_request,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    redact,
                    mask_exception,
                    mask_doors,
                    structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.request": {"level": "ERROR"},
            "django-q": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "fontTools": {"level": "WARNING"},
            "weasyprint": {"level": "ERROR"},
        },
    }


def _drop_request(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # Django passes the whole request as an extra; its text may hold a query with personal data.
    event.pop("request", None)
    return event


class RequestIdMiddleware:
    """Give every request an id (or keep the caller's), bind it to the logs and answer it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.match(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = self.get_response(request)
            finally:
                # Bound by whoever authenticates; the thread goes on to other requests.
                structlog.contextvars.unbind_contextvars("caller_id")
        response["X-Request-Id"] = request_id
        return response
