"""`./dev`: the set-up it does by itself, and processes that never outlive it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import machine, serve, supervisor, venv

ROOT = Path(__file__).resolve().parent.parent
DEV = ROOT / "dev"


# --- tools -------------------------------------------------------------------------------------


def dev(*arguments: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEV, *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes_of(data: Path) -> list[str]:
    """Command lines of the running processes whose DATA_DIR is `data`."""
    wanted = f"DATA_DIR={data}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def wait_until(condition, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health/worker", timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`./dev run` once it answers, its output in data.log; killed at the end if still there."""
    with data.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            [DEV, "run", "--no-demo", "--port", str(port), "--data", str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            assert wait_until(lambda: answers(port), seconds=180), log_of(data)
            yield process
        finally:
            process.kill()
            process.wait()


def log_of(data: Path) -> str:
    return data.with_suffix(".log").read_text()


def child(name: str, code: str) -> supervisor.Child:
    return supervisor.Child(name, [sys.executable, "-c", code], dict(os.environ))


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """A Supervisor takes over the signals of the process that makes it: give them back."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.getsignal(signum) for signum in signals}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


# --- system packages ---------------------------------------------------------------------------


def package(name: str, path: Path) -> machine.SystemPackage:
    """A pretended package that is there when the file is."""
    return machine.SystemPackage(name, f"{name}.so", path.exists)


def test_a_plain_user_is_told_the_exact_command_and_nothing_is_installed(
    monkeypatch, capsys, tmp_path
):
    # The identity of the running process cannot be staged, so this one call is patched.
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(fake_apt(tmp_path, installs="libone0")))
    (tmp_path / "present").touch()
    packages = (
        package("libone0", tmp_path / "libone0"),
        package("libpresent0", tmp_path / "present"),
        package("libtwo0", tmp_path / "libtwo0"),
    )

    with pytest.raises(SystemExit) as end:
        machine.ensure_system(packages)

    told = capsys.readouterr().err
    assert end.value.code == 1
    assert "sudo apt-get install --no-install-recommends libone0 libtwo0\n" in told
    assert not (tmp_path / "libone0").exists()


def test_root_gets_the_missing_packages_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    path = fake_apt(tmp_path, installs="libone0")
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")

    machine.ensure_system((package("libone0", tmp_path / "libone0"),))

    assert (tmp_path / "calls").read_text().splitlines() == [
        "-qq -o DPkg::Lock::Timeout=300 update",
        "-qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends libone0",
    ]


def test_a_package_that_stays_missing_is_told_with_the_words_of_apt(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    path = fake_apt(tmp_path, installs="another")
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")

    with pytest.raises(SystemExit):
        machine.ensure_system((package("libone0", tmp_path / "libone0"),))

    told = capsys.readouterr().err
    assert "apt: done" in told
    assert "apt-get install --no-install-recommends libone0\n" in told


def test_without_apt_the_libraries_themselves_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit):
        machine.ensure_system((package("libone0", tmp_path / "libone0"),))

    told = capsys.readouterr().err
    assert "libone0.so" in told
    assert "apt" not in told


def fake_apt(folder: Path, *, installs: str) -> Path:
    """A folder for PATH whose apt-get notes its arguments and "installs" one file."""
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "apt-get"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/calls\necho apt: done\n'
        f'case "$*" in *install*) touch {folder}/{installs};; esac\n'
    )
    script.chmod(0o755)
    return programs


# --- the virtual environment -------------------------------------------------------------------


@pytest.fixture
def project(monkeypatch, tmp_path) -> Path:
    """A folder that devtools.venv takes for the project, with a finished `.venv`."""
    folder = tmp_path / "project"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for name in (venv.RUNTIME, venv.DEVELOPMENT):
        (folder / name).write_text(f"# {name}\n")
    at(monkeypatch, folder)
    venv._write_stamp(venv.DEVELOPMENT)
    return folder


def at(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(venv, "ROOT", folder)
    monkeypatch.setattr(venv, "VENV", folder / ".venv")
    monkeypatch.setattr(venv, "PYTHON", folder / ".venv" / "bin" / "python")
    monkeypatch.setattr(venv, "STAMP", folder / ".venv" / "dev-stamp.json")


def test_a_finished_development_environment_serves_every_command(project):
    assert venv.venv_is_ready(venv.DEVELOPMENT)
    assert venv.venv_is_ready(venv.RUNTIME)


def test_a_runtime_environment_does_not_do_for_tests(project):
    venv._write_stamp(venv.RUNTIME)

    assert venv.venv_is_ready(venv.RUNTIME)
    assert not venv.venv_is_ready(venv.DEVELOPMENT)


def test_a_changed_list_of_packages_is_installed_again(project):
    (project / venv.RUNTIME).write_text("django==5.2.20\n")

    assert not venv.venv_is_ready(venv.RUNTIME)


def test_an_environment_that_was_moved_or_copied_is_made_again(monkeypatch, project, tmp_path):
    moved = tmp_path / "moved"
    project.rename(moved)
    at(monkeypatch, moved)

    assert not venv.venv_is_ready(venv.RUNTIME)
    assert not venv._venv_works()


def test_an_environment_whose_python_is_gone_is_made_again(project):
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python").symlink_to("/nonexistent/python3")

    assert not venv.venv_is_ready(venv.RUNTIME)


def test_an_environment_that_is_a_link_to_another_is_left_alone(monkeypatch, project, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (project / ".venv").rename(other / ".venv")
    (project / ".venv").symlink_to(other / ".venv")
    stamp = other / ".venv" / "dev-stamp.json"
    stamp.write_text(json.dumps({"venv": str(other / ".venv")}))
    before = stamp.read_text()

    with pytest.raises(SystemExit):
        venv.ensure_venv(venv.RUNTIME)

    assert stamp.read_text() == before


def test_a_half_written_stamp_counts_as_none(project):
    (project / ".venv" / "dev-stamp.json").write_text('{"venv": "')

    assert not venv.venv_is_ready(venv.RUNTIME)


def test_two_commands_never_prepare_the_environment_at_once(project):
    order = project / "order"
    code = (
        "import sys; from pathlib import Path; from devtools import venv\n"
        "venv.ROOT = Path(sys.argv[1])\n"
        "with venv.only_one_at_a_time(): Path(sys.argv[2]).open('a').write('second ')"
    )
    with venv.only_one_at_a_time():
        other = subprocess.Popen(
            [sys.executable, "-c", code, project, order], cwd=ROOT, stderr=subprocess.PIPE
        )
        assert other.stderr is not None
        waiting = other.stderr.readline().decode()
        order.write_text("first ")

    assert "esperando" in waiting
    assert other.wait(timeout=10) == 0
    assert order.read_text() == "first second "


def test_the_pinned_lines_of_one_package_keep_their_hashes():
    requirements = (
        "urllib3==2.8.0 \\\n    --hash=sha256:aa\nuv==0.13.8 \\\n    --hash=sha256:bb \\\n"
        "    --hash=sha256:cc\n    # via me\nuvicorn==1.0 \\\n    --hash=sha256:dd\n"
    )

    assert venv.pinned("uv", requirements) == (
        "uv==0.13.8 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n    # via me\n"
    )


def test_every_runtime_pin_is_the_one_the_tests_run_with():
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.rstrip(" \\") for line in lines if "==" in line and line[0].isalnum()}

    assert pins("requirements.txt") - pins("requirements-dev.txt") == set()


# --- the supervisor ----------------------------------------------------------------------------


def test_a_child_that_dies_is_started_again_later_and_later(
    monkeypatch, capsys, tmp_path, signal_handlers
):
    monkeypatch.setattr(supervisor, "BACK_OFF", (0.1, 0.3))
    starts = tmp_path / "starts"
    code = f"import time; open({str(starts)!r}, 'a').write(f'{{time.time()}}\\n')"
    boss = supervisor.Supervisor([child("Teste", code)])

    def stop_after_four() -> None:
        if starts.exists() and len(starts.read_text().splitlines()) == 4:
            boss.signals = 1

    boss.run(stop_after_four)

    times = [float(line) for line in starts.read_text().splitlines()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.3
    assert gaps[2] >= 0.3
    assert "Teste parou sozinho (código 0); novo início em 0.3 s." in capsys.readouterr().err


def test_what_a_dead_child_left_behind_is_killed(tmp_path, signal_handlers):
    data = tmp_path / "data"
    code = (
        "import os, subprocess, sys; os.environ['DATA_DIR'] = sys.argv[1]\n"
        "subprocess.Popen(['sleep', '300']); os._exit(9)"
    )
    orphanage = supervisor.Child("Teste", [sys.executable, "-c", code, str(data)], dict(os.environ))
    orphanage.start()
    assert orphanage.process is not None
    orphanage.process.wait()
    assert processes_of(data) == ["sleep 300 "]

    orphanage.tend()

    assert wait_until(lambda: processes_of(data) == [], seconds=5)


def test_a_child_deaf_to_sigterm_is_killed_after_the_grace(monkeypatch, tmp_path, signal_handlers):
    monkeypatch.setattr(supervisor, "STOP_GRACE", 0.5)
    ready = tmp_path / "ready"
    deaf = child(
        "Teste",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(ready)!r}, 'w'); time.sleep(300)",
    )
    boss = supervisor.Supervisor([deaf])
    deaf.start()
    assert wait_until(ready.exists, seconds=10)
    assert deaf.process is not None
    pid = deaf.process.pid

    started = time.monotonic()
    boss.stop([deaf])

    assert 0.5 <= time.monotonic() - started < 3
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_of_a_stop_ends_every_child(sig, tmp_path):
    code = (
        "import os, sys; from devtools.supervisor import Child, Supervisor\n"
        "env = {**os.environ, 'DATA_DIR': sys.argv[1]}\n"
        "boss = Supervisor([Child(n, ['sleep', '300'], env) for n in 'ab'])\n"
        "print('ready', flush=True); boss.run(lambda: None)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        # Under nohup it would be right to ignore SIGHUP.
        preexec_fn=lambda: signal.signal(sig, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert wait_until(lambda: len(processes_of(tmp_path)) == 2, seconds=10)

        process.send_signal(sig)

        assert process.wait(timeout=20) == 0
        assert processes_of(tmp_path) == []
    finally:
        process.kill()


# --- the test authority ------------------------------------------------------------------------


@pytest.fixture
def no_endpoints(monkeypatch) -> None:
    """Nothing said about authorities; what the code says is undone after the test."""
    for name in ("AMBIENTE", "FISCAL_ENDPOINTS_BASE", "FISCAL_CA_FILE"):
        monkeypatch.setenv(name, "")


def test_the_test_authority_is_where_the_product_is_sent(no_endpoints, tmp_path):
    made = serve.sandbox(tmp_path)

    assert made is not None
    port = made.command[made.command.index("--port") + 1]
    folder = tmp_path / "sandbox"
    assert os.environ["FISCAL_ENDPOINTS_BASE"] == f"https://127.0.0.1:{port}"
    assert os.environ["FISCAL_CA_FILE"] == str(folder / "ca" / "ca.pem")
    assert made.command[-2:] == ["--data", str(folder)]
    assert made.env["FISCAL_ENDPOINTS_BASE"] == os.environ["FISCAL_ENDPOINTS_BASE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMBIENTE", "producao"),
        ("FISCAL_ENDPOINTS_BASE", "https://outra.example"),
        ("FISCAL_CA_FILE", "/etc/ssl/raiz.pem"),
    ],
)
def test_no_test_authority_where_another_is_meant(no_endpoints, monkeypatch, tmp_path, name, value):
    monkeypatch.setenv(name, value)

    assert serve.sandbox(tmp_path) is None
    assert os.environ[name] == value


def test_the_stand_ins_of_providers(monkeypatch, tmp_path):
    names = (
        "AMBIENTE",
        "PROVIDERS_SANDBOX",
        "WEBHOOK_ALLOW_HTTP",
        "WEBHOOK_ALLOW_PRIVATE",
        "CEP_URL",
    )
    for name in names:  # undone after the test, whatever the code says
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    made = serve.provider_sandbox(tmp_path)
    assert made is not None
    port = made.command[made.command.index("--port") + 1]
    assert os.environ["PROVIDERS_SANDBOX"] == f"http://127.0.0.1:{port}"
    assert made.env["WEBHOOK_ALLOW_PRIVATE"] == "1"
    assert serve.provider_sandbox(tmp_path) is None  # somebody's is configured now
    monkeypatch.delenv("PROVIDERS_SANDBOX")
    monkeypatch.setenv("AMBIENTE", "producao")
    assert serve.provider_sandbox(tmp_path) is None


def test_a_port_that_is_taken_is_left_to_its_owner():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]

        assert serve.free_port(port) not in (0, port)


class StagedSite:
    """A site whose health page says what the test wants."""

    def __init__(self, status: str | None) -> None:
        self.status = status

    def worker_status(self) -> str | None:
        return self.status


@pytest.mark.parametrize(
    ("status", "age", "restarted"),
    [
        ("stalled", 200.0, True),
        ("stalled", 100.0, False),  # too young: the heartbeat it reads is of the cluster before
        ("ok", 200.0, False),
        (None, 200.0, False),
        ("", 200.0, False),
    ],
)
def test_only_a_queue_that_stalled_twice_is_restarted(status, age, restarted, signal_handlers):
    queue = child("Fila", "import time; time.sleep(300)")
    boss = supervisor.Supervisor([queue])
    queue.start()
    queue.started_at -= age
    watch = serve.Watch(StagedSite(status), queue, boss, greeting="")

    watch()
    once = queue.process is None
    watch.next_look = 0
    watch()

    assert not once
    assert (queue.process is None) is restarted
    boss.stop([queue])


# --- through the door --------------------------------------------------------------------------


def test_an_unknown_command_shows_the_usage():
    done = dev("corre")

    assert done.returncode == 2
    assert "Uso: ./dev COMANDO" in done.stderr


def test_help_is_printed_as_a_result():
    done = dev("--help")

    assert done.returncode == 0
    assert "./dev COMANDO" in done.stdout


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_cannot_be_is_refused(port, tmp_path):
    done = dev("run", f"--port={port}", "--data", str(tmp_path / "data"))

    assert done.returncode == 2
    assert "não é uma porta de 1 a 65535" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_told_before_anything_starts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = dev("run", "--port", str(port), "--data", str(tmp_path))

    assert done.returncode == 1
    assert f"A porta {port} de 127.0.0.1 já está em uso." in done.stderr
    assert "--port" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()

    done = dev("manage", "--data", str(tmp_path / "file" / "data"), "check")

    assert done.returncode == 1
    assert "Escolha outra pasta com --data DIR" in done.stderr


@pytest.mark.slow
def test_run_serves_until_ctrl_c_or_death_and_leaves_no_process(tmp_path):
    data, port = tmp_path / "data", free_port()
    with running(data, port) as process:
        assert wait_until(lambda: "qcluster" in " ".join(processes_of(data)), seconds=10)
        assert "fiscal.sandbox" in " ".join(processes_of(data))
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=20) == 0
    assert processes_of(data) == []
    assert f"Pronto:  http://127.0.0.1:{port}/" in log_of(data)
    assert "Sandbox: https://127.0.0.1:" in log_of(data)
    assert (data / "sandbox" / "ca" / "ca.pem").exists()
    assert data.stat().st_mode & 0o777 == 0o700

    # The same data again, and killed without warning.
    with running(data, port) as process:
        assert wait_until(lambda: "qcluster" in " ".join(processes_of(data)), seconds=10)
        process.kill()

        assert wait_until(lambda: processes_of(data) == [], seconds=20), processes_of(data)


def test_a_database_that_cannot_be_prepared_ends_the_run(tmp_path):
    data = tmp_path / "data"
    url = "postgresql://nobody@/nothing?host=/nonexistent"

    done = dev("run", "--port", str(free_port()), "--data", str(data), DATABASE_URL=url)

    assert done.returncode == 1
    assert "O banco de dados não pôde ser preparado" in done.stderr
    assert processes_of(data) == []


def test_manage_works_in_the_folder_of_the_caller(tmp_path):
    code = "import os; print(os.getcwd(), os.environ['DATA_DIR'])"

    done = dev("manage", "--data", "here", "shell", "-v0", "-c", code, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == [str(tmp_path), str(tmp_path / "here")]


def test_test_runs_what_was_asked_on_both_engines():
    # What runs programs is run on both: a test of that kind, which needs no database migrated.
    done = dev("test", "-q", "tests/test_benchmarks.py", "-k", "one_object")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2
    assert "Resumo: sqlite aprovado em" in done.stderr
    assert "; postgres aprovado em" in done.stderr


def test_what_no_database_can_change_is_not_run_again():
    done = dev("test", "-q", "tests/test_dev_script.py", "-k", "pinned_lines")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 1
    assert "Nenhum destes testes depende do banco de dados." in done.stderr
    assert "postgres" not in done.stderr.partition("Resumo:")[2]


def test_a_run_of_no_test_is_not_a_success():
    done = dev("test", "--sqlite", "-q", "tests/test_dev_script.py", "-k", "there_is_none")

    assert done.returncode == 5
    assert "sqlite REPROVADO (nenhum teste rodou)" in done.stderr
    assert "postgres" not in done.stderr


def test_tests_see_neither_the_databases_nor_the_zone_of_the_caller(tmp_path):
    code = (
        "import json, os; from devtools.environment import scratch_environment\n"
        "with scratch_environment() as env: print(json.dumps(env))"
    )
    outside = {"DATABASE_URL": "postgresql://live", "REDIS_URL": "redis://live", "TZ": "Asia/Tokyo"}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **outside},
        capture_output=True,
        check=True,
    )

    env = json.loads(done.stdout)
    assert "DATABASE_URL" not in env
    assert "REDIS_URL" not in env
    assert env["TZ"] == "UTC"
    assert not Path(env["DATA_DIR"]).exists()


def test_ci_calls_the_same_command_as_people_do():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert lines[-1] == 'exec ./dev test "$@"'
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
