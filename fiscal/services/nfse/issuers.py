"""What a company's record gives to its service notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fiscal.documents.service import ServiceIssuer
from fiscal.models import Company, ServiceNote
from fiscal.services.companies import opened

_COPIED = tuple(name for name in ServiceIssuer.__dataclass_fields__ if name != "secrets")
# What some cities ask for besides the certificate.
_OPTIONS = ("login_responsavel", "cpf_responsavel", "nome_responsavel")
_CLOSED = ("senha_responsavel",)


def issuer_of(company: Company) -> ServiceIssuer:
    """The issuer as documents take it. Raises Unreadable for a secret whose key is lost."""
    secrets = {name: str(company.options.get(name) or "") for name in _OPTIONS}
    secrets |= {name: opened(company.closed[name]) for name in _CLOSED if name in company.closed}
    return ServiceIssuer(
        **{name: getattr(company, name) for name in _COPIED},
        secrets={name: value for name, value in secrets.items() if value},
    )


def declarant_of(note: ServiceNote) -> ServiceIssuer:
    """The issuer as it was declared: the inscription of the body is the one that the city knows."""
    issuer, sent = issuer_of(note.company), note.payload.get("prestador")
    declared = sent.get("inscricao_municipal") if isinstance(sent, Mapping) else None
    return replace(issuer, inscricao_municipal=str(declared)) if declared else issuer
