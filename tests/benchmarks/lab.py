"""Each case in a process of its own, so that its memory and its caches are its own."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATHS = (str(ROOT), str(ROOT / "tests"))
POSTGRES, SQLITE = "PostgreSQL", "SQLite"


class CaseFailed(RuntimeError):
    """A case ended with an error; its own words are on stderr."""


@dataclass(frozen=True)
class Lab:
    """Where cases run: the server of DATABASE_URL, if any, and SQLite in DATA_DIR."""

    engines: tuple[str, ...]
    is_quick: bool = False

    def size(self, full: int, quick: int) -> int:
        return quick if self.is_quick else full

    def case(self, name: str, engine: str, **arguments: Any) -> Any:
        """Call `benchmarks.<name>`, a function of JSON in and JSON out, in a new process."""
        env = dict(os.environ)
        if engine == SQLITE:
            env.pop("DATABASE_URL", None)
        command = [sys.executable, __file__, name, json.dumps(arguments)]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise CaseFailed(f"{name} ({engine}): código {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])


def set_up() -> None:
    """Django, with the tests' factories importable."""
    sys.path[:0] = [path for path in PATHS if path not in sys.path]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()


def peak_mb() -> float:
    """The most memory this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def migrate() -> None:
    """The case that prepares a database, also when other programs prepare it at the same time."""
    from django.core.management import call_command

    from lib import locks

    with locks.exclusive("benchmarks.migrate", 0, wait_seconds=120):
        call_command("migrate", verbosity=0, skip_checks=True)


if __name__ == "__main__":
    set_up()
    module, _, function = sys.argv[1].rpartition(".")
    answer = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    print(json.dumps(answer(**json.loads(sys.argv[2]))))
