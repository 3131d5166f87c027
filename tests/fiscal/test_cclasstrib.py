"""cClassTrib against the official table (XML-14), and the reductions that follow from it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from support.note_bodies import faults_of, item, nfe_body, read_note

from fiscal.tables.cclasstrib import classification
from fiscal.tables.official import read_table
from fiscal.tables.registers import FOLDER, KINDS, read_rows, register
from fiscal.taxes.engine import complete

CST, CODE = "ibs_cbs_situacao_tributaria", "ibs_cbs_classificacao_tributaria"
REDUCTION = "cbs_percentual_reducao_aliquota"


def body(cst: str, code: str, **fields: Any) -> dict[str, Any]:
    return nfe_body(items=[item(**{CST: cst, CODE: code, **fields})])


def test_the_shipped_table_is_whole():
    rows = read_rows((FOLDER / "cclasstrib.csv").read_bytes())

    assert [KINDS["cclasstrib"].fault(row) for row in rows] == [""] * 164
    found = classification("200032")
    assert found is not None
    assert (found.cst, found.reduction_ibs, found.reduction("cbs")) == ("200", 60, Decimal(60))
    assert {code[:3] for code in register("cclasstrib").by_code} == {
        "000", "010", "011", "200", "220", "221", "222", "400", "410", "510", "515", "550", "620",
        "800", "810", "811", "820", "830",
    }  # fmt: skip


def test_a_newer_table_is_read_from_a_csv_without_our_comment(tmp_path):
    file = tmp_path / "cclasstrib.csv"
    text = (FOLDER / "cclasstrib.csv").read_text()
    file.write_text(text.partition("\n")[2])

    assert len(read_table("cclasstrib", file)) == 164


@pytest.mark.parametrize(
    ("cst", "code", "fields", "field", "message"),
    [
        ("000", "200032", {}, CODE, "é da situação tributária 200, e não da 000"),
        ("200", "200999", {}, CODE, "não existe na tabela oficial"),
        ("200", "200032", {REDUCTION: "40"}, REDUCTION, "redução da classificação 200032 é de 60%"),
        ("000", "000001", {REDUCTION: "60"}, REDUCTION, "não tem redução de alíquota"),
        (
            "550", "550020", {f"{CST}_regular": "200", f"{CODE}_regular": "000001"},
            f"{CODE}_regular", "é da situação tributária 000, e não da 200",
        ),
    ],
)  # fmt: skip
def test_what_contradicts_the_table_is_refused_before_a_number_is_taken(
    cst, code, fields, field, message
):
    assert message in faults_of(body(cst, code, **fields))[f"items[0].{field}"]


def test_what_agrees_with_the_table_is_taken_and_the_doubtful_is_told():
    fine = read_note(body("200", "200032", **{REDUCTION: "60.0000"}))
    other = read_note(body("000", "000002"))  # roads: an NFS-e of their own

    assert not [note for note in fine.notes if CODE in note.campo]
    (note,) = [note for note in other.notes if CODE in note.campo]
    assert note.mensagem == "A classificação 000002 não é prevista para NF-e."


def test_reductions_that_were_not_sent_are_those_of_the_class():
    data = read_note(body("200", "200032"))

    complete(data, modelo=55, crt=3)

    (sold,) = data["items"]
    assert sold[REDUCTION] == sold["ibs_uf_percentual_reducao_aliquota"] == Decimal(60)
    assert sold["cbs_aliquota_efetiva"] == Decimal("0.3600")
    assert sold["ibs_uf_aliquota_efetiva"] == Decimal("0.0400")
