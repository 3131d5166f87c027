"""What gunicorn refuses by itself, before the product sees it, in the form of the APIs.

Addresses and headers that are too long or malformed end here; gunicorn would answer a page in
English. Which API was meant is not known yet: the body is the one of /v2 (fiscal-api §1.6).
"""

from __future__ import annotations

import json
import logging
from typing import Any

from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

log = logging.getLogger(__name__)

# These are nobody's request: our own answer, or our own settings.
OURS = (ConfigurationProblem, InvalidResponseHeader, InvalidResponseHeaderName)
MALFORMED = (400, "Bad Request", "A requisição HTTP está malformada.")
REFUSALS = {
    LimitRequestLine: (
        414,
        "URI Too Long",
        "O endereço da requisição é longo demais; uma referência (ref) tem até 255 caracteres.",
    ),
    LimitRequestHeaders: (
        431,
        "Request Header Fields Too Large",
        "Os cabeçalhos da requisição são grandes demais.",
    ),
}


class Worker(ThreadWorker):  # type: ignore[misc]
    """The worker with threads, whose own refusals are JSON."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what could not be read; everything else is gunicorn's to tell."""
        if not isinstance(exc, ParseException) or isinstance(exc, OURS):
            super().handle_error(req, client, addr, exc)
            return
        log.info("web.unreadable_request", extra={"kind": type(exc).__name__})
        try:
            write_nonblock(client, refusal(exc))
        except OSError:  # whoever sent that has gone already
            log.info("web.refusal_not_sent")


def refusal(exc: ParseException) -> bytes:
    """The whole answer, head and body."""
    status, reason, mensagem = REFUSALS.get(type(exc), MALFORMED)
    told = {"codigo": "requisicao_invalida", "mensagem": mensagem}
    body = json.dumps(told, ensure_ascii=False).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
