"""Files of disputes: told by their bytes; what is two things at once is refused (P09)."""

from __future__ import annotations

import pytest
from support.disputes import chunk, jpeg, pdf, png, xlsx

from billing.services.disputes.uploads import (
    MAX_BYTES,
    NOT_TAKEN,
    TOO_BIG,
    TOO_MANY,
    Upload,
    check_uploads,
)
from billing.services.disputes.words import MOST, TOO_LONG, TOO_SHORT, clean, explanation
from lib.errors import InvalidInput

GOOD = {
    "nota.pdf": (pdf(), "application/pdf"),
    "Tela.PNG": (png(), "image/png"),
    "foto.jpg": (jpeg(), "image/jpeg"),
    "foto.jpeg": (jpeg(b"\xff\xfe\x00\x04ok"), "image/jpeg"),
    "conta.xlsx": (
        xlsx(),
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
}
PAGE = b"<html><script>alert(1)</script></html>"
BAD = {
    "vazio.pdf": b"",
    "pagina.pdf": PAGE,
    "sem_fim.pdf": b"%PDF-1.7\n1 0 obj",
    "atras.pdf": b"MZ" + pdf(),
    "arquivo.pdf": pdf() + xlsx(),  # an archive that begins as a PDF
    "dentro.pdf": pdf(PAGE),
    "planilha.pdf": xlsx(),
    "pixel.jpg": png(),
    "cortada.png": png()[:-4],
    "quebrada.png": png().replace(b"IDAT", b"IDAX"),
    "resto.png": png() + PAGE,
    "zip.png": png() + xlsx(),
    "texto.png": png()[:-12] + chunk(b"tEXt", PAGE) + chunk(b"IEND"),
    "php.jpg": jpeg(b"<?php system('x'); ?>"),
    "zip.jpg": jpeg() + xlsx(),
    "pdf.jpg": jpeg(b"%PDF-1.7"),
    "meio.jpg": b"\xff\xd8\xff\xe0",
    "zip.xlsx": xlsx().replace(b"xl/workbook.xml", b"xl/workbxxk.xml"),
    "macro.xlsx": xlsx(**{"xl/vbaProject.bin": b"x"}),
    "antes.xlsx": PAGE + xlsx(),
    "depois.xlsx": xlsx() + PAGE,
    "bomba.xlsx": xlsx(**{"xl/a.xml": bytes(101 * 1024 * 1024)}),
    "quebrado.xlsx": b"PK\x03\x04" + b"x" * 100,
    "conta.xlsm": xlsx(),
    "nota.pdf.exe": pdf(),
    "figura.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ".pdf": pdf(),
    "pdf": pdf(),
}


def test_what_is_taken_keeps_its_name_and_gets_its_own_type() -> None:
    for name, (data, kind) in GOOD.items():
        [found] = check_uploads([Upload(name, data)])
        assert (found.name, found.content_type, found.data) == (name, kind, data)

    [found] = check_uploads([Upload("..\\pasta/a\u202egpj.pdf", pdf())])
    assert found.name == "agpj.pdf"
    [found] = check_uploads([Upload("x" * 300 + ".pdf", pdf())])
    assert len(found.name) <= 200
    assert found.name.endswith(".pdf")


@pytest.mark.parametrize("name", BAD)
def test_everything_else_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=NOT_TAKEN) as refusal:
        check_uploads([Upload(name, BAD[name])])
    assert [one.campo for one in refusal.value.erros] == ["anexos"]


def test_three_files_of_five_megabytes() -> None:
    most = pdf(b"%" + b"x" * (MAX_BYTES - len(pdf()) - 2) + b"\n")
    assert len(most) == MAX_BYTES
    assert len(check_uploads([Upload("a.pdf", most)] * 3)) == 3

    with pytest.raises(InvalidInput, match=TOO_BIG):
        check_uploads([Upload("a.pdf", most + b"\n")])
    with pytest.raises(InvalidInput, match=TOO_MANY):
        check_uploads([Upload("a.pdf", pdf())] * 4)


def test_texts_are_counted_as_they_are_read() -> None:
    assert explanation("a" * 20) == "a" * 20
    assert explanation("😀" * 20) == "😀" * 20
    assert clean("um\r\ndois\x00\u202e\ttrês\u200b ") == "um\ndois\ttrês"
    assert len(explanation("a\r\n" * 1000)) == MOST - 1
    for text in ("a" * 19, " " * 30, "a" * 19 + "\u200b\u202e  "):
        with pytest.raises(InvalidInput, match=TOO_SHORT):
            explanation(text)
    with pytest.raises(InvalidInput, match=TOO_LONG):
        explanation("a" * 2001)
