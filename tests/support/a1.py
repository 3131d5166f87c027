"""Certificates of the test authority, one of each kind: making a key costs more than most tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from fiscal.sandbox.ca import Authority, Issued, Kind, make_authority
from fiscal.signing import Signer

PASSWORD = "s3nh@ çã"
FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
CNPJ = "12ABC34501DE35"  # with letters: the example of the Receita


@cache
def authority() -> Authority:
    folder = Path(tempfile.mkdtemp(prefix="test-authority-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_authority(folder)


def issued(
    document: str = CNPJ,
    kind: Kind = "normal",
    *,
    not_before: datetime = FROM,
    not_after: datetime = TO,
) -> Issued:
    """A leaf, made once for the same arguments."""
    return _issued(document, kind, not_before, not_after)


@cache
def _issued(document: str, kind: Kind, not_before: datetime, not_after: datetime) -> Issued:
    return authority().issue_pfx(
        document,
        "Empresa de Teste Ltda",
        PASSWORD,
        not_before=not_before,
        not_after=not_after,
        kind=kind,
    )


def signer(document: str = CNPJ) -> Signer:
    return _signer(document)


@cache
def _signer(document: str) -> Signer:
    leaf = issued(document)
    return Signer.from_pem(leaf.key_pem, leaf.certificate_pem)
