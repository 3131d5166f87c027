"""From a company's spreadsheet of 30 contracts to a year of invoices, computed by hand.

`contratos-30-esperado.csv` was worked out from billing-engine §1, §8, boleto-pix §1, DECISIONS and
decision 0009 without the product. When the two disagree, the specification says who is wrong.
"""

from __future__ import annotations

import calendar
import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import QuerySet
from django.test import Client
from factories import AccountFactory, OrganizationFactory
from support.pdfs import text_of

from accounts.models import Account
from billing.models import Contract, Invoice, Party, Readjustment
from lib.money import NBSP

pytestmark = pytest.mark.django_db

FIXTURES = Path(__file__).parents[1] / "fixtures" / "import"
SPREADSHEET = FIXTURES / "contratos-30.csv"
ENDS = {month: date(2026, month, calendar.monthrange(2026, month)[1]) for month in range(1, 13)}
COURTESY, MONTHLY = "CT-028-CORTESIA", "CT-028-MENSAL"


def _monthly(first: date, n: int) -> list[date]:
    """`n` dates a month apart, on a day that every month has."""
    months = [divmod(first.month - 1 + k, 12) for k in range(n)]
    return [first.replace(year=first.year + years, month=month + 1) for years, month in months]


def _weekly(first: date, n: int) -> list[date]:
    return [first + timedelta(7 * k) for k in range(n)]


# What a pencil says of some lines of the table: (rule, issue) → (parcels, total).
ON_PAPER = {
    # 2.5 × 5.75 = 14.375 → 14.38 (half-up), + 49.90 = 64.28; next day 10 after the 5th.
    ("CT-001", "05/01/2026"): ("10/01/2026 64,28", "64,28"),
    # 31 January moved one month is 28 February; the first day 31 after it is in March.
    ("CT-002", "28/02/2026"): ("31/03/2026 1234,56", "1234,56"),
    # Issued on the last day of April: that very day does not count, so May's (DECISIONS 4).
    ("CT-003", "30/04/2026"): ("31/05/2026 199,90", "199,90"),
    # 1250 × 0.1275 = 159.375 → 159.38; 30/01 is the last business day (31 is a Saturday), so
    # February's: 28 is a Saturday, hence Friday 27.
    ("CT-004", "30/01/2026"): ("27/02/2026 159,38", "159,38"),
    # 31/12 is closed to the public, so 30/12 is December's last business day.
    ("CT-004", "30/11/2026"): ("30/12/2026 159,38", "159,38"),
    # Issued on it: January's. 30 and 31/01/2027 are Saturday and Sunday, hence Friday 29.
    ("CT-004", "30/12/2026"): ("29/01/2027 159,38", "159,38"),
    # 20 × 42.50 − 85.50 = 764.50; 764.50 / 3 = 254.83 and 254.84; 1/1 + 30 = 31/1, then day 31.
    ("CT-005", "01/01/2026"): (
        "31/01/2026 254,83 + 28/02/2026 254,83 + 31/03/2026 254,84",
        "764,50",
    ),
    # Thursday 12: Friday 13, (Carnival 16 and 17), Wednesday 18, Thursday 19.
    ("CT-006", "12/02/2026"): ("19/02/2026 120,00", "120,00"),
    # Wednesday 18: Thursday 19, (Friday 20 is Consciência Negra), Monday 23.
    ("CT-007", "18/11/2026"): ("23/11/2026 310,10", "310,10"),
    # Tuesday 29: Wednesday 30, (31/12 closed, 01/01, weekend), Monday 4. 37 × 8.90 = 329.30.
    ("CT-008", "29/12/2026"): ("04/01/2027 329,30", "329,30"),
    # No days after Sunday 15/02: the next business day is Ash Wednesday. 312 × 0.3333 = 103.99.
    ("CT-009", "15/02/2026"): ("18/02/2026 253,99", "253,99"),
    # Due at once on 01/01: moved to 01/01 + 5 days, a Tuesday.
    ("CT-010", "01/01/2026"): ("06/01/2026 99,99", "99,99"),
    # Day 29 one month after January is 28 February; the next parcels are on the 29th again.
    ("CT-013", "29/01/2026"): (
        "28/02/2026 33,33 + 29/03/2026 33,33 + 29/04/2026 33,34",
        "100,00",
    ),
    # The leap day's anniversary; two older ones are billed by the first run, due on 06/01/2026.
    ("CT-016", "29/02/2024"): ("06/01/2026 1188,00", "1188,00"),
    ("CT-016", "28/02/2026"): ("10/03/2026 1188,00", "1188,00"),
    # Only the first of three parcels (15/12, 15/01, 15/02) is too soon.
    ("CT-018", "30/11/2025"): (
        "06/01/2026 33,33 + 15/01/2026 33,33 + 15/02/2026 33,34",
        "100,00",
    ),
    # Last day of the month, parcel by parcel; 4999.99 / 2 = 2499.99 and 2500.00.
    ("CT-019", "31/03/2026"): ("30/04/2026 2499,99 + 31/05/2026 2500,00", "4999,99"),
    # 20/05 to 15/06 are 12 + 15 = 27 of the 31 days to 19/06: 333.33 × 27/31 = 290.3197… → 290.32
    # and 99.90 × 27/31 = 87.0097 → 87.01.
    ("CT-020", "15/06/2026"): ("05/07/2026 377,33", "377,33"),
    # IPCA of 05/2025–04/2026: 3.4930…%. 7 × 93.04 + 465.72 − 46.57, from 89.90, 450.00 and −45.00.
    ("CT-023", "01/05/2026"): ("10/05/2026 1070,43", "1070,43"),
    # Readjusted on the 15th, so the 10th is still at 12.3456 × 40 = 493.824 → 493.82;
    # then IPCA of 09/2025–02/2026, 1.9957…%: 12.59 × 40.
    ("CT-024", "10/03/2026"): ("25/03/2026 493,82", "493,82"),
    ("CT-024", "10/04/2026"): ("25/04/2026 503,60", "503,60"),
    # IGP-M of 06/2025–05/2026: −2.3235…%. 6 × 275.00 stays; 219.90 becomes 214.79, × 3.
    ("CT-025", "03/06/2026"): ("15/06/2026 1650,00", "1650,00"),
    ("CT-026", "04/06/2026"): ("15/06/2026 644,37", "644,37"),
    # 129.90 − 129.90: nothing to pay.
    (COURTESY, "05/01/2026"): ("20/01/2026 0,00", "0,00"),
    # 3 × 66.67 = 200.01; 05/01 is one day short of the minimum term…
    ("CT-029", "31/12/2025"): ("06/01/2026 200,01", "200,01"),
    # …and 06/01 just meets it. 200.00 − 2.5 × 5.75 = 200.00 − 14.38.
    ("CT-030", "01/01/2026"): ("06/01/2026 185,62", "185,62"),
}


