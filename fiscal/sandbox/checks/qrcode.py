"""Row 21: the QR code of NFC-e and of the simplified DANFE, computed again from the document."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1

from fiscal.sandbox import tables
from fiscal.sandbox.certificates import read
from fiscal.sandbox.document import NS, Document, Refusal
from fiscal.sandbox.signature import DSIG
from fiscal.sandbox.world import Call


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """394-397, 462-464, 878."""
    head = document.head
    if document.modelo != "65" and head.text("ide/tpImp") != "6":
        return
    code = document.root.findtext(f"{NS}infNFeSupl/{NS}qrCode", default="")
    if not code:
        yield Refusal(394)
        return
    uf = tables.by_code()[head.text("ide/cUF")]
    address, consult = tables.qr_addresses(uf.sigla, call.ambiente)
    page, _, query = code.partition("?p=")
    if page != address:
        yield Refusal(395)
    if document.root.findtext(f"{NS}infNFeSupl/{NS}urlChave", default="") != consult:
        yield Refusal(878)
    yield from _parameters(document, call, query)


def _parameters(document: Document, call: Call, query: str) -> Iterator[Refusal]:
    parts = query.split("|")
    offline = document.head.text("ide/tpEmis") == "9"
    wanted = {("2", False): 5, ("2", True): 8, ("3", False): 3, ("3", True): 8}
    version = parts[1] if len(parts) > 1 else ""
    if wanted.get((version, offline)) != len(parts):
        yield Refusal(396)
        return
    if parts[0] != document.key or parts[2] != document.head.text("ide/tpAmb"):
        yield Refusal(397)
    if offline and tuple(parts[3 : len(parts) - (2 if version == "2" else 1)]) != _told(
        document, version
    ):
        yield Refusal(397)
    if version == "2":
        yield from _hash(document, call, query, parts)
    elif offline and not _is_signed(document, query):
        yield Refusal(464)


def _told(document: Document, version: str) -> tuple[str, ...]:
    """What the offline forms repeat: day, total and, by version, digest or buyer (QR-1, QR-2)."""
    head = document.head
    day, total = head.text("ide/dhEmi")[8:10], head.text("total/ICMSTot/vNF")
    if version == "2":
        return (day, total, document.digest.encode().hex())
    kinds = (("dest/CNPJ", "1"), ("dest/CPF", "2"))
    for path, kind in kinds:
        if head.text(path):
            return (day, total, kind, head.text(path))
    return (day, total, "3" if head.has("dest/idEstrangeiro") else "", "")


def _hash(document: Document, call: Call, query: str, parts: list[str]) -> Iterator[Refusal]:
    known = call.world.csc(document.issuer)
    number = parts[-2]
    if number not in known:
        yield Refusal(462)
    elif not known[number]:
        yield Refusal(463)
    else:
        text = query.rpartition("|")[0] + known[number]
        if hashlib.sha1(text.encode()).hexdigest().upper() != parts[-1]:  # noqa: S324
            yield Refusal(464)


def _is_signed(document: Document, query: str) -> bool:
    text, _, value = query.rpartition("|")
    path = f".//{{{DSIG}}}X509Certificate"
    try:
        certificate = read(base64.b64decode(document.root.findtext(path, default="")))
        signature = base64.b64decode(value, validate=True)
        if certificate is None:
            return False
        certificate.key.verify(signature, text.encode(), PKCS1v15(), SHA1())  # noqa: S303
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
