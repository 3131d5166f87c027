"""The machine under the product: a supported Python and the system libraries."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from devtools.terminal import give_up, say

PYTHON_FIRST, PYTHON_END = (3, 11), (3, 15)  # pyproject: requires-python


@dataclass(frozen=True)
class SystemPackage:
    """A Debian package, what it provides whatever the distribution, and how to see it is there."""

    name: str
    provides: str
    found: Callable[[], bool]


def _library(package: str, soname: str) -> SystemPackage:
    return SystemPackage(package, soname, functools.partial(_loads, soname))


def _program(package: str, program: str) -> SystemPackage:
    return SystemPackage(package, program, lambda: shutil.which(program) is not None)


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


PDF_PACKAGES = (
    _library("libpango-1.0-0", "libpango-1.0.so.0"),
    _library("libpangoft2-1.0-0", "libpangoft2-1.0.so.0"),
    _library("libharfbuzz-subset0", "libharfbuzz-subset.so.0"),
)
TEST_PACKAGES = (
    _program("poppler-utils", "pdftotext"),
    _program("curl", "curl"),
    _program("chromium", "chromium"),
)
VENV_PACKAGES = (
    SystemPackage("python3-venv", "módulo ensurepip do Python", lambda: bool(_module("ensurepip"))),
)


def _module(name: str) -> object:
    importlib.invalidate_caches()
    return importlib.util.find_spec(name)


def ensure_python() -> None:
    """Go on with a supported Python, another one of this machine if need be."""
    if PYTHON_FIRST <= sys.version_info[:2] < PYTHON_END:
        return
    for minor in range(PYTHON_END[1] - 1, PYTHON_FIRST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other:
            os.execv(other, [other, *sys.argv])  # noqa: S606
    raise give_up(
        f"É preciso Python 3.{PYTHON_FIRST[1]} a 3.{PYTHON_END[1] - 1}; este é o "
        f"{sys.version_info[0]}.{sys.version_info[1]}."
    )


def ensure_system(packages: tuple[SystemPackage, ...]) -> None:
    """Install what is missing when we may, otherwise end saying exactly what to install."""
    missing = [package for package in packages if not package.found()]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise give_up(how_to_install(missing, has_apt=bool(shutil.which("apt-get"))))
    say("Instalando pacotes do sistema: " + " ".join(package.name for package in missing))
    output = _apt_install([package.name for package in missing])
    still = [package for package in missing if not package.found()]
    if still:
        raise give_up(f"{output[-2000:]}\n{how_to_install(still, has_apt=True)}")


def how_to_install(missing: list[SystemPackage], *, has_apt: bool) -> str:
    """What a person without our means has to do, as one command when there is one."""
    if not has_apt:
        provided = "\n".join(f"    {package.provides}" for package in missing)
        return f"Falta no sistema (instale com o gerenciador de pacotes desta máquina):\n{provided}"
    names = " ".join(package.name for package in missing)
    return (
        "Faltam pacotes do sistema. Instale com este comando e rode de novo:\n"
        f"    sudo apt-get install --no-install-recommends {names}"
    )


def _apt_install(names: list[str]) -> str:
    """Run apt-get update and install; what they said, for when the packages stay missing."""
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    said = ""
    for step in (["update"], ["install", "-y", "--no-install-recommends", *names]):
        done = subprocess.run(
            [*apt, *step],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said += done.stdout
    return said
