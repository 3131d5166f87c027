"""Files of an import: formats, headers, bad files, rejected lines, template, exit codes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from io import StringIO
from pathlib import Path

import openpyxl
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from factories import AccountFactory, OrganizationFactory
from support.imports import BASE, counts, faults, line, messages, run, says, sheet

from accounts.models import Account
from billing.models import Contract, Invoice, InvoiceRule, Party, RuleService
from billing.services.imports import ImportOptions, import_file
from billing.services.imports.columns import _BY_KEY, COLUMNS, _key
from billing.services.materialise import extend
from lib.errors import InvalidInput

DOCS = Path(settings.BASE_DIR) / "docs" / "import.md"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(request, today):
    today("2026-08-12")
    if not request.node.get_closest_marker("django_db").kwargs.get("transaction"):
        request.getfixturevalue("organization")


def rows(path: str | Path) -> list[list[str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


# --- formats -------------------------------------------------------------------------------------


def test_a_spreadsheet_with_real_dates_and_numbers_imports_like_the_text_one(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(list(BASE))
    cells = {**BASE, "codigo_cliente": 1001, "valor_unitario": 1234.5, "dia_vencimento": 10}
    book.active.append([*({**cells, "primeira_emissao": date(2026, 9, 1)}).values()])
    book.active.append([None] * len(BASE))
    book.active.append([*({**cells, "primeira_emissao": 46266, "servico": "Outro"}).values()])
    book.save(tmp_path / "a.xlsx")

    report = run(tmp_path / "a.xlsx")

    assert (report["error"], report["lines"]) == ("", 2)
    rule = InvoiceRule.objects.get()
    assert (rule.init_date, rule.gross_value) == (date(2026, 9, 1), 2469)
    assert Party.objects.filter(external_code="1001").exists()


def test_faults_of_a_spreadsheet_carry_its_row_numbers(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Relatório gerado em"])
    book.active["A1"] = None
    book.active.append(list(BASE))
    book.active.append([])
    book.active.append([*({**BASE, "valor_unitario": "=10*2", "nome": "=A1"}).values()])
    book.save(tmp_path / "a.xlsx")

    report = run(tmp_path / "a.xlsx")

    assert faults(report) == [(4, "nome", "=A1"), (4, "valor_unitario", "=10*2")]
    assert set(messages(report)) == {"A célula contém fórmula; cole como valor."}


# --- header --------------------------------------------------------------------------------------


def test_missing_columns_are_all_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("nome;código do contrato\nx;y\n")

    assert run(path)["error"] == (
        "Cabeçalho com problemas. Faltam as colunas: codigo_cliente, primeira_emissao, "
        "periodicidade, servico, valor_unitario."
    )


def test_columns_given_twice_under_different_titles_are_refused(tmp_path):
    error = run(sheet(tmp_path, {**line(), "Nome do Cliente": "y"}))["error"]

    assert "As colunas “nome” e “Nome do Cliente” são a mesma: nome." in error


def test_a_mistyped_column_is_refused_and_an_unknown_one_is_ignored_aloud(tmp_path):
    mistyped = run(sheet(tmp_path, {**line(), "ultima_emisao": "x"}))["error"]
    report = run(
        sheet(tmp_path, {**line(), "Vendedor": "Ana", "Valor unitário 2": "5", "erro": "x"})
    )

    assert "Coluna “ultima_emisao” desconhecida: seria ultima_emissao?" in mistyped
    assert messages(report, "warnings") == [
        "Coluna “Vendedor” não é conhecida e foi ignorada.",
        "Coluna “Valor unitário 2” não é conhecida e foi ignorada.",
    ]


def test_formulas_in_ignored_columns_do_not_matter(tmp_path):
    assert run(sheet(tmp_path, {**line(), "Vendedor": "=A1", "erro": "=B1"}))["error"] == ""


def test_no_two_columns_share_a_title_or_synonym():
    titles = [_key(title) for column in COLUMNS for title in (column.name, *column.synonyms)]

    assert sorted(titles) == sorted(set(titles))
    assert "" not in _BY_KEY


# --- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", b"", "O arquivo está vazio."),
        ("a.csv", bytes(range(256)) * 30, "O arquivo não é uma planilha"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "Salve como .xlsx ou .csv."),
        ("a.csv", ";".join(BASE).encode() + b'\n"C1;b\n', "aspas mal fechadas"),
        ("a.csv", "nome;é\n".encode() + b"Jo\xe3o\n", "não são UTF-8"),
    ],
)
def test_a_file_that_is_no_spreadsheet_is_refused_in_words(tmp_path, name, content, text):
    (tmp_path / name).write_bytes(content)

    assert text in run(tmp_path / name)["error"]


def test_a_file_over_the_setting_is_refused_before_reading(tmp_path, settings):
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(200_000_000)

    assert run(tmp_path / "a.csv")["error"].startswith("O arquivo tem 200 MB; o máximo é 50 MB.")


def test_missing_things_are_named(tmp_path, account):
    path = sheet(tmp_path, line())
    assert run(tmp_path / "x.csv")["error"] == f"Arquivo não encontrado: {tmp_path / 'x.csv'}."
    assert "é uma pasta" in run(tmp_path)["error"]
    assert run(path, account="nada")["error"] == "Conta desconhecida: nada."
    Account.objects.update(is_active=False)
    assert run(path)["error"] == "A conta exemplo está inativa."
    with pytest.raises(CommandError, match="Informe o arquivo e --account"):
        call_command("import_contracts")
    Account.objects.update(is_active=True)
    Party.objects.filter(kind="organization").update(kind="company")
    assert "A conta não tem organização." in run(path)["error"]


def test_a_full_disk_is_told_and_nothing_is_imported(tmp_path, monkeypatch):
    # /dev/full answers as a full disk does; the file is opened as the real one is.
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(open, "/dev/full", "r+b"))

    report = run(sheet(tmp_path, *(line(n) for n in range(200))))

    assert report["error"] == "Não foi possível ler o arquivo: No space left on device."
    assert Contract.objects.count() == 0


# --- partial -------------------------------------------------------------------------------------


def test_a_partial_import_keeps_bad_contracts_out_whole_and_writes_them_to_correct(tmp_path):
    path = sheet(
        tmp_path,
        line(1, email="a@x.example"),
        line(2, uf="XX", texto_nota="-2+3", telefone="+55 11 91234-5678"),
        line(2, servico="Outro", uf=""),
        line(3),
        line(1, codigo_contrato="CT9", email="", valor_unitario="x"),
    )

    report = run(path, "--partial")

    assert report["error"] == (
        f"2 erro(s) em 2 linha(s); 3 linha(s) em {tmp_path / 'contratos-rejeitadas.csv'}."
    )
    assert sorted(Contract.objects.values_list("external_code", flat=True)) == ["CT1", "CT3"]
    header, *rejected = rows(report["rejected_path"])
    assert (header[0], header[-1], len(rejected)) == ("codigo_cliente", "erro", 3)
    by = [dict(zip(header, cells, strict=True)) for cells in rejected]
    assert by[0]["erro"] == "uf: UF inválida. Use a sigla do estado, como SP."
    assert (by[0]["texto_nota"], by[0]["telefone"]) == ("'-2+3", "'+55 11 91234-5678")
    assert by[1]["erro"] == "Ficou de fora por causa da linha 3 do arquivo original."
    assert (by[2]["email"], by[2]["valor_unitario"]) == ("a@x.example", "x")


def test_the_rejected_file_corrected_comes_in(tmp_path):
    path = sheet(
        tmp_path, line(1), line(2, uf="XX", texto_nota="-2 por mês"), line(2, servico="B", uf="")
    )
    rejected = Path(run(path, "--partial")["rejected_path"])
    rejected.write_text(rejected.read_text("utf-8-sig").replace("XX", "SP"), "utf-8-sig")

    report = run(rejected)

    assert (report["error"], report["warnings"]) == ("", [])
    assert counts(report) == {"customers": (1, 0, 0), "contracts": (1, 0, 0), "rules": (1, 0, 0)}
    assert Party.objects.get(external_code="C2").state == "SP"
    assert InvoiceRule.objects.get(external_code="CT2").nfe_body == "-2 por mês"
    assert RuleService.objects.filter(rule__external_code="CT2").count() == 2


def test_a_formula_is_shown_in_the_rejected_file_without_running(tmp_path):
    path = sheet(
        tmp_path, line(1, nome="=cmd|' /C calc'!A0"), line(1, nome="", codigo_contrato="K")
    )

    report = run(path, "--partial")

    assert Contract.objects.count() == 0
    header, first, _ = rows(report["rejected_path"])
    assert first[header.index("nome")] == "'=cmd|' /C calc'!A0"


def test_rejected_lines_never_overwrite_a_file_being_corrected(tmp_path):
    path = sheet(tmp_path, line(1, uf="XX"))

    names = [Path(run(path, "--partial")["rejected_path"]).name for _ in range(2)]
    again = run(tmp_path / names[0], "--partial")["rejected_path"]
    chosen = run(path, "--partial", rejected=str(tmp_path / "meu.csv"))["rejected_path"]

    assert names == ["contratos-rejeitadas.csv", "contratos-rejeitadas-2.csv"]
    assert Path(again).name == "contratos-rejeitadas-3.csv"
    assert Path(chosen).name == "meu.csv"


def test_when_the_rejected_lines_cannot_be_written_nothing_is_imported(tmp_path):
    path = sheet(tmp_path, line(1), line(2, uf="XX"))

    report = run(path, "--partial", rejected=str(tmp_path / "pasta" / "x.csv"))

    assert report["error"].startswith("Nada foi importado: não foi possível gravar")
    assert Contract.objects.count() == 0


def test_a_partial_dry_run_writes_no_file(tmp_path):
    report = run(sheet(tmp_path, line(1), line(2, uf="XX")), "--partial", "--dry-run")

    assert (report["rejected_lines"], report["rejected_path"]) == (1, None)
    assert [path.name for path in tmp_path.iterdir()] == ["contratos.csv"]


def test_a_fault_found_in_the_database_rejects_only_its_contract(tmp_path):
    run(sheet(tmp_path, line(1, cancelado_em="15/10/2026")))

    path = sheet(tmp_path, line(1, cancelado_em="16/10/2026"), line(2, cancelado_em=""))
    report = run(path, "--partial")

    assert faults(report) == [(2, "cancelado_em", "16/10/2026")]
    assert Contract.objects.filter(external_code="CT2").exists()
    assert len(rows(report["rejected_path"])) == 2


# --- template and documentation ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["modelo.csv", "modelo.xlsx"])
def test_the_template_imports_as_it_is(tmp_path, name):
    out = StringIO()
    call_command("import_contracts", template=str(tmp_path / name), stdout=out)

    report = run(tmp_path / name)

    assert out.getvalue() == f"Modelo gravado em {tmp_path / name}.\n"
    assert (report["error"], report["lines"], report["warnings"]) == ("", 2, [])
    assert counts(report) == {"customers": (2, 0, 0), "contracts": (2, 0, 0), "rules": (2, 0, 0)}


def test_the_template_has_instructions_and_cells_of_text(tmp_path):
    call_command("import_contracts", template=str(tmp_path / "m.xlsx"), stdout=StringIO())

    book = openpyxl.load_workbook(tmp_path / "m.xlsx")
    assert book.sheetnames == ["Contratos", "Instruções"]
    assert [cell.value for cell in book["Contratos"][1]] == [column.name for column in COLUMNS]
    assert {cell.number_format for cell in book["Contratos"][2]} == {"@"}


def test_a_template_of_another_kind_or_place_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"deve ser \.csv ou \.xlsx"):
        call_command("import_contracts", template=str(tmp_path / "m.pdf"))
    with pytest.raises(CommandError, match="Não foi possível gravar"):
        call_command("import_contracts", template=str(tmp_path / "x" / "m.csv"))


def test_the_documentation_tells_of_every_column():
    text = DOCS.read_text()

    for column in COLUMNS:
        assert f"| `{column.name}` | {'sim' if column.is_required else ''} |" in text
        assert all(f"`{synonym}`" in text for synonym in column.synonyms), column.name


# --- as a program --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_exit_code_and_the_streams_serve_programs(tmp_path):
    OrganizationFactory(account=AccountFactory())
    good, bad = sheet(tmp_path, line(1)), sheet(tmp_path, line(2, uf="XX"), name="b.csv")

    ok = _manage("import_contracts", str(good), "--account", "exemplo", "--json")
    refused = _manage("import_contracts", str(bad), "--account", "exemplo", "--json")

    assert (ok.returncode, json.loads(ok.stdout)["contracts"]["created"]) == (0, 1)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["faults"][0]["column"] == "uf"
    assert refused.stderr.strip().endswith("Nada foi importado: 1 erro(s) em 1 linha(s).")


@pytest.mark.django_db(transaction=True)
def test_an_import_killed_before_the_end_leaves_nothing_and_runs_again(tmp_path):
    OrganizationFactory(account=AccountFactory())
    path = sheet(tmp_path, *(line(n) for n in range(1200)))

    killed = _manage("import_contracts", str(path), "--account", "exemplo", kill_at="_follow")

    assert killed.returncode == -signal.SIGKILL
    assert Contract.objects.count() == Party.objects.exclude(kind="organization").count() == 0
    assert counts(run(path, "--no-invoices"))["contracts"] == (1200, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_the_nightly_run_creates_the_invoices_that_a_killed_import_left(tmp_path):
    account = AccountFactory()
    OrganizationFactory(account=account)
    path = sheet(tmp_path, line(1), line(2))

    killed = _manage(
        "import_contracts", str(path), "--account", "exemplo", kill_at="_create_invoices"
    )
    extend(account, until=date(2026, 8, 12), today=date(2026, 8, 12))

    assert killed.returncode == -signal.SIGKILL
    assert Invoice.objects.count() == 2 * 25


def _manage(*arguments: str, kill_at: str = "") -> subprocess.CompletedProcess[str]:
    """manage.py on the test database, in a process of its own that may kill itself on the way."""
    name = str(connection.settings_dict["NAME"])
    program = f"""
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {name!r}
django.setup()
from billing.services.imports import running
from django.core.management import execute_from_command_line
if {kill_at!r}:
    setattr(running, {kill_at!r}, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=settings.BASE_DIR,
        env={**os.environ, "UX_TODAY": "2026-08-12"},
        timeout=60,
    )


