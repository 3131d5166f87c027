"""The lines left out of a partial import, in a file ready to correct and import again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

from billing.services.imports.columns import ERROR_COLUMN
from billing.services.imports.reading import Reading
from billing.services.imports.spool import Cells
from lib.errors import InvalidInput
from lib.tabular import write_csv


def count_rejected(reading: Reading) -> int:
    """Lines of the contracts left out."""
    return sum(1 for _ in _rejected(reading))


def write_rejected(reading: Reading, source: Path, target: Path | None) -> Path:
    """Write the lines of the contracts left out, each with what is wrong; answers where."""
    target = target or _free_name(source)
    names = list(reading.header.positions)
    texts = _fault_texts(reading)
    rows = (
        [*(cells.get(name, "") for name in names), _why(reading, index, cells, texts)]
        for index, cells in _rejected(reading)
    )
    try:
        write_csv(target, [*names, ERROR_COLUMN], rows)
    except OSError as error:
        raise InvalidInput(
            f"Nada foi importado: não foi possível gravar {target} ({error.strerror})."
        ) from error
    return target


def _rejected(reading: Reading) -> Iterator[tuple[int, Cells]]:
    """(index, cells), blanks filled from earlier lines: each stands without the imported ones."""
    for index, cells in reading.spool:
        if cells.get("codigo_contrato", "") in reading.rejected:
            yield index, cells | reading.originals.get(index, {})


def _fault_texts(reading: Reading) -> dict[int, str]:
    texts: dict[int, list[str]] = {}
    for fault in reading.faults:
        texts.setdefault(fault.line, []).append(f"{fault.column}: {fault.message}")
    return {line: " | ".join(found) for line, found in texts.items()}


def _why(reading: Reading, index: int, cells: Cells, texts: dict[int, str]) -> str:
    own = texts.get(reading.spool.numbers[index])
    other = reading.rejected[cells.get("codigo_contrato", "")]
    return own or f"Ficou de fora por causa da linha {other} do arquivo original."


def _free_name(source: Path) -> Path:
    """`FILE-rejeitadas.csv`, numbered rather than over a file that someone may be correcting."""
    stem = re.sub(r"-rejeitadas(-[0-9]+)?$", "", source.stem)
    suffixes = chain([""], (f"-{n}" for n in count(2)))
    targets = (source.with_name(f"{stem}-rejeitadas{suffix}.csv") for suffix in suffixes)
    return next(target for target in targets if not target.exists())
