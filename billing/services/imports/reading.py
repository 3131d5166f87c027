"""First pass: every line read, completed from earlier lines of the same codes and compared."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from billing.models import Contract, InvoiceRule, Party
from billing.services.imports.columns import CONTRACT, CUSTOMER, RULE, Header, match_header
from billing.services.imports.lines import (
    COLUMN_OF,
    SECTION_COLUMNS,
    Line,
    Section,
    parse_line,
)
from billing.services.imports.report import Fault
from billing.services.imports.spool import Cells, Spool
from lib.tabular import BadFile, Limits, Row, open_table

_CODES = {CUSTOMER: "codigo_cliente", CONTRACT: "codigo_contrato", RULE: "codigo_regra"}
_NAMES = {CUSTOMER: "cliente", CONTRACT: "contrato", RULE: "regra"}


class Reading:
    """A file read whole: its lines in a spool, its faults, which lines share which code.

    `first` maps each code to the index of the line that speaks for it; a blank cell of a later
    line takes that line's text. `rejected` maps a contract to the number of a line at fault, and
    `originals` keeps the text of cells that could not be read.
    """

    def __init__(self) -> None:
        self.spool = Spool()
        self.header = Header([])
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.first: dict[str, dict[str, int]] = {CUSTOMER: {}, CONTRACT: {}, RULE: {}}
        self.lines_of: dict[str, int] = {}
        self.originals: dict[int, Cells] = {}
        self.rejected: dict[str, int] = {}
        self._rule_parent: dict[str, str] = {}
        self._documents: dict[str, int] = {}
        self._contract_names: dict[str, int] = {}
        self.taxes: dict[str, tuple[Decimal, int]] = {}
        self._prints = {section: array("q") for section in self.first}
        self._recent: dict[int, Cells] = {}

    # --- one line ---------------------------------------------------------------------------

    def add(self, row: Row) -> None:
        """Read one row of the table."""
        positions = self.header.positions.items()
        own = {name: row.cells[at] for name, at in positions if row.cells[at]}
        inherited = self._inherited(own)
        cells = own | inherited
        cells.setdefault("codigo_regra", cells.get("codigo_contrato", ""))
        index = self.spool.append(row.number, cells)
        line = parse_line(cells)
        self._refuse_unreadable(index, row, line)
        for section in self.first:
            self._compare(section, index, cells, line)
        self._compare_keys(index, cells, line)
        self._keep(row.number, inherited, cells, line)

    def _inherited(self, own: Cells) -> Cells:
        """The text that blank cells take from the first line with the same code."""
        found: Cells = {}
        contract = own.get("codigo_contrato", "")
        known = self.first[CONTRACT].get(contract)
        if known is not None and "codigo_cliente" not in own:
            found["codigo_cliente"] = self._cells(known).get("codigo_cliente", "")
        codes = {
            CUSTOMER: own.get("codigo_cliente") or found.get("codigo_cliente", ""),
            CONTRACT: contract,
            RULE: own.get("codigo_regra", contract),
        }
        for section, code in codes.items():
            index = self.first[section].get(code)
            if index is not None:
                earlier = self._cells(index)
                names = SECTION_COLUMNS[section][1:]  # the first is the code
                found |= {n: earlier[n] for n in names if n not in own and n in earlier}
        return found

    def _refuse_unreadable(self, index: int, row: Row, line: Line) -> None:
        """Cells that the reader of the table refused: their column is blank by now."""
        named = ((self.header.name_at(problem.position), problem) for problem in row.problems)
        problems = {name: problem for name, problem in named if name is not None}
        line.faults = [fault for fault in line.faults if fault[0] not in problems]
        for name, problem in problems.items():
            line.refuse(name, problem.value, problem.message)
            self.originals.setdefault(index, {})[name] = problem.value

    def _cells(self, index: int) -> Cells:
        """A line's cells; the latest asked for stay at hand, since equal codes come together."""
        found = self._recent.get(index)
        if found is None:
            if len(self._recent) > 100:
                self._recent.clear()
            found = self._recent[index] = self.spool.cells(index)
        return found

    def _compare(self, section: str, index: int, cells: Cells, line: Line) -> None:
        """Note the first line of a code; fault for a later one that says otherwise."""
        code = cells.get(_CODES[section], "")
        print_ = hash(tuple(sorted(line.section(section).items(), key=lambda item: item[0])))
        self._prints[section].append(print_)
        if not code:
            return
        first = self.first[section].setdefault(code, index)
        if first != index and self._prints[section][first] != print_:
            self._contradict(section, first, cells, line)

    def _contradict(self, section: str, first: int, cells: Cells, line: Line) -> None:
        before = parse_line(self._cells(first)).section(section)
        now = line.section(section)
        at_fault = {column for column, _, _ in line.faults}
        different = {
            COLUMN_OF[section, name]
            for name in {*before, *now}
            if before.get(name) != now.get(name) and (section, name) in COLUMN_OF
        }
        for column in sorted(different - at_fault):
            said = self._cells(first).get(column, "")
            line.refuse(
                column,
                cells.get(column, ""),
                f"A linha {self.spool.numbers[first]} diz “{said[:60]}” para o mesmo código de "
                f"{_NAMES[section]}. Deixe igual, ou em branco nesta linha.",
            )

    def _compare_keys(self, index: int, cells: Cells, line: Line) -> None:
        """What must not repeat under different codes, or differ under the same one."""
        contract, customer = cells.get("codigo_contrato", ""), cells.get("codigo_cliente", "")
        if contract:
            self._one_parent(
                line, "codigo_cliente", customer, self.first[CONTRACT][contract], "contrato"
            )
            self._one_rule_parent(line, cells, contract)
            self.lines_of[contract] = self.lines_of.get(contract, 0) + 1
            name = line.contract.get("name", contract)
            self._unique(
                line, self._contract_names, name, index, "codigo_contrato", "contrato_nome"
            )
        document = line.customer.get("document")
        if document and customer:
            self._unique(line, self._documents, document, index, "codigo_cliente", "cnpj_cpf")
        self._one_tax(line, index, cells)

    def _one_parent(self, line: Line, column: str, value: str, first: int, what: str) -> None:
        other = self._cells(first).get(column, "") if first < len(self.spool) - 1 else value
        if other != value:
            number = self.spool.numbers[first]
            line.refuse(
                column, value, f"A linha {number} põe o mesmo {what} em {column} “{other[:60]}”."
            )

    def _one_rule_parent(self, line: Line, cells: Cells, contract: str) -> None:
        """A rule is of one contract; a contract's own code is the code of its rule without one."""
        rule = cells["codigo_regra"]
        if rule == contract:
            parent = self._rule_parent.get(rule, contract)
        else:
            parent = rule if rule in self.first[CONTRACT] else contract
            parent = self._rule_parent.setdefault(rule, parent)
        if parent != contract:
            line.refuse(
                "codigo_regra", rule, f"O contrato “{parent[:60]}” já usa este código de regra."
            )

    def _unique(
        self, line: Line, seen: dict[str, int], value: str, index: int, by: str, column: str
    ) -> None:
        first = seen.setdefault(value, index)
        if first == index:
            return
        mine, other = self.spool.cells(index).get(by, ""), self._cells(first).get(by, "")
        if mine != other:
            number = self.spool.numbers[first]
            line.refuse(column, value, f"A linha {number} usa o mesmo em {by} “{other[:60]}”.")

    def _one_tax(self, line: Line, index: int, cells: Cells) -> None:
        name, tax = line.service.get("name"), line.service.get("tax_percentage")
        if name is None or tax is None:
            return
        other, first = self.taxes.setdefault(name, (tax, index))
        if other != tax:
            number = self.spool.numbers[first]
            line.refuse(
                "imposto_percent",
                cells["imposto_percent"],
                f"A linha {number} diz “{br_number(other)}” para o mesmo serviço.",
            )

    def _keep(self, number: int, inherited: Cells, cells: Cells, line: Line) -> None:
        """Report faults of the cells of this very line; inherited ones only reject it."""
        for column, value, message in line.faults:
            if column not in inherited:
                self.faults.append(Fault(number, column, value, message))
        for column, value, message in line.warnings:
            if column not in inherited:
                self.warnings.append(Fault(number, column, value, message))
        if line.faults:
            self.reject(cells.get("codigo_contrato", ""), number)

    # --- the whole ----------------------------------------------------------------------------

    def reject(self, contract: str, number: int) -> None:
        """Keep a contract out, because of the line `number`."""
        self.rejected.setdefault(contract, number)

    def groups(self) -> Iterator[Group]:
        """Contracts with all their lines, each as soon as its last line has come."""
        waiting: dict[str, Group] = {}
        for index, cells in self.spool:
            code = cells.get("codigo_contrato", "")
            if not code:
                continue
            group = waiting.setdefault(code, Group(code))
            group.add(self.spool.numbers[index], parse_line(cells))
            if group.n_lines == self.lines_of[code]:
                yield waiting.pop(code)


