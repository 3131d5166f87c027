"""Where the data is, and what the commands find in their environment."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devtools.terminal import give_up
from devtools.venv import ROOT


def environment(data: Path) -> dict[str, str]:
    """What every child gets: ours (DATABASE_URL, REDIS_URL… untouched), and where the data is."""
    ours = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
    return {
        **ours,
        "DATA_DIR": str(data),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }


def data_folder(given: str | None) -> Path:
    """The folder of `--data`, else DATA_DIR, else var/, created for its owner alone."""
    folder = Path(given or os.environ.get("DATA_DIR") or ROOT / "var").expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise give_up(f"Não é possível gravar em {folder}. Escolha outra pasta com --data DIR.")
    return folder


@contextlib.contextmanager
def scratch_environment() -> Iterator[dict[str, str]]:
    """An environment without this machine's databases, zone and language; its files are removed."""
    with tempfile.TemporaryDirectory(prefix="dev-", ignore_cleanup_errors=True) as folder:
        env = environment(Path(folder) / "data")
        (Path(folder) / "data").mkdir(mode=0o700)
        for name in ("DATABASE_URL", "REDIS_URL"):
            env.pop(name, None)
        yield {**env, "TMPDIR": folder, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
