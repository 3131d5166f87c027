"""The lines of the file on disk, so that memory does not grow with them."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import suppress

Cells = dict[str, str]


class Spool:
    """Lines by index: number in the spreadsheet and cells. The file has no name on disk."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._starts = array("q")
        self.numbers = array("q")
        self._end = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def append(self, number: int, cells: Cells) -> int:
        """Keep a line; answers its index."""
        data = json.dumps(cells, ensure_ascii=False).encode() + b"\n"
        self._starts.append(self._end)
        self.numbers.append(number)
        self._file.write(data)
        self._end += len(data)
        return len(self) - 1

    def cells(self, index: int) -> Cells:
        """The cells of one line."""
        self._file.seek(self._starts[index])
        found: Cells = json.loads(self._file.readline())
        self._file.seek(self._end)
        return found

    def __iter__(self) -> Iterator[tuple[int, Cells]]:
        """(index, cells) of every line, in order; other reads may come between."""
        for start in range(0, len(self), 1000):
            self._file.seek(self._starts[start])
            block = [json.loads(self._file.readline()) for _ in self.numbers[start : start + 1000]]
            yield from enumerate(block, start=start)

    def close(self) -> None:
        with suppress(OSError):  # a full disk refuses the last bytes too; nobody needs them
            self._file.close()
