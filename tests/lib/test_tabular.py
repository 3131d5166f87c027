"""Reading people's spreadsheets, and writing ones that are safe to open."""

from __future__ import annotations

import csv
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from lib.tabular import BadFile, Limits, csv_safe, open_table, write_csv, write_xlsx


def read(path: Path, limits: Limits | None = None) -> tuple[list[str], list[tuple[int, list[str]]]]:
    with open_table(path, limits or Limits()) as table:
        return table.header, [(row.number, row.cells) for row in table.rows]


def problems(path: Path, limits: Limits | None = None) -> list[tuple[int, int | None, str]]:
    with open_table(path, limits or Limits()) as table:
        return [
            (row.number, problem.position, problem.message)
            for row in table.rows
            for problem in row.problems
        ]


def refusal(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(BadFile) as refused:
        read(path, limits)
    return refused.value.mensagem


def saved(tmp_path: Path, content: bytes | str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def workbook(tmp_path: Path, *rows: list[object], name: str = "a.xlsx") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / name)
    return tmp_path / name


# --- encodings and separators --------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_every_usual_encoding_and_separator_reads_the_same(tmp_path, encoding, separator):
    text = separator.join(["nome", "preço"]) + "\r\n" + separator.join(["João", '"1,50"'])
    path = saved(tmp_path, text.encode(encoding))

    assert read(path) == (["nome", "preço"], [(2, ["João", "1,50"])])


def test_a_line_of_other_encoding_in_a_utf8_file_is_named_instead_of_garbled(tmp_path):
    body = "nome\nJoão\nInês\n".encode() + "Antônio\n".encode("cp1252")

    assert refusal(saved(tmp_path, body)).startswith("Linha 4: há bytes que não são UTF-8")


def test_bytes_of_no_encoding_are_refused_with_the_line(tmp_path):
    assert "não é UTF-8 nem Windows-1252" in refusal(saved(tmp_path, b"nome\n\xe3\x81\n\x8d\n"))


def test_the_separator_hint_of_excel_is_obeyed_and_not_counted(tmp_path):
    path = saved(tmp_path, "sep=,\nnome,a;b\nx,y\n")

    assert read(path) == (["nome", "a;b"], [(2, ["x", "y"])])


def test_quoted_line_breaks_stay_in_the_cell_and_rows_are_counted_as_the_spreadsheet_does(tmp_path):
    path = saved(tmp_path, 'a;b\n"um\ndois";1\n\n;\nx;2\n;;;\n\n')

    assert read(path) == (["a", "b"], [(2, ["um\ndois", "1"]), (5, ["x", "2"])])


def test_a_quote_left_open_is_refused_instead_of_swallowing_the_rest(tmp_path):
    text = refusal(saved(tmp_path, 'a;b\nx;1\n"y;2\nz;3\n'))

    assert text.startswith("Linha 3 em diante: aspas mal fechadas")


def test_codes_pasted_with_invisible_characters_and_loose_accents_become_equal(tmp_path):
    path = saved(tmp_path, "a\n\u200bC-1\u00a0\nJoa\u0303o\n")

    assert read(path)[1] == [(2, ["C-1"]), (3, ["João"])]


def test_a_decimal_comma_without_quotes_in_a_comma_file_is_a_problem_of_the_row(tmp_path):
    path = saved(tmp_path, "nome,preço\nx,1,50\ny,2,\n")

    ((line, position, message),) = problems(path)
    assert (line, position) == (2, None)
    assert "entre aspas" in message


# --- cells of XLSX -------------------------------------------------------------------------------


def test_cells_of_a_spreadsheet_become_what_a_brazilian_would_type(tmp_path):
    path = workbook(
        tmp_path,
        ["a", "b", "c", "d", "e", "f", "g"],
        [date(2026, 2, 1), datetime(2026, 2, 1, 8, 30), 1001.0, 1234.5, 0.1 + 0.2, True, 123],
    )

    assert read(path)[1] == [
        (2, ["01/02/2026", "01/02/2026 08:30:00", "1001", "1234,5", "0,3", "sim", "123"])
    ]


def test_a_percentage_cell_reads_as_it_is_shown(tmp_path):
    path = workbook(tmp_path, ["imposto"], [0.05])
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = "0.00%"
    book.save(path)

    assert read(path)[1] == [(2, ["5%"])]


def test_trailing_blank_rows_and_blank_rows_between_keep_the_sheet_numbers(tmp_path):
    path = workbook(tmp_path, ["a"], [], ["x"], [None], [""], [])

    assert read(path)[1] == [(3, ["x"])]


def test_only_the_first_visible_sheet_is_read_and_people_are_told(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Oculta"
    book.active.sheet_state = "hidden"
    book.create_sheet("Instruções").append(["texto"])
    book.create_sheet("Dados").append(["a"])
    book.create_sheet("Outra").append(["b"])
    book.save(tmp_path / "a.xlsx")

    with open_table(tmp_path / "a.xlsx") as table:
        assert table.header == ["a"]
        assert table.notes == ["Só a primeira aba visível foi lida: “Dados”."]


def test_the_content_decides_what_a_file_is_whatever_its_name(tmp_path):
    sheet = workbook(tmp_path, ["a"], ["x"], name="mentira.csv.xlsx")
    sheet.rename(tmp_path / "mentira.csv")
    text = saved(tmp_path, "a\ny\n", "mentira.xlsx")

    assert read(tmp_path / "mentira.csv")[1] == [(2, ["x"])]
    assert read(text)[1] == [(2, ["y"])]


# --- formulas ------------------------------------------------------------------------------------


def test_a_formula_cell_is_a_problem_and_reads_as_blank(tmp_path):
    path = workbook(tmp_path, ["a", "b"], ["=SUM(B2:B3)", 1], ["x", "=A1"])

    assert problems(path) == [
        (2, 0, "A célula contém fórmula; cole como valor."),
        (3, 1, "A célula contém fórmula; cole como valor."),
    ]
    assert read(path)[1] == [(2, ["", "1"]), (3, ["x", ""])]


@pytest.mark.parametrize(
    "text",
    ["=1+1", '="00123"', "+A1", "-A1+B2", "@SUM(1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C x'!A0"],
)
def test_text_that_a_spreadsheet_would_run_is_a_problem_in_csv(tmp_path, text):
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["a", "b"], ["x", text]])

    assert [(line, position) for line, position, _ in problems(path)] == [(2, 1)]


