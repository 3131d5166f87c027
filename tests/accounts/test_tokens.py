"""API tokens: shown once, kept as a hash, named, scoped, revocable."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from accounts.authentication import TokenAuthentication
from accounts.models import ApiToken, AuditEvent
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, digest, find_token, revoke_token
from lib import clock
from lib.errors import InvalidInput, NotFound

CNPJ = "12ABC34501DE35"


def command(**options: str) -> str:
    out = StringIO()
    call_command("create_api_token", stdout=out, **options)
    return out.getvalue()


def authenticated(header: str) -> ApiToken:
    request = APIRequestFactory().get("/", headers={"Authorization": header} if header else {})
    request.headers  # noqa: B018  read now, as the framework does
    return TokenAuthentication().authenticate(request)[0]


@pytest.mark.django_db
def test_only_the_hash_of_a_token_is_kept(account):
    token, raw = create_token(account, name="ERP", scope="billing")

    row = ApiToken.objects.values().get()
    assert re.fullmatch("[0-9a-f]{32}", raw)
    assert (row["digest"], row["prefix"]) == (digest(raw), raw[:6])
    assert raw not in str(row)
    assert raw not in str(list(AuditEvent.objects.values()))
    assert token.pk == row["id"]


@pytest.mark.django_db
def test_the_command_prints_the_token_and_nothing_else(account):
    text = command(account="exemplo", scope="billing")

    assert re.fullmatch("[0-9a-f]{32}\n", text)
    assert find_token(text.strip()).account == account


@pytest.mark.django_db
def test_the_command_names_the_unknown_account(db):
    with pytest.raises(CommandError, match=r"^Conta desconhecida: nenhuma\.$"):
        command(account="nenhuma", scope="billing")

    assert not ApiToken.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scope": "fiscal"}, "O escopo fiscal pede --company e --ambiente."),
        ({"scope": "fiscal", "company": "123", "ambiente": "producao"}, "CNPJ inválido."),
    ],
)
def test_the_command_refuses_a_fiscal_token_without_its_company(account, options, words):
    with pytest.raises(CommandError, match=re.escape(words)):
        command(account="exemplo", **options)

    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_a_fiscal_token_names_company_and_environment(account):
    raw = command(
        account="exemplo", scope="fiscal", company="12.abc.345/01de-35", ambiente="homologacao"
    ).strip()

    token = find_token(raw)
    assert (token.company_cnpj, token.ambiente) == (CNPJ, "homologacao")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scope": "tudo"}, "scope"),
        ({"scope": "billing", "ambiente": "teste"}, "ambiente"),
        ({"scope": "billing", "name": ""}, "name"),
        ({"scope": "billing", "name": "x" * 101}, "name"),
    ],
)
def test_a_wrong_field_is_named(account, fields, field):
    with pytest.raises(InvalidInput) as refused:
        create_token(account, **{"name": "ERP", **fields})

    assert [fault.campo for fault in refused.value.erros] == [field]
    assert not ApiToken.objects.exists()


@pytest.mark.django_db
def test_a_revoked_token_stops_working_and_revoking_again_changes_nothing(account):
    token, raw = create_token(account, name="ERP", scope="billing")

    revoke_token(token.pk, account=account, actor=SYSTEM)
    first = ApiToken.objects.get().revoked_at
    revoke_token(token.pk, account=account, actor=SYSTEM)

    assert find_token(raw) is None
    assert ApiToken.objects.get().revoked_at == first
    assert AuditEvent.objects.filter(action="token.revogado").count() == 1


@pytest.mark.django_db
def test_another_account_cannot_revoke_a_token(account, other_account):
    token, raw = create_token(account, name="ERP", scope="billing")

    with pytest.raises(NotFound):
        revoke_token(token.pk, account=other_account, actor=SYSTEM)

    assert find_token(raw) == token


@pytest.mark.django_db
def test_the_tokens_of_a_deactivated_account_stop_working(account):
    _, raw = create_token(account, name="ERP", scope="billing")
    account.is_active = False
    account.save()

    assert find_token(raw) is None


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["Token token={}", 'Token token="{}"', 'token TOKEN="{}"'])
def test_the_header_of_the_documentation_is_understood(account, form):
    token, raw = create_token(account, name="ERP", scope="billing")

    assert authenticated(form.format(raw)) == token
    assert authenticated(form.format(raw.upper())) == token


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["none", "unknown", "short", "revoked", "other scope", "basic"])
def test_every_refused_token_gets_the_same_answer(account, what):
    token, raw = create_token(account, name="ERP", scope="billing")
    _, fiscal = create_token(
        account, name="NF", scope="fiscal", company_cnpj=CNPJ, ambiente="producao"
    )
    if what == "revoked":
        revoke_token(token.pk, account=account, actor=SYSTEM)
    header = {
        "none": "",
        "unknown": f"Token token={'0' * 32}",
        "short": "Token token=abc",
        "revoked": f"Token token={raw}",
        "other scope": f"Token token={fiscal}",
        "basic": "Basic YTpi",
    }[what]

    with pytest.raises(AuthenticationFailed) as refused:
        authenticated(header)

    assert str(refused.value.detail) == str(AuthenticationFailed().detail)


@pytest.mark.django_db
def test_use_is_noted_at_most_once_a_minute(account):
    _, raw = create_token(account, name="ERP", scope="billing")

    find_token(raw)
    first = ApiToken.objects.get().last_used_at
    find_token(raw)
    again = ApiToken.objects.get().last_used_at
    ApiToken.objects.update(last_used_at=clock.now() - timedelta(minutes=2))
    find_token(raw)

    assert first == again
    assert ApiToken.objects.get().last_used_at > clock.now() - timedelta(minutes=1)
