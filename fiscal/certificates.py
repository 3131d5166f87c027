"""A1 certificates as uploaded: opening the PFX, and what is wrong with it (CRT-1 to CRT-3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from fiscal.der import MAX_ITERATIONS, iterations, octets
from lib import br
from lib.errors import InvalidInput

_ANCHORS = Path(__file__).parent / "tables" / "ca"
PFX_LIMIT = 200 * 1024  # a PFX with its whole chain has some 10 KB

CNPJ_OID = x509.ObjectIdentifier("2.16.76.1.3.3")
CPF_OID = x509.ObjectIdentifier("2.16.76.1.3.1")

_PKCS7_DATA = bytes.fromhex("06092a864886f70d0107")  # what every PFX begins with, after its size


class BadCertificate(InvalidInput):
    """Root of what an upload is refused for."""

    codigo = "certificado_invalido"
    mensagem = "O certificado não pode ser usado."


class UnreadablePfx(BadCertificate):
    mensagem = "O arquivo não é um certificado A1 (PFX ou P12)."


class WrongPassword(BadCertificate):
    mensagem = "A senha do certificado está incorreta."


class NoPrivateKey(BadCertificate):
    mensagem = "O arquivo não contém a chave privada do certificado. Exporte-o com a chave (A1)."


class UnusableKey(BadCertificate):
    mensagem = "O certificado não serve para assinar documentos fiscais."


class NoDocument(BadCertificate):
    mensagem = "O certificado não traz CNPJ nem CPF do titular. Use um e-CNPJ ou e-CPF ICP-Brasil."


class WrongHolder(BadCertificate):
    mensagem = "O certificado é de outro CNPJ."


class NotValidNow(BadCertificate):
    mensagem = "O certificado está fora do prazo de validade."


@dataclass(frozen=True)
class Opened:
    """What is kept of an upload; everything but the key may be shown."""

    key_pem: bytes = field(repr=False)  # PKCS#8, not encrypted: close it before storing (CRT-4)
    pem: bytes  # leaf first, then the chain as far as the file had it
    thumbprint: str  # SHA-256, 64 lower-case hexadecimal digits
    subject: str
    serial: str  # hexadecimal
    document: str  # CNPJ (14) or CPF (11), upper case, without mask
    not_before: datetime
    not_after: datetime


def open_pfx(raw: bytes, password: str) -> Opened:
    """Open a PFX, old encryption (RC2, 3DES, SHA-1 MAC) included (CRT-3).

    Raises UnreadablePfx, WrongPassword, NoPrivateKey, UnusableKey or NoDocument. Dates and holder
    are questions of their own: `check_dates`, `check_holder`.
    """
    key, leaf, others = _loaded(raw, password)
    if not isinstance(key, rsa.RSAPrivateKey) or not _may_sign(leaf):
        raise UnusableKey()
    document = holder_of(leaf)
    if not document:
        raise NoDocument()
    return Opened(
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        pem=b"".join(
            found.public_bytes(serialization.Encoding.PEM) for found in _chain(leaf, others)
        ),
        thumbprint=leaf.fingerprint(hashes.SHA256()).hex(),
        subject=_subject(leaf)[:300],
        serial=f"{leaf.serial_number:x}",
        document=document,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def check_dates(opened: Opened, *, at: datetime) -> None:
    """Raises NotValidNow, saying since or until when, for a moment outside of the validity."""
    if at > opened.not_after:
        raise NotValidNow(f"O certificado venceu em {br.date_br(opened.not_after.date())}.")
    if at < opened.not_before:
        raise NotValidNow(
            f"O certificado só vale a partir de {br.date_br(opened.not_before.date())}."
        )


def check_holder(document: str, *, issuer: str) -> None:
    """The same base of CNPJ (first 8 characters), or the same CPF (CRT-2, rejection 213).

    Raises WrongHolder naming the holder.
    """
    if not covers(document, issuer=issuer):
        shown = br.document_mask(document)
        raise WrongHolder(f"O certificado é de {shown}, e não de {br.document_mask(issuer)}.")


def covers(document: str, *, issuer: str) -> bool:
    """Whether a certificate of `document` signs for `issuer`."""
    if len(document) != len(issuer):
        return False
    return document[:8] == issuer[:8] if len(issuer) == 14 else document == issuer


@cache
def icp_brasil() -> tuple[x509.Certificate, ...]:
    """The shipped roots of ICP-Brasil, for `chain_warnings` as for TLS (CRT-1, TLS-2)."""
    files = sorted(_ANCHORS.glob("*.pem"))
    return tuple(
        found for file in files for found in x509.load_pem_x509_certificates(file.read_bytes())
    )


def chain_warnings(pem: bytes, anchors: Sequence[x509.Certificate], *, at: datetime) -> list[str]:
    """What keeps the chain `pem` (leaf first) from one of `anchors`, in pt-BR; empty when nothing.

    A warning and no refusal: authorities know intermediates that the file lacks (CRT-1).
    """
    known = [*x509.load_pem_x509_certificates(pem), *anchors]
    trusted = {found.fingerprint(hashes.SHA256()) for found in anchors}
    current, seen = known[0], set[bytes]()
    while (print_ := current.fingerprint(hashes.SHA256())) not in trusted:
        seen.add(print_)
        above = _issuer_among(current, known)
        if above is None or above.fingerprint(hashes.SHA256()) in seen:
            name = current.issuer.rfc4514_string()
            return [f"A cadeia do certificado não chega a uma raiz conhecida: falta {name}."]
        if not above.not_valid_before_utc <= at <= above.not_valid_after_utc:
            return ["Um certificado da cadeia está fora do prazo de validade."]
        current = above
    return []


def holder_of(leaf: x509.Certificate) -> str:
    """CNPJ or CPF of the holder: from the otherName, else after the last colon of the CN (CRT-2).

    Empty when there is none with right check digits.
    """
    names = _other_names(leaf)
    candidates = [
        names.get(CNPJ_OID, ""),
        names.get(CPF_OID, "")[8:19],  # date of birth, then CPF (DOC-ICP-04)
        _common_name(leaf).rpartition(":")[2],
    ]
    found = (br.normalise_document(candidate) for candidate in candidates)
    return next((document for document in found if br.document_kind(document)), "")


# --- pieces ----------------------------------------------------------------------------------


def _loaded(raw: bytes, password: str) -> tuple[object, x509.Certificate, list[x509.Certificate]]:
    """Key, its certificate and the other certificates of the file."""
    if len(raw) > PFX_LIMIT or _PKCS7_DATA not in raw[:64]:
        raise UnreadablePfx()
    if any(count > MAX_ITERATIONS for count in iterations(raw)):
        raise UnreadablePfx("O arquivo pede cálculo demais para ser aberto.")
    try:
        bundle = pkcs12.load_pkcs12(raw, password.encode("utf-8"))
    except ValueError:
        # The library does not tell a wrong password from a damaged file; the former is usual.
        raise WrongPassword() from None
    others = [found.certificate for found in bundle.additional_certs]
    if bundle.key is None:
        raise NoPrivateKey()
    leaf = bundle.cert.certificate if bundle.cert else _with_key(bundle.key.public_key(), others)
    if leaf is None or leaf.public_key() != bundle.key.public_key():
        raise NoPrivateKey("A chave privada do arquivo não é a do certificado.")
    return bundle.key, leaf, [found for found in others if found != leaf]


def _with_key(key: object, certificates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    return next((found for found in certificates if found.public_key() == key), None)


def _may_sign(leaf: x509.Certificate) -> bool:
    """Whether key usage, where stated, allows signatures, and the leaf is no authority."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return True
    return (usage.digital_signature or usage.content_commitment) and not usage.key_cert_sign


