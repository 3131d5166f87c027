"""Signatures of service notes: both profiles verified, and the authority's own seal.

Written from XMLDSig and Canonical XML, apart from the product's signing: it works on the parsed
tree, so that prefixes, inherited namespaces and a Reference to the whole document are all taken.
"""

from __future__ import annotations

import base64
import binascii
import copy
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from lxml import etree

from fiscal.sandbox.ca import Authority, make_authority
from fiscal.sandbox.certificates import Certificate, read

DSIG = "http://www.w3.org/2000/09/xmldsig#"
_D = f"{{{DSIG}}}"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED = f"{DSIG}enveloped-signature"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


@dataclass(frozen=True)
class Profile:
    """One accepted set of algorithms."""

    c14n: str
    method: str
    digest: str
    hash: type[HashAlgorithm]

    @property
    def is_exclusive(self) -> bool:
        return self.c14n == _EXCLUSIVE


SHA1_C14N = Profile(_C14N, f"{DSIG}rsa-sha1", f"{DSIG}sha1", SHA1)
SHA256_EXCLUSIVE = Profile(_EXCLUSIVE, _MORE, _SHA256, SHA256)
BOTH = (SHA1_C14N, SHA256_EXCLUSIVE)


class Bad(Exception):
    """The signature is not one of an accepted profile, or not of these bytes."""


@dataclass(frozen=True)
class Verified:
    """Who signed, and the digest of what was signed."""

    certificate: Certificate
    digest: str


def of(parent: etree._Element) -> etree._Element | None:
    """The Signature that is a child of `parent`."""
    return parent.find(f"{_D}Signature")


def verify(
    signature: etree._Element, target: etree._Element, profiles: tuple[Profile, ...] = BOTH
) -> Verified:
    """Verify that `signature` signs `target`, which its Reference must name. Raises Bad."""
    info = signature.find(f"{_D}SignedInfo")
    if info is None:
        raise Bad("sem SignedInfo")
    profile = _profile(info, profiles)
    _check_reference(info, target)
    inner = canonical(_without(target, signature), exclusive=profile.is_exclusive)
    digest = base64.b64encode(_hash(profile, inner)).decode()
    if digest != _bare(info.findtext(f"{_D}Reference/{_D}DigestValue", "")):
        raise Bad("DigestValue não confere com o conteúdo assinado")
    certificate = _certificate(signature)
    signed = canonical(info, exclusive=profile.is_exclusive)
    value = _decoded(signature.findtext(f"{_D}SignatureValue", ""))
    try:
        certificate.key.verify(value, signed, PKCS1v15(), profile.hash())
    except InvalidSignature as error:
        raise Bad("SignatureValue não confere com SignedInfo") from error
    return Verified(certificate, digest)


def _profile(info: etree._Element, profiles: tuple[Profile, ...]) -> Profile:
    found = tuple(
        _algorithm(info, path)
        for path in ("CanonicalizationMethod", "SignatureMethod", "Reference/DigestMethod")
    )
    transforms = [
        each.get("Algorithm")
        for each in info.iterfind(f"{_D}Reference/{_D}Transforms/{_D}Transform")
    ]
    for profile in profiles:
        wanted = (profile.c14n, profile.method, profile.digest)
        if found == wanted and transforms == [_ENVELOPED, profile.c14n]:
            return profile
    raise Bad(f"algoritmos fora dos perfis aceitos: {', '.join(found)}; {transforms}")


def _algorithm(info: etree._Element, path: str) -> str:
    found = info.find("/".join(_D + step for step in path.split("/")))
    return "" if found is None else found.get("Algorithm", "")


def _check_reference(info: etree._Element, target: etree._Element) -> None:
    references = info.findall(f"{_D}Reference")
    if len(references) != 1:
        raise Bad("uma só Reference")
    uri = references[0].get("URI", "")
    name = target.get("Id") or target.get("id") or ""
    if uri != "" and uri != f"#{name}":
        raise Bad(f"Reference {uri} não é do elemento assinado")
    if uri == "" and target.getparent() is not None:
        raise Bad("Reference vazia assina o documento inteiro")


