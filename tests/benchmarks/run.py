"""What `./dev bench [name] [--json] [--quick]` runs; exits with 1 when a target is missed.

Targets are of billing-engine §14 and of the issue. Everything is measured on the machine at hand,
next to a baseline on the same machine in the same run. `--quick` uses one engine and sizes at which
figures mean nothing, to see that everything still runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from benchmarks.lab import POSTGRES, SQLITE, CaseFailed, Lab, set_up  # noqa: E402

set_up()

from benchmarks import (  # noqa: E402
    api,
    fiscal,
    lists,
    nfse,
    payments,
    pdf,
    portal,
    spreadsheet,
    writing,
)
from benchmarks.report import Row, as_json, as_table  # noqa: E402

SUBJECTS: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "materialise": writing.materialise,
    "emission": writing.emission,
    "lists": lists.measure,
    "api": api.measure,
    "pdf": pdf.measure,
    "import": spreadsheet.measure,
    "fiscal": fiscal.measure,
    "nfse": nfse.measure,
    "payments": payments.measure,
    "portal": portal.measure,
}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    engines = (POSTGRES, SQLITE) if os.environ.get("DATABASE_URL") else (SQLITE,)
    engines = engines[:1] if options.quick else engines
    lab = Lab(engines, options.quick)
    rows: list[Row] = []
    try:
        for engine in engines:
            lab.case("lab.migrate", engine)
        for name in [options.name] if options.name else SUBJECTS:
            print(f"Medindo {name}…", file=sys.stderr, flush=True)
            rows += SUBJECTS[name](lab)
    except CaseFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(as_json(rows) if options.json else as_table(rows))
    return 1 if any(row.ok is False for row in rows) and not options.quick else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("name", nargs="?", choices=list(SUBJECTS), metavar="nome")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
