"""A CEP service in the form of ViaCEP on this machine, whose failures a test chooses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRACA_DA_SE = {
    "cep": "01001-000",
    "logradouro": "Praça da Sé",
    "complemento": "lado ímpar",
    "unidade": "",
    "bairro": "Sé",
    "localidade": "São Paulo",
    "uf": "SP",
    "estado": "São Paulo",
    "regiao": "Sudeste",
    "ibge": "3550308",
    "ddd": "11",
}


@dataclass
class PostalCodes:
    """Its setting (`url`), what it answers (`status`, `body`, after `delay` s), what it was asked.

    `body` None knows 01001-000 alone.
    """

    url: str = ""
    status: int = 200
    body: str | None = None
    delay: float = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> bytes:
        cep = path.split("/")[2]
        self.asked.append(cep)
        time.sleep(self.delay)
        if self.body is not None:
            return self.body.encode()
        return json.dumps(PRACA_DA_SE if cep == "01001000" else {"erro": "true"}).encode()


@contextmanager
def running() -> Iterator[PostalCodes]:
    """The service, for as long as the block lasts."""
    service = PostalCodes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = service.answer(self.path)
            self.send_response(service.status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}/ws/{{cep}}/json/"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
