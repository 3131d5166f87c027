"""What every address of /api/v1 does before it does anything of its own."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from factories import CompanyFactory, MembershipFactory, UserFactory, cnpj
from support.wire import Api, api_of

from accounts.models import ApiToken
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, revoke_token
from billing.api.v1.fields import parse_id
from billing.models import Party

EMPTY_TYPE = "text/html; charset=utf-8"
FOLDERS = ("api/", "crm/", "files/", "health")


@pytest.fixture
def api(account) -> Api:
    return api_of(account)


def raw(api: Api, method: str, path: str, data: bytes = b"", **extra: object):
    """A request as bytes, with any content type; `headers` are added to the token's."""
    headers = {"Authorization": f"Token token={api.token}"} | extra.pop("headers", {})
    content_type = extra.pop("content_type", "application/json")
    return api.client.generic(
        method, f"/api/v1/{path}", data, content_type=content_type, headers=headers, **extra
    )


def company(**fields: object) -> dict[str, object]:
    return {"name": "Nova", "cnpj": cnpj(4321)} | fields


# --- who asks ----------------------------------------------------------------------------------


def is_unauthorized(answer) -> None:
    assert answer.status_code == 401
    assert answer.content == b""
    assert answer["Content-Type"] == EMPTY_TYPE
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Token",
        "Token token=",
        "Token token=" + "0" * 32,
        "Token token=" + "g" * 32,
        "Token token=" + "0" * 33,
        "Token token=\xff",
        "Bearer " + "0" * 32,
        "Basic YTpi",
    ],
)
def test_without_a_known_token_the_answer_is_401_and_empty(client, header):
    headers = {} if header is None else {"Authorization": header}

    is_unauthorized(client.get("/api/v1/companies", headers=headers))
    is_unauthorized(
        client.post("/api/v1/companies", b"{", content_type="application/json", headers=headers)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["Token token={}", 'Token token="{}"', "token token={}"])
def test_the_token_is_read_with_and_without_quotes(api, client, form):
    header = form.format(api.token)

    assert client.get("/api/v1/companies", headers={"Authorization": header}).status_code == 200


@pytest.mark.django_db
def test_revoked_tokens_and_those_of_closed_accounts_are_unknown(account, client):
    token, secret = create_token(account, name="Um", scope=ApiToken.Scope.BILLING)
    _, other = create_token(account, name="Outro", scope=ApiToken.Scope.BILLING)
    revoke_token(token.pk, account=account, actor=SYSTEM)

    is_unauthorized(
        client.get("/api/v1/companies", headers={"Authorization": f"Token token={secret}"})
    )
    account.is_active = False
    account.save()
    is_unauthorized(
        client.get("/api/v1/companies", headers={"Authorization": f"Token token={other}"})
    )


@pytest.mark.django_db
@pytest.mark.parametrize("scope", [ApiToken.Scope.FISCAL, ApiToken.Scope.MASTER])
def test_tokens_of_another_scope_are_unknown_here(account, client, scope):
    fields = {"company_cnpj": cnpj(1), "ambiente": "homologacao"} if scope == "fiscal" else {}
    _, secret = create_token(account, name="Outro", scope=scope, **fields)

    is_unauthorized(
        client.get("/api/v1/companies", headers={"Authorization": f"Token token={secret}"})
    )


@pytest.mark.django_db
def test_a_signed_in_person_is_nobody_here_and_needs_no_csrf_token(account, api):
    browser = Client(enforce_csrf_checks=True)
    user = UserFactory()
    MembershipFactory(user=user, account=account)
    browser.force_login(user)

    is_unauthorized(browser.get("/api/v1/companies"))

    answer = browser.post(
        "/api/v1/companies",
        company(),
        content_type="application/json",
        headers={"Authorization": f"Token token={api.token}"},
    )
    assert answer.status_code == 201


@pytest.mark.django_db
def test_no_cookie_is_ever_set(api):
    assert not api.get("companies").cookies
    assert not api.post("companies", {}).cookies


# --- bodies ------------------------------------------------------------------------------------

