"""Every answer of /v2/lotes_rps, over HTTP (fiscal-api §1.3, §1.7, §6).

What is in the file and in the city's answer: tests/fiscal/nfse/municipal/test_lotes_rps.py.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from support.service_notes import nfse_body
from support.v2 import fiscal_token, v2

from fiscal.models import NoteState, RpsBatch, ServiceNote

pytestmark = pytest.mark.django_db
CITY = "3550308"
MISSING, FAULTY = "requisicao_invalida", "erro_validacao"
NOT_JSON = "O corpo da requisição não é um objeto JSON válido."
NO_BATCH = "Lote de RPS não encontrado"


def note(**fields: Any) -> dict[str, Any]:
    if isinstance(fields.get("servico"), str):
        return nfse_body() | fields
    service = {"codigo_tributario_municipio": "2658", **fields.pop("servico", {})}
    made = nfse_body(**{"data_emissao": "2026-01-10T10:00:00-03:00", **fields}, servico=service)
    del made["prestador"]
    return made


def lot(*notes: Any, **issuer: Any) -> dict[str, Any]:
    """A body; an issuer's field of None is left out."""
    known = {"cnpj": "11222333000181", "codigo_municipio": CITY, "inscricao_municipal": "12345678"}
    sent = {name: value for name, value in (known | issuer).items() if value is not None}
    return {"prestador": sent, "lista_nfse": list(notes or (note(),))}


@pytest.fixture
def issuer(company):
    company.habilita_nfse = True
    company.save()
    return company


def told(answer):
    body = answer.json()
    fields = [one.get("campo") for one in body.get("erros", ())]
    return answer.status_code, body.get("codigo"), fields


def missing(field):
    return f'Parâmetro "{field}" não informado.'


# Body → HTTP, codigo, fields, and the first message there is.
REFUSED: list[tuple[Any, int, str, list[str], str]] = [
    (b"prestador:\n  cnpj: 1\n", 415, MISSING, [], NOT_JSON),
    (b"[]", 415, MISSING, [], NOT_JSON),
    (lot(note(servico={"discriminacao": "a\x00b"})), 415, MISSING, [], NOT_JSON),
    (b"x" * 5_000_001, 413, MISSING, [], "O corpo da requisição é grande demais."),
    ({}, 422, FAULTY, ["prestador"], missing("prestador")),
    ({"prestador": [1]}, 422, FAULTY, ["prestador"], missing("prestador")),
    (lot(cnpj=None), 422, FAULTY, ["prestador.cnpj"], missing("prestador.cnpj")),
    (lot(codigo_municipio=None), 422, FAULTY, ["prestador.codigo_municipio"],
     missing("prestador.codigo_municipio")),
    (lot(inscricao_municipal=None), 422, FAULTY, ["prestador.inscricao_municipal"],
     missing("prestador.inscricao_municipal")),
    (lot(inscricao_municipal="1" * 9), 422, FAULTY, ["prestador.inscricao_municipal"],
     "A inscrição tem de 1 a 8 dígitos."),
    (lot(codigo_municipio="9999999"), 422, FAULTY, ["prestador.codigo_municipio"],
     "Município inexistente."),
    (lot(codigo_municipio="3543402"), 422, FAULTY, ["prestador.codigo_municipio"],
     "O município recebe notas por web service: use /v2/nfse."),
    (lot() | {"layout": "outro"}, 422, FAULTY, ["layout"],
     "Use um de: sao-paulo-001, sao-paulo-002."),
    (lot(cnpj="123"), 400, MISSING, [], 'Parâmetro "prestador.cnpj" inválido.'),
    (lot(cnpj="12ABC34501DE35"), 403, "permissao_negada", [],
     "CNPJ do emitente não autorizado."),
    (lot() | {"lista_nfse": []}, 422, FAULTY, ["lista_nfse"], missing("lista_nfse")),
    (lot() | {"lista_nfse": {"a": 1}}, 422, FAULTY, ["lista_nfse"], missing("lista_nfse")),
    (lot(*[{}] * 1001), 422, FAULTY, ["lista_nfse"], "Informe no máximo 1000 notas."),
    (lot(note(), 1, None), 422, FAULTY, ["lista_nfse[1]", "lista_nfse[2]"],
     "A nota não é um objeto."),
    (lot(note(), note(data_emissao=None)), 422, FAULTY, ["lista_nfse[1].data_emissao"],
     missing("data_emissao")),
    (lot(note(data_emissao="2026-02-30")), 422, FAULTY, ["lista_nfse[0].data_emissao"],
     "Data ou hora inexistente."),
    (lot(note(data_emissao="2099-01-01")), 422, FAULTY, ["lista_nfse[0].data_emissao"],
     "A data de emissão está no futuro."),
    (lot(note(servico={"valor_servicos": "-1"}), note(servico={"aliquota": "x"})), 422, FAULTY,
     ["lista_nfse[0].servico.valor_servicos", "lista_nfse[1].servico.aliquota"], ""),
    (lot(note(servico={"codigo_tributario_municipio": None})), 422, FAULTY,
     ["lista_nfse[0].servico.codigo_tributario_municipio"],
     "Informe o código do serviço (até 5 dígitos)."),
    (lot(note(servico="x")), 422, FAULTY, ["lista_nfse[0].servico.valor_servicos"], ""),
]  # fmt: skip