@pytest.mark.parametrize(
    "text", ["+55 (11) 91234-5678", "-5,20", "- item um", "@loja", "-", "- Ouro | Prata"]
)
def test_telephones_negative_numbers_and_dashes_are_not_formulas(tmp_path, text):
    path = saved(tmp_path, f"a;b\nx;{text}\n")

    assert problems(path) == []
    assert read(path)[1] == [(2, ["x", text])]


def test_long_texts_that_look_like_formulas_are_judged_in_no_time(tmp_path, benchmark_seconds):
    path = saved(tmp_path, "a\n" + "".join(f"{c * 4900}{d * 4900}\n" for c in "-+" for d in "a+ ("))

    assert benchmark_seconds(lambda: read(path)) < 1


@pytest.fixture
def benchmark_seconds():
    import time

    def measure(work):
        started = time.process_time()
        work()
        return time.process_time() - started

    return measure


@pytest.mark.parametrize("text", ["#N/D", "#REF!", "#valor!"])
def test_an_error_of_the_spreadsheet_is_a_problem(tmp_path, text):
    assert [p[:2] for p in problems(saved(tmp_path, f"a;b\nx;{text}\n"))] == [(2, 1)]


# --- files refused whole -------------------------------------------------------------------------


def test_a_missing_file_a_folder_and_a_device_say_what_they_are(tmp_path):
    assert refusal(tmp_path / "x.csv") == f"Arquivo não encontrado: {tmp_path / 'x.csv'}."
    assert refusal(tmp_path) == f"{tmp_path} é uma pasta; informe um arquivo .csv ou .xlsx."
    assert "não é um arquivo comum" in refusal(Path("/dev/null"))
    assert refusal(Path("a\0b")) == "Arquivo não encontrado: a\0b."


