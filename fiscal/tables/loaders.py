"""Statutory tables as data: read once per process (PERF-1) and shared, so never changed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent

# libyaml where the wheel has it: ten times faster on the field catalogues.
_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def yaml_table(name: str) -> Any:
    """Content of the file `name` beside this module (`sefaz-endpoints.yaml`, `fields/nfe.yaml`)."""
    with (FOLDER / name).open("rb") as file:
        return yaml.load(file, Loader=_Loader)  # noqa: S506 - a safe loader either way