def _without(target: etree._Element, signature: etree._Element) -> etree._Element:
    """A copy of the target as the apex of its own document, without the signature inside."""
    place = [list(target.iter()).index(signature)] if signature in target.iter() else []
    apex = _apex(target)
    for position in place:
        _remove(list(apex.iter())[position])
    return apex


def _apex(element: etree._Element) -> etree._Element:
    """A copy that shows the namespaces it inherits, as the apex of a node-set does."""
    nsmap = {prefix: uri for prefix, uri in element.nsmap.items() if uri}
    made = etree.Element(element.tag, dict(element.attrib), nsmap=nsmap)
    made.text = element.text
    for child in element:
        made.append(copy.deepcopy(child))
    return made


def _remove(element: etree._Element) -> None:
    """Take an element out and leave the text behind it."""
    parent = element.getparent()
    if parent is None:
        return
    tail, before = element.tail or "", element.getprevious()
    element.tail = None
    parent.remove(element)
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail


def canonical(element: etree._Element, *, exclusive: bool) -> bytes:
    """Canonical bytes of an element as an apex."""
    apex = _apex(element)
    made: bytes = etree.tostring(apex, method="c14n", exclusive=exclusive, with_comments=False)
    return made


def _hash(profile: Profile, content: bytes) -> bytes:
    if profile.hash is SHA1:
        return hashlib.sha1(content).digest()  # noqa: S324  what the standard prescribes
    return hashlib.sha256(content).digest()


def _certificate(signature: etree._Element) -> Certificate:
    path = f"{_D}KeyInfo/{_D}X509Data/{_D}X509Certificate"
    found = signature.findall(path)
    if len(found) != 1:
        raise Bad("exatamente um X509Certificate")
    certificate = read(_decoded(found[0].text or ""))
    if certificate is None:
        raise Bad("X509Certificate ilegível")
    return certificate


def _bare(text: str) -> str:
    return "".join(text.split())


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(_bare(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Bad("base64 ilegível") from error


# --- the authority's own -----------------------------------------------------------------------


def sealed(text: str, *, inside: str, authority: Authority) -> str:
    """The document `text` with the authority's signature of its child `inside`, as last child."""
    root = etree.fromstring(text.encode())
    target = next(each for each in root if etree.QName(each).localname == inside)
    profile = SHA256_EXCLUSIVE
    digest = base64.b64encode(_hash(profile, canonical(target, exclusive=True))).decode()
    info = _info(profile, target.get("Id") or target.get("id") or "", digest)
    key, der = _own(authority.folder)
    canonical_info = canonical(etree.fromstring(info), exclusive=True)
    value = key.sign(canonical_info, PKCS1v15(), profile.hash())
    made = (
        f'<Signature xmlns="{DSIG}">{info}<SignatureValue>{base64.b64encode(value).decode()}'
        f"</SignatureValue><KeyInfo><X509Data><X509Certificate>{der}</X509Certificate></X509Data>"
        "</KeyInfo></Signature>"
    )
    end = text.rindex("</")
    return text[:end] + made + text[end:]


@functools.lru_cache(maxsize=4)
def _own(folder: Path) -> tuple[RSAPrivateKey, str]:
    """Key and certificate of the sandbox's server: reading a key checks it, which is slow."""
    pem, key_file = make_authority(folder).server()
    key = load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("a chave do servidor de teste é RSA")
    leaf = load_pem_x509_certificates(pem.read_bytes())[0]
    return key, base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()


def _info(profile: Profile, name: str, digest: str) -> str:
    return (
        f'<SignedInfo xmlns="{DSIG}"><CanonicalizationMethod Algorithm="{profile.c14n}"/>'
        f'<SignatureMethod Algorithm="{profile.method}"/><Reference URI="#{name}"><Transforms>'
        f'<Transform Algorithm="{_ENVELOPED}"/><Transform Algorithm="{profile.c14n}"/>'
        f'</Transforms><DigestMethod Algorithm="{profile.digest}"/>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
