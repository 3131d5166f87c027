"""Files for tests of the import: lines with only what the test is about."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command

BASE = {
    "codigo_cliente": "C1",
    "nome": "Padaria Aurora",
    "codigo_contrato": "CT1",
    "primeira_emissao": "01/09/2026",
    "periodicidade": "mensal",
    "dia_vencimento": "10",
    "servico": "Suporte",
    "valor_unitario": "100,00",
}


def line(n: int = 1, **cells: str) -> dict[str, str]:
    """A good line of customer C`n` and contract CT`n`; `cells` win."""
    own = {"codigo_cliente": f"C{n}", "nome": f"Cliente {n}", "codigo_contrato": f"CT{n}"}
    return {**BASE, **own, **cells}


def sheet(
    folder: Path, *lines: dict[str, str], name: str = "contratos.csv", encoding: str = "utf-8"
) -> Path:
    """A CSV with the columns that the lines use."""
    names = list(dict.fromkeys(column for cells in lines for column in cells))
    with (folder / name).open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(names)
        writer.writerows([cells.get(column, "") for column in names] for cells in lines)
    return folder / name


def run(path: Path, *flags: str, **options: Any) -> dict[str, Any]:
    """The report of `import_contracts`, as a program reads it; `error` is what it said on exit."""
    out = StringIO()
    options.setdefault("account", "exemplo")
    error = ""
    try:
        call_command("import_contracts", str(path), *flags, json=True, stdout=out, **options)
    except CommandError as refused:
        error = str(refused)
    text = out.getvalue()
    return {**(json.loads(text) if text else {}), "error": error}


def says(path: Path, *flags: str, **options: Any) -> str:
    """What `import_contracts` tells a person, its refusal included."""
    out = StringIO()
    options.setdefault("account", "exemplo")
    try:
        call_command("import_contracts", str(path), *flags, stdout=out, **options)
    except CommandError as refused:
        return f"{out.getvalue()}\n{refused}"
    return out.getvalue()


def faults(report: dict[str, Any]) -> list[tuple[int, str, str]]:
    """(line, column, value) of each fault."""
    return [(f["line"], f["column"], f["value"]) for f in report["faults"]]


def messages(report: dict[str, Any], kind: str = "faults") -> list[str]:
    return [f["message"] for f in report[kind]]


def counts(report: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """created, updated and unchanged of each kind."""
    kinds = ("customers", "contracts", "rules")
    return {k: (report[k]["created"], report[k]["updated"], report[k]["unchanged"]) for k in kinds}
