"""A1 certificates as uploaded (CRT-1 to CRT-5)."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from support import a1

from fiscal import certificates, der
from fiscal.certificates import (
    BadCertificate,
    NoDocument,
    NoPrivateKey,
    NotValidNow,
    UnreadablePfx,
    UnusableKey,
    WrongHolder,
    WrongPassword,
    open_pfx,
)
from fiscal.sandbox.ca import Kind
from fiscal.signing import Signer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def plain(document: str = a1.CNPJ) -> certificates.Opened:
    return open_pfx(a1.issued(document).pfx, a1.PASSWORD)


# --- opening ---------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["12ABC34501DE35", "11222333000181", "11144477735"])
def test_what_is_kept_of_an_upload(document: str) -> None:
    opened = plain(document)
    leaf = x509.load_pem_x509_certificate(a1.issued(document).certificate_pem)
    assert opened.document == document
    assert opened.thumbprint == leaf.fingerprint(hashes.SHA256()).hex()
    assert opened.serial == f"{leaf.serial_number:x}"
    assert f":{document}" in opened.subject
    assert (opened.not_before, opened.not_after) == (a1.FROM, a1.TO)
    authority = a1.authority()
    assert x509.load_pem_x509_certificates(opened.pem) == [
        leaf,
        authority.intermediate,
        authority.root,
    ]
    assert Signer.from_pem(opened.key_pem, opened.pem).sha1_rsa(b"x")


def test_nothing_printed_shows_the_key() -> None:
    assert "PRIVATE" not in repr(plain())


@pytest.mark.parametrize("kind", ["legacy", "no_intermediate", "self_signed"])
def test_other_files_open_too(kind: Kind) -> None:
    opened = open_pfx(a1.issued(kind=kind).pfx, a1.PASSWORD)
    assert opened.document == a1.CNPJ
    assert opened.pem.count(b"BEGIN CERTIFICATE") == (3 if kind == "legacy" else 1)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
@pytest.mark.parametrize("algorithm", ["PBE-SHA1-RC2-40", "PBE-SHA1-3DES", "PBE-SHA1-RC2-128"])
def test_old_encryption_as_other_tools_wrote_it(algorithm: str, tmp_path: Path) -> None:
    """CRT-3: RC2 for the certificate, 3DES for the key, SHA-1 in the MAC."""
    issued = a1.issued()
    (tmp_path / "all.pem").write_bytes(issued.key_pem + issued.chain_pem)
    done = subprocess.run(
        [
            *("openssl", "pkcs12", "-export", "-legacy", "-in", "all.pem", "-out", "old.pfx"),
            *("-certpbe", algorithm, "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
            *("-passout", "pass:senha"),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if done.returncode and b"legacy" in done.stderr:
        pytest.skip("openssl without its legacy provider")
    assert done.returncode == 0, done.stderr
    assert open_pfx((tmp_path / "old.pfx").read_bytes(), "senha").document == a1.CNPJ


def test_file_without_password_opens_with_the_empty_one() -> None:
    issued = a1.authority().issue_pfx(a1.CNPJ, "Sem senha", "", not_before=a1.FROM, not_after=a1.TO)
    assert open_pfx(issued.pfx, "").document == a1.CNPJ


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "errada", a1.PASSWORD + " ", "s3nh@ ca"])
def test_wrong_password_says_so(password: str) -> None:
    with pytest.raises(WrongPassword, match="senha"):
        open_pfx(a1.issued().pfx, password)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\0", b"%PDF-1.7", a1.issued().certificate_pem, b"0" * 300_000, b"\x30\x84"],
    ids=["empty", "zero", "pdf", "pem", "huge", "cut"],
)
def test_other_files_are_no_certificates(raw: bytes) -> None:
    with pytest.raises(UnreadablePfx):
        open_pfx(raw, a1.PASSWORD)


def test_damaged_files_are_refused_whatever_the_damage() -> None:
    good = a1.issued().pfx
    for place in range(0, len(good), 37):
        broken = bytearray(good)
        broken[place] ^= 0x55
        try:
            opened = open_pfx(bytes(broken), a1.PASSWORD)
        except BadCertificate:
            continue
        assert opened.document == a1.CNPJ  # the damage hit nothing that is read
    with pytest.raises(BadCertificate):
        open_pfx(good[:-200], a1.PASSWORD)


def packed(key: object, certificate: x509.Certificate | None) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"x",
        key,  # type: ignore[arg-type]
        certificate if key else None,
        None if key else [certificate],  # type: ignore[list-item]
        serialization.BestAvailableEncryption(b"x"),
    )


def self_made(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    common_name: str,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(a1.FROM)
        .not_valid_after(a1.TO)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def the_key() -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(a1.issued().key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names.split()})


def test_file_without_key_is_refused() -> None:
    leaf = x509.load_pem_x509_certificate(a1.issued().certificate_pem)
    with pytest.raises(NoPrivateKey):
        open_pfx(packed(None, leaf), "x")


def test_key_that_is_not_rsa_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(UnusableKey):
        open_pfx(packed(key, self_made(key, f"X:{a1.CNPJ}")), "x")


@pytest.mark.parametrize(
    "allowed",
    [{"key_encipherment": True}, {"key_cert_sign": True, "digital_signature": True}],
)
def test_key_usage_must_allow_signatures(allowed: dict[str, bool]) -> None:
    leaf = self_made(the_key(), f"X:{a1.CNPJ}", usage(**allowed))
    with pytest.raises(UnusableKey):
        open_pfx(packed(the_key(), leaf), "x")


@pytest.mark.parametrize("name", ["Fulano", "Fulano:123", "Fulano:11222333000182", ":"])
def test_certificate_of_nobody_is_refused(name: str) -> None:
    with pytest.raises(NoDocument):
        open_pfx(packed(the_key(), self_made(the_key(), name)), "x")
    with pytest.raises(NoDocument):
        open_pfx(a1.issued(kind="no_document").pfx, a1.PASSWORD)


def test_every_refusal_speaks_portuguese_under_its_own_class() -> None:
    assert issubclass(WrongPassword, BadCertificate)
    assert str(WrongPassword()) == "A senha do certificado está incorreta."
    assert BadCertificate.http_status == 400


# --- the holder (CRT-2) ----------------------------------------------------------------------


def other(oid: x509.ObjectIdentifier, value: bytes) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.OtherName(oid, value)])


def tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


@pytest.mark.parametrize(
    "value",
    [
        tlv(0x04, b"11222333000181"),
        tlv(0x0C, b"11222333000181"),
        tlv(0x13, b"11222333000181"),
        tlv(0x16, b" 11222333000181 "),
        tlv(0x1E, "11222333000181".encode("utf-16-be")),
        tlv(0xA0, tlv(0x13, b"11222333000181")),
    ],
)
def test_cnpj_is_read_from_any_string_type(value: bytes) -> None:
    leaf = self_made(the_key(), "Sem nada", other(certificates.CNPJ_OID, value))
    assert certificates.holder_of(leaf) == "11222333000181"


def test_other_name_wins_over_common_name() -> None:
    leaf = self_made(
        the_key(), "X:11222333000181", other(certificates.CNPJ_OID, tlv(4, a1.CNPJ.encode()))
    )
    assert certificates.holder_of(leaf) == a1.CNPJ


def test_common_name_serves_when_other_names_do_not() -> None:
    for content in (tlv(4, b""), tlv(5, b""), tlv(2, b"\x01"), tlv(4, b"00000000000000")):
        leaf = self_made(the_key(), "A: B:12abc34501de35", other(certificates.CNPJ_OID, content))
        assert certificates.holder_of(leaf) == "12ABC34501DE35"


def test_cpf_follows_the_date_of_birth() -> None:
    value = tlv(0x13, b"01011980" + b"11144477735" + b"0" * 26)
    leaf = self_made(the_key(), "Fulano", other(certificates.CPF_OID, value))
    assert certificates.holder_of(leaf) == "11144477735"


@pytest.mark.parametrize(
    ("document", "issuer", "expected"),
    [
        ("12ABC34501DE35", "12ABC34501DE35", True),
        ("12ABC34501DE35", "12ABC345000999", True),  # a branch
        ("12ABC34501DE35", "12ABC34601DE35", False),
        ("11144477735", "11144477735", True),
        ("11144477735", "11144477816", False),
        ("11144477735", "11144477000181", False),
    ],
)
def test_base_of_the_cnpj_decides(document: str, issuer: str, expected: bool) -> None:
    assert certificates.covers(document, issuer=issuer) is expected


def test_wrong_holder_is_named() -> None:
    certificates.check_holder(a1.CNPJ, issuer=a1.CNPJ)
    with pytest.raises(WrongHolder, match=r"12\.ABC\.345/01DE-35.*11\.222\.333/0001-81"):
        certificates.check_holder(a1.CNPJ, issuer="11222333000181")


# --- dates and chain -------------------------------------------------------------------------


def test_dates() -> None:
    opened = plain()
    certificates.check_dates(opened, at=NOW)
    for moment, said in (
        (a1.TO + timedelta(seconds=1), "venceu em 01/01/2027"),
        (a1.FROM - timedelta(seconds=1), "a partir de 01/01/2026"),
    ):
        with pytest.raises(NotValidNow, match=said):
            certificates.check_dates(opened, at=moment)


def test_chain_to_a_known_root_brings_no_warning() -> None:
    authority = a1.authority()
    assert certificates.chain_warnings(plain().pem, [authority.root], at=NOW) == []
    short = open_pfx(a1.issued(kind="no_intermediate").pfx, a1.PASSWORD).pem
    anchors = [authority.root, authority.intermediate]
    assert certificates.chain_warnings(short, anchors, at=NOW) == []


def test_chain_that_stops_short_is_a_warning() -> None:
    authority = a1.authority()
    short = open_pfx(a1.issued(kind="no_intermediate").pfx, a1.PASSWORD).pem
    (said,) = certificates.chain_warnings(short, [authority.root], at=NOW)
    assert "AC de Teste RFB" in said
    alone = open_pfx(a1.issued(kind="self_signed").pfx, a1.PASSWORD).pem
    assert certificates.chain_warnings(alone, [authority.root], at=NOW)
    assert certificates.chain_warnings(plain().pem, [], at=NOW)


def test_chain_beyond_its_dates_is_a_warning() -> None:
    at = datetime(2051, 1, 1, tzinfo=UTC)
    (said,) = certificates.chain_warnings(plain().pem, [a1.authority().root], at=at)
    assert "validade" in said


def test_issuer_of_the_same_name_with_another_key_is_no_link(tmp_path: Path) -> None:
    from fiscal.sandbox.ca import make_authority

    impostor = make_authority(tmp_path)
    pem = a1.issued().certificate_pem
    anchors = [impostor.intermediate, impostor.root]
    assert certificates.chain_warnings(pem, anchors, at=NOW)


V13 = "2b07d0bc02c4a6e0478ed22d0d99e8f97e1827b269097696a7feb6aad30c3ac8"


@pytest.mark.parametrize("is_below", [True, False], ids=["its key", "another key"])
def test_chain_to_the_root_on_a_curve_of_its_own_is_told_by_key_identifiers(is_below: bool) -> None:
    """v13: what cannot be computed is no reason for a warning; only the name is too little."""
    roots = {found.fingerprint(hashes.SHA256()).hex(): found for found in certificates.icp_brasil()}
    root, key = roots[V13], the_key()
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    below = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"X:{a1.CNPJ}")]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(a1.FROM)
        .not_valid_after(a1.TO)
        .add_extension(
            x509.AuthorityKeyIdentifier(identifier if is_below else b"x" * 20, None, None), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = below.public_bytes(serialization.Encoding.PEM)

    warnings = certificates.chain_warnings(pem, certificates.icp_brasil(), at=datetime.now(UTC))

    assert (not warnings) is is_below


def test_shipped_roots_are_those_of_icp_brasil() -> None:
    """Fingerprints as the ITI publishes them; a root that expires soon must be noticed."""
    roots = {root.fingerprint(hashes.SHA256()).hex(): root for root in certificates.icp_brasil()}
    assert set(roots) == {
        "caa53fc6091c6951887c976e378f6ef89aa6377c55d97b6475422b71ed7e9b17",  # v5
        "6e0bff069a26994c15de2c4888cc54af84882e5495b7fbf66be9ccffec7489f6",  # v10
        "d8478e37ce19c690cf657381e68fe600e4e1a042536830f06847e03e554c4b01",  # v12
        V13,
    }
    for print_, root in roots.items():
        if print_ != V13:  # on a curve that cannot be computed here
            root.verify_directly_issued_by(root)
        assert root.not_valid_after_utc > datetime.now(UTC) + timedelta(days=180)


# --- hostile files ---------------------------------------------------------------------------


def with_iterations(count: int) -> bytes:
    """The good file, its MAC made of `count` repetitions (the last integer of the file)."""
    good = a1.issued(kind="legacy").pfx
    assert good[-4:] == bytes.fromhex("02020800")  # 2048
    return _longer(good[:-4] + tlv(0x02, count.to_bytes(4)), 2)


def _longer(raw: bytes, by: int) -> bytes:
    """Outer sequence and MacData with lengths that fit again."""
    outer = int.from_bytes(raw[2:4]) + by
    at = raw.rindex(bytes.fromhex("30213009")) - 2 if bytes.fromhex("30213009") in raw else 0
    changed = bytearray(raw)
    changed[2:4] = outer.to_bytes(2)
    assert at, "MacData not found"
    changed[at + 1] += by
    return bytes(changed)


def test_file_that_asks_for_hours_of_work_is_refused_at_once() -> None:
    raw = with_iterations(0x7FFFFFFF)
    assert 0x7FFFFFFF in list(der.iterations(raw))
    started = time.monotonic()
    with pytest.raises(UnreadablePfx, match="cálculo"):
        open_pfx(raw, a1.PASSWORD)
    assert time.monotonic() - started < 5


def test_iterations_of_real_files_are_all_seen() -> None:
    assert 2048 in list(der.iterations(a1.issued(kind="legacy").pfx))
    modern = list(der.iterations(a1.issued().pfx))
    assert len(modern) >= 3  # certificates, key, MAC
    assert max(modern) <= der.MAX_ITERATIONS


@pytest.mark.parametrize(
    "raw",
    [
        b"\x24\x80" * 5_000,
        b"\x30\x80" * 5_000,
        b"\x04\x82\x30\x00" * 5_000,
        b"\x30\xff" + b"\xff" * 300,
        b"\x02",
        b"",
    ],
)
def test_nested_rubbish_is_read_in_no_time(raw: bytes) -> None:
    started = time.monotonic()
    list(der.iterations(raw))
    der.octets(raw)
    assert time.monotonic() - started < 2


def test_iterations_are_seen_in_indefinite_lengths_too() -> None:
    salted = tlv(0x04, b"saltsalt") + tlv(0x02, (9_999_999).to_bytes(4))
    for raw in (
        b"\x30\x80" + salted + b"\0\0",
        b"\x30\x80\x24\x80" + tlv(0x04, tlv(0x30, salted)) + b"\0\0\0\0",
        b"\x24\x80" + tlv(4, tlv(0x30, salted)[:5]) + tlv(4, tlv(0x30, salted)[5:]) + b"\0\0",
    ):
        assert list(der.iterations(raw)) == [9_999_999]


def test_a_name_that_cannot_be_read_names_nobody() -> None:
    found = a1.signer().certificate_der
    leaf = x509.load_der_x509_certificate(found)
    name = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[-1].value
    # No UTF-8: found out only when the name is asked for. The number in the otherName stays.
    broken = found.replace(str(name).encode(), b"\xff" * len(str(name)))
    assert broken != found

    assert certificates.holder_of(x509.load_der_x509_certificate(broken)) == a1.CNPJ
