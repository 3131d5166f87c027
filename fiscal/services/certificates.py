"""The A1 certificates of companies: keeping, choosing, opening (fiscal-engine §16)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import structlog
from cryptography import x509
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts.services.audit import Actor, record
from fiscal.authorities import connections, tls
from fiscal.authorities.base import Credentials
from fiscal.certificates import (
    Opened,
    chain_warnings,
    check_dates,
    check_holder,
    icp_brasil,
    open_pfx,
)
from fiscal.errors import CertificateExpired, NoCertificate
from fiscal.models import Certificate, Company
from fiscal.selectors.hot_rows import certificates_of
from fiscal.services import company_queue
from fiscal.signing import Signer
from lib import clock
from lib.crypto import decrypt, encrypt

log = structlog.get_logger(__name__)

PURPOSE = "fiscal.certificate"
WARNING_DAYS = (60, 30, 15, 7, 3, 1)  # CRT-5
MAX_OPEN = 256  # of one process
_COPIED = ("key", "pem", "thumbprint", "subject", "serial", "document", "not_before", "not_after",
           "warnings")  # fmt: skip


@dataclass(frozen=True)
class Open:
    """The opened certificate of a company: what signs, and what is shown in TLS."""

    certificate_id: int
    signer: Signer
    credentials: Credentials

    def is_of(self, row: Certificate) -> bool:
        return (self.certificate_id, self.credentials.thumbprint) == (row.pk, row.thumbprint)


# SIG-9: by company, so that a renewal takes the place of what it replaces.
_open: OrderedDict[int, Open] = OrderedDict()
_lock = Lock()


def signer_of(company: Company, *, at: datetime | None = None) -> Signer:
    """What signs for the company. Raises as `opened` does."""
    return opened(company, at=at).signer


def credentials_of(company: Company, *, at: datetime | None = None) -> Credentials:
    """What the company shows to the authorities in TLS. Raises as `opened` does."""
    return opened(company, at=at).credentials


def current(company: Company, *, at: datetime) -> Certificate:
    """Of the certificates valid at that moment the one that ends last (CRT-5), without its key."""
    rows = certificates_of(company.pk)
    for row in rows:
        if row.not_before <= at < row.not_after:
            return row
    if any(row.not_after <= at for row in rows):
        raise CertificateExpired()
    raise NoCertificate()


def forget(company_id: int) -> None:
    """Drop the key that this process keeps open for a company, and its TLS sessions (SIG-9).

    Other processes do so when they look for the company's certificate the next time.
    """
    with _lock:
        found = _open.pop(company_id, None)
    if found is not None:
        tls.forget(found.credentials.thumbprint)
        connections.drop(found.credentials.thumbprint)


def opened(company: Company, *, at: datetime | None = None) -> Open:
    """The company's certificate of the moment `at` (default: now), looked up in the database and
    opened once in this process.

    Raises CertificateExpired when none of its certificates is valid then (CRT-5: a refusal of
    ours, before the authority's 281 and 291), NoCertificate when it has none.
    """
    try:
        chosen = current(company, at=at or clock.now())
    except (CertificateExpired, NoCertificate):
        forget(company.pk)
        raise
    with _lock:
        found = _open.get(company.pk)
        if found is not None and found.is_of(chosen):
            _open.move_to_end(company.pk)
            return found
    forget(company.pk)
    return _remember(company.pk, _read(chosen))


def _remember(company_id: int, found: Open) -> Open:
    with _lock:
        _open[company_id] = found
        oldest = next(iter(_open)) if len(_open) > MAX_OPEN else None
    if oldest is not None:
        forget(oldest)
    return found


def _read(chosen: Certificate) -> Open:
    row = Certificate.objects.get(pk=chosen.pk, thumbprint=chosen.thumbprint)
    key, pem = decrypt(row.key, purpose=PURPOSE).encode(), row.pem.encode()
    credentials = Credentials(thumbprint=row.thumbprint, certificate_pem=pem, key_pem=key)
    return Open(row.pk, Signer.from_pem(key, pem), credentials)


# --- keeping -----------------------------------------------------------------------------------


def read_upload(company: Company, raw: bytes, password: str, *, at: datetime) -> Opened:
    """An uploaded PFX that this company may sign with at the moment `at` (CRT-1, CRT-2).

    Raises BadCertificate: not a PFX, wrong password, no key, another holder, not valid then.
    """
    opened = open_pfx(raw, password)
    check_holder(opened.document, issuer=company.document)
    check_dates(opened, at=at)
    return opened


def keep(company: Company, opened: Opened, *, actor: Actor, at: datetime) -> list[Certificate]:
    """Keep a new certificate for the company, and for the others of its CNPJ base (§14.2).

    Companies with a certificate of their own (`certificado_especifico`) neither give nor take. The
    same certificate again changes nothing. The key is closed, the password forgotten (CRT-4). What
    waited for a certificate goes on.
    """
    kept = []
    for target in _targets(company):
        row, is_new = Certificate.objects.get_or_create(
            company=target, thumbprint=opened.thumbprint, defaults=_columns(target, opened, at)
        )
        if is_new:
            kept.append(row)
            _settle(target, row, actor=actor, at=at, action="certificado.enviado")
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
    row: Certificate = Certificate.objects.create(
        account_id=company.account_id,
        company=company,
        **{name: getattr(donor, name) for name in _COPIED},
    )
    _settle(company, row, actor=actor, at=at, action="certificado.herdado")
    return row


def remove_all(company: Company) -> None:
    """Take the company's certificates away, and what this process keeps open of them."""
    company.certificates.all().delete()
    transaction.on_commit(partial(forget, company.pk))


def _settle(company: Company, row: Certificate, *, actor: Actor, at: datetime, action: str) -> None:
    """What follows from a new certificate of the company."""
    known = {"certificado": row.pk, "serie": row.serial, "valido_ate": row.not_after}
    if row.warnings:
        known["avisos"] = row.warnings
    record(company.account, actor=actor, action=action, target=company, after=known)
    company_queue.resume(company, at=at)
    transaction.on_commit(partial(forget, company.pk))


def _anchors() -> list[x509.Certificate]:
    """What a chain may end at: ICP-Brasil, and the root of an authority that stands in for SEFAZ.

    Where all calls go to a stand-in (FISCAL_ENDPOINTS_BASE), its certificates are in order.
    """
    if not (settings.FISCAL_ENDPOINTS_BASE and settings.FISCAL_CA_FILE):
        return list(icp_brasil())
    try:
        own = x509.load_pem_x509_certificates(Path(settings.FISCAL_CA_FILE).read_bytes())
    except (OSError, ValueError):
        # Its connections tell of it (tls.Misconfigured); an upload is not lost over it.
        log.warning("certificate.no_stand_in_root", file=settings.FISCAL_CA_FILE)
        return list(icp_brasil())
    return [*icp_brasil(), *own]


def _targets(company: Company) -> list[Company]:
    if company.certificado_especifico:
        return [company]
    # In one order: two uploads for one base at once would wait for each other's rows.
    return sorted([company, *_siblings(company)], key=lambda one: one.pk)


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


def _columns(company: Company, opened: Opened, at: datetime) -> dict[str, Any]:
    return {
        "account_id": company.account_id,
        "key": encrypt(opened.key_pem.decode(), purpose=PURPOSE),
        "pem": opened.pem.decode(),
        "subject": opened.subject,
        "serial": opened.serial[:50],
        "document": opened.document,
        "not_before": opened.not_before,
        "not_after": opened.not_after,
        "warnings": chain_warnings(opened.pem, _anchors(), at=at),
    }
