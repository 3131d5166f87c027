"""Row 18: CFOP and destination, CST and regime, NCM, barcodes.

The full table of NCM is the tax office's and is not here: 778 is said of chapters that the
nomenclature does not have.
"""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.sandbox import br
from fiscal.sandbox.document import Document, Group, Refusal
from fiscal.sandbox.world import Call

_SIMPLES = ("1", "4")
# Single-phase fuel and the transfers of ST are written alike by every regime.
_ANY_REGIME = {"ICMS02", "ICMS15", "ICMS53", "ICMS61", "ICMSPart", "ICMSST"}
_CHAPTERS = {f"{chapter:02d}" for chapter in range(1, 98)} - {"77"}


def check(document: Document, _: Call) -> Iterator[Refusal]:
    """731-733, 590, 591, 778, 611, 612."""
    destination, crt = document.head.text("ide/idDest"), document.head.text("emit/CRT")
    for n_item, item in enumerate(document.items, 1):
        for c_stat in (
            *_cfop(item, destination),
            *_regime(item, crt),
            *_codes(item),
        ):
            yield Refusal(c_stat, f"[nItem: {n_item}]")


def _cfop(item: Group, destination: str) -> Iterator[int]:
    first = item.text("prod/CFOP")[:1]
    if first in ("3", "7") and destination != "3":
        yield 731
    if first in ("2", "6") and destination != "2":
        yield 732
    if first in ("1", "5") and destination != "1":
        yield 733


def _regime(item: Group, crt: str) -> Iterator[int]:
    group = next((path[13:] for path in item.groups if path.startswith("imposto/ICMS/")), "")
    if not group or group in _ANY_REGIME:
        return
    is_simples = group.startswith("ICMSSN")
    if crt in _SIMPLES and not is_simples:
        yield 590
    if crt not in _SIMPLES and is_simples:
        yield 591


def _codes(item: Group) -> Iterator[int]:
    ncm = item.text("prod/NCM")
    if ncm[:2] not in _CHAPTERS and set(ncm) != {"0"}:
        yield 778
    for name, c_stat in (("cEAN", 611), ("cEANTrib", 612)):
        code = item.text(f"prod/{name}")
        if code not in ("", "SEM GTIN") and not br.is_gtin(code):
            yield c_stat
