"""One line of the file: its cells read, its own rules checked. No other line, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from billing.engine import due_dates
from billing.engine.readjustment import is_short_period
from billing.engine.schedule import Schedule, validate
from billing.models import Party
from billing.services.imports.columns import (
    BY_NAME,
    COLUMNS,
    CONTRACT,
    CUSTOMER,
    REQUIRED,
    RULE,
    SERVICE,
)
from lib import br

Section = dict[str, Any]

FIRST_READJUSTMENT = date(2000, 1, 1)  # IDX-4
_SCHEDULE_COLUMNS = {"periodicity": "ultima_emissao", "month_quantity": "periodicidade"}
# What each kind of due date needs; the other fields say nothing to it.
_DUE_NEEDS = {
    due_dates.FIXED_DAY: {"day_number"},
    due_dates.LAST_DAY_OF_MONTH: set(),
    due_dates.DAY_QUANTITY: {"day_quantity"},
    due_dates.FIXED_DAY_AND_MONTH_QUANTITY: {"day_number", "due_month_quantity"},
}
_DUE_FIELDS = {
    "day_number": "dia_vencimento",
    "day_quantity": "dias_apos",
    "due_month_quantity": "meses_apos",
}
_BUSINESS_DAYS = (due_dates.LAST_DAY_OF_MONTH, due_dates.DAY_QUANTITY)


@dataclass
class Line:
    """A line's four sections, each with only what its cells say, and what is wrong with it.

    `faults` and `warnings` are (column, value, message).
    """

    customer: Section = field(default_factory=dict)
    contract: Section = field(default_factory=dict)
    rule: Section = field(default_factory=dict)
    service: Section = field(default_factory=dict)
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str, str]] = field(default_factory=list)

    def section(self, name: str) -> Section:
        found: Section = getattr(self, name)
        return found

    def refuse(self, column: str, value: str, message: str) -> None:
        self.faults.append((column, value[:100], message))

    def warn(self, column: str, value: str, message: str) -> None:
        self.warnings.append((column, value[:100], message))


def parse_line(cells: dict[str, str]) -> Line:
    """Read `cells` (column name → clean text, blanks left out)."""
    line = Line()
    for name, text in cells.items():
        column = BY_NAME[name]
        try:
            line.section(column.section)[column.field] = column.read(text)
        except ValueError as error:
            line.refuse(name, text, str(error))
    for name in REQUIRED:
        if name not in cells:
            line.refuse(name, "", f"Informe {name}. {BY_NAME[name].help}")
    _check_customer(line, cells)
    _check_contract(line, cells)
    _check_rule(line, cells)
    line.service.setdefault("units", Decimal(1))
    return line


def _check_customer(line: Line, cells: dict[str, str]) -> None:
    customer = line.customer
    document = customer.get("document", "")
    if document:
        customer["kind"] = (Party.Kind.PERSON if len(document) == 11 else Party.Kind.COMPANY).value
    for name, value in (("cnpj_cpf", document), ("cep", customer.get("zipcode", ""))):
        typed = br.normalise_document(cells.get(name, ""))
        if value and len(typed) < len(value):
            line.warn(name, cells[name], f"Zero à esquerda recolocado: {_masked(name, value)}.")


def _masked(name: str, value: str) -> str:
    return br.cep_mask(value) if name == "cep" else br.document_mask(value)


def _check_contract(line: Line, cells: dict[str, str]) -> None:
    contract = line.contract
    _in_order(line, cells, contract, ("init_date", "inicio_contrato"), ("end_date", "fim_contrato"))
    _in_order(
        line, cells, contract, ("init_date", "inicio_contrato"), ("cancel_date", "cancelado_em")
    )
    if "cancel_reason" in contract and "cancelado_em" not in cells:
        line.refuse("motivo_cancelamento", "", "Informe cancelado_em, a data do cancelamento.")


def _in_order(
    line: Line,
    cells: dict[str, str],
    section: Section,
    first: tuple[str, str],
    last: tuple[str, str],
) -> None:
    """Fault when the date in the field and column `last` comes before the one in `first`."""
    start, end = section.get(first[0]), section.get(last[0])
    if start and end and end < start:
        message = f"A data deve ser igual ou posterior a {first[1]} ({br.date_br(start)})."
        line.refuse(last[1], cells[last[1]], message)


def _check_rule(line: Line, cells: dict[str, str]) -> None:
    _check_due(line, cells)
    _check_readjustment(line, cells)
    rule = line.rule
    period = rule.pop("period", None)
    if period is None or "init_date" not in rule:
        return
    rule["period_unit"], rule["month_quantity"] = period
    _in_order(line, cells, rule, ("init_date", "primeira_emissao"), ("end_date", "ultima_emissao"))
    schedule = Schedule(rule["init_date"], period[0], period[1], rule.get("end_date"))
    for name, message in validate(schedule):
        column = _SCHEDULE_COLUMNS.get(name, "periodicidade")
        line.refuse(column, cells.get(column, ""), f"O intervalo {message}.")


def _check_due(line: Line, cells: dict[str, str]) -> None:
    """Complete the due terms: all their fields together, so that a new kind clears the old one."""
    rule = line.rule
    if any(column in cells and field not in rule for field, column in _DUE_FIELDS.items()):
        return  # a cell of theirs is already at fault
    if "tipo_vencimento" in cells and "charge_type" not in rule:
        return
    given = {name for name in _DUE_FIELDS if name in rule}
    kind = rule.get("charge_type") or _implied(given)
    if kind is None:
        line.refuse(
            "tipo_vencimento", "", f"Informe o vencimento: {BY_NAME['tipo_vencimento'].help}"
        )
        return
    for name in sorted(given - _DUE_NEEDS[kind]):
        column = _DUE_FIELDS[name]
        line.refuse(column, cells[column], "Não se usa com este tipo de vencimento; apague.")
    for name in sorted(_DUE_NEEDS[kind] - given):
        column = _DUE_FIELDS[name]
        line.refuse(column, "", f"Informe {column} para este tipo de vencimento.")
    if rule.get("only_business_days") and kind not in _BUSINESS_DAYS:
        message = "Dias úteis só valem para último dia e após dias; apague."
        line.refuse("dias_uteis", cells["dias_uteis"], message)
    rule["charge_type"] = kind
    for name in _DUE_FIELDS:
        rule.setdefault(name, None)
    rule.setdefault("only_business_days", False)


def _implied(given: set[str]) -> str | None:
    """The kind of due date that needs exactly the fields given."""
    return next((kind for kind, needs in _DUE_NEEDS.items() if needs and needs == given), None)


def due_terms(rule: Section) -> due_dates.DueTerms:
    """The due terms of a rule's section."""
    return due_dates.DueTerms(
        rule.get("charge_type"),
        rule.get("day_number"),
        rule.get("day_quantity"),
        rule.get("due_month_quantity"),
        rule.get("only_business_days", False),
        rule.get("parcel_number"),
    )


