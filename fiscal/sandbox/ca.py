"""A certification authority for tests and demonstrations, shaped like ICP-Brasil.

Root → intermediate → e-CNPJ and e-CPF leaves (A1, RSA 2048, otherName in the subjectAltName), the
certificate of a local server, and the bad ones that an authority must refuse. Nothing that trusts
only the real roots trusts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fiscal.sandbox import ca_parts as parts

Kind = Literal["normal", "self_signed", "no_document", "no_intermediate", "legacy"]


@dataclass(frozen=True)
class Issued:
    """A leaf with its key. `pfx` opens with the password given to `issue_pfx`."""

    pfx: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    certificate_pem: bytes  # the leaf
    chain_pem: bytes  # leaf, intermediate and root, as PEM one after the other
    serial: int


class Authority:
    """A root and an intermediate kept in a folder, which issue leaves and a list of revoked ones.

    Layout of the folder: `root.pem`, `intermediate.pem`, `ca.pem` (both, as trust anchors),
    `root.key`, `intermediate.key` (0600), `server.pem` with `server.key`, `revoked.crl`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = parts.read_certificate(folder / "root.pem")
        self.intermediate = parts.read_certificate(folder / "intermediate.pem")
        self._root_key = parts.read_key(folder / "root.key")
        self._key = parts.read_key(folder / "intermediate.key")

    @property
    def ca_file(self) -> Path:
        """Trust anchors: root and intermediate."""
        return self.folder / "ca.pem"

    @property
    def crl_file(self) -> Path:
        """The list of revoked leaves, PEM."""
        return self.folder / "revoked.crl"

    # --- leaves ------------------------------------------------------------------------------

    def issue_pfx(
        self,
        document: str,
        name: str,
        password: str,
        *,
        not_before: datetime,
        not_after: datetime,
        kind: Kind = "normal",
    ) -> Issued:
        """An A1 of the holder `document`, a CNPJ (14) or a CPF (11) without mask.

        Moments outside [not_before, not_after] make the expired and the not yet valid ones; another
        company's document makes the wrong one. `kind`: `self_signed` has no authority above it,
        `no_document` holds no CNPJ anywhere, `no_intermediate` leaves it out of the PFX, `legacy`
        encrypts the PFX as old tools did (3DES, SHA-1 MAC; CRT-3).
        """
        key = parts.new_key()
        subject = parts.subject(document, name, with_document=kind != "no_document")
        alone = kind == "self_signed"
        builder = (
            parts.builder(
                subject, subject if alone else self.intermediate.subject, key.public_key()
            )
            .not_valid_before(not_before)
            .not_valid_after(not_after)
        )
        builder = parts.leaf_extensions(builder, document, with_document=kind != "no_document")
        if not alone:
            builder = parts.known_issuer(builder, self._key.public_key())
        leaf = builder.sign(key if alone else self._key, parts.SHA256)
        above = [] if alone else [self.intermediate, self.root]
        packed = [] if alone or kind == "no_intermediate" else above
        return Issued(
            pfx=parts.packed(name, key, leaf, packed, password, legacy=kind == "legacy"),
            key_pem=parts.key_pem(key),
            certificate_pem=parts.pem(leaf),
            chain_pem=b"".join(map(parts.pem, [leaf, *packed])),
            serial=leaf.serial_number,
        )

    def server(self, *hosts: str) -> tuple[Path, Path]:
        """Certificate (with the intermediate) and key of a local server, as files of the folder.

        For 127.0.0.1, ::1, localhost and `hosts`; made at the first call and kept.
        """
        pem, key_file = self.folder / "server.pem", self.folder / "server.key"
        with parts.alone(self.folder):
            if not (pem.exists() and key_file.exists()):
                key = parts.new_key()
                leaf = self._server_leaf(key, ("127.0.0.1", "::1", "localhost", *hosts))
                parts.write(key_file, parts.key_pem(key), secret=True)
                parts.write(pem, parts.pem(leaf) + parts.pem(self.intermediate))
        return pem, key_file

    def _server_leaf(self, key: rsa.RSAPrivateKey, hosts: tuple[str, ...]) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Autoridade de teste")])
        builder = (
            parts.builder(subject, self.intermediate.subject, key.public_key())
            .not_valid_before(parts.AUTHORITY_FROM)
            .not_valid_after(parts.AUTHORITY_TO)
            .add_extension(
                x509.SubjectAlternativeName(list(map(parts.host, hosts))), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(parts.usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        return parts.known_issuer(builder, self._key.public_key()).sign(self._key, parts.SHA256)

    # --- revocation --------------------------------------------------------------------------

    def revoke(self, serial: int, *, at: datetime) -> None:
        """Add a leaf to the list; one that is there already stays."""
        with parts.alone(self.folder):
            entries = {entry.serial_number: entry.revocation_date_utc for entry in self._revoked()}
            entries.setdefault(serial, at)
            parts.write_crl(self.crl_file, self.intermediate, self._key, entries, at=at)

    def is_revoked(self, serial: int) -> bool:
        return any(entry.serial_number == serial for entry in self._revoked())

    def _revoked(self) -> list[x509.RevokedCertificate]:
        return list(x509.load_pem_x509_crl(self.crl_file.read_bytes()))


def make_authority(folder: Path) -> Authority:
    """The authority of `folder`: the one that is there, or a new one made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with parts.alone(folder):
        if not (folder / "revoked.crl").exists():  # written last: an unfinished one is made again
            _make(folder)
    return Authority(folder)


def _make(folder: Path) -> None:
    """Keys and certificates of root and intermediate, and an empty list of revoked ones."""
    root_key, key = parts.new_key(), parts.new_key()
    root_name = parts.authority_name("Autoridade Certificadora Raiz de Teste")
    root = parts.authority_certificate(root_name, root_name, root_key, root_key, path_length=1)
    intermediate = parts.authority_certificate(
        parts.authority_name("AC de Teste RFB"), root_name, key, root_key, path_length=0
    )
    parts.write(folder / "root.key", parts.key_pem(root_key), secret=True)
    parts.write(folder / "intermediate.key", parts.key_pem(key), secret=True)
    parts.write(folder / "root.pem", parts.pem(root))
    parts.write(folder / "intermediate.pem", parts.pem(intermediate))
    parts.write(folder / "ca.pem", parts.pem(root) + parts.pem(intermediate))
    parts.write_crl(folder / "revoked.crl", intermediate, key, {}, at=parts.AUTHORITY_FROM)
