"""Pieces of X.509 that the test authority puts together: names, extensions, files."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CNPJ_OID = x509.ObjectIdentifier("2.16.76.1.3.3")
CPF_OID = x509.ObjectIdentifier("2.16.76.1.3.1")
RESPONSIBLE_OID = x509.ObjectIdentifier("2.16.76.1.3.4")

# Fixed, so that a chain made today and one made in five years differ in their keys alone.
AUTHORITY_FROM = datetime(2020, 1, 1, tzinfo=UTC)
AUTHORITY_TO = datetime(2050, 1, 1, tzinfo=UTC)

SHA256 = hashes.SHA256()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def authority_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ICP-Teste"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def subject(document: str, name: str, *, with_document: bool) -> x509.Name:
    """The subject as the receita's layout has it: the document after the last colon of the CN."""
    holder = "e-CNPJ A1" if len(document) == 14 else "e-CPF A1"
    suffix = f":{document}" if with_document else ""
    short = name.encode()[: 64 - len(suffix)].decode(errors="ignore")  # X.520: 64 bytes
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ICP-Teste"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"RFB {holder}"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{short}{suffix}"),
        ]
    )


def builder(
    subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def known_issuer(
    unsigned: x509.CertificateBuilder, key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    return unsigned.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key), critical=False
    )


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Signing certificates and lists, or documents and TLS handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def authority_certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer_key: rsa.RSAPrivateKey,
    *,
    path_length: int,
) -> x509.Certificate:
    unsigned = (
        builder(subject, issuer, key.public_key())
        .not_valid_before(AUTHORITY_FROM)
        .not_valid_after(AUTHORITY_TO)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
    )
    return known_issuer(unsigned, issuer_key.public_key()).sign(issuer_key, SHA256)


def leaf_extensions(
    unsigned: x509.CertificateBuilder, document: str, *, with_document: bool
) -> x509.CertificateBuilder:
    names: list[x509.GeneralName] = [x509.RFC822Name("teste@example.com")]
    if with_document:
        names = [*other_names(document), *names]
    return (
        unsigned.add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION]
            ),
            critical=False,
        )
    )


def other_names(document: str) -> list[x509.GeneralName]:
    """The otherNames of DOC-ICP-04: a company's leaf also names a person in charge."""
    person = "01011980" + "{:0<47}"  # birth, CPF, NIS, RG and its issuer
    if len(document) == 11:
        return [x509.OtherName(CPF_OID, octets(person.format(document)))]
    return [
        x509.OtherName(RESPONSIBLE_OID, octets(person.format("11144477735"))),
        x509.OtherName(CNPJ_OID, octets(document)),
    ]


def octets(value: str) -> bytes:
    """`value`, below 128 characters, as the DER OCTET STRING that ICP-Brasil puts there."""
    return bytes([0x04, len(value)]) + value.encode("ascii")


def host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def packed(
    name: str,
    key: rsa.RSAPrivateKey,
    leaf: x509.Certificate,
    above: list[x509.Certificate],
    password: str,
    *,
    legacy: bool,
) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, leaf, above, encryption(password, legacy=legacy)
    )


def encryption(password: str, *, legacy: bool) -> serialization.KeySerializationEncryption:
    if not password:
        return serialization.NoEncryption()
    if not legacy:
        return serialization.BestAvailableEncryption(password.encode())
    return (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what old tools wrote
        .build(password.encode())
    )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def read_certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def read_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path.name} is not an RSA key")
    return key


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time in the folder: the demonstration and the sandbox may both begin it."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Write a whole file at once; keys are readable by their owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    if not secret:
        draft.chmod(0o644)
    draft.replace(path)


def write_crl(
    path: Path,
    issuer: x509.Certificate,
    key: rsa.RSAPrivateKey,
    entries: dict[int, datetime],
    *,
    at: datetime,
) -> None:
    unsigned = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at)
        .next_update(max(at, AUTHORITY_TO) + timedelta(days=1))
    )
    for serial, moment in sorted(entries.items()):
        unsigned = unsigned.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment).build()
        )
    write(path, unsigned.sign(key, SHA256).public_bytes(serialization.Encoding.PEM))
