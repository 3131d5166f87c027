"""Every documented refusal of issue and query, exactly (fiscal-api §1.5 to §1.8, §2.2).

Those of events and inutilização are in test_event_error_codes.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from support.certificates import moment_after
from support.issuing import item, nfce_body, nfe_body, says
from support.v2 import V2, fiscal_token, v2

from accounts.models import ApiToken
from fiscal.models import FiscalDocument
from fiscal.services.delivery import advance
from lib import clock

BODIES = {"nfe": nfe_body, "nfce": nfce_body}
KINDS = pytest.mark.parametrize("kind", BODIES)
OTHER_CNPJ = "11444777000161"
SCHEMA = "Erro na validação do Schema XML"


def work_off() -> None:
    """What the queue would do."""
    for pk in FiscalDocument.objects.filter(state="recebido").values_list("pk", flat=True):
        advance(pk)


def issued(nfe: V2, kind: str, ref: str = "r1") -> dict[str, Any]:
    """A document that the authority has answered, as the query tells it."""
    nfe.post(kind, BODIES[kind](), ref=ref)
    work_off()
    told: dict[str, Any] = nfe.get(f"{kind}/{ref}").json()
    return told


def refusal(answer: Any) -> tuple[int, str, str]:
    """The three that are published, and nothing beside them but `erros`."""
    told = answer.json()
    assert answer["Content-Type"] == "application/json"
    assert set(told) <= {"codigo", "mensagem", "erros"}
    return answer.status_code, told["codigo"], told["mensagem"]


def faults(answer: Any) -> dict[str, str]:
    """`erros` by field; every entry has its two keys."""
    entries = answer.json()["erros"]
    assert all({"mensagem", "campo"} <= set(entry) for entry in entries)
    return {entry["campo"]: entry["mensagem"] for entry in entries}


# --- 401 and 403: the token ----------------------------------------------------------------------


@KINDS
def test_no_token_is_denied_in_text(company, kind):
    answer = Client().post(f"/v2/{kind}?ref=r1", "{}", content_type="application/json")

    assert (answer.status_code, answer.content) == (401, b"HTTP Basic: Access denied\n")


@KINDS
def test_a_blocked_token(company, nfe, kind):
    ApiToken.objects.update(revoked_at=clock.now())

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (403, "permissao_negada", "Access token inválido")


@KINDS
@pytest.mark.parametrize(
    "sent", [OTHER_CNPJ, "11.444.777/0001-61", int(OTHER_CNPJ), "12ABC34501DE35"]
)
def test_another_companys_cnpj(company, nfe, kind, sent):
    answer = nfe.post(kind, BODIES[kind](cnpj_emitente=sent), ref="r1")

    assert refusal(answer) == (403, "permissao_negada", "CNPJ do emitente não autorizado.")


@KINDS
def test_a_cpf_as_the_issuer_of_a_cnpj(company, nfe, kind):
    answer = nfe.post(kind, BODIES[kind](cpf_emitente="52998224725"), ref="r1")

    assert refusal(answer) == (403, "permissao_negada", "CNPJ do emitente não autorizado.")


@KINDS
@pytest.mark.parametrize("sent", ["123", "11222333000180", "x", "529982247", "1" * 10_000])
def test_an_issuer_that_is_no_cnpj(company, nfe, kind, sent):
    answer = nfe.post(kind, BODIES[kind](cnpj_emitente=sent), ref="r1")

    assert refusal(answer) == (
        400, "requisicao_invalida", "CNPJ do emitente não autorizado ou não informado.",
    )  # fmt: skip


@KINDS
@pytest.mark.parametrize("sent", ["RJ", "XX", "São Paulo", 35])
def test_an_issuer_of_another_state(company, authority, nfe, kind, sent):
    answer = nfe.post(kind, BODIES[kind](uf_emitente=sent), ref="r1")

    assert refusal(answer) == (
        400, "requisicao_invalida", "CNPJ/UF do emitente não autorizado ou não informado.",
    )  # fmt: skip
    assert nfe.post(kind, BODIES[kind](uf_emitente="sp"), ref="r1").status_code in (201, 202)


@KINDS
@pytest.mark.parametrize("sent", [["11222333000181"], {"a": 1}, True])
def test_a_cnpj_of_the_wrong_type(company, nfe, kind, sent):
    answer = nfe.post(kind, BODIES[kind](cnpj_emitente=sent), ref="r1")

    assert refusal(answer) == (422, "erro_validacao_schema", SCHEMA)
    assert set(faults(answer)) == {"cnpj_emitente"}


@KINDS
@pytest.mark.parametrize(
    "own", [{}, {"cnpj_emitente": "11222333000181"}, {"cnpj_emitente": "11.222.333/0001-81"}]
)
def test_the_issuer_may_be_left_out_or_masked(company, authority, nfe, kind, own):
    answer = nfe.post(kind, BODIES[kind](**own), ref="r1")

    assert answer.status_code in (201, 202)
    assert answer.json()["cnpj_emitente"] == "11222333000181"


# --- 400: parameters and the company's record ----------------------------------------------------


def test_no_ref(company, nfe):
    missing = 'Parâmetro "ref" não informado'

    assert refusal(nfe.post("nfe", nfe_body())) == (400, "requisicao_invalida", f"{missing}.")
    assert refusal(nfe.post("nfce", nfce_body())) == (400, "ref_ausente", missing)


@KINDS
@pytest.mark.parametrize(
    "ref",
    ["a" * 256, "a" * 10_000, "a b", "ação", "a/b", "a;b", "a\nb", "../x", "a%00", "<b>", "é"],
)
def test_a_ref_that_is_no_ref(company, nfe, kind, ref):
    answer = nfe.post(kind, BODIES[kind](), ref=ref)

    assert refusal(answer) == (
        400,
        "requisicao_invalida",
        'Parâmetro "ref" inválido: use de 1 a 255 letras, números, "_", "." ou "-".',
    )
    assert not FiscalDocument.objects.exists()


@KINDS
@pytest.mark.parametrize("ref", ["inutilizacao", "inutilizacoes", "importacao", "danfe", ".", ".."])
def test_a_ref_that_could_never_be_asked_for(company, nfe, kind, ref):
    answer = nfe.post(kind, BODIES[kind](), ref=ref)

    assert refusal(answer) == (
        400, "requisicao_invalida", f'Parâmetro "ref" inválido: "{ref}" é reservado.',
    )  # fmt: skip


@KINDS
@pytest.mark.parametrize("ref", ["a" * 10_000, "a b", "ação", "a;b", "%3Cb%3E", "..%5Cx"])
def test_asking_for_a_ref_that_cannot_be(company, nfe, kind, ref):
    code = {"nfe": "nao_encontrado", "nfce": "nfce_nao_encontrada"}[kind]

    assert refusal(nfe.get(f"{kind}/{ref}"))[:2] == (404, code)


@KINDS
def test_the_longest_ref_and_every_kind_of_character(company, authority, nfe, kind):
    for ref in ("a" * 255, "Pedido_1.2-3"):
        assert nfe.post(kind, BODIES[kind](), ref=ref).status_code in (201, 202)
        assert nfe.get(f"{kind}/{ref}").json()["ref"] == ref


@KINDS
def test_a_company_that_is_not_enabled(company, nfe, kind):
    company.habilita_nfe = company.habilita_nfce = False
    company.save()

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (
        400, "empresa_nao_habilitada", "Empresa não habilitada para emissão deste documento.",
    )  # fmt: skip


@KINDS
def test_a_certificate_that_expired(company, nfe, kind, at_moment):
    at_moment(moment_after(company.certificates.get()))

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (400, "certificado_vencido", "O certificado do emitente está vencido")


@KINDS
def test_a_company_without_a_certificate(company, nfe, kind):
    company.certificates.all().delete()

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (
        400, "empresa_nao_habilitada", "A empresa não tem certificado digital.",
    )  # fmt: skip


@pytest.mark.parametrize("sent", ["", "1", "OFFLINE", "normal", "offline,"])
def test_a_form_of_issue_other_than_offline(company, nfe, sent):
    answer = nfe.post("nfce", nfce_body(), ref="r1", forma_emissao=sent)

    assert refusal(answer) == (
        400, "forma_emissao_nao_informada", 'Parâmetro "forma_emissao" inválido ou não informado',
    )  # fmt: skip


@KINDS
def test_a_number_that_another_document_has(company, authority, nfe, kind):
    own = {"serie": "7", "numero": "41"}
    assert nfe.post(kind, BODIES[kind](**own), ref="r1").status_code in (201, 202)
    work_off()

    answer = nfe.post(kind, BODIES[kind](**own), ref="r2")

    assert refusal(answer) == (
        400,
        "requisicao_invalida",
        'Parâmetro "numero" inválido: já há uma nota com este número e série.',
    )
    assert nfe.get(f"{kind}/r2").status_code == 404


@KINDS
@pytest.mark.parametrize("serie", ["890", "919", "920", "999"])
def test_a_series_that_is_not_the_companys(company, nfe, kind, serie):
    answer = nfe.post(kind, BODIES[kind](serie=serie), ref="r1")

    assert refusal(answer) == (
        400, "requisicao_invalida", 'Parâmetro "serie" inválido: use de 0 a 889.',
    )  # fmt: skip
    assert not FiscalDocument.objects.exists()


def test_an_nfce_without_csc(company, nfe):
    company.csc_nfce_homologacao = ""
    company.save()
    environment = nfe.post("nfce", nfce_body(), ref="r1")
    company.csc_nfce_producao = ""
    company.save()
    nowhere = nfe.post("nfce", nfce_body(), ref="r1")

    assert refusal(environment) == (
        422, "ambiente_nao_configurado", "Ambiente não configurado para emissão de NFCe",
    )  # fmt: skip
    assert refusal(nowhere) == (
        422, "empresa_nao_configurada", "Empresa não configurada para emissão de NFCe",
    )  # fmt: skip


# --- 404 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@KINDS
def test_the_wrong_method_on_the_address_of_issue(company, nfe, kind, method):
    answer = nfe.call(method, kind)

    assert refusal(answer) == (404, "nao_encontrado", "Utilize o método POST.")


@KINDS
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_wrong_method_on_a_document(company, nfe, kind, method):
    answer = nfe.call(method, f"{kind}/r1", {})

    assert refusal(answer) == (404, "nao_encontrado", "Utilize um dos métodos GET, DELETE.")


def test_an_unknown_ref(company, nfe):
    assert refusal(nfe.get("nfe/x")) == (404, "nao_encontrado", "Nota fiscal não encontrada.")
    assert refusal(nfe.get("nfce/x")) == (404, "nfce_nao_encontrada", "NFCe não encontrada")


@pytest.mark.parametrize(
    "path",
    [
        "/arquivos",
        "/arquivos/x",
        "/arquivos_development/11222333000181_1/202611/XMLs/../../x.xml",
        "/arquivos_development/%FF/%00",
        "/notas_fiscais/x",
        "/notas_fiscais/NFe1/cartas_correcao/1.xml",
        "/notas_fiscais_consumidor/NFe1.html",
        "/v2",
        "/v2/",
        "/v2/nfe/a/b",
    ],
)
def test_an_address_that_is_none_of_the_files(nfe, path):
    """§1.10: programs fetch these; they are told in JSON, with or without a token."""
    for client in (nfe, V2("")):
        answer = client.get(path)

        assert refusal(answer) == (404, "nao_encontrado", "Endereço não encontrado.")
        assert answer["Rate-Limit-Limit"].isdecimal()


@KINDS
def test_another_companys_ref_is_unknown(company, account, authority, nfe, kind):
    from factories import FiscalCompanyFactory

    issued(nfe, kind)
    neighbour = v2(fiscal_token(FiscalCompanyFactory(account=account, cnpj=OTHER_CNPJ)))

    assert refusal(neighbour.get(f"{kind}/r1"))[0] == 404
    assert refusal(v2(fiscal_token(company, "producao")).get(f"{kind}/r1"))[0] == 404


@KINDS
def test_a_ref_of_one_kind_is_not_of_the_other(company, authority, nfe, kind):
    issued(nfe, kind)
    other = "nfce" if kind == "nfe" else "nfe"

    assert nfe.get(f"{other}/r1").status_code == 404
    assert nfe.post(other, BODIES[other](), ref="r1").status_code in (201, 202)


# --- 415 -----------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("sent", ["{not json", "[]", '"x"', "1", "null", "{'a': 1}", '{"a":1}}'])
def test_what_is_no_json_object(company, nfe, kind, sent):
    answer = nfe.post(f"{kind}?ref=r1", sent)

    assert refusal(answer) == (
        415, "requisicao_invalida", "O corpo da requisição não é um objeto JSON válido.",
    )  # fmt: skip


# --- 422: state and schema -----------------------------------------------------------------------


@KINDS
def test_a_ref_that_was_authorized(company, authority, nfe, kind):
    issued(nfe, kind)

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (422, "nfe_autorizada", "Nota fiscal já autorizada.")


@KINDS
def test_a_ref_in_processing(company, authority, nfe, kind):
    authority.next("authorize", says("108"), says("108"))
    nfe.post(kind, BODIES[kind](), ref="r1")

    answer = nfe.post(kind, BODIES[kind](), ref="r1")

    assert refusal(answer) == (422, "em_processamento", "Nota fiscal em processamento.")


@KINDS
def test_a_body_against_the_schema_tells_every_field(company, nfe, kind):
    body = BODIES[kind](items=[item(cfop="51", codigo_ncm="1"), item(2, valor_bruto="vinte")])

    answer = nfe.post(kind, body, ref="r1")

    assert refusal(answer) == (422, "erro_validacao_schema", SCHEMA)
    assert {"items[0].cfop", "items[0].codigo_ncm", "items[1].valor_bruto"} <= set(faults(answer))
    assert not FiscalDocument.objects.exists()


@KINDS
@pytest.mark.parametrize("sent", [None, "{}"])
def test_an_empty_body_tells_what_to_fill_in(company, nfe, kind, sent):
    answer = nfe.post(kind, sent, ref="r1")

    assert refusal(answer) == (422, "erro_validacao_schema", SCHEMA)
    assert {"data_emissao", "presenca_comprador"} <= set(faults(answer))


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"<a></b>", "XML malformado na linha 1, coluna 8."),
        (b"<a>\n</b>", "XML malformado na linha 2, coluna 5."),
        (b"<a>&x;</a>", "XML malformado na linha 1, coluna 7."),
    ],
)
def test_an_xml_that_cannot_be_read(company, nfe, sent, why):
    """§2.12, §2.13: where the fault is, in Portuguese."""
    for path in ("nfe/importacao", "nfe/danfe"):
        answer = nfe.call("POST", path, sent, type="application/xml")

        assert refusal(answer) == (
            422,
            "erro_validacao_xml",
            "O XML não pode ser interpretado, verifique seu conteúdo e tente novamente",
        )
        assert [entry["mensagem"] for entry in answer.json()["erros"]] == [why]


def test_a_recipient_without_a_document(company, nfe):
    body = nfe_body()
    del body["cnpj_destinatario"]

    answer = nfe.post("nfe", body, ref="r1")

    assert refusal(answer) == (422, "erro_validacao_schema", SCHEMA)
    assert faults(answer) == {
        "cnpj_destinatario": "Preencha pelo menos um documento do destinatário: "
        "cnpj_destinatario ou cpf_destinatario"
    }


# --- 429 -----------------------------------------------------------------------------------------


@KINDS
def test_a_token_without_credits(company, nfe, settings, kind):
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 1
    nfe.get(f"{kind}/x")

    answer = nfe.get(f"{kind}/x")

    status, codigo, _ = refusal(answer)
    assert (status, codigo) == (429, "limite_excedido")
    assert answer.json()["mensagem"] == (
        f"Muitas requisições. Tente de novo em {answer['Retry-After']} s."
    )