@pytest.mark.parametrize("content", [b"", b"  \r\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(tmp_path, content):
    assert refusal(saved(tmp_path, content)) == "O arquivo está vazio."


def test_a_sheet_without_cells_says_it_is_empty(tmp_path):
    assert refusal(workbook(tmp_path)) == "O arquivo está vazio."


@pytest.mark.parametrize(
    ("start", "text"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, ".xls antigo ou está protegido"),
        (b"%PDF-1.7\n", "não é uma planilha"),
        (b"<html><table><tr>", "página ou XML com nome de planilha"),
        (b"a;b\n1;\x00\n", "bytes nulos"),
        (bytes(range(256)) * 20, "bytes nulos"),
        (b"PK\x03\x04garbage", "danificada"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_to_do(tmp_path, start, text):
    message = refusal(saved(tmp_path, start, "a.xlsx"))

    assert text in message
    assert "alv" in message  # salve como…


def test_a_truncated_spreadsheet_is_damaged(tmp_path):
    path = workbook(tmp_path, ["a"], *([str(n)] for n in range(2000)))
    path.write_bytes(path.read_bytes()[:3000])

    assert "danificada" in refusal(path)


def test_a_sheet_whose_xml_is_broken_is_damaged(tmp_path):
    assert "danificada" in refusal(_repacked(tmp_path, b"<worksheet><sheetData><row>"))


def test_a_sheet_with_an_entity_bomb_is_damaged_and_never_expanded(tmp_path):
    entities = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 100}">' for n in range(9)
    )
    bomb = f'<?xml version="1.0"?><!DOCTYPE w [{entities}]><worksheet>&e8;</worksheet>'

    assert "danificada" in refusal(_repacked(tmp_path, bomb.encode()))


def _repacked(tmp_path: Path, sheet: bytes) -> Path:
    """A workbook whose first sheet is `sheet`."""
    source = workbook(tmp_path, ["a"], ["x"], name="base.xlsx")
    target = tmp_path / "a.xlsx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            is_sheet = part.filename.startswith("xl/worksheets/")
            new.writestr(part.filename, sheet if is_sheet else old.read(part))
    return target


def test_a_zip_bomb_is_refused_from_its_directory_alone(tmp_path):
    path = _repacked(tmp_path, b"<worksheet>" + b" " * 30_000_000)

    assert path.stat().st_size < 100_000
    message = refusal(path, Limits(unpacked=20_000_000))
    assert message.startswith("A planilha fica grande demais quando descompactada.")


def test_a_zip_that_is_no_workbook_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as package:
        package.writestr("leia-me.txt", "oi")

    assert refusal(tmp_path / "a.xlsx").startswith("O arquivo não é um .xlsx.")


def test_a_file_over_the_size_is_refused_before_being_read(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(200_000_000)  # sparse: reading it would say "vazio"

    assert refusal(path, Limits(size=50_000_000)).startswith(
        "O arquivo tem 200 MB; o máximo é 50 MB."
    )


def test_too_many_rows_or_columns_are_refused_with_the_limit(tmp_path):
    rows = saved(tmp_path, "a\n" + "x\n" * 11, "rows.csv")
    wide = saved(tmp_path, ";".join(f"c{n}" for n in range(1000)) + "\n", "wide.csv")
    sheet = workbook(tmp_path, [f"c{n}" for n in range(1000)])

    assert "mais de 10 linhas" in refusal(rows, Limits(rows=10))
    assert refusal(wide) == "O arquivo tem 1000 colunas ou mais; o máximo é 200."
    assert "o máximo é 200" in refusal(sheet)


def test_a_cell_of_more_than_ten_thousand_characters_is_a_problem_of_the_cell(tmp_path):
    path = saved(tmp_path, f"a;b\n{'x' * 10_001};1\n{'x' * 10_000};2\n")

    assert problems(path) == [(2, 0, "O texto tem 10001 caracteres; o máximo é 10000.")]


def test_a_control_character_is_a_problem_of_the_cell(tmp_path):
    path = saved(tmp_path, "a;b\nx;y\x1b[31mz\n")

    with open_table(path) as table:
        ((problem,),) = [row.problems for row in table.rows]
    assert (problem.position, problem.value) == (1, "y�[31mz")


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-5", "@x", "\tx", "\r=1"])
def test_nothing_we_write_runs_as_a_formula(tmp_path, text):
    write_csv(tmp_path / "a.csv", ["a"], [[text]])

    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file, delimiter=";")) == [["a"], [f"'{text}"]]
    assert csv_safe(text) == f"'{text}"


def test_a_negative_number_survives_writing_and_reading(tmp_path):
    write_csv(tmp_path / "a.csv", ["valor"], [["-5,20"]])

    assert read(tmp_path / "a.csv") == (["valor"], [(2, ["-5,20"])])


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    def rows():
        yield ["x"]
        raise OSError("disco cheio")

    with pytest.raises(OSError, match="disco cheio"):
        write_csv(tmp_path / "a.csv", ["a"], rows())

    assert list(tmp_path.iterdir()) == []


def test_a_workbook_we_write_keeps_zeros_and_has_no_formulas(tmp_path):
    write_xlsx(tmp_path / "a.xlsx", [("Dados", [["a", "b"], ["00123", "=1+1"]])])

    cells = openpyxl.load_workbook(tmp_path / "a.xlsx")["Dados"][2]
    assert [(cell.value, cell.data_type) for cell in cells] == [("00123", "s"), ("=1+1", "s")]
