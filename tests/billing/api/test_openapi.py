"""The OpenAPI document: valid, complete, true to the contract, and readable without network."""

from __future__ import annotations

import json
import re
from functools import cache
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from support.wire import Fixture, fixtures

from billing.api.v1.urls import urlpatterns

ROOT = "/api/v1/"
INCOMING = [f for f in fixtures() if f.data.get("direction") != "outgoing"]
OURS = [f for f in INCOMING if f.request["path"].startswith(ROOT)]
WRITES = ("post", "put", "patch")


@cache
def document() -> dict[str, Any]:
    """The published document, as a client reads it."""
    from django.test import Client

    return Client().get("/api/schema").json()


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    ]


def resolved(node: Any) -> Any:
    """The node itself, when it is a reference."""
    if isinstance(node, dict) and "$ref" in node:
        found: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found
    return node


def fault(schema: dict[str, Any], value: Any) -> str:
    """Why the value breaks the schema; "" when it does not."""
    whole = {**schema, "components": document()["components"]}
    error = best_match(Draft202012Validator(whole).iter_errors(value))
    return "" if error is None else f"{error.json_path}: {error.message}"


def json_schema(part: dict[str, Any]) -> dict[str, Any]:
    return resolved(part)["content"]["application/json"]["schema"]


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The operation that an address of the contract means, and its template here."""
    templates = [
        template
        for template in document()["paths"]
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
    ]
    template = min(templates, key=lambda one: one.count("{"))
    return template, document()["paths"][template][method.lower()]


# --- the whole ---------------------------------------------------------------------------------


def test_the_document_is_valid_openapi_3_1_and_made_without_a_warning():
    out = StringIO()

    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)

    made = yaml.safe_load(out.getvalue())
    validate_schema(made)
    assert made["openapi"] == "3.1.0"
    assert made["info"]["title"] == "API de faturamento"
    assert made == document()


def test_every_address_and_method_of_the_router_is_documented():
    expected = set()
    for route in urlpatterns:
        path = ROOT + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(route.pattern))
        view = route.callback.view_class
        methods = [m for m in ("get", "post", "put", "patch", "delete") if hasattr(view, m)]
        expected |= {(path, method) for method in methods}

    assert {(path, method) for path, method, _ in operations()} == expected


@pytest.mark.parametrize("fixture", OURS, ids=lambda f: f.name)
def test_every_endpoint_of_the_contract_is_documented_with_its_code(fixture: Fixture):
    _, operation = operation_of(fixture.request["method"], fixture.request["path"])

    assert str(fixture.response["status"]) in operation["responses"]


def test_every_operation_says_what_it_does_and_how_it_may_end():
    for path, method, operation in operations():
        where = f"{method} {path}"
        assert operation["summary"].strip(), where
        assert len(operation["tags"]) == 1, where
        assert operation["security"] == [{"Token": []}], where
        codes = set(operation["responses"])
        assert codes & {"200", "201", "204"}, where
        assert codes >= {"401", "404", "429"}, where
        if method in WRITES:
            assert codes >= {"400", "411", "413", "415"}, where
        if method == "post":
            assert "422" in codes, where
        for code, response in operation["responses"].items():
            assert resolved(response)["description"], f"{where} {code}"


def test_operations_have_names_of_their_own():
    names = [operation["operationId"] for _, _, operation in operations()]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def test_updates_by_put_and_patch_are_described_alike_and_need_nothing():
    for path, item in document()["paths"].items():
        if "put" not in item and "patch" not in item:
            continue
        put, patch = dict(item["put"]), dict(item["patch"])
        for operation in (put, patch):
            operation.pop("operationId")
            assert "required" not in operation.get("requestBody", {}), path
        assert put == patch, path
    changes = [n for n in document()["components"]["schemas"] if n.endswith("Changes")]
    assert changes
    assert [n for n in changes if "required" in document()["components"]["schemas"][n]] == []


def test_ids_in_addresses_are_numbers_and_other_names_text():
    for path, method, operation in operations():
        described = {
            p["name"]: p["schema"]["type"]
            for p in map(resolved, operation.get("parameters", []))
            if p["in"] == "path"
        }
        names = re.findall(r"\{(\w+)\}", path)
        assert list(described) == names, f"{method} {path}"
        for name in names:
            is_id = name == "id" or name.endswith("_id")
            assert described[name] == ("integer" if is_id else "string")


def test_only_posts_take_an_idempotency_key():
    for path, method, operation in operations():
        names = [resolved(p)["name"] for p in operation.get("parameters", [])]
        assert ("Idempotency-Key" in names) == (method == "post"), f"{method} {path}"


def test_answers_tell_the_rate_limit():
    for path, method, operation in operations():
        for code, response in operation["responses"].items():
            if code == "401":
                continue
            headers = resolved(response)["headers"]
            assert {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(
                headers
            ), f"{method} {path} {code}"
    assert "Retry-After" in document()["components"]["responses"]["TooMany"]["headers"]


def test_the_token_goes_into_the_authorization_header():
    assert document()["components"]["securitySchemes"] == {
        "Token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token token=<32 dígitos hexadecimais>`",
        }
    }


def test_names_of_components_are_clean_and_nothing_of_the_code_is_told():
    schemas = document()["components"]["schemas"]

    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", name) for name in schemas)
    assert [n for n in schemas if n.endswith(("In", "Out", "Serializer"))] == []
    assert "readOnly" not in json.dumps(document())
    words = json.dumps(document(), ensure_ascii=False)
    assert not re.search(r"\b(the|docstring|serializer)\b", words, re.IGNORECASE)


def test_tags_are_those_of_resources():
    from billing.api.openapi_parts import TAGS

    used = {operation["tags"][0] for _, _, operation in operations()}
    assert used == set(TAGS.values())


# --- true to the contract ----------------------------------------------------------------------


@pytest.mark.parametrize("fixture", OURS, ids=lambda f: f.name)
def test_requests_and_answers_of_the_contract_fit_the_document(fixture: Fixture):
    _, operation = operation_of(fixture.request["method"], fixture.request["path"])

    if (body := fixture.request.get("json")) is not None and "requestBody" in operation:
        assert fault(json_schema(operation["requestBody"]), body) == ""
    response = operation["responses"][str(fixture.response["status"])]
    if fixture.response["json"] is None:
        assert "content" not in resolved(response)
    else:
        assert fault(json_schema(response), _completed(response, fixture.response["json"])) == ""


def _completed(response: dict[str, Any], body: Any) -> Any:
    """The fixture's answer with our additional keys as null (§1.11 allows them)."""
    return _fill(json_schema(response), body)


