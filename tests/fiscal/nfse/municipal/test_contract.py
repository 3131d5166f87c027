"""Fiscal-api §4 with §1.7 and §1.8 as a table: every status and error of /v2/nfse over HTTP."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from support.certificates import certify
from support.service_notes import nfse_body
from support.v2 import fiscal_token, v2

from accounts.models import ApiToken
from fiscal.models import NoteState, ServiceNote, ServiceSeries
from fiscal.services.nfse import dispatch, sending
from lib import clock

ISSNET, LOTS, NATIONAL = "5208707", "3104205", "3550308"
WITHOUT = object()
ADDRESS = {
    "logradouro": "Rua A", "numero": "1", "bairro": "Centro", "codigo_municipio": "3550308",
    "uf": "SP", "cep": "01001000",
}  # fmt: skip
REASON = {"justificativa": "Servico nao foi prestado"}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issuer(company: Any, sandbox: Any) -> Any:
    company.habilita_nfse = True
    company.save()
    sandbox.set(municipios={NATIONAL: {"convenio": 1, "emissor": 1}})
    return company


def body(city: str = ISSNET, **changes: Any) -> dict[str, Any]:
    """A body of that city; `changes` by path, with __ for the dots, or WITHOUT."""
    made = deepcopy(nfse_body(prestador={"codigo_municipio": city}))
    made["servico"]["codigo_tributario_municipio"] = "2658"
    for path, value in changes.items():
        *above, last = path.split("__")
        place = made
        for name in above:
            place = place.setdefault(name, {})
        if value is WITHOUT:
            del place[last]
        else:
            place[last] = value
    return made


def as_written(text: str) -> bytes:
    """A body whose amount is that text of JSON."""
    return json.dumps(body(servico__valor_servicos=98765)).replace("98765", text).encode()


BROKEN: list[bytes] = [
    b"[]", b"null", b'"x"', b'{"a":', b"\xff\xfe{}", b'{"a":"\\u0000"}', b'{"a":"\\ud800"}',
    b'{"a":' * 5000 + b"1" + b"}" * 5000, as_written("NaN"), as_written("Infinity"),
    as_written("9" * 5000), b"<nfse/>", b"a=1",
]  # fmt: skip

# Changes of a good body → status, code, field (§1.6), part of the message.
REFUSED: list[tuple[dict[str, Any], int, str, str, str]] = [
    # §4.3: the first field that is missing.
    ({"data_emissao": WITHOUT}, 400, "requisicao_invalida", "", '"data_emissao" não informado'),
    ({"optante_simples_nacional": WITHOUT}, 400, "requisicao_invalida", "",
     '"optante_simples_nacional" não informado'),
    ({"prestador": WITHOUT}, 400, "requisicao_invalida", "", '"prestador.cnpj" não informado'),
    ({"prestador": ["x"]}, 400, "requisicao_invalida", "", '"prestador.cnpj" não informado'),
    ({"prestador__codigo_municipio": ""}, 400, "requisicao_invalida", "",
     'Parâmetro "prestador.codigo_municipio" não informado'),
    ({"prestador__inscricao_municipal": None}, 400, "requisicao_invalida", "",
     '"prestador.inscricao_municipal" não informado'),
    ({"servico": "x"}, 400, "requisicao_invalida", "", '"servico.valor_servicos" não informado'),
    ({"servico__iss_retido": WITHOUT}, 400, "requisicao_invalida", "", '"servico.iss_retido"'),
    ({"servico__item_lista_servico": {}}, 400, "requisicao_invalida", "", "item_lista_servico"),
    ({"servico__discriminacao": " "}, 400, "requisicao_invalida", "", '"servico.discriminacao"'),
    # Who issues, and where.
    ({"prestador__cnpj": "11444777000161"}, 403, "permissao_negada", "", "não autorizado"),
    ({"prestador__cnpj": "11444777000160"}, 400, "requisicao_invalida", "", "prestador.cnpj"),
    ({"prestador__codigo_municipio": "9999999"}, 400, "requisicao_invalida", "", "IBGE"),
    # §4.2: each value by its field.
    ({"prestador__codigo_municipio": "12"}, 422, "erro_validacao_schema",
     "prestador.codigo_municipio", "7 dígitos"),
    ({"natureza_operacao": "7"}, 422, "erro_validacao_schema", "natureza_operacao", "1, 2, 3"),
    ({"optante_simples_nacional": "talvez"}, 422, "erro_validacao_schema",
     "optante_simples_nacional", "true ou false"),
    ({"data_emissao": "2026-02-30T10:00:00-03:00"}, 422, "erro_validacao_schema", "data_emissao",
     "inexistente"),
    ({"data_emissao": "2090-01-01T10:00:00-03:00"}, 422, "erro_validacao_schema", "data_emissao",
     "futuro"),
    ({"data_competencia": "2026-13-01"}, 422, "erro_validacao_schema", "data_competencia", "Data"),
    ({"servico__valor_servicos": -1}, 422, "erro_validacao_schema", "servico.valor_servicos",
     "negativo"),
    ({"servico__valor_servicos": 0}, 422, "erro_validacao_schema", "servico.valor_servicos",
     "maior que zero"),
    ({"servico__valor_servicos": True}, 422, "erro_validacao_schema", "servico.valor_servicos",
     "Tipo inválido"),
    ({"servico__valor_servicos": [1]}, 422, "erro_validacao_schema", "servico.valor_servicos",
     "Tipo inválido"),
    ({"servico__valor_servicos": "1.234,56"}, 422, "erro_validacao_schema",
     "servico.valor_servicos", "ponto decimal"),
    ({"servico__aliquota": 200}, 422, "erro_validacao_schema", "servico.aliquota", "0 a 100"),
    ({"servico__valor_deducoes": 200}, 422, "erro_validacao_schema", "servico.valor_deducoes",
     "passam do valor"),
    ({"servico__valor_ir": 200}, 422, "erro_validacao_schema", "servico.valor_servicos",
     "Retenções"),
    ({"tomador": [{"cnpj": "11444777000161"}]}, 422, "erro_validacao_schema", "tomador", "objeto"),
    ({"tomador__endereco": "Rua A, 1"}, 422, "erro_validacao_schema", "tomador.endereco", "objeto"),
    ({"tomador__cnpj": "11444777000162"}, 422, "erro_validacao_schema", "tomador.cnpj", "CNPJ"),
    ({"tomador__cpf": "11144477735"}, 422, "erro_validacao_schema", "tomador.cpf", "só um"),
    ({"numero_rps_substituido": "1"}, 422, "erro_validacao_schema", "serie_rps_substituido", ""),
    ({"intermediario": {"razao_social": "Fulano"}}, 422, "erro_validacao_schema",
     "intermediario.cnpj", "intermediário"),
    # What the schema of the city refuses is told at once, by the field of the request.
    ({"servico__item_lista_servico": "99.99"}, 422, "erro_validacao_schema",
     "servico.item_lista_servico", "fora da lista aceita"),
    ({"servico__discriminacao": "x" * 2001}, 422, "erro_validacao_schema", "servico.discriminacao",
     "no máximo 2000"),
    ({"tomador__razao_social": WITHOUT}, 422, "erro_validacao_schema", "tomador.razao_social",
     "obrigatório para este município"),
    ({"tomador__endereco": {"logradouro": "Rua A"}}, 422, "erro_validacao_schema",
     "tomador.endereco.numero", "obrigatório"),
]  # fmt: skip

# In a city of the national system: natureza_operacao_to_dps, and names of the municipal body.
REFUSED_BY_NATIONAL: list[tuple[dict[str, Any], str]] = [
    ({"natureza_operacao": "3"}, "numero_beneficio_municipal"),
    ({"natureza_operacao": "4"}, "tipo_imunidade"),
    ({"natureza_operacao": "4", "tipo_imunidade": "0"}, "tipo_imunidade"),
    ({"natureza_operacao": "5"}, "numero_processo_suspensao"),
    ({"natureza_operacao": "6", "numero_processo_suspensao": "123"}, "numero_processo_suspensao"),
    ({"servico__discriminacao": "x" * 2001}, "servico.discriminacao"),
    ({"servico__item_lista_servico": "abc"}, "servico.item_lista_servico"),
    ({"tomador__razao_social": WITHOUT}, "tomador.razao_social"),
    ({"numero_rps_substituido": "7", "serie_rps_substituido": "1"}, "numero_rps_substituido"),
]


def test_what_cannot_be_issued_is_refused_by_its_field_and_spends_no_number(nfe, issuer):
    for raw in BROKEN:
        told = nfe.post("nfse", raw, ref="r1")
        assert (told.status_code, told.json()["codigo"]) == (415, "requisicao_invalida"), raw[:60]
    for ref in ("", "a/b", "ç", "..", "x" * 300):
        told = nfe.post("nfse", body(), ref=ref)
        assert (told.status_code, told.json()["codigo"]) == (400, "requisicao_invalida"), ref
        assert 'Parâmetro "ref"' in told.json()["mensagem"]
    for changes, status, codigo, campo, text in REFUSED:
        told = nfe.post("nfse", body(**changes), ref="r1")
        found = told.json()
        assert (told.status_code, found["codigo"]) == (status, codigo), (changes, found)
        errors = {one["campo"]: one["mensagem"] for one in found.get("erros", ())}
        said = errors.get(campo, f"{campo}?") if campo else found["mensagem"]
        assert text in said, (changes, found)
    for changes, campo in REFUSED_BY_NATIONAL:
        told = nfe.post("nfse", body(NATIONAL, **changes), ref="r1")
        assert told.status_code == 422, (changes, told.json())
        assert campo in {one["campo"] for one in told.json()["erros"]}, (changes, told.json())
    assert not ServiceNote.objects.exists()
    assert not ServiceSeries.objects.exists()


def test_who_may_not_ask_is_told_so(nfe, issuer, master, account, settings, at_moment):
    from factories import FiscalCompanyFactory

    stranger = FiscalCompanyFactory(account=account, cnpj="11444777000161", habilita_nfse=True)
    certify(stranger)
    assert v2().post("nfse", body(), ref="r1").status_code == 401
    for client in (v2("wrong"), master, v2(fiscal_token(stranger))):
        told = client.post("nfse", body(), ref="r1")
        assert (told.status_code, told.json()["codigo"]) == (403, "permissao_negada")
    blocked = fiscal_token(issuer)
    ApiToken.objects.order_by("-pk").update(revoked_at=clock.now())
    assert v2(blocked).get("nfse/r1").status_code == 403
    ApiToken.objects.update(revoked_at=None)
    for method, path in (
        ("GET", "nfse"), ("PUT", "nfse/r1"), ("PATCH", "nfse/r1"), ("GET", "nfse/r1/email"),
        ("GET", "nfse/r1"), ("DELETE", "nfse/r1"), ("POST", "nfse/r1/hook"),
    ):  # fmt: skip
        told = nfe.call(method, path, REASON if method == "DELETE" else None)
        assert (told.status_code, told.json()["codigo"]) == (404, "nao_encontrado"), path
    assert nfe.get("nfse/r1").json()["mensagem"] == "Nota fiscal não encontrada"

    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 1
    assert {nfe.get("nfse/r1").status_code for _ in range(3)} >= {429}
    told = nfe.get("nfse/r1")
    assert told.json()["codigo"] == "limite_excedido"
    assert int(told["Rate-Limit-Reset"]) > 0
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 0

    issuer.habilita_nfse = False
    issuer.save()
    told = nfe.post("nfse", body(), ref="r1")
    assert (told.status_code, told.json()["codigo"]) == (400, "empresa_nao_habilitada")
    issuer.habilita_nfse = True
    issuer.save()
    at_moment(clock.now() + timedelta(days=5000))
    told = nfe.post("nfse", body(), ref="r1")
    assert (told.status_code, told.json()["codigo"]) == (400, "certificado_vencido")


def stands(ref: str) -> ServiceNote:
    note: ServiceNote = ServiceNote.objects.select_related("company").get(ref=ref)
    return note


def issued(nfe: Any, ref: str, given: Any) -> dict[str, Any]:
    """The note as the query shows it once it is settled."""
    assert nfe.post("nfse", given, ref=ref).status_code == 202
    dispatch.work()
    for _ in range(5):
        if stands(ref).state in (NoteState.EM_LOTE, NoteState.INDEFINIDO):
            sending.resume(stands(ref).pk)
    shown: dict[str, Any] = nfe.get(f"nfse/{ref}").json()
    return shown


def told(answer: Any) -> tuple[int, str]:
    found = answer.json()
    return answer.status_code, found.get("codigo") or found["status"]


def test_every_status_and_what_each_lets_happen(nfe, issuer, sandbox):
    emails = {"emails": ["a@example.com"]}
    assert told(nfe.post("nfse", body(), ref="r1")) == (202, "processando_autorizacao")
    waiting = nfe.get("nfse/r1").json()
    assert waiting == {
        "cnpj_prestador": issuer.cnpj, "ref": "r1", "status": "processando_autorizacao",
    }  # fmt: skip
    assert told(nfe.post("nfse", body(), ref="r1")) == (422, "em_processamento")
    assert told(nfe.delete("nfse/r1", REASON)) == (400, "nfe_nao_autorizada")
    assert told(nfe.post("nfse/r1/email", emails)) == (422, "nfe_nao_autorizada")

    dispatch.work()
    shown = nfe.get("nfse/r1").json()
    assert shown["status"] == "autorizado"
    assert {
        "numero_rps", "serie_rps", "tipo_rps", "numero", "codigo_verificacao", "data_emissao",
        "url_danfse", "caminho_xml_nota_fiscal",
    } <= shown.keys()  # fmt: skip
    for again in (body(), body(natureza_operacao="4")):
        assert told(nfe.post("nfse", again, ref="r1")) == (422, "nfe_autorizada")
    assert nfe.post("nfse/r1/email", emails).status_code == 200

    for sent in (None, {}, {"justificativa": "curta"}, {"justificativa": "x" * 256},
                 {"justificativa": ["x"] * 20}, REASON | {"codigo_cancelamento": "9"}):  # fmt: skip
        assert told(nfe.delete("nfse/r1", sent)) == (400, "requisicao_invalida"), sent
    sandbox.fault("cancelamento_tardio", servico="nota_cancelamento", vezes=1)
    refused = nfe.delete("nfse/r1", REASON)
    assert told(refused) == (200, "erro_cancelamento")
    assert refused.json()["erros"][0].keys() == {"codigo", "mensagem", "correcao"}
    assert nfe.get("nfse/r1").json()["status"] == "autorizado"
    done = nfe.delete("nfse/r1", REASON | {"codigo_cancelamento": "4"})
    assert told(done) == (200, "cancelado")
    assert nfe.get(done.json()["caminho_xml_cancelamento"]).status_code == 200
    assert nfe.get("nfse/r1").json()["status"] == "cancelado"
    assert told(nfe.delete("nfse/r1", REASON)) == (400, "nfe_cancelada")
    assert told(nfe.post("nfse", body(), ref="r1")) == (422, "nfe_autorizada")

    old = issued(nfe, "old", body())
    by_rps = {
        "numero_rps_substituido": old["numero_rps"], "serie_rps_substituido": old["serie_rps"],
    }  # fmt: skip
    new = issued(nfe, "new", body(**by_rps))
    assert (new["status"], new["numero_nfse_substituida"]) == ("autorizado", old["numero"])
    gone = nfe.get("nfse/old").json()
    assert (gone["status"], gone["numero_nfse_substituta"]) == ("substituido", new["numero"])
    assert told(nfe.delete("nfse/old", REASON)) == (400, "nfe_cancelada")
    assert told(nfe.post("nfse", body(**by_rps), ref="third")) == (400, "requisicao_invalida")

    sandbox.fault("erro", servico="nota_envio", vezes=1, parametros={"codigo": "E31"})
    wrong = issued(nfe, "wrong", body())
    assert wrong["status"] == "erro_autorizacao"
    assert wrong["erros"][0].keys() == {"codigo", "mensagem", "correcao"}
    assert told(nfe.delete("nfse/wrong", REASON)) == (400, "nfe_nao_autorizada")
    assert issued(nfe, "wrong", body())["status"] == "autorizado"
    numbers = ServiceNote.objects.order_by("rps_number").values_list("rps_number", flat=True)
    assert list(numbers) == [1, 2, 3, 4]


def test_what_is_sent_is_carried_or_told(nfe, issuer, sandbox):
    """1e2 is a hundred; the reform has no place in ABRASF; a process has one, and says so."""
    shown = issued(nfe, "r1", as_written("1e2"))
    assert shown["status"] == "autorizado", shown
    assert stands("r1").total == 100

    reform = {"servico__cbs_valor": "0.90", "servico__ibs_cbs_classificacao_tributaria": "000001"}
    shown = issued(nfe, "r2", body(**reform, servico__codigo_nbs="115022000", tipo_imunidade="3"))
    ignored = [one["campo"] for one in shown["avisos"] if one["codigo"] == "campo_ignorado"]
    assert sorted(ignored) == [
        "servico.cbs_valor", "servico.ibs_cbs_classificacao_tributaria", "tipo_imunidade",
    ]  # fmt: skip

    given = body(natureza_operacao="5", numero_processo_suspensao="0001234-55.2026.8.09.0001")
    shown = issued(nfe, "r3", given)
    assert "avisos" not in shown
    xml = nfe.get(shown["caminho_xml_nota_fiscal"]).content
    assert b"<NumeroProcesso>0001234-55.2026.8.09.0001</NumeroProcesso>" in xml

    shown = issued(nfe, "r4", body(servico__item_lista_servico="1.09"))  # LC 157/2016
    assert shown["status"] == "autorizado", shown
    assert issued(nfe, "r5", body(LOTS))["status"] == "autorizado"
    # The national system computes the reform by itself (fields/nfse.yaml).
    shown = issued(nfe, "r6", body(NATIONAL, tomador__endereco=ADDRESS, servico__cbs_valor="0.90"))
    assert "servico.cbs_valor" in {one["campo"] for one in shown["avisos"]}


def test_a_city_of_the_national_system_replaces_by_the_key_of_the_note(nfe, issuer, sandbox):
    old = issued(nfe, "old", body(NATIONAL, tomador__endereco=ADDRESS))
    assert old["status"] == "autorizado", old.get("erros")
    by_rps = {
        "numero_rps_substituido": old["numero_rps"], "serie_rps_substituido": old["serie_rps"],
    }  # fmt: skip

    new = issued(nfe, "new", body(NATIONAL, tomador__endereco=ADDRESS, **by_rps))

    assert new["status"] == "autorizado", new.get("erros")
    assert nfe.get("nfse/old").json()["status"] == "substituido"
    notes = {one["chave"]: one["situacao"] for one in sandbox.told("GET", "notas")}
    assert notes == {stands("old").key: "substituido", stands("new").key: "autorizado"}
