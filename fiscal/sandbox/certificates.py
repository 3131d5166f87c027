"""Client and signing certificates as the authority judges them (checks 1 and 11)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

_HOLDER_CNPJ = "2.16.76.1.3.3"  # ICP-Brasil DOC-ICP-04, otherName of the subjectAltName
_HOLDER_CPF = "2.16.76.1.3.1"  # date of birth (8), CPF (11), …


class Fault(IntEnum):
    """What is wrong, as the last digit of cStat: 280 + fault of the sender, 290 + of the signer."""

    INVALID = 0
    DATES = 1
    NO_DOCUMENT = 2
    CHAIN = 3
    REVOKED = 4
    NOT_ICP = 5


@dataclass(frozen=True)
class Certificate:
    """One leaf: whom it identifies and what it signs with."""

    der: bytes
    x509: x509.Certificate
    document: str  # CNPJ (letters possible) or CPF, empty when it names none
    key: RSAPublicKey

    @property
    def serial(self) -> str:
        """Serial number in upper-case hexadecimal."""
        return f"{self.x509.serial_number:X}"

    def base_is(self, document: str) -> bool:
        """Same CNPJ base (8 characters), or the same CPF."""
        if len(self.document) == 14 and len(document) == 14:
            return self.document[:8] == document[:8]
        return bool(self.document) and self.document == document


@functools.lru_cache(maxsize=512)
def read(der: bytes) -> Certificate | None:
    """The certificate of those bytes, or None when they are none with an RSA key."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        key = parsed.public_key()
    except ValueError:
        return None
    if not isinstance(key, RSAPublicKey):
        return None
    return Certificate(der, parsed, _document(parsed), key)


def _document(parsed: x509.Certificate) -> str:
    named = _other_names(parsed)
    if _HOLDER_CNPJ in named:
        return named[_HOLDER_CNPJ][:14]
    if _HOLDER_CPF in named:
        return named[_HOLDER_CPF][8:19]
    names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    tail = str(names[0].value).rpartition(":")[2] if names else ""
    return tail if len(tail) in (11, 14) and tail.isalnum() else ""


def _other_names(parsed: x509.Certificate) -> dict[str, str]:
    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return {}
    others = extension.value.get_values_for_type(x509.OtherName)
    # A DER string of less than 128 bytes: tag, length, content.
    return {other.type_id.dotted_string: other.value[2:].decode("latin-1") for other in others}


class Trust:
    """The authorities we know: the test ICP, and others that TLS lets in but that are not ICP."""

    def __init__(self, icp: Iterable[x509.Certificate], others: Iterable[x509.Certificate]) -> None:
        self.icp = tuple(icp)
        self.others = tuple(others)
        self._chains: dict[bytes, Fault | None] = {}

    def judge(
        self, certificate: Certificate | None, now: datetime, revoked: set[str]
    ) -> Fault | None:
        """The first fault in the order of the manual, None for a good certificate at `now`."""
        if certificate is None:
            return Fault.INVALID
        parsed = certificate.x509
        if not parsed.not_valid_before_utc <= now <= parsed.not_valid_after_utc:
            return Fault.DATES
        if not certificate.document:
            return Fault.NO_DOCUMENT
        fault = self._chain(certificate)
        if fault is None and certificate.serial in revoked:
            return Fault.REVOKED
        return fault

    def _chain(self, certificate: Certificate) -> Fault | None:
        if certificate.der not in self._chains:
            self._chains[certificate.der] = self._follow(certificate.x509)
        return self._chains[certificate.der]

    def _follow(self, link: x509.Certificate) -> Fault | None:
        for _ in range(5):
            issuer = self._issuer(link)
            if issuer is None:
                return Fault.CHAIN
            if issuer.issuer == issuer.subject:
                return None if issuer in self.icp else Fault.NOT_ICP
            link = issuer
        return Fault.CHAIN

    def _issuer(self, link: x509.Certificate) -> x509.Certificate | None:
        for candidate in (*self.icp, *self.others):
            if candidate.subject == link.issuer and _issued(candidate, link):
                return candidate
        return None


def _issued(issuer: x509.Certificate, link: x509.Certificate) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints)
        link.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return constraints.value.ca
