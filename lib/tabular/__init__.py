"""Spreadsheets from people: reading CSV and XLSX as they come, writing files safe to open."""

from lib.tabular.base import BadFile, Limits, Problem, Row
from lib.tabular.reading import Table, check_file, open_table
from lib.tabular.text import find_encoding
from lib.tabular.writing import csv_lines, csv_safe, write_csv, write_xlsx

__all__ = [
    "BadFile",
    "Limits",
    "Problem",
    "Row",
    "Table",
    "check_file",
    "csv_lines",
    "csv_safe",
    "find_encoding",
    "open_table",
    "write_csv",
    "write_xlsx",
]
