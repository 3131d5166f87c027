"""What every check and service is given: the call as it came, and the authority's memory."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from fiscal.sandbox import tables
from fiscal.sandbox.ca import Authority
from fiscal.sandbox.certificates import Certificate, Trust
from fiscal.sandbox.clock import Clock
from fiscal.sandbox.faults import Fault, Faults
from fiscal.sandbox.store import Store

# What a taxpayer has registered when nobody told the control API otherwise.
DEFAULT_CSC = {"1": "SANDBOX-CSC-0123456789ABCDEF"}


class Refused(Exception):
    """The answer to the whole message is this cStat, with `detail` after the official words."""

    def __init__(self, c_stat: int, detail: str = "") -> None:
        super().__init__(c_stat, detail)
        self.c_stat = c_stat
        self.detail = detail


class Naps:
    """Waiting that a scripted fault asked for, cut short by a reset or the end."""

    def __init__(self) -> None:
        self._morning = threading.Event()

    def sleep(self, seconds: float) -> bool:
        """Wait; True when woken before the time."""
        return self._morning.wait(seconds)

    def wake(self) -> None:
        """End every waiting that has begun."""
        woken, self._morning = self._morning, threading.Event()
        woken.set()


@dataclass(frozen=True)
class World:
    """The memory, the clock and the trust of one running sandbox."""

    store: Store
    clock: Clock
    trust: Trust
    faults: Faults
    authority: Authority
    naps: Naps = field(default_factory=Naps)

    def revoked(self) -> set[str]:
        """Serial numbers, in upper-case hexadecimal, told as revoked or on the authority's list."""
        return set(self.store.setting("revogados", [])) | self._listed()

    def _listed(self) -> set[str]:
        path = self.authority.crl_file
        return _serials(path, path.stat().st_mtime_ns)

    def is_enabled(self, document: str, modelo: str) -> bool:
        """Whether the taxpayer may issue that model; everyone may until told otherwise."""
        row = self.store.setting("contribuintes", {}).get(document, {})
        return bool(row.get("nfce" if modelo == "65" else "nfe", True))

    def registered_ie(self, document: str) -> str:
        """The state registration told through the control API, or nothing."""
        return str(self.store.setting("contribuintes", {}).get(document, {}).get("ie", ""))

    def csc(self, document: str) -> dict[str, str]:
        """id without leading zeros → code; an empty code is a revoked one."""
        known = self.store.setting("csc", {})
        return dict(known.get(document) or known.get(document[:8]) or DEFAULT_CSC)


@functools.lru_cache(maxsize=8)
def _serials(path: Path, _: int) -> set[str]:
    revoked = x509.load_pem_x509_crl(path.read_bytes())
    return {f"{entry.serial_number:X}" for entry in revoked}


@dataclass
class Call:
    """One request to one service of one authority."""

    world: World
    ambiente: str  # homologacao, producao: from the path, like the next three
    authority: str
    modelo: str  # 55, 65
    service: str
    sender: Certificate | None
    now: datetime
    payload: bytes = field(default=b"", repr=False)
    cuf: str = ""  # of the taxpayer, once read from the payload
    remarks: list[str] = field(default_factory=list)  # the developer's log of this request
    faults: list[Fault] = field(default_factory=list)  # the scripted ones that hit this request
    answered: str = field(default="", repr=False)  # the payload of the answer
    queued_for: float = 0.0  # seconds until the batch it came in counts as processed

    @property
    def tp_amb(self) -> str:
        """1 produção, 2 homologação."""
        return tables.AMBIENTES[self.ambiente]

    @property
    def is_svc(self) -> bool:
        """Whether the path is a contingency authority's."""
        return self.authority in tables.SVC

    @property
    def orgao(self) -> str:
        """The unit in whose name the answer speaks."""
        if self.authority == "AN":
            return tables.AN
        return self.cuf or home_of(self.authority)

    def local(self, moment: datetime | None = None) -> str:
        """A moment as the layout writes it, in the unit's offset."""
        uf = tables.by_code().get(self.orgao)
        zone = uf.zone if uf else tables.by_code()["53"].zone
        return (moment or self.now).astimezone(zone).isoformat(timespec="seconds")

    def later(self, seconds: float) -> float:
        """A moment so many seconds from now, as stored."""
        return (self.now + timedelta(seconds=seconds)).timestamp()

    def fault(self, tipo: str) -> Fault | None:
        """The scripted fault of that kind, if one hits this request."""
        return next((fault for fault in self.faults if fault.tipo == tipo), None)

    def fault_number(self, tipo: str, name: str, default: float) -> float | None:
        """A parameter of the fault of that kind, None when there is none."""
        fault = self.fault(tipo)
        return None if fault is None else fault.number(name, default)

    def setting(self, name: str, default: Any) -> Any:
        """A setting of the control API."""
        return self.world.store.setting(name, default)


def home_of(authority: str) -> str:
    """Code of the unit that keeps the authority; AN and its kin speak as 91."""
    for uf in tables.by_code().values():
        if uf.sigla == authority:
            return uf.cuf
    return {"SVRS": "43", "SVC-RS": "43"}.get(authority, tables.AN)
