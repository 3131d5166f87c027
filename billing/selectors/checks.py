"""What a check of an invariant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A query whose rows are violations. `{m:expr}` are amounts; %s is the account."""

    rule: str
    text: str
    sql: str