MALFORMED = [
    b"{",
    b"not json",
    b"[]",
    b'"text"',
    b"1",
    b"null",
    b"{'name': 'x'}",
    b'{"name": "x",}',
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b'{"name": -Infinity}',
    b'{"name": "\xff\xfe"}',
    b'{"name": "tab\there"}',
    '{"name": "x"}'.encode("utf-16"),
    '{"name": "x"}'.encode("utf-32"),
    b'{"name": 1e99999999999999999999}',
    b'{"name": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":' * 500 + b"1" + b"}" * 500,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b"\x00",
    b"{}{}",
]


@pytest.mark.django_db
@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_is_400_and_empty_and_writes_nothing(account, api, data):
    row = CompanyFactory(account=account)

    for method, path in (("POST", "companies"), ("PATCH", f"companies/{row.pk}")):
        for headers in ({}, {"Idempotency-Key": "k"}):
            answer = raw(api, method, path, data, headers=headers)
            assert answer.status_code == 400
            assert answer.content == b""
            assert answer["Content-Type"] == EMPTY_TYPE
    assert list(Party.objects.of(account)) == [row]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"name": "Nova"}',
        b' {"name": "Nova"}\n',
        b'{"name": "Antiga", "name": "Nova"}',
        b'{"a":' * 64 + b"1" + b"}" * 64,
        b'{"company": []}',
        b'{"company": null}',
        b'{"": {"name": "x"}}',
        b"{}",
        b"",
    ],
)
def test_odd_but_correct_bodies_are_read(api, data):
    answer = raw(api, "POST", "companies", data)

    assert answer.status_code == 422
    assert "cnpj" in answer.json()["errors"]


@pytest.mark.django_db
def test_a_body_may_come_in_its_envelope_or_bare(api):
    bare = api.post("companies", company())
    wrapped = api.post("companies", {"company": company(name="Outra", cnpj=cnpj(77)), "name": "x"})

    assert [bare.status_code, wrapped.status_code] == [201, 201]
    assert wrapped.json()["company"]["name"] == "Outra"


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_both_verbs_of_updates_change_what_was_sent_and_nothing_else(account, api, verb):
    row = CompanyFactory(account=account, city="Recife")

    assert api.call(verb, f"companies/{row.pk}", {"name": "Novo nome"}).status_code == 200
    assert api.call(verb, f"companies/{row.pk}", {}).status_code == 200

    row = Party.objects.get()
    assert (row.name, row.city) == ("Novo nome", "Recife")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"],
)
def test_a_body_of_another_type_is_415(api, content_type):
    answer = raw(api, "POST", "companies", b'{"name": "x"}', content_type=content_type)

    assert answer.status_code == 415
    assert answer.json() == {"errors": "Envie o corpo como application/json."}
    assert not Party.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", ["", "application/json; charset=utf-8"])
def test_a_body_without_type_is_taken_for_json(api, content_type):
    data = json.dumps(company()).encode()

    assert raw(api, "POST", "companies", data, content_type=content_type).status_code == 201


@pytest.mark.django_db
def test_a_body_of_five_megabytes_is_413(api):
    data = json.dumps(company(comments="x" * 5_000_000)).encode()

    answer = raw(api, "POST", "companies", data)

    assert answer.status_code == 413
    assert answer.json() == {"errors": "O corpo da requisição é grande demais."}
    assert not Party.objects.exists()


@pytest.mark.django_db
def test_a_body_of_just_the_limit_is_read(api):
    start = json.dumps(company(comments="")).encode()
    data = start + b" " * (1_000_000 - len(start))

    assert raw(api, "POST", "companies", data).status_code == 201
    assert raw(api, "POST", "companies", data + b" ").status_code == 413


