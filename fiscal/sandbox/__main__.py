"""python -m fiscal.sandbox [--host --port --control-port --data]: no database, no settings."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

PORT, CONTROL_PORT = 9443, 9444


def add_options(parser: argparse.ArgumentParser, data: str) -> None:
    """The options of the command, for Django's parser as well."""
    parser.add_argument("--host", default="127.0.0.1", help="endereço (padrão: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="porta TLS (padrão: %(default)s)")
    parser.add_argument(
        "--control-port",
        type=int,
        default=CONTROL_PORT,
        help="porta do controle, só em 127.0.0.1 (padrão: %(default)s)",
    )
    parser.add_argument("--data", default=data, help="pasta do sandbox (padrão: %(default)s)")


def serve(host: str, port: int, control_port: int, data: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    from fiscal.sandbox import server

    asked = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: asked.set())
    running = server.start(Path(data), port=port, control_port=control_port, host=host)
    print(f"Sandbox em {running.base_url}, controle em {running.control_url}", flush=True)
    asked.wait()
    running.stop()


def main(arguments: list[str]) -> None:
    """Parse and serve."""
    parser = argparse.ArgumentParser(prog="python -m fiscal.sandbox", description=__doc__)
    add_options(parser, "var/sandbox")
    given = parser.parse_args(arguments)
    serve(given.host, given.port, given.control_port, given.data)


if __name__ == "__main__":
    main(sys.argv[1:])