def _check_readjustment(line: Line, cells: dict[str, str]) -> None:
    rule = line.rule
    if "indice" not in cells:
        for name in ("primeiro_reajuste", "reajuste_meses"):
            if name in cells:
                line.refuse(name, cells[name], "Informe o indice do reajuste, ou apague.")
        return
    if "primeiro_reajuste" not in cells:
        line.refuse("primeiro_reajuste", "", "Informe a data do primeiro reajuste (dd/mm/aaaa).")
    first = rule.get("readjust_on")
    if first and first < FIRST_READJUSTMENT:
        line.refuse("primeiro_reajuste", cells["primeiro_reajuste"], "Use 01/01/2000 ou depois.")
    months = rule.setdefault("readjust_months", 12)
    if is_short_period(months):
        line.warn(
            "reajuste_meses",
            str(months),
            "Reajuste por índice em menos de 12 meses é nulo (Lei 10.192/2001, art. 2º, § 1º).",
        )


SECTIONS = (CUSTOMER, CONTRACT, RULE, SERVICE)
SECTION_COLUMNS = {
    section: tuple(column.name for column in COLUMNS if column.section == section)
    for section in SECTIONS
}
COLUMN_OF = {(column.section, column.field): column.name for column in COLUMNS}
COLUMN_OF |= {
    (RULE, "period_unit"): "periodicidade",
    (RULE, "month_quantity"): "periodicidade",
    (CUSTOMER, "kind"): "cnpj_cpf",
}
