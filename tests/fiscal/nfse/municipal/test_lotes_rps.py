"""Lots of RPS as files, byte for byte, and the city's answer to them (fiscal-api §6)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from support.v2 import fiscal_token, v2

from fiscal.documents.rps_file import sao_paulo, sao_paulo_answer
from fiscal.documents.rps_file.records import TooWide, digits
from fiscal.models import NoteState, RpsBatch, ServiceNote, ServiceSeries

CITY = "3550308"
NOTE = {
    "data_emissao": "2026-01-10T10:00:00-03:00",
    "natureza_operacao": "1",
    "optante_simples_nacional": False,
    "tomador": {
        "cnpj": "11444777000161",
        "razao_social": "Tomador & Cia “Ltda”",
        "email": "a@exemplo.com.br",
        "inscricao_municipal": "123",
        "endereco": {
            "logradouro": "Praça da Sé",
            "tipo_logradouro": "PC",
            "numero": "1",
            "bairro": "Sé",
            "codigo_municipio": CITY,
            "uf": "SP",
            "cep": "01001-000",
        },
    },
    "servico": {
        "valor_servicos": "1000.10",
        "valor_deducoes": "0.10",
        "aliquota": "5",
        "iss_retido": "false",
        "item_lista_servico": "0107",
        "codigo_tributario_municipio": "2658",
        "discriminacao": "Análise\nde sistemas",
    },
}


def body(*changes: dict[str, Any], city: str = CITY, **top: Any) -> dict[str, Any]:
    """A body with one note for each change, which replaces parts of `servico`."""
    notes = []
    for change in changes or ({},):
        note = deepcopy(NOTE)
        note["servico"].update(change)
        notes.append(note)
    issuer = {
        "cnpj": "11.222.333/0001-81", "codigo_municipio": city, "inscricao_municipal": "3100000-0",
    }  # fmt: skip
    return {"prestador": issuer, "lista_nfse": notes, **top}


@pytest.fixture
def emitter(company: Any) -> Any:
    company.habilita_nfse = True
    company.options = {**company.options, "serie_nfse_homologacao": "A"}
    company.save()
    return company


@pytest.fixture
def api(emitter: Any) -> Any:
    return v2(fiscal_token(emitter))


def line_of(note: ServiceNote, **also: str) -> str:
    """The city's line for a note, blanks and zeros where nothing matters."""
    values = {
        "tipo_de_registro": "2", "numero_nfse": "00000042", "data_hora": "20260111093000",
        "codigo": "ABCD1234", "tipo_do_rps": "RPS", "serie": note.series,
        "numero": f"{note.rps_number:012d}", "data_de_emissao": "20260110",
        "inscricao": "31000000", "situacao": "T", "valor_dos_servicos": "000000000100010",
        "valor_do_iss": "000000000005000", "indicador_tomador": "2",
        "documento_tomador": "11444777000161", **also,
    }  # fmt: skip
    fields = sao_paulo_answer.DETAIL.fields
    return "".join(values.get(name, "").ljust(width) for name, width in fields) + "Análise"


def answer(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("1001", *lines, "9")).encode("iso-8859-1")


def test_a_lot_is_the_published_file_byte_for_byte(api):
    sent = body({}, {"valor_servicos": "20", "iss_retido": True, "codigo_nbs": "115022000"})

    made = api.post("lotes_rps", sent, ref="lote-1")

    assert made.status_code == 201, made.content
    assert made["Content-Type"] == "text/plain; charset=iso-8859-1"
    taker = (
        "211444777000161" + "00000123" + "000000000000" + 'Tomador & Cia "Ltda"'.ljust(75)
        + "PC " + "Praça da Sé".ljust(50) + "1".ljust(10) + " " * 30 + "Sé".ljust(30)
        + "São Paulo".ljust(50) + "SP" + "01001000" + "a@exemplo.com.br".ljust(75)
        + "Análise|de sistemas"
    )  # fmt: skip
    expected = [
        "1001310000002026011020260110",
        "2RPS  A    00000000000120260110T000000000100010"
        + "000000000000010026580500"
        + "2"
        + taker,
        "2RPS  A    00000000000220260110T000000000002000"
        + "000000000000010026580500"
        + "1"
        + taker,
        "90000002000000000102010000000000000020",
    ]
    assert made.content == "".join(f"{line}\r\n" for line in expected).encode("iso-8859-1")
    notes = ServiceNote.objects.order_by("rps_number")
    assert [(note.state, note.provider, note.next_attempt_at) for note in notes] == [
        (NoteState.EM_LOTE, "arquivo", None)
    ] * 2

    again, shown = api.post("lotes_rps", sent, ref="lote-1"), api.get("lotes_rps/lote-1")

    assert (again.status_code, again.content) == (201, made.content)
    assert (shown.status_code, shown.content) == (200, made.content)
    assert ServiceNote.objects.count() == 2
    assert ServiceSeries.objects.get().next_number == 3


