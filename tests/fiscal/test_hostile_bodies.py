"""Bodies that no client means: refused in the published form, quickly, and nothing is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.issuing import item, nfce_body, nfe_body

from fiscal.models import Archive, FiscalDocument, Series

BODIES = {"nfe": nfe_body, "nfce": nfce_body}
NO_JSON = "O corpo da requisição não é um objeto JSON válido."
SECONDS = 10  # on a busy machine; all of these take less than one alone


@pytest.fixture(params=BODIES)
def kind(request: pytest.FixtureRequest, company: Any) -> Iterator[str]:
    """Each kind of document; afterwards no row and no number is there, and it was quick."""
    started = time.monotonic()
    yield request.param
    assert time.monotonic() - started < SECONDS
    assert not FiscalDocument.objects.exists()
    assert not Archive.objects.exists()
    assert not Series.objects.exclude(next_number=1).exists()


def post(nfe: Any, kind: str, body: Any) -> Any:
    answer = nfe.post(f"{kind}?ref=r1", body)
    assert answer["Content-Type"] == "application/json"
    assert set(answer.json()) <= {"codigo", "mensagem", "erros"}
    answer.content.decode("utf-8")
    return answer


def fields(answer: Any) -> set[str]:
    return {entry["campo"] for entry in answer.json()["erros"]}


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\x00",
        '{"natureza_operacao": "Ação"}'.encode("latin-1"),
        '{"a": "é"}'.encode("utf-16"),
        b'{"natureza_operacao": "\xed\xa0\x80"}',
        b'{"natureza_operacao": "a\\u0000b"}',
        b'{"natureza\\u0000operacao": "x"}',
        b'{"natureza_operacao": "a\x00b"}',
        b'{"natureza_operacao": "\\ud800"}',
        b'{"items": [{"descricao": "\\udfff"}]}',
        b'{"valor_total": NaN}',
        b'{"valor_total": Infinity}',
        b'{"valor_total": -Infinity}',
        b'{"valor_total": 1e99999999999999999999}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}",
        b'{"valor_total": ' + b"9" * 5_000 + b"}",
        b"\x00",
        b"<NFe/>",
        b"a=1&b=2",
        b'{"a": 1',
        b'{"a": 1} {"b": 2}',
    ],
)
def test_what_is_not_readable_json_is_415(nfe, kind, raw):
    answer = post(nfe, kind, raw)

    assert (answer.status_code, answer.json()) == (
        415, {"codigo": "requisicao_invalida", "mensagem": NO_JSON},
    )  # fmt: skip


def test_a_body_beyond_five_megabytes_is_413(nfe, kind):
    body = json.dumps(BODIES[kind](observacao="x" * 5_000_001))

    answer = post(nfe, kind, body)

    assert (answer.status_code, answer.json()["codigo"]) == (413, "requisicao_invalida")


def test_five_megabytes_of_one_value_are_read_and_refused(nfe, kind):
    answer = post(nfe, kind, BODIES[kind](cfop="5", items=[item(codigo_ncm="1" * 4_900_000)]))

    assert answer.status_code == 422
    assert "items[0].codigo_ncm" in fields(answer)
    assert len(answer.content) < 10_000


def test_five_megabytes_of_unknown_names_are_not_repeated(nfe, kind):
    body = {f"campo_{n}" + "x" * 30: 1 for n in range(90_000)}

    answer = post(nfe, kind, body)

    assert answer.status_code == 422
    assert len(answer.content) < 100_000


def test_a_thousand_items_are_ten_too_many(nfe, kind):
    answer = post(nfe, kind, BODIES[kind](items=[item(n) for n in range(1, 1_001)]))

    assert answer.status_code == 422
    assert {"items"} <= fields(answer)
    [told] = [e["mensagem"] for e in answer.json()["erros"] if e["campo"] == "items"]
    assert told == "Informe no máximo 990 entradas (vieram 1000)."


def test_a_hundred_thousand_wrong_items_are_refused_as_a_list(nfe, kind):
    answer = post(nfe, kind, BODIES[kind](items=[1] * 100_000))

    assert answer.status_code == 422
    assert len(answer.content) < 10_000


def test_every_one_of_990_items_may_be_wrong(nfe, kind):
    answer = post(nfe, kind, BODIES[kind](items=[item(n, cfop="x") for n in range(1, 991)]))

    assert answer.status_code == 422
    assert {"items[0].cfop", "items[989].cfop"} <= fields(answer)


@pytest.mark.parametrize(
    "number",
    ["9" * 40, "1" + "0" * 39, "0." + "0" * 39 + "1", "-1", "1e400", "1e-400", "9" * 4_000,
     "99999999999999.99"],
)  # fmt: skip
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("field", ["valor_bruto", "quantidade_comercial", "icms_aliquota"])
def test_a_number_that_no_field_holds(nfe, kind, field, number, quoted):
    text = json.dumps(BODIES[kind](items=[item(**{field: "@"})]))
    answer = post(nfe, kind, text.replace('"@"', json.dumps(number) if quoted else number))

    assert answer.status_code == 422
    assert f"items[0].{field}" in fields(answer)


@pytest.mark.parametrize("value", [[], {}, [1], {"a": 1}, True, [[[]]], 5])
def test_another_type_than_the_field_takes(nfe, kind, value):
    answer = post(nfe, kind, BODIES[kind](data_emissao=value))

    assert answer.status_code == 422
    assert "data_emissao" in fields(answer)


@pytest.mark.parametrize("value", [{}, {"0": {}}, "x", 1, True, [1], [[]], ["x"], [None]])
def test_items_that_are_no_list_of_objects(nfe, kind, value):
    answer = post(nfe, kind, BODIES[kind](items=value))

    assert answer.status_code == 422
    assert any(field.startswith("items") for field in fields(answer))


@pytest.mark.parametrize(
    "moment",
    ["0000-00-00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2026-02-30", "agora",
     "2026-01-01T25:00:00-03:00", "١٢٣٤-٠١-٠١", "2026-01-01T10:00:00-99:99", "1" * 1_000],
)  # fmt: skip
def test_a_moment_that_is_none(nfe, kind, moment):
    answer = post(nfe, kind, BODIES[kind](data_emissao=moment))

    assert answer.status_code == 422
    assert "data_emissao" in fields(answer)


def test_the_same_name_twice_is_read_once(nfe, kind):
    text = json.dumps(BODIES[kind]())[:-1] + ', "modalidade_frete": "x"}'

    answer = post(nfe, kind, text)

    assert answer.status_code == 422
    assert "modalidade_frete" in fields(answer)
