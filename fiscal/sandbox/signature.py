"""An independent verifier of the one signature profile that the schema allows (SIG-1…SIG-4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from lxml import etree

from fiscal.sandbox.certificates import Certificate, read

DSIG = "http://www.w3.org/2000/09/xmldsig#"
_D = f"{{{DSIG}}}"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_ENVELOPED = f"{DSIG}enveloped-signature"


class OutOfProfile(Exception):
    """The signature is not of the standard: cStat 298."""


class Differs(Exception):
    """Digest or signature value are not those of the received bytes: cStat 297."""


@dataclass(frozen=True)
class Verified:
    """Who signed, and the digest of what was signed."""

    certificate: Certificate | None
    digest: str


def verify(root: etree._Element, signed: str, namespace: str) -> Verified:
    """Verify the enveloped signature that stands beside the child `signed` of `root`.

    `root` is the root of a document of its own, cut from the message as received. Raises
    OutOfProfile or Differs; the certificate's own merits are not judged here.
    """
    signatures = root.findall(f"{_D}Signature")
    targets = root.findall(f"{{{namespace}}}{signed}")
    if len(signatures) != 1 or len(targets) != 1:
        raise OutOfProfile("exactly one signature beside one signed element")
    signature, target = signatures[0], targets[0]
    _check_profile(signature, target)
    whole = etree.tostring(root, method="c14n", exclusive=False, with_comments=False)
    inner = _apex(_cut(whole, signed), signed, namespace)
    wanted = _text(signature, "SignedInfo/Reference/DigestValue")
    if base64.b64encode(hashlib.sha1(inner).digest()).decode() != wanted:  # noqa: S324
        raise Differs("digest")
    info = _apex(_cut(whole, "SignedInfo"), "SignedInfo", DSIG)
    certificate = read(_decoded(_text(signature, "KeyInfo/X509Data/X509Certificate")))
    if certificate is not None:
        _check_value(certificate, info, _decoded(_text(signature, "SignatureValue")))
    return Verified(certificate, wanted)


def _check_profile(signature: etree._Element, target: etree._Element) -> None:
    references = signature.findall(f"{_D}SignedInfo/{_D}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{target.get('Id')}":
        raise OutOfProfile("Reference URI")
    transforms = references[0].findall(f"{_D}Transforms/{_D}Transform")
    algorithms = [each.get("Algorithm") for each in transforms]
    if algorithms != [_ENVELOPED, _C14N]:
        raise OutOfProfile("transforms")
    wanted = {
        "SignedInfo/CanonicalizationMethod": _C14N,
        "SignedInfo/SignatureMethod": f"{DSIG}rsa-sha1",
        "SignedInfo/Reference/DigestMethod": f"{DSIG}sha1",
    }
    for path, algorithm in wanted.items():
        found = signature.find(_path(path))
        if found is None or found.get("Algorithm") != algorithm:
            raise OutOfProfile(path)
    if len(signature.findall(_path("KeyInfo/X509Data/X509Certificate"))) != 1:
        raise OutOfProfile("one certificate")


def _path(path: str) -> str:
    return "/".join(_D + step for step in path.split("/"))


def _text(signature: etree._Element, path: str) -> str:
    return signature.findtext(_path(path), default="")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OutOfProfile("base64 without line breaks") from error


def _cut(whole: bytes, name: str) -> bytes:
    """The element as it stands in the canonical document; `<` in it is always an element's."""
    found = re.search(rb"<%b[ >].*</%b>" % (name.encode(), name.encode()), whole, re.DOTALL)
    if not found:
        raise OutOfProfile(f"{name} with a prefix")
    return found.group(0)


def _apex(cut: bytes, name: str, namespace: str) -> bytes:
    """As the apex of a node-set, an element also shows the namespace it inherits (SIG-3)."""
    declaration = b' xmlns="%b"' % namespace.encode()
    start = len(name) + 1
    if cut[start:].startswith(declaration):
        return cut
    return cut[:start] + declaration + cut[start:]


def _check_value(certificate: Certificate, info: bytes, value: bytes) -> None:
    try:
        certificate.key.verify(value, info, PKCS1v15(), SHA1())  # noqa: S303
    except InvalidSignature as error:
        raise Differs("value") from error