class Row(NamedTuple):
    """A line of the table, as text: what an emitted invoice says."""

    contrato: str
    regra: str
    emissao: str
    parcelas: str
    vencimentos_originais: str
    linhas: str
    total: str
    competencia: str
    inicio: str
    fim: str
    tipo: str


@dataclass
class Year:
    """What the import planned, contract by contract, and what each monthly run emitted."""

    account: Account
    planned: dict[str, list[date]]
    emitted: dict[int, list[Invoice]]

    def invoices(self, code: str) -> QuerySet[Invoice]:
        return Invoice.objects.of(self.account).filter(contract__external_code=code)

    def contract(self, code: str) -> Contract:
        return Contract.objects.of(self.account).get(external_code=code)

    @property
    def all_emitted(self) -> list[Invoice]:
        return [invoice for invoices in self.emitted.values() for invoice in invoices]


@pytest.fixture(scope="module")
def year(django_db_setup: None, django_db_blocker: Any) -> Iterator[Year]:
    """Import on 1 January 2026, then the run of each month; the date stays 1 January.

    Done once: tests work on savepoints of its transaction, which ends undone.
    """
    with (
        django_db_blocker.unblock(),
        transaction.atomic(),
        pytest.MonkeyPatch.context() as environment,
    ):
        _publish_indexes(environment)
        account = _account("exemplo")
        _import(account, SPREADSHEET)
        planned = {code: _issue_dates(account, code) for code in ("CT-001", "CT-014", "CT-022")}
        emitted = {month: _run(account, end) for month, end in ENDS.items()}
        yield Year(account, planned, emitted)
        transaction.set_rollback(True)