@pytest.mark.django_db
def test_a_body_without_length_is_refused_and_not_taken_for_an_empty_one(account, api):
    row = CompanyFactory(account=account)

    answer = raw(api, "PATCH", f"companies/{row.pk}", headers={"Transfer-Encoding": "chunked"})

    assert answer.status_code == 411
    assert answer.json() == {"errors": "Informe o tamanho do corpo em Content-Length."}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("\x1c7", 7),
        ("\u00a07", 7),
        ("007", 7),
        (7, 7),
        ("-7", None),
        ("٧", None),
        ("7.0", None),
        ("", None),
        (True, None),
        (7.0, None),
        (-7, -1),
        (2**63, -1),
        ("9" * 30, -1),
        ("9" * 31, None),
    ],
)
def test_ids_are_read_from_numbers_and_their_texts(value, found):
    assert parse_id(value) == found


# --- addresses and methods ---------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "companies/",
        "companies/search/",
        "companies/1/",
        "companies/1/x",
        "Companies",
        "nothing",
        "",
        "companies/0",
        "companies/-1",
        "companies/1.0",
        "companies/abc",
        "companies/%00",
        "companies/%F0%9F%92%A9",
        "companies/١",
        "companies/" + "9" * 5000,
        "companies/9223372036854775808",
    ],
)
def test_an_unknown_address_is_404_and_empty_and_never_a_redirect(api, path):
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        answer = raw(api, method, path, b"{}")
        assert answer.status_code == 404, method
        assert answer.content == b""
        assert answer["Content-Type"] == EMPTY_TYPE


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/x", "/crm/"])
def test_folders_are_no_addresses(client, path):
    answer = client.get(path)

    assert answer.status_code == 404


def routes(resolver: URLResolver | None = None, prefix: str = "") -> list[str]:
    found = []
    for one in (resolver or get_resolver()).url_patterns:
        path = prefix + str(one.pattern)
        found += routes(one, path) if isinstance(one, URLResolver) else [path]
        assert isinstance(one, URLPattern | URLResolver)
    return found


def test_no_address_of_programs_ends_in_a_slash():
    ours = [route for route in routes() if route.startswith(FOLDERS)]

    assert len(ours) > 10
    assert [route for route in ours if route.endswith("/")] == []


@pytest.mark.django_db
def test_the_addresses_of_people_still_get_their_slash(client):
    answer = client.get("/admin")

    assert (answer.status_code, answer["Location"]) == (301, "/admin/")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "FOO"])
def test_a_method_that_is_not_there_is_405_and_tells_which_are(api, method):
    answer = raw(api, method, "companies", b"{")

    assert answer.status_code == 405
    assert answer.json() == {"errors": "Método não permitido neste endereço."}
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.django_db
def test_head_answers_as_get_without_a_body(account, api):
    CompanyFactory(account=account)

    answer = raw(api, "HEAD", "companies")

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer["Content-Type"] == "application/json"


@pytest.mark.django_db
def test_options_tells_the_methods_and_nothing_of_the_code(api):
    answer = raw(api, "OPTIONS", "companies")

    assert answer.status_code == 204
    assert answer.content == b""
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "nonsense", "*/*"])
def test_the_answer_is_json_whatever_is_accepted(api, accept):
    answer = raw(api, "GET", "companies?format=xml", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json() == {"companies": []}


@pytest.mark.django_db
def test_answers_are_utf8_as_written(api):
    answer = api.post("companies", company(name="Ação ✓"))

    assert "Ação ✓".encode() in answer.content


# --- what every answer carries -----------------------------------------------------------------


@pytest.mark.django_db
def test_every_answer_has_a_request_id(api, client):
    answers = [
        api.get("companies"),
        api.post("companies", {}),
        api.get("companies/1"),
        api.get("nothing"),
        client.get("/api/v1/companies"),
        client.get("/nothing"),
        client.get("/health_check"),
        client.get("/files/x"),
    ]

    ids = [answer["X-Request-Id"] for answer in answers]
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)
    assert len(set(ids)) == len(answers)


@pytest.mark.django_db
def test_the_request_id_of_the_caller_is_kept_when_it_is_harmless(api):
    kept = raw(api, "GET", "companies", headers={"X-Request-Id": "pedido-00001"})
    odd = raw(api, "GET", "companies", headers={"X-Request-Id": "a b\nc"})

    assert kept["X-Request-Id"] == "pedido-00001"
    assert re.fullmatch(r"[0-9a-f]{32}", odd["X-Request-Id"])
