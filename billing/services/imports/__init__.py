"""Import of customers, contracts, rules and services from a spreadsheet (docs/import.md)."""

from billing.services.imports.report import Counts, Fault, ImportOptions, ImportReport
from billing.services.imports.running import import_file
from billing.services.imports.template import write_template

__all__ = ["Counts", "Fault", "ImportOptions", "ImportReport", "import_file", "write_template"]
