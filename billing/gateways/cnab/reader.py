"""Reading a retorno, whatever is wrong with it: every fact is told, every fault has its line.

Nothing raises once the file is recognised. A line that cannot be read is an entry with a `fault`,
for the queue; what is odd about the file itself is a fault of the reading.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing.gateways.cnab.cnab240 import Cnab240
from billing.gateways.cnab.reading import NotRetorno, Reading
from billing.gateways.cnab.reading240 import Lots
from billing.gateways.cnab.reading400 import Details
from billing.gateways.cnab.text import lines
from billing.gateways.cnab.titles import Entry

__all__ = ["NotRetorno", "Reading", "entries"]


def entries(reading: Reading) -> Iterator[Entry]:
    """Every fact of the file, in its order; one line of it is in memory at a time."""
    walk = Lots(reading) if isinstance(reading.layout, Cnab240) else Details(reading)
    yield from walk.entries(lines(reading.content, width=reading.layout.width))
