"""Refusals in their three shapes, and faults of our own."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django.http import Http404
from django.test import Client
from django_fsm import TransitionNotAllowed
from factories import MembershipFactory
from rest_framework import exceptions
from support.wire import api_of

from billing.api.v1 import parties
from billing.errors import CannotVoid, InUse
from lib.api_errors import LISTS, TEXTS, billing_errors, by_field
from lib.errors import Conflict, FieldError, Forbidden, InvalidInput, NotFound, RateLimited

FAULTS = [
    FieldError("name", "não pode ficar em branco"),
    FieldError("cnpj", "inválido"),
    FieldError("name", "já está em uso"),
    FieldError("name", "não pode ficar em branco"),
    FieldError("services.units", "deve ser numérico"),
]


def answered(error: Exception, errors_as: str = "") -> tuple[int, object]:
    response = billing_errors(error, {"view": SimpleNamespace(errors_as=errors_as)})
    assert response is not None
    return response.status_code, response.data


def test_shape_a_lists_the_messages_of_each_key_once_in_the_order_found():
    assert by_field(FAULTS, LISTS) == {
        "name": ["não pode ficar em branco", "já está em uso"],
        "cnpj": ["inválido"],
        "services.units": ["deve ser numérico"],
    }


def test_shape_b_has_the_first_message_of_each_key():
    assert by_field(FAULTS, TEXTS) == {
        "name": "não pode ficar em branco",
        "cnpj": "inválido",
        "services.units": "deve ser numérico",
    }


@pytest.mark.parametrize(
    ("error", "errors_as", "status", "data"),
    [
        (InvalidInput(erros=FAULTS[:1]), LISTS, 422, {"name": ["não pode ficar em branco"]}),
        (InvalidInput(erros=FAULTS[:1]), TEXTS, 422, {"name": "não pode ficar em branco"}),
        (InvalidInput("Ruim."), LISTS, 400, "Ruim."),
        (InUse("Em uso."), LISTS, 422, {"base": ["Em uso."]}),
        (InUse("Em uso."), TEXTS, 422, {"base": "Em uso."}),
        (Conflict("Não."), TEXTS, 422, "Não."),
        (CannotVoid(), TEXTS, 422, "O faturamento não pode ser anulado."),
        (NotFound("Plano não encontrado."), TEXTS, 404, "Plano não encontrado."),
        (Forbidden(), LISTS, 403, "Você não tem permissão para esta ação."),
        (RateLimited(), LISTS, 429, "Muitas requisições. Tente de novo em instantes."),
        (TransitionNotAllowed(), LISTS, 422, "A situação atual não permite esta ação."),
        (exceptions.MethodNotAllowed("PUT"), "", 405, "Método não permitido neste endereço."),
        (exceptions.UnsupportedMediaType("x"), "", 415, "Envie o corpo como application/json."),
    ],
)
def test_each_refusal_has_its_status_and_shape(error, errors_as, status, data):
    assert answered(error, errors_as) == (status, {"errors": data})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (exceptions.NotAuthenticated(), 401),
        (exceptions.AuthenticationFailed(), 401),
        (NotFound(), 404),
        (Http404(), 404),
        (exceptions.ParseError(), 400),
    ],
)
def test_some_refusals_have_no_body(error, status):
    assert answered(error, LISTS) == (status, None)


def test_what_is_no_refusal_is_not_answered_here():
    assert billing_errors(RuntimeError("x"), {}) is None


# --- our own faults ----------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch):
    """Listing companies fails with a secret in its text."""

    def fail(self) -> None:
        raise RuntimeError("segredo 123.456.789-09")

    monkeypatch.setattr(parties.CompaniesView, "list_all", fail)


@pytest.mark.django_db
def test_an_unexpected_fault_of_the_api_is_a_500_that_tells_only_its_code(account, broken):
    api = api_of(account)
    api.client = Client(raise_request_exception=False)

    answer = api.get("companies")

    assert answer.status_code == 500
    assert answer["Content-Type"] == "application/json"
    code = answer["X-Request-Id"]
    assert json.loads(answer.content) == {
        "errors": f"Erro interno. Se precisar de ajuda, informe o código {code}."
    }


@pytest.mark.django_db
def test_an_unexpected_fault_of_a_page_is_a_plain_page(monkeypatch):
    def fail(*args: object) -> None:
        raise RuntimeError("segredo")

    monkeypatch.setattr("accounts.views.connection.cursor", fail)

    answer = Client(raise_request_exception=False).get("/health_check")

    assert answer.status_code == 500
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    page = answer.content.decode()
    assert "Algo deu errado" in page
    assert answer["X-Request-Id"] in page
    assert "segredo" not in page


@pytest.mark.django_db
def test_an_unknown_page_is_told_in_portuguese(client):
    answer = client.get("/nothing")

    assert answer.status_code == 404
    assert "Página não encontrada" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "body"), [("/api/v1/companies", b""), ("/crm/x", b"")])
def test_a_bad_host_gets_no_detail(client, path, body):
    answer = client.get(path, headers={"Host": "evil.example"})

    assert (answer.status_code, answer.content) == (400, body)


@pytest.mark.django_db
def test_a_bad_host_gets_a_plain_page_elsewhere(client):
    answer = client.get("/admin/", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert "Requisição inválida" in answer.content.decode()


def test_a_form_without_its_token_is_refused_in_portuguese():
    answer = Client(enforce_csrf_checks=True).post("/health_check")

    assert answer.status_code == 403
    assert "Formulário expirado" in answer.content.decode()


def test_the_contract_is_only_read():
    answer = Client(enforce_csrf_checks=True).post("/api/schema")

    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.django_db
def test_a_page_that_a_role_may_not_open_is_told_in_portuguese(account):
    user = MembershipFactory(account=account, role="suporte").user
    client = Client()
    client.force_login(user)

    answer = client.get("/admin/accounts/heartbeat/")

    assert answer.status_code == 403
    assert "Sem permissão" in answer.content.decode()