# --- the table -----------------------------------------------------------------------------------


def test_each_monthly_run_emits_exactly_the_invoices_computed_by_hand(year: Year) -> None:
    expected = _expected()

    differences = {
        month: {
            "missing": sorted((want - got).elements()),
            "extra": sorted((got - want).elements()),
        }
        for month, invoices in year.emitted.items()
        if (want := Counter(expected[month])) != (got := Counter(map(_row, invoices)))
    }

    assert differences == {}
    assert len(year.all_emitted) == sum(map(len, expected.values())) == 302


def test_invoices_agree_with_what_was_worked_out_on_paper(year: Year) -> None:
    rows = [_row(invoice) for invoice in year.all_emitted]

    shown = {(row.regra, row.emissao): (row.parcelas, row.total) for row in rows}

    assert {key: shown.get(key) for key in ON_PAPER} == ON_PAPER


def test_numbers_have_no_gap_and_follow_the_issue_date_within_each_run(year: Year) -> None:
    numbers = [invoice.number for invoice in year.all_emitted]

    assert numbers == list(range(1, 303))
    for invoices in year.emitted.values():
        issued = [invoice.issue_date for invoice in invoices]
        assert issued == sorted(issued)


def test_only_the_invoice_of_nothing_is_received_at_once(year: Year) -> None:
    states = Counter(invoice.state for invoice in year.all_emitted)

    received = [invoice for invoice in year.all_emitted if invoice.state == "received"]

    assert states == {"to_receive": 301, "received": 1}
    assert received[0].rule.external_code == COURTESY
    assert received[0].payment_status == "paid"
    assert received[0].gross_value == 0


def test_each_line_pays_for_the_period_of_its_invoice(year: Year) -> None:
    wrong = [
        (invoice.contract.external_code, invoice.issue_date, line.period_start, line.period_end)
        for invoice in year.all_emitted
        for line in invoice.lines.all()
        if (line.period_start, line.period_end) != (invoice.start_date, invoice.end_date)
    ]

    assert wrong == []


# --- what is not emitted -------------------------------------------------------------------------


def test_the_import_creates_invoices_up_to_the_horizon_of_each_rule(year: Year) -> None:
    # Open monthly: 24 months from the first, 05/01/2028 included. Open weekly: 6 months, to
    # 05/07/2026; Monday 29/06 is the last. With an end: 25/01 to 25/07.
    assert year.planned == {
        "CT-001": _monthly(date(2026, 1, 5), 25),
        "CT-014": _weekly(date(2026, 1, 5), 26),
        "CT-022": _monthly(date(2026, 1, 25), 7),
    }


@pytest.mark.parametrize(
    ("code", "dates"),
    [
        pytest.param("CT-001", _monthly(date(2027, 1, 5), 13), id="to 24 months after the first"),
        pytest.param("CT-016", [date(2027, 2, 28), date(2028, 2, 29)], id="to a second block"),
        # 05/01/2027 would be less than a month after the last run: a third block, to 05/07/2027.
        pytest.param("CT-014", _weekly(date(2027, 1, 4), 27), id="to a third block of 6 months"),
        pytest.param("CT-022", [], id="ended"),
    ],
)
def test_invoices_after_the_year_wait_up_to_the_horizon(
    year: Year, code: str, dates: list[date]
) -> None:
    assert _issue_dates(year.account, code, state="to_emit", number=None) == dates


def test_waiting_invoices_have_the_readjusted_price(year: Year) -> None:
    waiting = year.invoices("CT-023").filter(state="to_emit")

    assert set(waiting.values_list("gross_value", flat=True)) == {Decimal("1070.43")}
    assert waiting.count() == 13


def test_a_manual_contract_waits_for_the_user(year: Year) -> None:
    waiting = _issue_dates(year.account, "CT-027", state="to_emit", number=None)

    assert waiting == _monthly(date(2026, 1, 10), 25)
    assert year.invoices("CT-027").count() == 25


