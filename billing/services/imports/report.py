"""What an import answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from accounts.services.audit import SYSTEM, Actor


@dataclass(frozen=True)
class ImportOptions:
    """How to import. `organization` is a CNPJ, needed when the account has several.

    `rejected_path` is where the refused lines go with `partial`; by default beside the file.
    """

    organization: str = ""
    partial: bool = False
    dry_run: bool = False
    create_invoices: bool = True
    rejected_path: Path | None = None
    actor: Actor = SYSTEM
    today: date | None = None


@dataclass(frozen=True)
class Fault:
    """Something wrong in a cell, or to look at: line of the spreadsheet, column, value, text."""

    line: int
    column: str
    value: str
    message: str

    def __str__(self) -> str:
        where = f"Linha {self.line}" if self.line else "Arquivo"
        column = f", coluna {self.column}" if self.column else ""
        value = f", valor “{' '.join(self.value.split())}”" if self.value else ""
        return f"{where}{column}{value}: {self.message}"


@dataclass
class Counts:
    """Rows of one kind."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __str__(self) -> str:
        return f"{self.created} novos, {self.updated} alterados, {self.unchanged} sem mudança"


@dataclass
class ImportReport:
    """The whole of an import, for people and programs.

    `retroactive` counts the invoices to create with an issue date in the past; `parked` maps the
    rules that could not be billed to the reason.
    """

    lines: int = 0
    dry_run: bool = False
    was_imported: bool = False
    customers: Counts = field(default_factory=Counts)
    contracts: Counts = field(default_factory=Counts)
    rules: Counts = field(default_factory=Counts)
    services_created: int = 0
    cancelled: int = 0
    retroactive: int = 0
    invoices_created: int = 0
    parked: dict[int, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    rejected_lines: int = 0
    rejected_path: str | None = None

    @property
    def has_changes(self) -> bool:
        counts = (self.customers, self.contracts, self.rules)
        written = sum(count.created + count.updated for count in counts)
        return bool(written or self.services_created or self.cancelled)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "has_changes": self.has_changes}

    def totals(self) -> dict[str, Any]:
        """The figures without names or documents, for the audit trail."""
        dropped = ("faults", "warnings", "parked", "rejected_path")
        return {name: value for name, value in self.as_dict().items() if name not in dropped}
