"""The throwaway PostgreSQL of the test support."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from support import postgres

SCRIPT = Path(postgres.__file__)
ROOT = SCRIPT.parent.parent.parent


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def is_running(pid: int) -> bool:
    """Whether the process runs; a zombie nobody has collected has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pid: int, *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_a_server_answers_on_its_url_and_leaves_nothing_behind():
    with postgres.start(settings={"work_mem": "9MB"}) as server:
        answers = [ask(server.url, f"SHOW {name}") for name in ("work_mem", "fsync", "timezone")]
        pid, directory = server.pid, server.directory

    assert answers == ["9MB", "off", "UTC"]
    assert pid is not None
    assert wait_until_gone(pid)
    assert not directory.exists()


def test_it_listens_on_a_unix_socket_only_with_a_short_path():
    with postgres.start() as server:
        listen = ask(server.url, "SHOW listen_addresses")

    assert listen == ""
    assert server.url == f"postgresql://postgres@/postgres?host={server.directory}"
    assert len(str(server.directory)) < 100


def test_data_survives_a_restart_and_a_power_cut():
    with postgres.start() as server:
        ask(server.url, "SELECT count(*) FROM pg_class")
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n integer)")
            connection.execute("INSERT INTO kept VALUES (7)")

        server.restart()
        after_restart = ask(server.url, "SELECT n FROM kept")
        server.kill()
        server.start()
        after_kill = ask(server.url, "SELECT n FROM kept")

    assert (after_restart, after_kill) == (7, 7)


def test_the_wheel_serves_where_no_postgresql_is_installed(monkeypatch):
    wheel = list(postgres._from_wheel())
    monkeypatch.setenv("PG_BIN", str(wheel[0]))

    with postgres.start() as server:
        version = ask(server.url, "SHOW server_version")

    assert version == "18.4"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_binaries_that_only_root_can_reach_are_copied(monkeypatch, tmp_path):
    wheel = next(postgres._from_wheel())
    hidden = tmp_path / "site-packages"
    hidden.mkdir(mode=0o700)
    package = wheel.parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        (hidden / folder.name).symlink_to(folder)
    monkeypatch.setattr(
        postgres, "find_binaries", lambda: hidden / wheel.relative_to(package.parent)
    )

    with postgres.start() as server:
        answer = ask(server.url, "SELECT 1")
        copied = server.binaries.is_relative_to(server.directory)

    assert answer == 1
    assert copied


def test_a_folder_without_postgresql_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PG_BIN", str(tmp_path))

    with pytest.raises(postgres.PostgresError) as refusal:
        postgres.find_binaries()

    assert str(tmp_path) in str(refusal.value)


def test_a_setting_the_server_refuses_is_told_in_its_own_words():
    with (
        pytest.raises(postgres.PostgresError, match="no_such_setting"),
        postgres.start(settings={"no_such_setting": "1"}),
    ):
        pytest.fail("it started")


def test_the_server_dies_with_a_process_killed_without_warning():
    process = subprocess.Popen([sys.executable, SCRIPT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    directory = Path(process.stdout.readline().strip().partition("host=")[2])
    postmaster = int((directory / "data" / "postmaster.pid").read_text().split()[0])

    process.kill()
    process.wait()

    assert wait_until_gone(postmaster)
    subprocess.run(["rm", "-rf", directory], check=True)


def test_a_command_gets_the_database_and_its_exit_code_is_returned():
    code = "import os, sys; print(os.environ['DATABASE_URL']); sys.exit(3)"

    done = subprocess.run(
        [sys.executable, SCRIPT, sys.executable, "-c", code], capture_output=True, text=True
    )

    assert done.returncode == 3
    assert done.stdout.startswith("postgresql://postgres@/postgres?host=/tmp/pg-")
    assert not Path(done.stdout.strip().partition("host=")[2]).exists()


LOSES_ITS_SERVER = """
import os, signal, sys, time, psycopg
url = os.environ["DATABASE_URL"]
lost = psycopg.connect(url, autocommit=True)
began = lost.execute("SELECT pg_postmaster_start_time()").fetchone()
os.kill(int(os.environ["POSTGRES_KEEPER"]), getattr(signal, sys.argv[1]))
until = time.monotonic() + 20
while time.monotonic() < until:
    try:
        with psycopg.connect(url) as found:
            if found.execute("SELECT pg_postmaster_start_time()").fetchone() != began:
                break
    except psycopg.OperationalError:
        time.sleep(0.05)
else:
    sys.exit(4)
try:
    lost.execute("SELECT 1")
except psycopg.OperationalError:
    sys.exit(5)
"""


@pytest.mark.parametrize("sig", ["SIGUSR1", "SIGUSR2"])
def test_a_command_may_have_its_server_taken_away_and_brought_back(sig):
    done = subprocess.run(
        [sys.executable, SCRIPT, sys.executable, "-c", LOSES_ITS_SERVER, sig],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (5, "")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_command_and_the_server_still_stops(sig):
    code = "import os, time; print(os.environ['DATABASE_URL'], flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, SCRIPT, sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A shell that starts the tests in the background makes their children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(sig, signal.SIG_DFL),
    )
    assert process.stdout is not None
    directory = Path(process.stdout.readline().strip().partition("host=")[2])

    process.send_signal(sig)

    assert process.wait(timeout=20) == 128 + sig
    assert not directory.exists()