class Group:
    """A contract with its rules and their services, from all its lines.

    `party` and `existing` are its rows in the database, and `is_closed` says that the contract was
    cancelled there: all three are filled by the comparison.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.line = 0
        self.n_lines = 0
        self.customer: Section = {}
        self.contract: Section = {}
        self.rules: dict[str, RuleGroup] = {}
        self.party: Party | None = None
        self.existing: Contract | None = None
        self.is_closed = False

    def add(self, number: int, line: Line) -> None:
        self.n_lines += 1
        if not self.line:
            self.line, self.customer, self.contract = number, line.customer, line.contract
        code = line.rule.get("external_code", "")
        rule = self.rules.setdefault(code, RuleGroup(number, line.rule))
        rule.services.append((number, line.service))

    @property
    def customer_code(self) -> str:
        code: str = self.customer.get("external_code", "")
        return code


class RuleGroup:
    """A rule and its services, each with its line number.

    The comparison fills the rest: the row in the database and what differs there. `priced` are the
    services as they should be.
    """

    def __init__(self, line: int, section: Section) -> None:
        self.line = line
        self.section = section
        self.services: list[tuple[int, Section]] = []
        self.priced: list[Priced] = []
        self.existing: InvoiceRule | None = None
        self.changes: Section = {}
        self.has_new_services = False

    @property
    def total(self) -> Decimal:
        return sum((service.value for service in self.priced), Decimal("0.00"))


class Priced(NamedTuple):
    """A service as a rule bills it; equal ones bill the same."""

    name: str
    description: str
    units: Decimal
    unit_value: Decimal
    value: Decimal


def read_file(
    path: Path, *, limits: Limits, progress: Callable[[int], None] = lambda _: None
) -> Reading:
    """Read and check `path`. Raises BadFile when it cannot be read at all."""
    reading = Reading()
    try:
        with open_table(path, limits) as table:
            reading.header = match_header(table.header)
            notes = [*table.notes, *reading.header.warnings]
            reading.warnings += [Fault(0, "", "", note) for note in notes]
            for row in table.rows:
                reading.add(row)
                progress(len(reading.spool))
    except OSError as error:
        reading.spool.close()
        raise BadFile(f"Não foi possível ler o arquivo: {error.strerror}.") from error
    except BaseException:
        reading.spool.close()
        raise
    return reading


def br_number(value: Decimal) -> str:
    """`5,25` without useless zeros."""
    return f"{value.normalize():f}".replace(".", ",")
