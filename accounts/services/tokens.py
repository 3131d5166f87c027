"""Issue, find and revoke API tokens."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction

from accounts.models import Account, ApiToken
from accounts.services.audit import SYSTEM, Actor, record
from lib import clock
from lib.br import document_kind, normalise_document
from lib.compiled import CompiledQuery
from lib.errors import FieldError, InvalidInput

MAX_NAME = 100


def digest(raw: str) -> str:
    """SHA-256 of a token. Tokens are 128 random bits, so no slow hash is needed."""
    return hashlib.sha256(raw.encode()).hexdigest()


@transaction.atomic
def create_token(
    account: Account,
    *,
    name: str,
    scope: str,
    company_cnpj: str = "",
    ambiente: str = "",
    actor: Actor = SYSTEM,
    raw: str = "",
) -> tuple[ApiToken, str]:
    """Create a token and return it with its text, 32 hexadecimal digits, shown only now.

    A fiscal token names one company (CNPJ, or CPF of a person who issues) and one environment.
    `raw` is for the demonstration, whose token is the same in each run. Raises InvalidInput.
    """
    cnpj = normalise_document(company_cnpj) if company_cnpj else ""
    faults = token_faults(name=name, scope=scope, company_cnpj=cnpj, ambiente=ambiente)
    if faults:
        raise InvalidInput(erros=faults)
    raw = raw or secrets.token_hex(16)
    token = ApiToken.objects.create(
        account=account,
        name=name,
        scope=scope,
        company_cnpj=cnpj,
        ambiente=ambiente,
        prefix=raw[:6],
        digest=digest(raw),
    )
    record(account, actor=actor, action="token.criado", target=token, after={"scope": scope})
    return token, raw


def token_faults(*, name: str, scope: str, company_cnpj: str, ambiente: str) -> list[FieldError]:
    """What keeps such a token from being created."""
    cnpj = normalise_document(company_cnpj) if company_cnpj else ""
    faults = []
    if not 1 <= len(name.strip()) <= MAX_NAME:
        faults.append(FieldError("name", f"Informe um nome de até {MAX_NAME} caracteres."))
    if scope not in ApiToken.Scope.values:
        faults.append(FieldError("scope", "Use billing, fiscal ou master."))
    if cnpj and document_kind(cnpj) is None:
        faults.append(FieldError("company", "CNPJ inválido."))
    if ambiente and ambiente not in ApiToken.Ambiente.values:
        faults.append(FieldError("ambiente", "Use homologacao ou producao."))
    if scope == ApiToken.Scope.FISCAL and not (cnpj and ambiente):
        faults.append(FieldError("company", "O escopo fiscal pede --company e --ambiente."))
    return faults


@transaction.atomic
def revoke_token(token_id: int, *, account: Account, actor: Actor) -> ApiToken:
    """Make a token useless from now on; revoking twice is a no-op."""
    token: ApiToken = ApiToken.objects.select_for_update().get_of(account, pk=token_id)
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        token.save(update_fields=["revoked_at"])
        record(account, actor=actor, action="token.revogado", target=token)
    return token


def find_token(raw: str) -> ApiToken | None:
    """The live token behind `raw`, its account loaded; None when unknown, revoked or inactive.

    The look-up is by hash: what an attacker can vary is not what the index compares.
    """
    rows = _LIVE.rows(digest(raw))
    if not rows:
        return None
    token = ApiToken.from_db(None, _TOKEN, rows[0][: len(_TOKEN)])
    token.account = Account.from_db(None, _ACCOUNT, rows[0][len(_TOKEN) :])
    _touch(token)
    return token


# Every request begins with it.
_TOKEN = [field.attname for field in ApiToken._meta.concrete_fields]
_ACCOUNT = [field.attname for field in Account._meta.concrete_fields]
_LIVE = CompiledQuery(
    lambda mark: ApiToken.objects.filter(
        digest=mark, revoked_at=None, account__is_active=True
    ).values_list(*_TOKEN, *(f"account__{name}" for name in _ACCOUNT)),
    marks=("the digest",),
)


def _touch(token: ApiToken) -> None:
    """Note the use, at most one write a minute."""
    now = clock.now()
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
