"""XMLDSig of NF-e, NFC-e, their events and voidings: the one profile of the layouts (SIG-1).

Inclusive C14N 1.0 without comments, RSA-SHA1, SHA-1, one X509Certificate. The builder writes
canonical bytes, so signing needs no XML library (SIG-5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from copy import deepcopy
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from lxml import etree

from fiscal.xml import NFE, BadXml, local_name, parse

DS = "http://www.w3.org/2000/09/xmldsig#"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_RSA_SHA1 = f"{DS}rsa-sha1"
_SHA1 = f"{DS}sha1"
_ENVELOPED = f"{DS}enveloped-signature"

# Canonical form already: what is digested is what is sent.
_SIGNED_INFO = (
    f'<CanonicalizationMethod Algorithm="{_C14N}"></CanonicalizationMethod>'
    f'<SignatureMethod Algorithm="{_RSA_SHA1}"></SignatureMethod>'
    '<Reference URI="#%s"><Transforms>'
    f'<Transform Algorithm="{_ENVELOPED}"></Transform>'
    f'<Transform Algorithm="{_C14N}"></Transform></Transforms>'
    f'<DigestMethod Algorithm="{_SHA1}"></DigestMethod>'
    "<DigestValue>%s</DigestValue></Reference></SignedInfo>"
)
_SIGNATURE = (
    f'<Signature xmlns="{DS}"><SignedInfo>%s<SignatureValue>%s</SignatureValue>'
    "<KeyInfo><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></Signature>"
)


class BadSignature(ValueError):
    """The document is not signed as the layouts ask, or was changed after it. Text in pt-BR."""


# --- signing ---------------------------------------------------------------------------------


class Signer:
    """A private key with its certificate. Build it once per certificate and process (SIG-9)."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate_der: bytes) -> None:
        self._key = key
        self._padding = padding.PKCS1v15()
        self._sha1 = SHA1()  # noqa: S303 - the layouts fix it
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

    def signature(self, inner: bytes, *, element_id: str) -> tuple[bytes, str]:
        """`<Signature>` over the element `inner`, and its DigestValue in base64.

        `inner` is the canonical form of the signed element with the namespace it inherits, as in
        `<infNFe xmlns="…" Id="…" versao="4.00">…</infNFe>` (SIG-3). Raises ValueError when the
        element does not carry `element_id`.
        """
        head = inner[: inner.index(b">")]
        if f' Id="{element_id}"'.encode() not in head or b" xmlns=" not in head:
            raise ValueError("the signed element must carry its Id and its namespace")
        digest = base64.b64encode(hashlib.sha1(inner, usedforsecurity=False).digest()).decode()
        body = _SIGNED_INFO % (element_id, digest)
        value = self.sha1_rsa(f'<SignedInfo xmlns="{DS}">{body}'.encode())
        signature = _SIGNATURE % (body, base64.b64encode(value).decode(), self._certificate)
        return signature.encode("ascii"), digest


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
    "NFe": "infNFe",
    "evento": "infEvento",
    "inutNFe": "infInut",
}


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
    """Check the signature of a stand-alone NFe, evento or inutNFe, without any wrapper.

    Cut the document out of nfeProc or an envelope first, as text (`xml.cut_out`, SIG-7). Proof
    against wrapping: the reference must name the one signed child of the root, whose Id nothing
    else in the document carries. Raises BadSignature.
    """
    root = _document(document_bytes)
    element = _signed_element(root)
    signature = _only(root, "Signature")
    digest_value = _reference(signature, element)
    digest = hashlib.sha1(_canonical(element), usedforsecurity=False).digest()
    if _decoded(digest_value) != digest:
        raise BadSignature("O conteúdo foi alterado depois de assinado (digest difere).")
    certificate = _certificate(signature)
    _check_value(signature, certificate)
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
    tag = _SIGNED_CHILD.get(local_name(root))
    # The canonical form of a part takes xml:* attributes over from its ancestors.
    inherits = any(name.startswith(_XML) for name in root.keys())  # noqa: SIM118 - attributes
    if tag is None or etree.QName(root).namespace != NFE or inherits:
        raise BadSignature("O documento não é uma NFe, um evento ou uma inutilização.")
    if root.prefix or len(list(root.iter(f"{{{DS}}}Signature"))) != 1:
        raise BadSignature("O documento deve ter uma única assinatura, sem prefixos.")
    found = list(root.iter(f"{{{NFE}}}{tag}"))
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


def _reference(signature: etree._Element, element: etree._Element) -> str:
    """DigestValue of the one reference, when it names `element` under the fixed profile."""
    info, _, _ = _shape(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    c14n, method, reference = _shape(info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    transforms, digest, value = _shape(reference, "Transforms", "DigestMethod", "DigestValue")
    enveloped, canonical = _shape(transforms, "Transform", "Transform")
    for found, expected in (
        (c14n, _C14N),
        (method, _RSA_SHA1),
        (enveloped, _ENVELOPED),
        (canonical, _C14N),
        (digest, _SHA1),
    ):
        _algorithm(found, expected)
    if dict(reference.attrib) != {"URI": f"#{element.get('Id')}"}:
        raise BadSignature("A assinatura não se refere ao conteúdo do documento.")
    return value.text or ""


def _canonical(element: etree._Element) -> bytes:
    """Inclusive C14N 1.0 of `element`, every namespace in scope included.

    A copy of it becomes a document of its own first: lxml writes spurious `xmlns=""` when it is
    given a part of one (SIG-6). Found by its node and never by its text, which may occur twice.
    """
    copy = etree.Element(element.tag, dict(element.attrib), nsmap=element.nsmap)
    copy.text = element.text
    copy.extend(deepcopy(child) for child in element)
    return etree.tostring(copy, method="c14n", exclusive=False, with_comments=False)


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


def _check_value(signature: etree._Element, certificate: x509.Certificate) -> None:
    """SignatureValue over the canonical SignedInfo, with the key of the certificate."""
    info = _only(signature, "SignedInfo")
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):  # read only now: bad numbers, unknown kinds of key
        raise BadSignature("A chave do certificado da assinatura não pode ser lida.") from None
    if not isinstance(key, rsa.RSAPublicKey) or info.attrib:
        raise BadSignature("A chave do certificado não é RSA.")
    value = _decoded(_only(signature, "SignatureValue").text)
    try:
        key.verify(value, _canonical(info), padding.PKCS1v15(), SHA1())  # noqa: S303
    except InvalidSignature:
        raise BadSignature("O valor da assinatura não confere com o certificado.") from None
