"""The A1 certificates of companies: keeping, choosing, warning (fiscal-engine §16)."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from django.db.models import QuerySet

from accounts.services.audit import SYSTEM, Actor, record
from fiscal.authorities.base import Credentials
from fiscal.certificates import Opened, check_dates, check_holder, open_pfx
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Certificate, Company
from fiscal.selectors.hot_rows import certificates_of
from fiscal.signing import Signer
from lib import clock
from lib.crypto import decrypt, encrypt

log = structlog.get_logger(__name__)

PURPOSE = "fiscal.certificate"
WARNING_DAYS = (60, 30, 15, 7, 3, 1)  # CRT-5


def signer_of(company: Company, *, at: datetime | None = None) -> Signer:
    """What signs for the company at the moment `at` (default: now).

    Raises CertificateExpired when none of its certificates is valid then (CRT-5: a refusal of
    ours, before the authority's 281 and 291), NoCertificate when it has none.
    """
    chosen = current(company, at=at or clock.now())
    return _opened(chosen.pk, chosen.thumbprint)[0]


def credentials_of(company: Company, *, at: datetime | None = None) -> Credentials:
    """What the company shows to the authorities in TLS. Raises as `signer_of` does."""
    chosen = current(company, at=at or clock.now())
    return _opened(chosen.pk, chosen.thumbprint)[1]


def current(company: Company, *, at: datetime) -> Certificate:
    """Of the certificates valid at that moment the one that ends last (CRT-5), without its key."""
    rows = certificates_of(company.pk)
    for row in rows:
        if row.not_before <= at < row.not_after:
            return row
    if any(row.not_after <= at for row in rows):
        raise CertificateExpired()
    raise NoCertificate()


@lru_cache(maxsize=256)
def _opened(certificate_id: int, thumbprint: str) -> tuple[Signer, Credentials]:
    """Key and chain of one certificate; rows never change, so what was opened stays right."""
    row = Certificate.objects.get(pk=certificate_id, thumbprint=thumbprint)
    key, pem = decrypt(row.key, purpose=PURPOSE).encode(), row.pem.encode()
    return Signer.from_pem(key, pem), Credentials(
        thumbprint=thumbprint, certificate_pem=pem, key_pem=key
    )


def read_upload(company: Company, raw: bytes, password: str, *, at: datetime) -> Opened:
    """An uploaded PFX that this company may sign with at the moment `at` (CRT-1, CRT-2).

    Raises BadCertificate: not a PFX, wrong password, no key, another holder, not valid then.
    """
    opened = open_pfx(raw, password)
    check_holder(opened.document, issuer=company.document)
    check_dates(opened, at=at)
    return opened


def keep(company: Company, opened: Opened, *, actor: Actor) -> list[Certificate]:
    """Keep a new certificate for the company, and for the others of its CNPJ base (§14.2).

    Companies with a certificate of their own (`certificado_especifico`) neither give nor take. The
    same certificate again changes nothing. The key is closed, the password forgotten (CRT-4).
    """
    kept = []
    for target in _targets(company):
        row, is_new = Certificate.objects.get_or_create(
            company=target, thumbprint=opened.thumbprint, defaults=_columns(target, opened)
        )
        if is_new:
            kept.append(row)
            _tell(target, row, actor=actor, action="certificado.enviado")
    return kept


def inherit(company: Company, *, at: datetime, actor: Actor) -> Certificate | None:
    """Give a new company the certificate that its CNPJ base already has, if one is valid."""
    if company.certificado_especifico:
        return None
    donor = (
        Certificate.objects.filter(
            company__in=_siblings(company), not_before__lte=at, not_after__gt=at
        )
        .order_by("-not_after", "-pk")
        .first()
    )
    if donor is None:
        return None
    names = ("key", "pem", "thumbprint", "subject", "serial", "document", "not_before", "not_after")
    row: Certificate = Certificate.objects.create(
        account_id=company.account_id,
        company=company,
        **{name: getattr(donor, name) for name in names},
    )
    _tell(company, row, actor=actor, action="certificado.herdado")
    return row


def warn_expiring(*, at: datetime) -> int:
    """Tell the trail and the operator of certificates about to end (CRT-5); answers how many.

    Each of the days 60, 30, 15, 7, 3 and 1 is told once, also when the task missed it. Only the
    certificate that signs counts: one that has been renewed ends unnoticed.
    """
    told = 0
    for company in Company.objects.filter(removed_at=None).select_related("account"):
        last = company.certificates.defer("key", "pem").order_by("-not_after", "-pk").first()
        days = _days_to_tell(last, at=at) if last else None
        if last is None or days is None:
            continue
        # Guarded by the row: a task that runs twice tells once.
        fresh = Certificate.objects.filter(pk=last.pk, warned_days=last.warned_days)
        if fresh.update(warned_days=days):
            _tell(company, last, actor=SYSTEM, action="certificado.vencendo")
            log.warning("certificate.expiring", company_id=company.pk, days=days)
            told += 1
    return told


def _days_to_tell(certificate: Certificate, *, at: datetime) -> int | None:
    """The warning that is due: the smallest of the days that was reached and not told."""
    left = certificate.not_after - at
    reached = [days for days in WARNING_DAYS if left.total_seconds() <= days * 86_400]
    if not reached or left.total_seconds() <= 0:
        return None
    due = reached[-1]
    return due if certificate.warned_days is None or due < certificate.warned_days else None


def _targets(company: Company) -> list[Company]:
    if company.certificado_especifico:
        return [company]
    return [company, *_siblings(company).order_by("pk")]


def _siblings(company: Company) -> QuerySet[Company]:
    """The other companies of the account with the same CNPJ base and no certificate of their own.

    A CPF has no branches.
    """
    rows: QuerySet[Company] = Company.objects.of(company.account).filter(
        removed_at=None, certificado_especifico=False
    )
    if not company.cnpj:
        return rows.none()
    return rows.filter(cnpj__startswith=company.cnpj[:8]).exclude(pk=company.pk)


def _columns(company: Company, opened: Opened) -> dict[str, Any]:
    return {
        "account_id": company.account_id,
        "key": encrypt(opened.key_pem.decode(), purpose=PURPOSE),
        "pem": opened.pem.decode(),
        "subject": opened.subject,
        "serial": opened.serial[:50],
        "document": opened.document,
        "not_before": opened.not_before,
        "not_after": opened.not_after,
    }


def _tell(company: Company, row: Certificate, *, actor: Actor, action: str) -> None:
    known = {"certificado": row.pk, "serie": row.serial, "valido_ate": row.not_after}
    record(company.account, actor=actor, action=action, target=company, after=known)