# --- cancellation and readjustment ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "last", "n_finals"),
    [
        pytest.param("CT-020", date(2026, 5, 20), 1, id="post-paid"),
        pytest.param("CT-021", date(2026, 6, 10), 0, id="pre-paid"),
    ],
)
def test_a_cancelled_contract_bills_no_period_after_its_end(
    year: Year, code: str, last: date, n_finals: int
) -> None:
    regular = year.invoices(code).filter(is_final=False)

    assert year.contract(code).status == "cancelled"
    assert year.contract(code).cancel_date == date(2026, 6, 15)
    assert max(_issue_dates(year.account, code, state="to_receive", is_final=False)) == last
    assert not regular.filter(issue_date__gt=last).exclude(state="cancelled")
    assert year.invoices(code).filter(is_final=True).count() == n_finals


def test_a_cancellation_that_comes_in_a_second_file_cancels_what_was_planned(
    tmp_path: Path, today: Callable[[str], None]
) -> None:
    today("2026-01-01")
    account = _account("segunda")
    _import(account, _without_cancellations(tmp_path))
    before = _issue_dates(account, "CT-020"), _issue_dates(account, "CT-021")

    _import(account, SPREADSHEET)

    cancelled = {"state": "cancelled", "cancelled_automatically": True, "number": None}
    assert before == (_monthly(date(2026, 1, 20), 25), _monthly(date(2026, 1, 10), 25))
    assert _issue_dates(account, "CT-020", **cancelled) == _monthly(date(2026, 6, 20), 20)
    assert _issue_dates(account, "CT-021", **cancelled) == _monthly(date(2026, 7, 10), 19)
    others = Invoice.objects.of(account).exclude(contract__external_code__in=("CT-020", "CT-021"))
    assert not others.filter(state="cancelled").exists()


def test_readjustments_apply_on_their_date_and_negative_ones_only_where_agreed(
    year: Year,
) -> None:
    found = Readjustment.objects.of(year.account).order_by("execution_date", "rule__external_code")

    done = found.values_list("rule__external_code", "execution_date", "outcome")

    assert list(done) == [
        ("CT-024", date(2026, 3, 15), "executed"),
        ("CT-023", date(2026, 5, 1), "executed"),
        ("CT-025", date(2026, 6, 1), "skipped"),
        ("CT-026", date(2026, 6, 1), "executed"),
        ("CT-024", date(2026, 9, 15), "executed"),
    ]
    ipca = found.get(rule__external_code="CT-023")
    assert Decimal(ipca.factor) == _product(
        "0.26 0.24 0.26 -0.11 0.48 0.09 0.18 0.33 0.39 0.51 0.44 0.37"
    )


# --- import, repetition, proof -------------------------------------------------------------------


def test_the_spreadsheet_is_read_with_its_accents_letters_and_repeated_customers(
    year: Year,
) -> None:
    customers = Party.objects.of(year.account).exclude(kind="organization")
    by_code = {party.external_code: party for party in customers}

    theirs = by_code["C-001"].contracts.order_by("external_code")
    rules = year.contract("CT-028").rules.order_by("external_code")

    assert Contract.objects.of(year.account).count() == 30
    assert len(by_code) == customers.count() == 29
    assert by_code["C-001"].name == "Padaria Pão Dourado"
    assert by_code["C-005"].company_name == "Serra Azul Transportes Ltda – EPP"
    assert by_code["C-006"].kind == "person"
    assert by_code["C-011"].document == "7QX4M1K8000105"
    assert list(theirs.values_list("external_code", flat=True)) == ["CT-001", "CT-029"]
    assert list(rules.values_list("external_code", flat=True)) == [COURTESY, MONTHLY]


def test_the_invariants_hold_and_running_december_again_emits_nothing(year: Year) -> None:
    before = list(Invoice.objects.of(year.account).order_by("id").values())

    again = _run(year.account, ENDS[12])

    assert again == []
    assert list(Invoice.objects.of(year.account).order_by("id").values()) == before
    assert _command("check_invariants", "--account", "exemplo") == "Nenhuma violação."


def test_an_invoice_of_the_year_is_downloaded_as_pdf(year: Year, client: Client) -> None:
    token = _command("create_api_token", "--account", "exemplo", "--scope", "billing")
    invoice = next(i for i in year.emitted[2] if i.contract.external_code == "CT-002")

    answer = client.get(
        f"/crm/invoice/{invoice.pk}/pdf", headers={"Authorization": f"Token token={token}"}
    )

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    text = text_of(answer.content).replace(NBSP, " ")
    for expected in (f"{invoice.number:05d}", "Mercearia São João", "R$ 1.234,56", "31/03/2026"):
        assert expected in text


