"""Who may call /v2, and how a refusal looks (fiscal-api §1.2, §1.5–1.7, §1.9)."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from support.v2 import basic, fiscal_token, v2

from accounts.models import ApiToken
from accounts.services.tokens import create_token
from fiscal.models import Company
from lib import clock

pytestmark = [pytest.mark.django_db, pytest.mark.urls("support.v2_urls")]

INVALID = {"codigo": "permissao_negada", "mensagem": "Access token inválido"}


def credits(answer) -> tuple[str, str]:
    assert 1 <= int(answer["Rate-Limit-Reset"]) <= 60
    return answer["Rate-Limit-Limit"], answer["Rate-Limit-Remaining"]


# --- tokens ----------------------------------------------------------------------------------


def test_a_token_is_one_company_in_one_environment(company, nfe_token, nfe_token_producao):
    for token, ambiente in ((nfe_token, "homologacao"), (nfe_token_producao, "producao")):
        answer = v2(token).post("sonda", {"a": 1}, ref="x1")

        assert answer.status_code == 200
        assert answer.json() == {
            "empresa": company.pk,
            "ambiente": ambiente,
            "corpo": {"a": 1},
            "ref": "x1",
        }


def test_the_token_may_come_in_the_address(nfe_token):
    answer = Client().post(f"/v2/sonda?token={nfe_token}", "{}", content_type="application/json")

    assert answer.status_code == 200


def test_a_password_beside_the_token_does_not_matter(nfe_token):
    header = {"Authorization": basic(nfe_token, "x")}

    answer = Client().post("/v2/sonda", "{}", content_type="application/json", headers=header)

    assert answer.status_code == 200


def test_without_a_token_access_is_denied_in_text():
    for headers in ({}, {"Authorization": "Token token=abc"}, {"Authorization": "Bearer abc"}):
        answer = Client().post("/v2/sonda", headers=headers)

        assert answer.status_code == 401
        assert answer["Content-Type"].startswith("text/html")
        assert answer["WWW-Authenticate"].startswith("Basic")
        assert answer.content == b"HTTP Basic: Access denied\n"


@pytest.mark.parametrize(
    "header",
    [
        basic("0" * 32),
        basic(""),
        basic("é" * 10),
        "Basic não-é-base64",
        "Basic",
        "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
    ],
)
def test_a_wrong_token_is_refused(header):
    answer = Client().post("/v2/sonda", headers={"Authorization": header})

    assert (answer.status_code, answer.json()) == (403, INVALID)


def test_a_token_is_case_sensitive(nfe_token):
    assert v2(nfe_token.upper()).post("sonda").status_code == 403


def test_a_revoked_token_and_a_blocked_account_have_no_access(company, nfe_token):
    company.account.is_active = False
    company.account.save()
    blocked = v2(nfe_token).post("sonda")
    company.account.is_active = True
    company.account.save()
    ApiToken.objects.update(revoked_at=clock.now())
    revoked = v2(nfe_token).post("sonda")

    assert (blocked.status_code, blocked.json()) == (403, INVALID)
    assert (revoked.status_code, revoked.json()) == (403, INVALID)


@pytest.mark.parametrize("scope", ["billing", "master"])
def test_a_token_of_another_kind_is_no_companys(account, company, scope):
    raw = create_token(account, name="x", scope=scope)[1]

    answer = v2(raw).post("sonda")

    assert answer.status_code == 403
    assert answer.json()["codigo"] == "permissao_negada"


def test_a_token_of_a_company_that_is_not_there_has_no_access(account, company):
    token = fiscal_token(company)
    Company.objects.update(removed_at=clock.now())

    answer = v2(token).post("sonda")

    assert answer.status_code == 403
    assert answer.json() == {
        "codigo": "permissao_negada",
        "mensagem": "CNPJ do emitente não autorizado.",
    }


def test_the_company_is_the_one_of_the_tokens_account(company, other_account):
    """The same CNPJ may be registered in two accounts."""
    from factories import FiscalCompanyFactory

    twin = FiscalCompanyFactory(account=other_account, cnpj=company.cnpj)

    assert v2(fiscal_token(twin)).post("sonda").json()["empresa"] == twin.pk
    assert v2(fiscal_token(company)).post("sonda").json()["empresa"] == company.pk


# --- errors ----------------------------------------------------------------------------------


def test_a_wrong_method_names_the_right_one(nfe):
    one = nfe.get("sonda/x")
    two = nfe.get("sonda")

    assert (one.status_code, one.json()) == (
        404,
        {"codigo": "nao_encontrado", "mensagem": "Utilize o método POST."},
    )
    assert two.json()["mensagem"] == "Utilize um dos métodos POST, DELETE."


@pytest.mark.parametrize("path", ["nada", "", "nfe/", "sonda/a/b", "sonda/"])
def test_an_unknown_address_answers_json(nfe, path):
    for client in (nfe, v2("")):
        answer = client.get(path)

        assert answer.status_code == 404
        assert answer.json() == {"codigo": "nao_encontrado", "mensagem": "Endereço não encontrado."}


@pytest.mark.parametrize(
    "body",
    [
        "{quebrado",
        "[1, 2]",
        '"texto"',
        '{"a": NaN}',
        b"\xff\xfe",
        '{"a": "\\u0000"}',
        '{"a": ["\\ud800"]}',
        '{"\\u0000": 1}',
    ],
)
def test_what_is_no_json_object_is_415(nfe, body):
    answer = nfe.post("sonda", body)

    assert answer.status_code == 415
    assert answer.json() == {
        "codigo": "requisicao_invalida",
        "mensagem": "O corpo da requisição não é um objeto JSON válido.",
    }


@pytest.mark.parametrize("type", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_json_is_read_whatever_its_type(nfe, type):
    assert nfe.call("POST", "sonda", {"a": 1}, type=type).json()["corpo"] == {"a": 1}


def test_no_body_is_an_empty_one(nfe):
    assert nfe.post("sonda").json()["corpo"] == {}


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b'{"a": 1}', 200), (b"", 200), (b"{", 415), (b'{"a": "' + b"x" * 5_000_000 + b'"}', 413)],
)
def test_a_body_without_a_length_is_read_to_its_end(nfe, sent, status):
    server: dict[str, Any] = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "HTTP_AUTHORIZATION": basic(nfe.token),
        "CONTENT_LENGTH": "",
        "wsgi.input": io.BytesIO(sent),
    }
    told = Client().generic("POST", "/v2/sonda", **server, **{"wsgi.input_terminated": True})
    unknown = Client().generic("POST", "/v2/sonda", **server)

    assert told.status_code == status
    if status == 200:
        assert told.json()["corpo"] == (json.loads(sent) if sent else {})
    assert (unknown.status_code, unknown.json()["codigo"]) == (411, "requisicao_invalida")


def test_a_parameter_that_cannot_be_kept_is_refused(nfe):
    answer = nfe.post("sonda", {}, ref="a\x00")

    assert (answer.status_code, answer.json()["codigo"]) == (400, "requisicao_invalida")
    assert nfe.post("sonda/a%00").status_code == 404


def test_a_fault_of_ours_answers_json_with_the_code_of_the_request(nfe):
    nfe.client.raise_request_exception = False

    answer = nfe.delete("sonda")

    shown = answer.json()
    assert (answer.status_code, shown["codigo"]) == (500, "erro_interno")
    assert answer["X-Request-Id"] in shown["mensagem"]
    assert credits(answer) == ("100", "99")


def test_every_answer_has_the_id_of_its_request(nfe):
    given = Client().get("/v2/nada", headers={"X-Request-Id": "pedido-12345"})

    assert re.fullmatch("[0-9a-f]{32}", nfe.post("sonda")["X-Request-Id"])
    assert given["X-Request-Id"] == "pedido-12345"


# --- limits ----------------------------------------------------------------------------------


def test_every_answer_tells_the_credits_left(nfe):
    good = nfe.post("sonda")
    bad = nfe.post("sonda", "{")
    wrong_method = nfe.get("sonda")

    assert [credits(one) for one in (good, bad, wrong_method)] == [
        ("100", "99"), ("100", "98"), ("100", "97"),
    ]  # fmt: skip


def test_answers_without_a_token_tell_the_limit_of_the_address(settings):
    for answer in (v2("").post("sonda"), v2("").get("nada")):
        assert credits(answer) == ("20", "20")
    assert credits(v2("0" * 32).post("sonda")) == ("20", "19")


def test_a_token_without_credits_waits(settings, nfe, company):
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 2
    answers = [nfe.post("sonda") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    last = answers[-1]
    assert last.json()["codigo"] == "limite_excedido"
    assert 1 <= int(last["Retry-After"]) <= 61
    assert credits(last) == ("2", "0")
    assert v2(fiscal_token(company, "producao")).post("sonda").status_code == 200
    cache.clear()  # the minute is over
    assert nfe.post("sonda").status_code == 200


def test_too_many_wrong_tokens_from_one_address_are_told_to_wait(settings, nfe_token):
    settings.FISCAL_AUTH_FAILURES_PER_MINUTE = 3
    answers = [v2(f"{n:032x}").post("sonda") for n in range(4)]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert answers[-1].json()["codigo"] == "limite_excedido"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 61
    elsewhere = Client(REMOTE_ADDR="203.0.113.7").post("/v2/sonda")
    assert elsewhere.status_code == 401
    # Behind a proxy all have one address: whoever has a good token goes on.
    assert v2(nfe_token).post("sonda").status_code == 200


def test_a_limit_of_zero_is_none(settings, nfe):
    settings.FISCAL_RATE_LIMIT_PER_MINUTE = 0
    settings.FISCAL_AUTH_FAILURES_PER_MINUTE = 0

    assert [nfe.post("sonda").status_code for _ in range(3)] == [200] * 3
    assert v2("0" * 32).post("sonda").status_code == 403
    assert "Rate-Limit-Limit" not in nfe.post("sonda")
