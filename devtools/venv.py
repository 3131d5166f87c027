"""The virtual environment `.venv`: made, filled from the lock files, and recognised by a stamp."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devtools.machine import VENV_PACKAGES, ensure_system
from devtools.processes import die_with_parent
from devtools.terminal import give_up, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "dev-stamp.json"
RUNTIME, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"


def ensure_venv(requirements: str) -> None:
    """Make `.venv` hold `requirements`, a file name; development includes run time."""
    if venv_is_ready(requirements):
        return
    with only_one_at_a_time():
        if venv_is_ready(requirements):  # another ./dev did it while we waited
            return
        if requirements == RUNTIME and _is_for_development():
            requirements = DEVELOPMENT
        if VENV.is_symlink():
            raise give_up(".venv é um atalho para outra pasta; apague-o para criar um próprio.")
        try:
            STAMP.unlink(missing_ok=True)
            _create_venv()
            _install(requirements)
            _write_stamp(requirements)
        except PermissionError as error:
            raise give_up(f"Sem permissão para escrever em {error.filename}.") from error


def _is_for_development() -> bool:
    """An old development environment, or one made by hand, is renewed whole: nothing is cut off."""
    return DEVELOPMENT in _read_stamp() or (not STAMP.exists() and _venv_works())


def venv_is_ready(requirements: str) -> bool:
    """Whether the stamp says so for this very place, interpreter and list of packages."""
    stamp = _read_stamp()
    return (
        PYTHON.exists()
        and stamp.get("venv") == str(VENV)
        and stamp.get("python") == os.path.realpath(PYTHON)
        and stamp.get(requirements) == _digest(requirements)
    )


def _read_stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def _write_stamp(requirements: str) -> None:
    files = (RUNTIME, DEVELOPMENT) if requirements == DEVELOPMENT else (RUNTIME,)
    place = {"venv": str(VENV), "python": os.path.realpath(PYTHON)}
    STAMP.write_text(json.dumps({**place, **{name: _digest(name) for name in files}}))


def _digest(requirements: str) -> str:
    return hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold the lock on the project's folder; the kernel drops it whatever happens to us."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Outro ./dev está preparando o ambiente; esperando por ele…")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _create_venv() -> None:
    if _venv_works():
        return
    ensure_system(VENV_PACKAGES)
    say("Criando .venv…")
    shutil.rmtree(VENV, ignore_errors=True)
    # The interpreter below a virtual environment, which may be the very one just removed.
    interpreter = getattr(sys, "_base_executable", sys.executable)
    done = _quietly([interpreter, "-m", "venv", str(VENV)])
    if done.returncode:
        raise give_up(f"Não foi possível criar {VENV}:\n{done.stdout[-2000:]}")


def _venv_works() -> bool:
    """Whether `.venv` was made for this folder (not copied or moved here) and its pip answers."""
    try:
        settings = (VENV / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    made_here = any(
        line.startswith("command = ") and line.endswith(f" {VENV}") for line in settings
    )
    return made_here and PYTHON.exists() and not _quietly([str(PYTHON), "-m", "pip"]).returncode


def _install(requirements: str) -> None:
    say(f"Instalando os pacotes de {requirements}…")
    uv = [str(PYTHON), "-m", "uv", "pip", "sync", "--quiet", "--python", str(PYTHON)]
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "-r"]
    if _have_uv() and not _quietly([*uv, "--require-hashes", str(ROOT / requirements)]).returncode:
        return
    say("O uv não está disponível ou falhou; instalando com o pip, o que leva mais tempo…")
    done = _quietly([*pip, str(ROOT / requirements), "--require-hashes"])
    if done.returncode:
        raise give_up(f"Não foi possível instalar os pacotes:\n{done.stdout[-4000:]}")


def _have_uv() -> bool:
    """Put the pinned uv, ten times faster than pip, into `.venv`; False when it cannot be had."""
    if (VENV / "bin" / "uv").exists():
        return True
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned("uv", (ROOT / DEVELOPMENT).read_text()))
        file.flush()
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        return _quietly([*pip, "-r", file.name]).returncode == 0


def pinned(package: str, requirements: str) -> str:
    """The lines of one package, with its hashes, out of a requirements file."""
    lines: list[str] = []
    for line in requirements.splitlines():
        continues = bool(lines) and line.startswith(" ")
        if continues or line.startswith(f"{package}=="):
            lines.append(line)
        elif lines:
            break
    return "\n".join(lines) + "\n"


def _quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one step of the set-up, keeping what it says for the case of failure."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **_installer_settings()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=functools.partial(die_with_parent, os.getpid()),
    )


def _installer_settings() -> dict[str, str]:
    settings = {"UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(existing, os.W_OK):  # service users often have no home; uv insists on a cache
        settings |= {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}
    return settings
