"""What gunicorn refuses by itself is told in Portuguese, as JSON (fiscal-api §1.6)."""

from __future__ import annotations

import json
import socket
from http.client import HTTPResponse

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.parser import RequestParser

from devtools import gate
from devtools.web_worker import Worker


def config() -> Config:
    made = Config()
    made.set("limit_request_line", gate.limit_request_line)
    return made


def told(sent: bytes) -> tuple[int, dict[str, str]]:
    """What the worker answers to bytes that gunicorn cannot read as a request."""
    with pytest.raises(errors.ParseException) as refused:
        next(RequestParser(config(), [sent], ("192.0.2.1", 1)))
    return answered(refused.value)


def answered(error: Exception) -> tuple[int, dict[str, str]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Worker.handle_error(Worker.__new__(Worker), None, ours, ("192.0.2.1", 1), error)
        ours.shutdown(socket.SHUT_WR)
        response = HTTPResponse(theirs)
        response.begin()
        assert response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(response.read())


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: localhost", *headers, "", ""]).encode("latin-1")


def test_a_ref_of_ten_thousand_letters_is_told_in_json():
    status, body = told(head(f"POST /v2/nfe?ref={'a' * 10_000} HTTP/1.1"))

    assert status == 414
    assert body == {
        "codigo": "requisicao_invalida",
        "mensagem": "O endereço da requisição é longo demais; uma referência (ref) tem até 255 "
        "caracteres.",
    }


def test_an_address_of_eight_thousand_letters_reaches_the_product():
    request = next(RequestParser(config(), [head(f"GET /v2/nfe/{'a' * 8_000} HTTP/1.1")], ("", 1)))

    assert len(request.path) == len("/v2/nfe/") + 8_000


@pytest.mark.parametrize(
    "sent",
    [
        head("POST /v2/nfe HTTP/1.1", "Content-Length: -5"),
        head("POST /v2/nfe HTTP/1.1", "Content-Length: abc"),
        head("POST /v2/nfe HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"),
        head("GET /v2/nfe HTTP/1.1", "X y: 1"),
        head("GET /v2/nfe HTTP/9.9"),
        head("@@@ /v2/nfe HTTP/1.1"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
def test_a_malformed_request_is_told_in_json(sent):
    assert told(sent) == (
        400, {"codigo": "requisicao_invalida", "mensagem": "A requisição HTTP está malformada."},
    )  # fmt: skip


def test_headers_that_are_too_large_are_told_in_json():
    status, body = told(head("GET / HTTP/1.1", f"Cookie: {'a' * 9_000}"))

    assert (status, body["codigo"]) == (431, "requisicao_invalida")


def test_a_client_that_has_gone_is_no_error():
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        Worker.handle_error(
            Worker.__new__(Worker), None, ours, ("", 1), errors.InvalidRequestLine("x")
        )
