"""The classification of IBS and CBS (cClassTrib): its CST, reductions and documents (XML-14).

`cclasstrib.csv` tells its source and date; `manage.py refresh_tables cclasstrib FILE` takes a newer
publication, which running processes see within a minute.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from fiscal.tables.registers import register

_SEEN_WITHIN = 60  # seconds; asking the disk for each document would cost more than the rule


@dataclass(frozen=True)
class Classification:
    """One cClassTrib. Reductions are per cent of the rate; `models` those that take it."""

    code: str
    reduction_ibs: Decimal
    reduction_cbs: Decimal
    models: frozenset[int]
    ends_on: str  # AAAA-MM-DD; empty while it is in force

    @property
    def cst(self) -> str:
        """Its first three digits, in the whole table."""
        return self.code[:3]

    def reduction(self, tax: str) -> Decimal:
        """Of `ibs_uf`, `ibs_mun` or `cbs`."""
        return self.reduction_cbs if tax == "cbs" else self.reduction_ibs


def classification(code: str) -> Classification | None:
    """The entry of that code; None for one that the table does not have."""
    return _entries(int(time.monotonic() // _SEEN_WITHIN)).get(code)


@lru_cache(maxsize=1)
def _entries(_minute: int) -> Mapping[str, Classification]:
    return {
        code: Classification(
            code,
            Decimal(entry["reducao_ibs"]),
            Decimal(entry["reducao_cbs"]),
            frozenset(n for n, is_taken in ((55, entry["nfe"]), (65, entry["nfce"])) if is_taken),
            entry["fim"],
        )
        for code, entry in register("cclasstrib").by_code.items()
    }
