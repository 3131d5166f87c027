"""Logs: JSON lines, an id for each request, no secret and no personal data."""

from __future__ import annotations

import io
import json
import logging
import logging.config

import pytest
import structlog
from django.http import HttpResponse
from django.test import RequestFactory

from lib.log import REDACTED, RequestIdMiddleware, logging_config


@pytest.fixture
def written():
    """Configure logging into a buffer; calling it answers the lines written so far."""
    config = logging_config(level="INFO")
    stream = io.StringIO()
    config["handlers"]["stderr"]["stream"] = stream
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    config["root"]["handlers"] = ["stderr"]
    logging.config.dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level


def test_a_line_is_one_json_object_with_event_level_and_time(written):
    logging.getLogger("billing").info("invoice.emitted", extra={"invoice_id": 7})

    (line,) = written()
    assert (line["event"], line["level"], line["logger"], line["invoice_id"]) == (
        "invoice.emitted", "info", "billing", 7,
    )  # fmt: skip
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "key",
    [
        "token", "api_token", "password", "senha", "secret_key", "authorization", "cookie",
        "csrfmiddlewaretoken", "email", "customer_name", "document", "cpf", "card_number",
        "xml", "body", "pfx", "certificate",
    ],
)  # fmt: skip
def test_what_names_a_secret_or_a_person_is_blanked(written, key):
    logging.getLogger("x").info("teste", extra={key: "12345678909"})

    (line,) = written()
    assert line[key] == REDACTED
    assert "12345678909" not in json.dumps(line)


def test_the_secret_part_of_a_hook_never_reaches_a_line(written):
    hook = "/hooks/7d0c1f0e-3b51-4b9f-9a57-0c9c6c2f9e11"
    path = f"{hook}/segredo-do-banco/pix"
    try:
        raise ValueError(path)
    except ValueError:
        logging.getLogger("django.request").error("Internal Server Error: %s", path, exc_info=True)

    (line,) = written()
    assert line["event"] == f"Internal Server Error: {hook}/{REDACTED}"
    assert "segredo-do-banco" not in json.dumps(line)


@pytest.mark.parametrize("door", ["/central/convite/", "/central/senha/redefinir/", "/p/f/"])
def test_the_token_in_an_address_of_customers_never_reaches_a_line(written, door):
    logging.getLogger("django.request").error("Internal Server Error: %sabc-Dé_9.x/pdf/", door)

    (line,) = written()
    assert line["event"] == f"Internal Server Error: {door}{REDACTED}"


def test_the_request_object_never_reaches_a_line(written):
    request = RequestFactory().get("/?cpf=12345678909")

    logging.getLogger("django.request").error("Internal Server Error", extra={"request": request})

    (line,) = written()
    assert "request" not in line
    assert "12345678909" not in json.dumps(line)


def test_an_exception_is_part_of_its_line(written):
    try:
        raise ValueError("ruim")
    except ValueError:
        logging.getLogger("x").exception("falhou")

    (line,) = written()
    assert "ValueError: ruim" in line["exception"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abcd-1234.ef", True),
        ("curto", False),
        ("x" * 65, False),
        ("com espaço ã", False),
        ("", False),
    ],
)
def test_a_caller_s_request_id_is_kept_when_it_is_one(given, kept):
    seen = {}

    def view(request: object) -> HttpResponse:
        seen.update(structlog.contextvars.get_contextvars())
        return HttpResponse()

    request = RequestFactory().get(
        "/", headers={"X-Request-Id": given.encode("latin-1", "replace").decode("latin-1")}
    )
    response = RequestIdMiddleware(view)(request)

    assert response["X-Request-Id"] == seen["request_id"]
    assert (response["X-Request-Id"] == given) is kept
    assert "request_id" not in structlog.contextvars.get_contextvars()