def _fill(schema: dict[str, Any], value: Any) -> Any:
    schema = resolved(schema)
    for option in schema.get("anyOf", []):
        if "$ref" in option:
            schema = resolved(option)
    if isinstance(value, list) and "items" in schema:
        return [_fill(schema["items"], one) for one in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    found = {name: _fill(schema["properties"].get(name, {}), one) for name, one in value.items()}
    for name in schema.get("required", []):
        found.setdefault(name, [] if schema["properties"][name].get("type") == "array" else None)
    return found


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("Company", "id", "integer"),
        ("Company", "name", ["string", "null"]),
        ("Company", "client_since", ["string", "null"]),
        ("ServiceItem", "value", ["string", "null"]),
        ("ServiceItemInput", "value", ["number", "string", "null"]),
        ("ServiceItemInput", "name", ["string", "number"]),
        ("ServiceItemChanges", "name", ["string", "number", "null"]),
        ("PersonInput", "allow_email_on_nfse", ["boolean", "null"]),
        ("ContractInput", "customer_id", ["integer", "string"]),
    ],
)
def test_values_have_the_types_of_the_wire(name, key, expected):
    assert document()["components"]["schemas"][name]["properties"][key]["type"] == expected


@pytest.mark.parametrize(
    ("pattern_of", "good", "bad"),
    [
        ("DecimalOut", ["100.0", "-14.38", "33.3333"], ["100", "1,0", "", "1.0 "]),
        ("DateOut", ["31/01/2025"], ["2025-01-31", "1/1/2025"]),
        ("MomentOut", ["31/01/2025 10:00:00 -03:00"], ["31/01/2025 10:00:00", "2025-01-31"]),
        ("CnpjOut", ["11.222.333/0001-81", "12.ABC.345/01DE-35"], ["11222333000181"]),
    ],
)
def test_patterns_of_answers_say_how_values_look(pattern_of, good, bad):
    from billing.api.openapi_fields import out_schema
    from billing.api.v1 import fields

    schema = out_schema("x", getattr(fields, pattern_of)())

    assert [value for value in good if fault(schema, value)] == []
    assert [value for value in bad if not fault(schema, value)] == []
    assert fault(schema, None) == ""


# --- examples ----------------------------------------------------------------------------------


def media() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for _, _, operation in operations():
        name = operation["operationId"]
        parts = {f"{name} {code}": r for code, r in operation["responses"].items()}
        if "requestBody" in operation:
            parts[f"{name} request"] = operation["requestBody"]
        for where, part in parts.items():
            if "content" in resolved(part):
                found.append((where, resolved(part)["content"]["application/json"]))
    return found


def test_every_body_has_an_example_and_every_example_fits():
    assert [where for where, one in media() if "example" not in one] == []
    faults = {where: fault(one["schema"], one["example"]) for where, one in media()}
    assert {where: text for where, text in faults.items() if text} == {}


def test_there_is_no_example_of_what_does_not_exist():
    from billing.api.openapi import _examples

    assert set(_examples()) - set(document()["components"]["schemas"]) == set()


# --- how it is served --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "application/vnd.oai.openapi+json; charset=utf-8"),
        ("", "application/json", "application/vnd.oai.openapi+json; charset=utf-8"),
        ("?format=json", "application/yaml", "application/vnd.oai.openapi+json; charset=utf-8"),
        ("?format=yaml", "application/json", "application/vnd.oai.openapi; charset=utf-8"),
        ("", "application/yaml", "application/vnd.oai.openapi; charset=utf-8"),
        ("", "application/vnd.oai.openapi", "application/vnd.oai.openapi; charset=utf-8"),
        ("?format=xml", "text/html", "application/vnd.oai.openapi+json; charset=utf-8"),
    ],
)
def test_the_document_comes_as_json_or_yaml_without_a_token(client, query, accept, kind):
    answer = client.get(f"/api/schema{query}", headers={"Accept": accept})

    assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    read = yaml.safe_load if kind.endswith("openapi; charset=utf-8") else json.loads
    assert read(answer.content) == document()
    assert "Set-Cookie" not in answer


def test_a_client_that_has_the_document_is_told_so(client):
    etag = client.get("/api/schema")["ETag"]

    answer = client.get("/api/schema", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/api/schema?format=yaml")["ETag"] != etag


def test_the_page_needs_nothing_from_elsewhere(client):
    answer = client.get("/api/docs")

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "<title>API de faturamento</title>" in page
    assert 'data-schema="/api/schema"' in page
    assert "http" not in page
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("method", ["post", "put", "delete"])
@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
def test_the_document_is_only_read(client, path, method):
    assert getattr(client, method)(path).status_code == 405
