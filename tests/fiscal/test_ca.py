"""The test authority: its certificates are taken and refused as the real ones would be."""

from __future__ import annotations

import contextlib
import socket
import ssl
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from support import a1

from fiscal.certificates import holder_of
from fiscal.sandbox.ca import Issued, make_authority

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def leaf(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate_pem)


# --- the authority ---------------------------------------------------------------------------


def test_folder_is_made_once_and_read_afterwards(tmp_path: Path) -> None:
    first = make_authority(tmp_path / "a" / "b")
    again = make_authority(tmp_path / "a" / "b")
    assert again.root == first.root
    assert again.intermediate == first.intermediate
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        *(
            "root.pem",
            "intermediate.pem",
            "ca.pem",
            "root.key",
            "intermediate.key",
            "revoked.crl",
            ".lock",
        ),
    }


def test_an_unfinished_folder_is_made_again(tmp_path: Path) -> None:
    make_authority(tmp_path)
    (tmp_path / "revoked.crl").unlink()
    (tmp_path / "root.pem").write_bytes(b"")
    assert make_authority(tmp_path).root.subject.rfc4514_string().startswith("CN=Autoridade")


def test_several_that_begin_at_once_make_one_authority(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make_authority(tmp_path / "new"), range(4)))
    assert len({authority.root.serial_number for authority in made}) == 1
    for authority in made:
        authority.intermediate.verify_directly_issued_by(authority.root)


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    authority.server()
    for name in ("root.key", "intermediate.key", "server.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_chain_goes_from_leaf_to_root() -> None:
    authority = a1.authority()
    leaf(a1.issued()).verify_directly_issued_by(authority.intermediate)
    authority.intermediate.verify_directly_issued_by(authority.root)
    authority.root.verify_directly_issued_by(authority.root)
    assert x509.load_pem_x509_certificates(authority.ca_file.read_bytes()) == [
        authority.root,
        authority.intermediate,
    ]


# --- leaves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["12ABC34501DE35", "11222333000181", "11144477735"])
def test_holder_is_in_the_other_name_and_in_the_common_name(document: str) -> None:
    found = leaf(a1.issued(document))
    assert holder_of(found) == document
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    oids = {name.type_id.dotted_string for name in names.get_values_for_type(x509.OtherName)}
    assert ("2.16.76.1.3.3" if len(document) == 14 else "2.16.76.1.3.1") in oids
    assert found.subject.rfc4514_string().split(",")[0].endswith(f":{document}")


def test_dates_are_those_asked_for() -> None:
    expired = a1.issued(not_before=datetime(2024, 1, 1, tzinfo=UTC), not_after=a1.FROM)
    assert leaf(expired).not_valid_after_utc == a1.FROM


def test_variants() -> None:
    alone = leaf(a1.issued(kind="self_signed"))
    assert alone.issuer == alone.subject
    assert holder_of(leaf(a1.issued(kind="no_document"))) == ""
    bundle = pkcs12.load_pkcs12(a1.issued(kind="no_intermediate").pfx, a1.PASSWORD.encode())
    assert bundle.additional_certs == []


def test_long_names_keep_the_document() -> None:
    issued = a1.authority().issue_pfx(a1.CNPJ, "Ã" * 90, "", not_before=a1.FROM, not_after=a1.TO)
    name = leaf(issued).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    assert 63 <= len(str(name).encode()) <= 64
    assert str(name).endswith(a1.CNPJ)


def test_revoked_leaves_are_listed(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    for serial in (5, 6, 5):
        authority.revoke(serial, at=NOW)
    assert (authority.is_revoked(5), authority.is_revoked(6), authority.is_revoked(7)) == (
        True,
        True,
        False,
    )
    crl = x509.load_pem_x509_crl(authority.crl_file.read_bytes())
    assert len(list(crl)) == 2
    key = authority.intermediate.public_key()
    assert crl.is_signature_valid(key)  # type: ignore[arg-type]


# --- TLS -------------------------------------------------------------------------------------


def handshake(client: Issued | None, folder: Path, host: str = "127.0.0.1") -> str:
    """CNPJ or CPF that a server demanding our chain sees; raises when it refuses."""
    authority = a1.authority()
    seen: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.server())
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        with contextlib.suppress(OSError):
            raw, _ = listener.accept()
            raw.settimeout(10)
            with context.wrap_socket(raw, server_side=True) as tls:
                der = tls.getpeercert(binary_form=True)
                seen.append(holder_of(x509.load_der_x509_certificate(der or b"")))
                tls.sendall(b"ok")

    thread = threading.Thread(target=serve)
    thread.start()
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    if client is not None:
        pem = folder / "client.pem"
        pem.write_bytes(client.key_pem + client.chain_pem)
        context.load_cert_chain(pem)
    try:
        with (
            socket.create_connection(listener.getsockname(), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=host) as tls,
        ):
            if tls.recv(2) != b"ok":
                raise ConnectionError("refused")
    finally:
        thread.join()
        listener.close()
    return seen[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_and_client_certificates_shake_hands(host: str, tmp_path: Path) -> None:
    client = a1.issued(not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=_FAR)
    assert handshake(client, tmp_path, host) == a1.CNPJ


_FAR = datetime(2049, 1, 1, tzinfo=UTC)


def test_server_refuses_expired_self_signed_and_missing_certificates(tmp_path: Path) -> None:
    long_ago = datetime(2024, 1, 1, tzinfo=UTC)
    expired = a1.issued(not_before=datetime(2023, 1, 1, tzinfo=UTC), not_after=long_ago)
    alone = a1.issued(kind="self_signed", not_before=long_ago, not_after=_FAR)
    for client in (expired, alone, None):
        with pytest.raises(OSError):
            handshake(client, tmp_path)


def test_server_of_another_name_is_refused(tmp_path: Path) -> None:
    client = a1.issued(not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=_FAR)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client, tmp_path, "nfe.fazenda.sp.gov.br")
