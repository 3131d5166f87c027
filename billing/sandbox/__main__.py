"""python -m billing.sandbox [--host --port --data]: no database, no settings."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

PORT = 9445


def serve(host: str, port: int, data: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    from billing.sandbox import server

    asked = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: asked.set())
    running = server.start(Path(data), port=port, host=host)
    print(f"Sandbox de provedores em {running.base_url}", flush=True)
    asked.wait()
    running.stop()


def main(arguments: list[str]) -> None:
    """Parse and serve."""
    parser = argparse.ArgumentParser(prog="python -m billing.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="endereço (padrão: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="porta (padrão: %(default)s)")
    parser.add_argument("--data", default="var/sandbox", help="pasta (padrão: %(default)s)")
    given = parser.parse_args(arguments)
    serve(given.host, given.port, given.data)


if __name__ == "__main__":
    main(sys.argv[1:])
