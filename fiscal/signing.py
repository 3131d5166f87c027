"""XMLDSig of fiscal documents: the profile that the layouts fix (SIG-1) and a second one (SIG-10).

Inclusive C14N 1.0 without comments, RSA-SHA1, SHA-1, one X509Certificate; national service notes
may also take exclusive C14N, RSA-SHA256, SHA-256. The builder writes canonical bytes, so signing
needs no XML library (SIG-5). For an element whose only namespace is a default one, both
canonical forms are the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from lxml import etree

from fiscal.xml import NFE, NFSE, BadXml, local_name, parse

DS = "http://www.w3.org/2000/09/xmldsig#"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_RSA_SHA1 = f"{DS}rsa-sha1"
_SHA1 = f"{DS}sha1"
_ENVELOPED = f"{DS}enveloped-signature"


@dataclass(frozen=True)
class Profile:
    """The algorithms of a signature."""

    canonical: str
    method: str
    digest: str
    is_sha256: bool

    @property
    def is_exclusive(self) -> bool:
        return self.canonical != _C14N

    def hashed(self, data: bytes) -> bytes:
        name = "sha256" if self.is_sha256 else "sha1"
        return hashlib.new(name, data, usedforsecurity=self.is_sha256).digest()


CLASSIC = Profile(_C14N, _RSA_SHA1, _SHA1, is_sha256=False)
MODERN = Profile(
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#sha256",
    is_sha256=True,
)
# As settings name them (SIG-10).
PROFILES: Mapping[str, Profile] = {"rsa-sha1": CLASSIC, "rsa-sha256": MODERN}


def _signed_info(profile: Profile) -> str:
    """Canonical form already: what is digested is what is sent."""
    return (
        f'<CanonicalizationMethod Algorithm="{profile.canonical}"></CanonicalizationMethod>'
        f'<SignatureMethod Algorithm="{profile.method}"></SignatureMethod>'
        '<Reference URI="%s"><Transforms>'
        f'<Transform Algorithm="{_ENVELOPED}"></Transform>'
        f'<Transform Algorithm="{profile.canonical}"></Transform></Transforms>'
        f'<DigestMethod Algorithm="{profile.digest}"></DigestMethod>'
        "<DigestValue>%s</DigestValue></Reference></SignedInfo>"
    )


_SIGNED_INFO = {profile: _signed_info(profile) for profile in PROFILES.values()}
_SIGNATURE = (
    f'<Signature xmlns="{DS}"><SignedInfo>%s<SignatureValue>%s</SignatureValue>'
    "<KeyInfo><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></Signature>"
)


_IDS = ("Id", "id")


class BadSignature(ValueError):
    """The document is not signed as the layouts ask, or was changed after it. Text in pt-BR."""


# --- signing ---------------------------------------------------------------------------------


class Signer:
    """A private key with its certificate. Build it once per certificate and process (SIG-9)."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate_der: bytes) -> None:
        self._key = key
        self._padding = padding.PKCS1v15()
        self._sha1 = SHA1()  # noqa: S303 - the layouts fix it
        self._sha256 = SHA256()
        self._certificate = base64.b64encode(certificate_der).decode("ascii")
        self.certificate_der = certificate_der

    @classmethod
    def from_pem(cls, key_pem: bytes, certificate_pem: bytes) -> Signer:
        """From an unencrypted key and the leaf, first of the certificates in `certificate_pem`.

        Raises ValueError when either cannot be read, the key is not RSA or is not of the leaf.
        """
        key = serialization.load_pem_private_key(key_pem, password=None)
        leaf = x509.load_pem_x509_certificate(certificate_pem)
        if not isinstance(key, rsa.RSAPrivateKey) or key.public_key() != leaf.public_key():
            raise ValueError("the key is not the RSA key of the certificate")
        return cls(key, leaf.public_bytes(serialization.Encoding.DER))

    def sha1_rsa(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-1 over `data`; the same bytes give the same value (SIG-4)."""
        return self._key.sign(data, self._padding, self._sha1)

    def sha256_rsa(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over `data`."""
        return self._key.sign(data, self._padding, self._sha256)

    def signature(
        self, inner: bytes, *, element_id: str, profile: Profile = CLASSIC
    ) -> tuple[bytes, str]:
        """`<Signature>` over the element `inner`, and its DigestValue in base64.

        `inner` is the canonical form of the signed element with the namespace it inherits, as in
        `<infNFe xmlns="…" Id="…" versao="4.00">…</infNFe>` (SIG-3). With `element_id` empty it is
        the whole document, which carries no Id. Raises ValueError when the element does not carry
        `element_id` (as Id, or as the id of ABRASF 1.00).
        """
        head = inner[: inner.index(b">")]
        named = not element_id or any(f' {name}="{element_id}"'.encode() in head for name in _IDS)
        if not named or b" xmlns=" not in head:
            raise ValueError("the signed element must carry its Id and its namespace")
        digest = base64.b64encode(profile.hashed(inner)).decode()
        body = _SIGNED_INFO[profile] % (element_id and f"#{element_id}", digest)
        info = f'<SignedInfo xmlns="{DS}">{body}'.encode()
        value = self.sha256_rsa(info) if profile.is_sha256 else self.sha1_rsa(info)
        signature = _SIGNATURE % (body, base64.b64encode(value).decode(), self._certificate)
        return signature.encode("ascii"), digest


class _Straw(Signer):
    """Signs nothing, at no cost, in the form of a signature."""

    def __init__(self) -> None:
        super().__init__(cast("rsa.RSAPrivateKey", None), bytes(1024))

    def sha1_rsa(self, data: bytes) -> bytes:
        return bytes(256)

    def sha256_rsa(self, data: bytes) -> bytes:
        return bytes(256)


STRAW = _Straw()  # for a document that is only held against its schema


def signed_again(document: bytes, signer: Signer) -> bytes:
    """An NFe as `Signer` signed it, under another certificate: all but the signature stays (REC-3).

    `document` is as it was archived, without any wrapper. Raises ValueError for another form.
    """
    start, end = document.index(b"<infNFe"), document.index(b"</infNFe>") + len(b"</infNFe>")
    inner = document[start:end].replace(b"<infNFe", f'<infNFe xmlns="{NFE}"'.encode(), 1)
    element_id = inner[inner.index(b' Id="') + 5 :].partition(b'"')[0].decode()
    signature, _ = signer.signature(inner, element_id=element_id)
    return document[: document.rindex(b"<Signature ")] + signature + b"</NFe>"


# --- verifying -------------------------------------------------------------------------------

# Which child of which root is signed (SIG-2). Nothing else is looked at, so a signature moved
# elsewhere, or one over something else, does not count.
_SIGNED_CHILD = {
    (NFE, "NFe"): "infNFe",
    (NFE, "evento"): "infEvento",
    (NFE, "inutNFe"): "infInut",
    (NFSE, "DPS"): "infDPS",
    (NFSE, "pedRegEvento"): "infPedReg",
    (NFSE, "NFSe"): "infNFSe",
    (NFSE, "evento"): "infEvento",
}


# These hold the document that they answer, with its signature.
_HOLDING = {(NFSE, "infNFSe"), (NFSE, "infEvento")}


@dataclass(frozen=True)
class Verified:
    """What a good signature covers. Read data only from `element`: it is what was signed.

    Whether the certificate is trusted is another question: see `fiscal.certificates`.
    """

    certificate_der: bytes
    signed_id: str
    digest_value: str
    element: etree._Element = field(repr=False)  # infNFe, infEvento or infInut


def verify(document_bytes: bytes) -> Verified:
    """Check the signature of a stand-alone document, without any wrapper.

    NFe, evento and inutNFe, and of the national service notes DPS, pedRegEvento, NFSe and evento;
    the last two hold a signed document of their own, which is verified when it is cut out.

    Cut the document out of nfeProc or an envelope first, as text (`xml.cut_out`, SIG-7). Proof
    against wrapping: the reference must name the one signed child of the root, whose Id nothing
    else in the document carries. Raises BadSignature.
    """
    root = _document(document_bytes)
    element = _signed_element(root)
    signature = _only(root, "Signature")
    profile = _profile(signature, etree.QName(element).namespace or "")
    digest_value = _reference(signature, element, profile)
    if _decoded(digest_value) != profile.hashed(_canonical(element, profile)):
        raise BadSignature("O conteúdo foi alterado depois de assinado (digest difere).")
    certificate = _certificate(signature)
    _check_value(signature, certificate, profile)
    return Verified(
        certificate_der=certificate.public_bytes(serialization.Encoding.DER),
        signed_id=element.get("Id", ""),
        digest_value=digest_value,
        element=element,
    )


def _document(raw: bytes) -> etree._Element:
    """The root of a document without anything that a signature could be hidden in."""
    try:
        root = parse(raw)
    except BadXml as error:
        raise BadSignature(str(error)) from None
    # A comment in the middle of a text is outside the digest and cuts what naive readers see.
    if any(not isinstance(node.tag, str) for node in root.getroottree().iter()):
        raise BadSignature("O XML assinado não pode ter comentários nem instruções.")
    return root


def _signed_element(root: etree._Element) -> etree._Element:
    """The child that must be signed, when the document has the right shape around it."""
    space = etree.QName(root).namespace or ""
    tag = _SIGNED_CHILD.get((space, local_name(root)))
    # The canonical form of a part takes xml:* attributes over from its ancestors.
    inherits = any(name.startswith(_XML) for name in root.keys())  # noqa: SIM118 - attributes
    if tag is None or inherits:
        raise BadSignature("O documento não é uma nota, um evento ou uma inutilização.")
    n_signatures = 2 if (space, tag) in _HOLDING else 1
    if root.prefix or not 1 <= len(list(root.iter(f"{{{DS}}}Signature"))) <= n_signatures:
        raise BadSignature("O documento deve ter uma única assinatura, sem prefixos.")
    found = list(root.iter(f"{{{space}}}{tag}"))
    if len(found) != 1 or found[0].getparent() is not root or found[0].prefix:
        raise BadSignature(f"O documento deve ter um único {tag}, logo abaixo da raiz.")
    if set(found[0].keys()) - {"Id", "versao"} or not _is_plain(found[0].get("Id", "")):
        raise BadSignature(f"Atributos inesperados em {tag}.")
    _refuse_other_ids(root, found[0])
    return found[0]


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isalnum()


def _refuse_other_ids(root: etree._Element, element: etree._Element) -> None:
    """No other attribute of the document may pass for the referenced identifier."""
    wanted = element.get("Id")
    for node in root.iter():
        for name, value in node.items():
            is_id = etree.QName(name).localname.lower() == "id"
            if is_id and value == wanted and node is not element:
                raise BadSignature("Há mais de um elemento com o Id assinado.")


def _only(parent: etree._Element, name: str) -> etree._Element:
    """The one child `name` of the signature namespace, unprefixed. Raises BadSignature."""
    found = [child for child in parent if child.tag == f"{{{DS}}}{name}"]
    if len(found) != 1 or found[0].prefix:
        raise BadSignature(f"Assinatura sem um único {name}.")
    return found[0]


def _shape(element: etree._Element, *names: str) -> list[etree._Element]:
    """The children of `element`, which must be exactly `names` in this order."""
    if [child.tag for child in element] != [f"{{{DS}}}{name}" for name in names]:
        raise BadSignature(f"Conteúdo inesperado em {local_name(element)}.")
    return list(element)


def _algorithm(element: etree._Element, expected: str) -> None:
    if element.get("Algorithm") != expected or len(element) or len(element.attrib) != 1:
        raise BadSignature(f"{local_name(element)} não é o do leiaute.")


def _profile(signature: etree._Element, space: str) -> Profile:
    """The profile that the signature names, of those that its namespace admits."""
    info = _only(signature, "SignedInfo")
    method = _only(info, "SignatureMethod").get("Algorithm")
    admitted = PROFILES.values() if space == NFSE else (CLASSIC,)
    for profile in admitted:
        if profile.method == method:
            return profile
    raise BadSignature("SignatureMethod não é o do leiaute.")


def _reference(signature: etree._Element, element: etree._Element, profile: Profile) -> str:
    """DigestValue of the one reference, when it names `element` under the profile."""
    info, _, _ = _shape(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    c14n, method, reference = _shape(info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    transforms, digest, value = _shape(reference, "Transforms", "DigestMethod", "DigestValue")
    enveloped, canonical = _shape(transforms, "Transform", "Transform")
    for found, expected in (
        (c14n, profile.canonical),
        (method, profile.method),
        (enveloped, _ENVELOPED),
        (canonical, profile.canonical),
        (digest, profile.digest),
    ):
        _algorithm(found, expected)
    if dict(reference.attrib) != {"URI": f"#{element.get('Id')}"}:
        raise BadSignature("A assinatura não se refere ao conteúdo do documento.")
    return value.text or ""


def _canonical(element: etree._Element, profile: Profile) -> bytes:
    """C14N of `element` by its profile; the inclusive one has every namespace in scope.

    A copy of it becomes a document of its own first: lxml writes spurious `xmlns=""` when it is
    given a part of one (SIG-6). Found by its node and never by its text, which may occur twice.
    """
    copy = etree.Element(element.tag, dict(element.attrib), nsmap=element.nsmap)
    copy.text = element.text
    copy.extend(deepcopy(child) for child in element)
    exclusive = profile.is_exclusive
    return etree.tostring(copy, method="c14n", exclusive=exclusive, with_comments=False)


def _decoded(value: str | None) -> bytes:
    """Strict base64, with the line breaks that old documents have."""
    try:
        return base64.b64decode("".join((value or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("A assinatura não está em base64.") from None


def _certificate(signature: etree._Element) -> x509.Certificate:
    """The only certificate of the KeyInfo."""
    (data,) = _shape(_only(signature, "KeyInfo"), "X509Data")
    (found,) = _shape(data, "X509Certificate")
    der = _decoded(found.text)
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise BadSignature("O certificado da assinatura não pode ser lido.") from None


def _check_value(
    signature: etree._Element, certificate: x509.Certificate, profile: Profile
) -> None:
    """SignatureValue over the canonical SignedInfo, with the key of the certificate."""
    info = _only(signature, "SignedInfo")
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):  # read only now: bad numbers, unknown kinds of key
        raise BadSignature("A chave do certificado da assinatura não pode ser lida.") from None
    if not isinstance(key, rsa.RSAPublicKey) or info.attrib:
        raise BadSignature("A chave do certificado não é RSA.")
    value = _decoded(_only(signature, "SignatureValue").text)
    hashing = SHA256() if profile.is_sha256 else SHA1()  # noqa: S303
    try:
        key.verify(value, _canonical(info, profile), padding.PKCS1v15(), hashing)
    except InvalidSignature:
        raise BadSignature("O valor da assinatura não confere com o certificado.") from None
