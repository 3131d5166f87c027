"""What a measurement of the fiscal engine needs beside the database: authority, site, queue.

Each is a process of its own, as `./dev run` starts them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.lab import PATHS, POSTGRES, ROOT
from benchmarks.report import Row

from devtools.serve import WEB

START_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")
_ADDRESSES = re.compile(r"(https://\S+?), .*?(http://\S+)")


def product_env(engine: str) -> dict[str, str]:
    """The environment of a process of the product: that database, no limit of requests."""
    quiet = {"FISCAL_RATE_LIMIT_PER_MINUTE": "0", "LOG_LEVEL": "ERROR"}
    env = dict(os.environ) | quiet | {"PYTHONPATH": os.pathsep.join(PATHS)}
    if engine != POSTGRES:
        env.pop("DATABASE_URL", None)
    return env


@dataclass(frozen=True)
class Authority:
    """The sandbox authority: where it listens, and the folder of its certificates."""

    base_url: str
    control_url: str
    folder: Path
    pid: int

    @property
    def ca_folder(self) -> Path:
        return self.folder / "ca"

    def env(self, engine: str) -> dict[str, str]:
        """The environment of a process of the product that issues to it."""
        ca_file = str(self.ca_folder / "ca.pem")
        return product_env(engine) | {
            "FISCAL_ENDPOINTS_BASE": self.base_url,
            "FISCAL_CA_FILE": ca_file,
        }

    def told(self, method: str, name: str, body: Any = None, **given: str) -> Any:
        """One call to the control API."""
        url = f"{self.control_url}/{name}?{urlencode(given)}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(url, data, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def last_request(self) -> int:
        """The number of the last request in its journal; 0 before the first."""
        last = 0
        while rows := self.told("GET", "pedidos", desde=str(last)):
            last = rows[-1]["id"]
        return last

    def sent(self, since: int = 0) -> list[dict[str, Any]]:
        """The authorisations that it was asked for after the request `since`."""
        found: list[dict[str, Any]] = []
        while rows := self.told("GET", "pedidos", servico="autorizacao", desde=str(since)):
            found += rows
            since = rows[-1]["id"]
        return found


@contextlib.contextmanager
def authority(folder: Path) -> Iterator[Authority]:
    command = [sys.executable, "-m", "fiscal.sandbox", "--port", "0", "--control-port", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = _ADDRESSES.search(line)
        if found is None:
            raise RuntimeError(f"o sandbox da medição não começou: {line!r}")
        yield Authority(found[1], found[2], folder, process.pid)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class Site:
    """A served product; the work of its processes can be read while it runs."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)


@contextlib.contextmanager
def site(env: dict[str, str]) -> Iterator[Site]:
    """Gunicorn as `./dev run` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "config.wsgi:application"]
    command += ["--bind", f"127.0.0.1:{port}", *WEB, "--preload"]
    command += ["--log-level", "warning", "--no-control-socket", "-c", "python:devtools.gate"]
    with _running(command, env) as process:
        _wait(port, process)
        yield Site(port, process.pid)


@contextlib.contextmanager
def queue(env: dict[str, str], *, workers: int = 2) -> Iterator[int]:
    """The queue with that many workers; answers the id of its first process."""
    command = [sys.executable, "manage.py", "qcluster"]
    with _running(command, {**env, "WORKERS": str(workers)}) as process:
        yield process.pid


@contextlib.contextmanager
def _running(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("o servidor da medição não respondeu")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, of those that it started and of those that they started."""
    total = 0.0
    for one in [pid, *_below(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15]) / TICKS
    return total


def parent_of(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_below(child)]
    return found


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor that one document took, by process."""

    ms: dict[str, float]

    def row(self, name: str) -> Row:
        parts = ", ".join(f"{who} {ms:.0f}" for who, ms in self.ms.items())
        return Row(f"{name}: processador", sum(self.ms.values()), f"ms por nota ({parts})")


class Work:
    """What the processes work from now on; a process without number is not there."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.pids = {who: pid for who, pid in pids.items() if pid}
        self.before = self._now()

    def each(self, n: int) -> Cost:
        now = self._now()
        return Cost({who: (now[who] - self.before[who]) / n * 1000 for who in self.pids})

    def _now(self) -> dict[str, float]:
        return {who: cpu_seconds(pid) for who, pid in self.pids.items()}