def _first_message(answer):
    body = answer.json()
    return body["erros"][0]["mensagem"] if body.get("erros") else body["mensagem"]


def test_every_refusal_of_a_lot_is_told_and_keeps_nothing(nfe, issuer):
    for body, status, codigo, fields, text in REFUSED:
        answer = nfe.post("lotes_rps", body, ref="l1")
        assert told(answer) == (status, codigo, fields), (str(body)[:200], answer.content)
        assert text in ("", _first_message(answer)), str(body)[:200]
    for ref in ("a b", "x" * 241, "\U0001f600"):
        assert told(nfe.post("lotes_rps", lot(), ref=ref)) == (400, MISSING, []), ref
    for method, path, text in (
        ("GET", "lotes_rps", "Utilize o método POST."),
        ("DELETE", "lotes_rps/l1", "Utilize o método GET."),
        ("GET", "lotes_rps/l1/resposta", "Utilize o método POST."),
        ("GET", "lotes_rps/l1", NO_BATCH),
        ("POST", "lotes_rps/l1/resposta", NO_BATCH),
    ):
        answer = nfe.call(method, path, b"x" if method == "POST" else None)
        assert (*told(answer), answer.json()["mensagem"]) == (404, "nao_encontrado", [], text), path
    assert not RpsBatch.objects.exists()

    made = nfe.post("lotes_rps", lot(), ref="l1")
    assert made.status_code == 201
    for content, text in (
        (b"", "O arquivo está vazio."),
        (b"\x00\xff\xfe", "O arquivo não é a resposta de um lote de RPS."),
        (b'{"a": 1}', "O arquivo não é a resposta de um lote de RPS."),
    ):
        answer = nfe.post("lotes_rps/l1/resposta", content)
        assert (*told(answer), _first_message(answer)) == (422, FAULTY, ["arquivo"], text)
    assert nfe.post("lotes_rps/l1/resposta", b"x" * 10_000_001).status_code == 413
    assert ServiceNote.objects.get().state == NoteState.EM_LOTE

    issuer.habilita_nfse = False
    issuer.save()
    assert told(nfe.post("lotes_rps", lot(note(), note()), ref="l2")) == (
        400, "empresa_nao_habilitada", [],
    )  # fmt: skip
    # What was made is still there to be had, by who asks again.
    assert nfe.post("lotes_rps", lot(), ref="l1").content == made.content
    live = v2(fiscal_token(issuer, "producao"))
    for stranger in (live.get("lotes_rps/l1"), live.post("lotes_rps/l1/resposta", b"x")):
        assert told(stranger) == (404, "nao_encontrado", [])


def test_a_lot_is_one_file_whatever_is_sent_again(nfe, issuer):
    """§6: the same file; a body with JSON numbers is the same body the second time."""
    numbers = lot(note(servico={"valor_servicos": Decimal("100.50"), "aliquota": 2}))
    raw = json.dumps(numbers, default=float).encode()
    made = nfe.post("lotes_rps", raw, ref="l1")
    assert (made.status_code, made["Location"]) == (201, "/v2/lotes_rps/l1")
    assert made["Content-Type"] == "text/plain; charset=iso-8859-1"

    for again in (nfe.post("lotes_rps", raw, ref="l1"), nfe.get("lotes_rps/l1")):
        assert again.status_code in (200, 201)
        assert again.content == made.content
    other = nfe.post("lotes_rps", lot(), ref="l1")
    assert told(other) == (422, "situacao_invalida", [])
    ServiceNote.objects.update(taker_name="Outro", total=7)  # the file does not change with rows
    assert nfe.get("lotes_rps/l1").content == made.content
    assert ServiceNote.objects.count() == 1


def test_a_lot_without_ref_is_named_by_its_contents(nfe, issuer):
    """§1.3: `ref` is optional; a client that repeats a lost answer does not issue twice."""
    made, again = nfe.post("lotes_rps", lot()), nfe.post("lotes_rps", lot())
    other = nfe.post("lotes_rps", lot(note(), note()))

    assert [one.status_code for one in (made, again, other)] == [201, 201, 201]
    assert made.content == again.content != other.content
    assert made["Location"] == again["Location"] != other["Location"]
    assert nfe.get(made["Location"].removeprefix("/v2/")).content == made.content
    assert ServiceNote.objects.count() == 3


def test_a_lot_of_a_thousand_notes_with_hostile_texts(nfe, issuer):
    texts = ["\U0001f600 café", "x" * 10_000, "a\r\nb\tc", "]]><!--", "\u202eabc"]
    notes = [note(servico={"discriminacao": texts[n % len(texts)]}) for n in range(1000)]

    made = nfe.post("lotes_rps", lot(*notes), ref="big")

    assert made.status_code == 201, made.content[:300]
    lines = made.content.decode("iso-8859-1").split("\r\n")
    assert (len(lines), lines[-1]) == (1003, "")
    assert {line[:4] for line in lines[1:-2]} == {"2RPS"}
    assert len({line[11:23] for line in lines[1:-2]}) == 1000  # a number each
    assert lines[-2].startswith("90001000000000010000000")  # a thousand times 100.00
    digest = hashlib.sha256(made.content).digest()
    assert hashlib.sha256(nfe.get("lotes_rps/big").content).digest() == digest