# --- arrange -------------------------------------------------------------------------------------


def _command(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().strip()


def _publish_indexes(environment: pytest.MonkeyPatch) -> None:
    """Both indexes of 2025 and 2026; then the date is 1 January 2026.

    The product takes no month to come, so the files are read as if the year were over.
    """
    environment.setenv("UX_TODAY", "2026-12-31")
    for index in ("ipca", "igpm"):
        _command("import_index", index, str(FIXTURES / f"contratos-30-{index}.csv"))
    environment.setenv("UX_TODAY", "2026-01-01")


def _account(slug: str) -> Account:
    account: Account = AccountFactory(slug=slug)
    OrganizationFactory(account=account)
    return account


def _import(account: Account, file: Path) -> None:
    _command("import_contracts", str(file), "--account", account.slug)


def _without_cancellations(folder: Path) -> Path:
    """The spreadsheet before anybody cancelled."""
    with SPREADSHEET.open(encoding="cp1252", newline="") as file:
        lines = list(csv.DictReader(file, delimiter=";"))
    for cells in lines:
        cells["Cancelado em"] = cells["Motivo do cancelamento"] = ""
    copy = folder / SPREADSHEET.name
    with copy.open("w", encoding="cp1252", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(lines)
    return copy


def _run(account: Account, end: date) -> list[Invoice]:
    """Run the billing until `end`; what it emitted, by number."""
    emitted = Invoice.objects.of(account).filter(state__in=("to_receive", "received"))
    before = set(emitted.values_list("pk", flat=True))
    _command("run_billing", "--account", account.slug, "--until", end.isoformat())
    rows = emitted.exclude(pk__in=before).select_related("contract", "rule")
    return list(rows.prefetch_related("lines", "receivables").order_by("number"))


# --- compare -------------------------------------------------------------------------------------


def _expected() -> dict[int, list[Row]]:
    """The table, by the run that emits each line: past occurrences come with the first."""
    text = (FIXTURES / "contratos-30-esperado.csv").read_text(encoding="utf-8")
    header, *lines = csv.reader(io.StringIO(text), delimiter=";")
    assert header == list(Row._fields)
    found = defaultdict(list)
    for row in map(Row._make, lines):
        issue = datetime.strptime(row.emissao, "%d/%m/%Y").date()
        found[issue.month if issue.year == 2026 else 1].append(row)
    return found


def _row(invoice: Invoice) -> Row:
    """The invoice in the words of the table."""
    parcels = sorted(invoice.receivables.all(), key=lambda parcel: parcel.position)
    lines = sorted(invoice.lines.all(), key=lambda line: line.position)
    moved = any(parcel.due_date != parcel.original_due_date for parcel in parcels)
    originals = [_day(parcel.original_due_date) for parcel in parcels]
    assert invoice.due_date == parcels[0].due_date
    return Row(
        contrato=invoice.contract.external_code,
        regra=invoice.rule.external_code,
        emissao=_day(invoice.issue_date),
        parcelas=" + ".join(f"{_day(p.due_date)} {_money(p.payment_value)}" for p in parcels),
        vencimentos_originais=" + ".join(originals) if moved else "",
        linhas=" + ".join(_money(line.value) for line in lines),
        total=_money(invoice.payment_value),
        competencia=f"{invoice.accrual_date:%m/%Y}",
        inicio=_day(invoice.start_date),
        fim=_day(invoice.end_date),
        tipo="final" if invoice.is_final else "",
    )


def _day(day: date) -> str:
    return f"{day:%d/%m/%Y}"


def _money(value: Decimal) -> str:
    return f"{value:.2f}".replace(".", ",")


def _issue_dates(account: Account, code: str, **conditions: object) -> list[date]:
    found = Invoice.objects.of(account).filter(contract__external_code=code, **conditions)
    return list(found.order_by("issue_date").values_list("issue_date", flat=True))


def _product(percents: str) -> Decimal:
    """IDX-1: Π (1 + v/100), exact."""
    with localcontext(prec=100):
        return prod((1 + Decimal(percent) / 100 for percent in percents.split()), start=Decimal(1))
