"""The issuers of the demonstration, with certificates of the test authority and known tokens.

Nothing here has legal effect: only the sandbox authority trusts these certificates.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Model

from accounts.models import Account, ApiToken
from accounts.services.audit import SYSTEM
from accounts.services.tokens import create_token, digest
from fiscal.models import (
    Archive,
    Attempt,
    Backup,
    BlockedEmail,
    Certificate,
    Company,
    Contingency,
    DistributionCursor,
    FiscalDocument,
    FiscalEvent,
    Inutilizacao,
    MailMessage,
    Manifestation,
    ReceivedDocument,
    ReceivedNfe,
    ReceivedNfse,
    RpsBatch,
    Series,
    ServiceAttempt,
    ServiceNote,
    ServiceOrder,
)
from fiscal.sandbox.ca import Authority, make_authority
from fiscal.services.companies import change_company, closed, create_company
from fiscal.services.company_fields import AMBIENTES

_PASSWORD = "demonstracao"  # noqa: S105  of a file that exists for a moment
_LASTS = timedelta(days=335)
_RENEWED = timedelta(days=60)
_CSC = "A1B2C3D4-E5F6-4A7B-8C9D-0E1F2A3B4C5D"

_COMMON: dict[str, Any] = {
    "email": "fiscal@demo.test",
    "numero": "100",
    "bairro": "Centro",
    "habilita_nfe": True,
    "habilita_nfce": True,
    "habilita_contingencia_offline_nfce": True,
    "csc_nfce_producao": _CSC,
    "id_token_nfce_producao": "000001",
    "csc_nfce_homologacao": _CSC,
    "id_token_nfce_homologacao": "000001",
}
COMPANIES: tuple[dict[str, Any], ...] = (
    _COMMON
    | {
        "cnpj": "12345678000195",
        "nome": "Demo Serviços Ltda",
        "nome_fantasia": "Demo Serviços",
        "inscricao_estadual": "110042490114",
        "inscricao_municipal": "1234567",
        "regime_tributario": 3,
        "habilita_nfsen_producao": True,
        "habilita_nfsen_homologacao": True,
        "habilita_manifestacao": True,
        "telefone": "1130001000",
        "logradouro": "Avenida Paulista",
        "cep": "01310100",
        "municipio": "São Paulo",
        "uf": "SP",
    },
    _COMMON
    | {
        "cnpj": "87011122000161",
        "nome": "Demo Comércio do Sul Ltda",
        "nome_fantasia": "Demo Sul",
        "inscricao_estadual": "2243658792",
        "regime_tributario": 1,
        "telefone": "5130001000",
        "logradouro": "Rua dos Andradas",
        "cep": "90020005",
        "municipio": "Porto Alegre",
        "uf": "RS",
    },
    _COMMON
    | {
        "cnpj": "87022233000173",
        "nome": "Demo Minas Atacado Ltda",
        "nome_fantasia": "Demo Minas",
        "inscricao_estadual": "0623079040081",
        "regime_tributario": 3,
        "telefone": "3130001000",
        "logradouro": "Avenida Afonso Pena",
        "cep": "30130001",
        "municipio": "Belo Horizonte",
        "uf": "MG",
    },
    _COMMON
    | {
        "cnpj": "D3M0CAFE000145",
        "nome": "Demo Café Alfanumérico Ltda",
        "nome_fantasia": "Demo Café",
        "inscricao_estadual": "1234567850",
        "regime_tributario": 1,
        "telefone": "4130001000",
        "logradouro": "Rua das Flores",
        "cep": "80020000",
        "municipio": "Curitiba",
        "uf": "PR",
    },
)

# What refers to documents, and what companies have besides them.
_BEFORE: tuple[type[Model], ...] = (
    Attempt, Archive, MailMessage, BlockedEmail, Backup, Manifestation, ReceivedDocument,
    ReceivedNfe, ReceivedNfse, DistributionCursor, ServiceAttempt, ServiceOrder,
)  # fmt: skip
_AFTER: tuple[type[Model], ...] = (Inutilizacao, Series, Certificate, Company)


@dataclass(frozen=True)
class DemoToken:
    """A token to be told to whoever loaded the demonstration."""

    name: str
    scope: str
    token: str
    ambiente: str = ""
    company: str = ""
    uf: str = ""


def load(account: Account, *, at: datetime) -> list[DemoToken]:
    """The issuers, created where missing; answers their tokens and the account's own."""
    tokens = []
    for body in COMPANIES:
        company = _company(account, body, at=at)
        _keep_tokens(company)
        tokens += [
            DemoToken(company.nome, "fiscal", _raw(company.cnpj, ambiente), ambiente,
                      company.cnpj, company.uf)
            for ambiente in AMBIENTES
        ]  # fmt: skip
    return [_master(account), *tokens]


