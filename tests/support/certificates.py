"""A1 certificates of the test authority, for companies of tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.conf import settings

from fiscal.models import Certificate, Company
from fiscal.sandbox.ca import Authority, Issued, make_authority
from fiscal.services.certificates import PURPOSE
from lib import clock
from lib.crypto import encrypt

PASSWORD = "senha-do-pfx"


@cache
def authority() -> Authority:
    """One authority for the process: making its keys costs more than most tests."""
    return make_authority(Path(settings.DATA_DIR) / "test-ca")


@cache
def _issued(document: str, begins: int, ends: int, kind: Any, day: Any) -> Issued:
    now = clock.now()
    return authority().issue_pfx(
        document,
        "EMPRESA DE TESTE",
        PASSWORD,
        not_before=now + timedelta(days=begins),
        not_after=now + timedelta(days=ends),
        kind=kind,
    )


def issued(document: str, *, begins: int = -1, ends: int = 365, kind: Any = "normal") -> Issued:
    """A leaf of `document`, valid from `begins` to `ends`, in days from now."""
    return _issued(document, begins, ends, kind, clock.today())


def certify(company: Company, *, begins: int = -1, ends: int = 365) -> Certificate:
    """Give the company a certificate, straight into its row."""
    made = issued(company.document, begins=begins, ends=ends)
    leaf = x509.load_pem_x509_certificate(made.certificate_pem)
    row: Certificate = Certificate.objects.create(
        account=company.account,
        company=company,
        key=encrypt(made.key_pem.decode(), purpose=PURPOSE),
        pem=made.chain_pem.decode(),
        thumbprint=leaf.fingerprint(hashes.SHA256()).hex(),
        subject=leaf.subject.rfc4514_string(),
        serial=f"{leaf.serial_number:x}"[:50],
        document=company.document,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )
    return row


def moment_after(certificate: Certificate, *, days: int = 1) -> datetime:
    """A moment when it is over."""
    return certificate.not_after + timedelta(days=days)