def _chain(leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The leaf and those above it in order; certificates of other chains are left out."""
    chain = [leaf]
    while len(chain) <= len(others):
        above = _issuer_among(chain[-1], others)
        if above is None or above in chain:
            break
        chain.append(above)
    return chain


def _issuer_among(
    certificate: x509.Certificate, others: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """The other one that signed this; None for a root or a missing link."""
    for other in others:
        if other != certificate and _is_issued_by(certificate, other):
            return other
    return None


def _is_issued_by(certificate: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether `other` is the issuer; False too for names and keys that cannot be read."""
    try:
        certificate.verify_directly_issued_by(other)  # compares the names first
    except UnsupportedAlgorithm:
        # The curve of root v13 and of those below it. Chains only bring warnings, so identifiers
        # may tell.
        return _names_key_of(certificate, other)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names_key_of(certificate: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether the one names the key of the other as its issuer's (RFC 5280, §4.2.1.1)."""
    above, own = x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier
    try:
        named = certificate.extensions.get_extension_for_class(above).value.key_identifier
        return named == other.extensions.get_extension_for_class(own).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return False


def _common_name(leaf: x509.Certificate) -> str:
    try:
        names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:  # the parts of a certificate are only read when they are asked for
        return ""
    return str(names[-1].value) if names else ""


def _subject(leaf: x509.Certificate) -> str:
    try:
        return leaf.subject.rfc4514_string()
    except ValueError:
        return ""


def _other_names(leaf: x509.Certificate) -> dict[x509.ObjectIdentifier, str]:
    """otherNames of the subjectAltName as text, whichever string type the authority used."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return {}
    found = names.get_values_for_type(x509.OtherName)
    return {name.type_id: _text(octets(name.value)) for name in found}


def _text(content: bytes) -> str:
    """Printable characters of a string of any type; BMPString has a zero before each."""
    return re.sub(r"[^ -~]", "", content.decode("latin-1"))
