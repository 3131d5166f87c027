"""QR code of NFC-e (QR-1 to QR-5): forms, hashes, signatures, addresses."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from support import a1

from fiscal import access_key, qrcode, xml, xsd
from fiscal.documents.types import Csc
from fiscal.qrcode import Buyer, qr_url
from lib import br

CSC = Csc(id="000001", code="G8063VRTNDMO886SFNK5LDUDEI24XJ22YIPO")
DIGEST = "yzGYhUx1/XYYzksWB+fPR3Qc50c="
UFS = sorted(access_key.UF_CODES)


def key(*, tp_emis: int = 1, cuf: str = "41") -> str:
    return access_key.compose(
        cuf=cuf,
        aamm="2611",
        document=a1.CNPJ,
        modelo=65,
        serie=1,
        numero=7,
        tp_emis=tp_emis,
        cnf="18094756",
    )


ONLINE: dict[str, Any] = {"chave": key(), "ambiente": "homologacao"}
OFFLINE: dict[str, Any] = {
    "chave": key(tp_emis=9),
    "ambiente": "producao",
    "dh_emi": "2026-11-05T23:59:00-03:00",
    "v_nf": "1234.50",
}
BASE = "http://www.fazenda.pr.gov.br/nfce/qrcode?p="


def sha1_hex(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest().upper()  # noqa: S324


# --- version 2 (QR-1) ------------------------------------------------------------------------


def test_v2_online() -> None:
    head = f"{key()}|2|2|1"
    assert qr_url(**ONLINE, version=2, csc=CSC) == f"{BASE}{head}|{sha1_hex(head + CSC.code)}"


def test_v2_offline() -> None:
    """Day as written in dhEmi; digest as the hexadecimal of its base64 characters."""
    hexed = "797a475968557831" + "".join(f"{ord(char):02x}" for char in DIGEST[8:])
    head = f"{key(tp_emis=9)}|2|1|05|1234.50|{hexed}|1"
    found = qr_url(**OFFLINE, version=2, csc=CSC, digest_value=DIGEST)
    assert found == f"{BASE}{head}|{sha1_hex(head + CSC.code)}"
    assert len(hexed) == 56


def test_v2_published_example() -> None:
    """Manual of the QR code, version 2 online: hash of `key|2|1|1` followed by the CSC."""
    head = "28170800156225000131650110000151341562040824|2|1|1"
    csc = Csc(id="1", code="SEU-CODIGO-CSC-CONTRIBUINTE-36-CARACTERES")
    assert qrcode._hashed(head[:-2], csc) == f"{head}|{sha1_hex(head + csc.code)}"


@pytest.mark.parametrize(("given", "written"), [("000001", "1"), ("12", "12"), ("000000", "0")])
def test_id_of_the_csc_has_no_leading_zeros(given: str, written: str) -> None:
    url = qr_url(**ONLINE, version=2, csc=Csc(id=given, code="x"))
    assert url.split("|")[3] == written


def test_code_of_the_csc_never_shows() -> None:
    assert CSC.code not in qr_url(**ONLINE, version=2, csc=CSC)
    assert CSC.code not in repr(CSC)


# --- version 3 (QR-2) ------------------------------------------------------------------------


def test_v3_online() -> None:
    assert qr_url(**ONLINE, version=3) == f"{BASE}{key()}|3|2"


@pytest.mark.parametrize(
    ("buyer", "kind", "document"),
    [
        (None, "", ""),
        (Buyer(), "", ""),
        (Buyer("12ABC34501DE35"), "1", "12ABC34501DE35"),
        (Buyer("11144477735"), "2", "11144477735"),
        (Buyer("AB123", foreign=True), "3", ""),
    ],
)
def test_v3_offline(buyer: Buyer | None, kind: str, document: str) -> None:
    found = qr_url(**OFFLINE, version=3, buyer=buyer, signer=a1.signer())
    text, _, sign = found.removeprefix(BASE).rpartition("|")
    assert text == f"{key(tp_emis=9)}|3|1|05|1234.50|{kind}|{document}"
    verify_rsa(text, sign)
    with pytest.raises(InvalidSignature):
        verify_rsa(text.replace("1234.50", "1234.51"), sign)


def verify_rsa(text: str, sign: str) -> None:
    public = x509.load_der_x509_certificate(a1.signer().certificate_der).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(base64.b64decode(sign), text.encode(), padding.PKCS1v15(), SHA1())  # noqa: S303


# --- what is missing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {**ONLINE, "version": 2},
        {**ONLINE, "version": 2, "csc": Csc(id="1", code="")},
        {**ONLINE, "version": 1, "csc": CSC},
        {**ONLINE, "version": 3, "chave": key()[:43] + "X"},
        {**OFFLINE, "version": 2, "csc": CSC},
        {**OFFLINE, "version": 2, "csc": CSC, "digest_value": "x"},
        {**OFFLINE, "version": 3},
        {**OFFLINE, "version": 3, "dh_emi": ""},
        {**OFFLINE, "version": 3, "v_nf": ""},
    ],
)
def test_missing_parts_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        qr_url(**arguments)


# --- addresses and schema (QR-3, QR-5) -------------------------------------------------------


def test_every_uf_has_addresses_in_both_environments() -> None:
    assert set(UFS) == br.UFS
    for uf in UFS:
        for ambiente in ("producao", "homologacao"):
            found = qrcode.addresses(uf, ambiente)
            assert found.qrcode.startswith("http")
            assert 21 <= len(found.url_chave) <= 85
            assert "?" not in found.qrcode


def document() -> bytes:
    sample = "nfe/samples/v4_0/leiauteNFe/35180834128745000152550010000476051695511860-nfe.xml"
    return xml.cut_out((xsd.package_folder() / sample).read_bytes(), "NFe")


@pytest.mark.parametrize("uf", UFS)
@pytest.mark.parametrize("ambiente", ["producao", "homologacao"])
def test_every_form_of_every_uf_fits_the_schema(uf: str, ambiente: str) -> None:
    cuf = access_key.UF_CODES[uf]
    online = {"chave": key(cuf=cuf), "ambiente": ambiente}
    offline = {**OFFLINE, "chave": key(tp_emis=9, cuf=cuf), "ambiente": ambiente}
    url_chave = qrcode.addresses(uf, ambiente).url_chave
    for url in (
        qr_url(**online, version=2, csc=CSC),
        qr_url(**online, version=3),
        qr_url(**offline, version=2, csc=CSC, digest_value=DIGEST),
        qr_url(**offline, version=3, buyer=Buyer("11144477735"), signer=a1.signer()),
        qr_url(**offline, version=3, signer=a1.signer()),
    ):
        supplement = qrcode.supplement(url, url_chave)
        whole = document().replace(b"<Signature", supplement + b"<Signature", 1)
        assert xml.faults(whole, "nfe") == []


def test_form_is_tied_to_the_key() -> None:
    """QR-5: the online form under an offline key is refused by the schema."""
    wrong = f"{BASE}{key(tp_emis=9)}|3|1"
    supplement = qrcode.supplement(wrong, "www.fazenda.pr.gov.br/nfce/consulta")
    whole = document().replace(b"<Signature", supplement + b"<Signature", 1)
    assert [fault.tag for fault in xml.faults(whole, "nfe")] == ["qrCode"]


def test_supplement_is_escaped() -> None:
    found = qrcode.supplement("http://x?a=1&b=2", "y<z")
    assert found == (
        b"<infNFeSupl><qrCode>http://x?a=1&amp;b=2</qrCode><urlChave>y&lt;z</urlChave></infNFeSupl>"
    )