def test_version_002_has_its_fields_at_their_places(api):
    sent = body({"valor_pis": "6.50", "percentual_total_tributos": "10"}, layout="sao-paulo-002")

    made = api.post("lotes_rps", sent, ref="lote-2")

    line = made.content.decode("iso-8859-1").split("\r\n")[1]
    assert made.content.startswith(b"1002")
    assert (line[0], sao_paulo.DETAIL_001.width, sao_paulo.DETAIL_002.width) == ("6", 440, 786)
    assert line[440:455] == "000000000000650"  # PIS, 441–455
    assert line[515:530] == "000000000010001"  # 516–530
    assert line[569:576] == CITY  # 570–576
    assert line[786:] == "Análise|de sistemas"


def test_the_answer_authorizes_the_notes_of_the_lot(api, emitter):
    api.post("lotes_rps", body({}, {}), ref="lote-3")
    first, second = ServiceNote.objects.order_by("rps_number")
    cancelled = line_of(second, numero_nfse="43", situacao="C", data_de_cancelamento="20260112")

    told = api.post("lotes_rps/lote-3/resposta", answer(line_of(first), cancelled))

    assert told.status_code == 201, told.content
    assert told.json() == [
        {
            "numero_rps": "1", "serie_rps": "A", "tipo_rps": "1", "status": "autorizado",
            "numero": "42", "codigo_verificacao": "ABCD1234",
            "data_emissao": "2026-01-11T09:30:00-03:00",
            "uri": "https://nfe.prefeitura.sp.gov.br/contribuinte/notaprint.aspx"
                   "?inscricao=31000000&nf=42&verificacao=ABCD1234",
        },
        {
            "numero_rps": "2", "serie_rps": "A", "tipo_rps": "1", "status": "cancelado",
            "numero": "43", "codigo_verificacao": "ABCD1234",
            "data_emissao": "2026-01-11T09:30:00-03:00",
            "uri": "https://nfe.prefeitura.sp.gov.br/contribuinte/notaprint.aspx"
                   "?inscricao=31000000&nf=43&verificacao=ABCD1234",
        },
    ]  # fmt: skip
    assert RpsBatch.objects.get().answered_at is not None
    again = api.post("lotes_rps/lote-3/resposta", answer(line_of(first), cancelled))
    assert again.json() == told.json()


def test_an_answer_as_csv_is_read_as_well(api):
    api.post("lotes_rps", body(), ref="lote-4")
    note = ServiceNote.objects.get()
    values = ["2", "42", "11/01/2026 09:30:00", "ABCD1234", "RPS", "A", "1", "10/01/2026"]
    values += ["31000000", "2", "11222333000181", *[""] * 11, "T"]
    values += [""] * 3 + ["1.000,10", "0,10", "2658", "5,00", "50,00", "0,00", "N", "2"]
    values += ["11444777000161", *[""] * 12]
    header = ";".join(["Tipo de Registro", *["x"] * 46])

    told = api.post("lotes_rps/lote-4/resposta", f"{header}\n{';'.join(values)};Análise".encode())

    assert told.status_code == 201, told.content
    note = ServiceNote.objects.get()
    assert (note.state, note.number) == (NoteState.AUTORIZADO, "42")
    assert note.returned == {
        "valor_servicos": "1000.10", "valor_iss": "50.00", "tomador": "11444777000161",
    }  # fmt: skip