def wipe(account: Account) -> None:
    """Delete the account's issuers and all that they issued; documents before their successors."""
    for model in _BEFORE:
        model._default_manager.filter(account=account).delete()
    events = FiscalEvent.objects.of(account)
    while events.filter(cancellations=None).delete()[0]:
        pass
    documents = FiscalDocument.objects.of(account)
    while documents.filter(supersedes=None).delete()[0]:
        pass
    RpsBatch.objects.of(account).delete()
    notes = ServiceNote.objects.of(account)
    while notes.filter(replaced_by=None).delete()[0]:
        pass
    Contingency.objects.filter(company__account=account).delete()
    for model in _AFTER:
        model._default_manager.filter(account=account).delete()


def _company(account: Account, body: dict[str, Any], *, at: datetime) -> Company:
    """The issuer with a certificate that lasts for a while."""
    company = Company.objects.of(account).filter(cnpj=body["cnpj"], removed_at=None).first()
    if company is None:
        sent = body | _certificate(body, at=at)
        return create_company(account, body=sent, actor=SYSTEM, at=at)
    if not company.certificates.filter(not_after__gt=at + _RENEWED).exists():
        _renew(company, body, at=at)
    return company


def _renew(company: Company, body: dict[str, Any], *, at: datetime) -> None:
    change_company(
        company.pk,
        account=company.account,
        body=_certificate(body, at=at),
        actor=SYSTEM,
        at=at,
    )


def _certificate(body: dict[str, Any], *, at: datetime) -> dict[str, str]:
    made = authority().issue_pfx(
        body["cnpj"],
        body["nome"].upper(),
        _PASSWORD,
        not_before=at - timedelta(days=1),
        not_after=at + _LASTS,
    )
    return {
        "arquivo_certificado_base64": base64.b64encode(made.pfx).decode(),
        "senha_certificado": _PASSWORD,
    }


def authority() -> Authority:
    """The one that the sandbox uses by default."""
    return make_authority(Path(settings.DATA_DIR) / "sandbox" / "ca")


def _keep_tokens(company: Company) -> None:
    """The known tokens in the place of those that were drawn; the same in every run."""
    for ambiente in AMBIENTES:
        raw = _raw(company.cnpj, ambiente)
        if ApiToken.objects.filter(digest=digest(raw)).exists():
            continue
        drawn = ApiToken.objects.of(company.account).filter(
            scope=ApiToken.Scope.FISCAL, company_cnpj=company.cnpj, ambiente=ambiente
        )
        drawn.delete()
        create_token(
            company.account,
            name=f"{company.nome} ({ambiente})",
            scope=ApiToken.Scope.FISCAL,
            company_cnpj=company.cnpj,
            ambiente=ambiente,
            raw=raw,
        )
        setattr(company, f"token_{ambiente}", closed(raw))
        company.save(update_fields=[f"token_{ambiente}"])


def _master(account: Account) -> DemoToken:
    raw = _raw("", "")
    if not ApiToken.objects.filter(digest=digest(raw)).exists():
        create_token(account, name="Conta (demonstração)", scope=ApiToken.Scope.MASTER, raw=raw)
    return DemoToken("Empresas e consultas", "master", raw)


def _raw(cnpj: str, ambiente: str) -> str:
    """Derived from SECRET_KEY; the database keeps its hash, as of any other."""
    key, about = settings.SECRET_KEY.encode(), f"demo:token:fiscal:{cnpj}:{ambiente}"
    return hmac.new(key, about.encode(), hashlib.sha256).hexdigest()[:32]
