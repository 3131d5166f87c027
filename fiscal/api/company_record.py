"""A company as /v2/empresas shows it (fiscal-api §14.2): everything but its secrets."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from accounts.services.tokens import digest
from fiscal.access_key import UF_CODES
from fiscal.models import Company
from fiscal.selectors.companies import Around, around
from fiscal.services.companies import opened, option
from fiscal.services.company_fields import (
    AMBIENTES,
    ATTRIBUTES,
    CLOSED,
    COLUMN,
    CSC_COLUMNS,
    MODELOS,
    OPTION,
    SERVICES,
)
from fiscal.services.nfse import numbering as service_numbering
from fiscal.services.numbering import default_serie
from lib.clock import SAO_PAULO
from lib.crypto import Unreadable

log = structlog.get_logger(__name__)

_FLAGS_TO_COME = {
    "habilita_manifestacao_cte_homologacao": False,
    "habilita_contingencia_epec_nfce": False,
    "exibe_fatura_danfe": True,
    "exibe_desconto_itens": False,
    "habilita_csrt_nfe": False,
}


def records(companies: list[Company]) -> list[dict[str, Any]]:
    """The records of several companies, in their order."""
    found = around(companies)
    return [_record(company, found) for company in companies]


def record_of(company: Company) -> dict[str, Any]:
    return records([company])[0]


def rehearsed(record: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    """The record of a `dry_run`: a company that was not created has neither id nor tokens."""
    if not is_new:
        return record
    absent = ("id", "token_producao", "token_homologacao", "caminho_logo")
    return {**record, **dict.fromkeys(absent)}


def _record(company: Company, found: Around) -> dict[str, Any]:
    by_place = {
        COLUMN: lambda name: getattr(company, name),
        OPTION: lambda name: option(company, name),
    }
    shown = {
        name: by_place[attribute.place](name)
        for name, attribute in ATTRIBUTES.items()
        if attribute.place != CLOSED
    }
    return {
        "id": str(company.pk),
        **{name: None if value == "" else value for name, value in shown.items()},
        "regime_tributario": str(company.regime_tributario),
        **_place(company),
        **_numbers(company, found),
        **_numbers_of_services(company, found),
        **_FLAGS_TO_COME,
        # One switch for both environments (fiscal.services.received.cursors).
        "habilita_manifestacao_homologacao": option(company, "habilita_manifestacao"),
        **_certificate(company, found),
        **_secrets(company, found),
        "cargo_responsavel": None,
        "data_ultima_emissao": _moment(found.issues.get(company.pk)),
        "caminho_logo": f"/v2/empresas/{company.pk}/logo.png" if company.logo else None,
    }


def _place(company: Company) -> dict[str, Any]:
    return {
        "codigo_municipio": company.codigo_municipio or None,
        "codigo_uf": UF_CODES.get(company.uf),
        "codigo_pais": "1058",
        "pais": "Brasil",
    }


def _numbers(company: Company, found: Around) -> dict[str, int]:
    """Series and next number of each kind and environment; a series begins with 1."""
    shown = {}
    for kind, modelo in MODELOS.items():
        for ambiente in AMBIENTES:
            serie = default_serie(company, ambiente=ambiente, modelo=modelo)
            key = (company.pk, ambiente, modelo, serie)
            shown[f"serie_{kind}_{ambiente}"] = serie
            shown[f"proximo_numero_{kind}_{ambiente}"] = found.series.get(key, 1)
    return shown


def _numbers_of_services(company: Company, found: Around) -> dict[str, Any]:
    """Next numbers of RPS and DPS, of the company's own series."""
    shown: dict[str, Any] = {}
    for kind in SERVICES:
        for ambiente in AMBIENTES:
            series = service_numbering.default_series(company, kind=kind, ambiente=ambiente)
            city = service_numbering.home_of(company, kind=kind)
            row = found.service_series.get((company.pk, ambiente, kind, city, series))
            first = service_numbering.first_number(company, ambiente, kind, city, series)
            shown[f"proximo_numero_{kind}_{ambiente}"] = row or first
    return shown


def _certificate(company: Company, found: Around) -> dict[str, Any]:
    row = found.certificates.get(company.pk)
    return {
        "certificado_valido_de": _moment(row.not_before if row else None),
        "certificado_valido_ate": _moment(row.not_after if row else None),
        "certificado_cnpj": row.document if row else None,
        "certificado_avisos": row.warnings if row else [],
    }


def _secrets(company: Company, found: Around) -> dict[str, Any]:
    """Which secrets are set; the tokens themselves, unless they were revoked."""
    shown: dict[str, Any] = {
        f"{name}_preenchido": bool(getattr(company, name)) for name in CSC_COLUMNS
    }
    for name in ("senha_responsavel", "smtp_senha"):
        shown[f"{name}_preenchida"] = name in company.closed
    for ambiente in AMBIENTES:
        raw = _token(company, ambiente)
        shown[f"token_{ambiente}"] = raw if digest(raw) in found.live_tokens else None
    return shown


def _token(company: Company, ambiente: str) -> str:
    """The token's text, "" when it is not there or was closed with a key that is lost."""
    kept: str = getattr(company, f"token_{ambiente}")
    try:
        return opened(kept) if kept else ""
    except Unreadable:
        log.warning("company.token_unreadable", company_id=company.pk)
        return ""


def _moment(moment: datetime | None) -> str | None:
    """ISO 8601 in Brasília time, to the second."""
    if moment is None:
        return None
    return moment.astimezone(ZoneInfo(SAO_PAULO)).isoformat(timespec="seconds")