def test_one_wrong_line_and_no_note_is_touched(api):
    api.post("lotes_rps", body({}, {}), ref="lote-5")
    first, second = ServiceNote.objects.order_by("rps_number")
    good = line_of(first)
    wrong = {
        "linha 3: 9": (good, line_of(second, numero="000000000009")),
        "outro prestador": (good, line_of(second, inscricao="00000001")),
        "duas NFS-e": (good, line_of(first, numero_nfse="00000099")),
        "menor que o leiaute": (good, "2 curta"),
        "sem número": (line_of(first, numero_nfse=""),),
    }
    for mark, lines in wrong.items():
        told = api.post("lotes_rps/lote-5/resposta", answer(*lines))
        assert told.status_code == 422, (mark, told.content)
        assert told.json()["codigo"] == "erro_validacao"
    for content in (b"", b"<html>x</html>", b"1001\r\n9\r\n"):
        assert api.post("lotes_rps/lote-5/resposta", content).status_code == 422

    states = set(ServiceNote.objects.values_list("state", flat=True))
    assert states == {NoteState.EM_LOTE}
    # One is answered now, the other when the city says so; a number is for ever.
    assert api.post("lotes_rps/lote-5/resposta", answer(good)).status_code == 201
    other = api.post("lotes_rps/lote-5/resposta", answer(line_of(first, numero_nfse="00000044")))
    assert other.json()["erros"][0]["mensagem"] == "O RPS já é a NFS-e 42."
    assert sorted(ServiceNote.objects.values_list("state", flat=True)) == ["autorizado", "em_lote"]


def test_every_fault_of_every_note_is_told_and_nothing_is_kept(api, emitter):
    two = body({}, {"codigo_tributario_municipio": "1234567"})
    two["lista_nfse"][0]["intermediario"] = {"cnpj": "11444777000161"}
    no_service = body()
    del no_service["lista_nfse"][0]["servico"]["valor_servicos"]
    cases = [
        (two, 422, ["lista_nfse[0].intermediario",
                    "lista_nfse[1].servico.codigo_tributario_municipio"]),
        (no_service, 422, ["lista_nfse[0].servico.valor_servicos"]),
        (body() | {"lista_nfse": []}, 422, ["lista_nfse"]),
        (body() | {"lista_nfse": ["x"]}, 422, ["lista_nfse[0]"]),
        ({"lista_nfse": [{}]}, 422, ["prestador"]),
        (body(city="9999999"), 422, ["prestador.codigo_municipio"]),
        (body(city="3543402"), 422, ["prestador.codigo_municipio"]),  # it has a web service
        (body(layout="outro"), 422, ["layout"]),
    ]  # fmt: skip
    for sent, status, fields in cases:
        told = api.post("lotes_rps", sent, ref="lote-6")
        assert told.status_code == status, told.content
        assert [one["campo"] for one in told.json()["erros"]] == fields

    wrong_cnpj = body()
    wrong_cnpj["prestador"]["cnpj"] = "123"
    assert api.post("lotes_rps", wrong_cnpj, ref="lote-6").status_code == 400
    other = body()
    other["prestador"]["cnpj"] = "11444777000161"
    assert api.post("lotes_rps", other, ref="lote-6").json()["codigo"] == "permissao_negada"
    assert api.post("lotes_rps", b"--- \nyaml: 1", ref="lote-6").status_code == 415
    assert api.get("lotes_rps/lote-6").status_code == 404
    assert api.post("lotes_rps/lote-6/resposta", b"x").status_code == 404
    emitter.habilita_nfse = False
    emitter.save()
    assert api.post("lotes_rps", body(), ref="lote-6").json()["codigo"] == "empresa_nao_habilitada"
    assert not ServiceNote.objects.exists()
    assert not ServiceSeries.objects.exists()


def test_a_ref_is_one_body_and_one_company(api, other_account):
    from factories import FiscalCompanyFactory

    api.post("lotes_rps", body(city="1100205"), ref="lote-7")

    assert api.post("lotes_rps", body({}, {}), ref="lote-7").status_code == 422
    stranger = v2(fiscal_token(FiscalCompanyFactory(account=other_account, cnpj="11444777000161")))
    assert stranger.get("lotes_rps/lote-7").status_code == 404
    assert stranger.post("lotes_rps/lote-7/resposta", b"x").status_code == 404


def test_a_value_that_does_not_fit_is_refused_and_letters_stay():
    assert digits("12.ABC.345/01DE-35", 14) == "12ABC34501DE35"
    with pytest.raises(TooWide, match="mais de 3 dígitos"):
        digits("1234", 3)


@pytest.mark.parametrize(
    ("nature", "letters"), [("1", "TT"), ("2", "FF"), ("3", "IA"), ("5", "JX")]
)
def test_the_situation_is_a_letter_of_the_version(api, nature, letters):
    for layout, letter in zip(("sao-paulo-001", "sao-paulo-002"), letters, strict=True):
        sent = body(layout=layout)
        sent["lista_nfse"][0]["natureza_operacao"] = nature
        made = api.post("lotes_rps", sent, ref=f"n-{layout}")
        assert made.content.decode("iso-8859-1").split("\r\n")[1][31] == letter
