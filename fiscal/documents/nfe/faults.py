"""Where the rules of a document leave what they find: one fault per field, the first one told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lib.errors import FieldError


class Faults(dict[str, FieldError]):
    """Faults by the path of their field, in the order in which they were found."""

    def add(self, path: str, message: str) -> None:
        self.setdefault(path, FieldError(path, message))

    def reject(self, code: int, path: str, message: str) -> None:
        """A fault that the authority would answer with `code`."""
        self.add(path, f"Rejeição {code}: {message}")

    def need(
        self, row: Mapping[str, Any], names: Iterable[str], why: str, *, where: str = ""
    ) -> None:
        """A fault for each of `names` that `row` lacks; `why` completes "Preencha x …"."""
        for name in names:
            if name not in row:
                self.add(where + name, f"Preencha {name}{why and ' '}{why}.")