def test_the_service_tells_its_progress_step_by_step(tmp_path, account):
    seen: list[tuple[str, int, int]] = []

    import_file(
        account,
        sheet(tmp_path, line(1), line(2)),
        options=ImportOptions(today=date(2026, 8, 12)),
        progress=lambda *step: seen.append(step),
    )

    assert seen == [("Lendo", 1, 0), ("Lendo", 2, 0), ("Gravando", 2, 2), ("Criando faturas", 2, 2)]


def test_a_person_reads_a_short_summary(tmp_path):
    text = says(sheet(tmp_path, line(1), line(2)))

    assert text.splitlines()[1:] == [
        "Importado:",
        "  clientes           2 novos, 0 alterados, 0 sem mudança",
        "  contratos          2 novos, 0 alterados, 0 sem mudança",
        "  regras             2 novos, 0 alterados, 0 sem mudança",
        "  serviços novos     1",
        "  cancelamentos      0",
        "  faturas criadas    50",
    ]


def test_a_wrong_organization_is_invalid_input_for_the_service(tmp_path, account):
    with pytest.raises(InvalidInput, match="não tem organização com o CNPJ 1"):
        import_file(account, sheet(tmp_path, line()), options=ImportOptions(organization="1"))
    assert Contract.objects.count() == 0
