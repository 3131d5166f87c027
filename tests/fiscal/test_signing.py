"""Signatures (SIG-1 to SIG-9): against two independent verifiers, and against forgers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier
from support import a1

from fiscal import xml
from fiscal.signing import DS, BadSignature, Signer, verify

CHAVE = "35261112ABC34501DE35550010000000421180947562"
ID = f"NFe{CHAVE}"
INNER = (
    f'<infNFe xmlns="{xml.NFE}" Id="{ID}" versao="4.00">'
    '<ide><natOp>Venda à vista &amp; outras &lt;3&gt; "x"</natOp><vazio></vazio></ide>'
    "<emit><xNome>São João ª º ç</xNome></emit></infNFe>"
).encode()


def nfe(inner: bytes = INNER, *, signer: Signer | None = None, supplement: bytes = b"") -> bytes:
    """A signed NFe, written as the builder writes it."""
    signature, _ = (signer or a1.signer()).signature(inner, element_id=ID)
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"", 1)
    return f'<NFe xmlns="{xml.NFE}">'.encode() + own + supplement + signature + b"</NFe>"


def xmlsec_accepts(document: bytes) -> bool:
    """The judgement of xmlsec1 (libxmlsec), with the certificate that the document carries."""
    root = etree.fromstring(document)
    xmlsec.tree.add_ids(root, ["Id"])
    node = xmlsec.tree.find_node(root, xmlsec.constants.NodeSignature)
    der = base64.b64decode(root.findtext(f".//{{{DS}}}X509Certificate") or "")
    pem = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.verify(node)
    except xmlsec.Error:
        return False
    return True


def signxml_accepts(document: bytes) -> bool:
    """The judgement of signxml, told to allow the SHA-1 that the layouts ask for."""
    root = etree.fromstring(document)
    der = base64.b64decode(root.findtext(f".//{{{DS}}}X509Certificate") or "")
    config = SignatureConfiguration(
        require_x509=False,
        signature_methods=frozenset({SignatureMethod.RSA_SHA1}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA1}),
    )
    verifier = XMLVerifier()
    # It canonicalises a sub-element with lxml and meets the spurious xmlns="" of SIG-6.
    verifier.excise_empty_xmlns_declarations = True
    try:
        verifier.verify(
            document,
            x509_cert=x509.load_der_x509_certificate(der),
            id_attribute="Id",
            expect_config=config,
        )
    except (InvalidDigest, InvalidSignature):
        return False
    return True


# --- what is written -------------------------------------------------------------------------


def test_two_independent_verifiers_and_ours_accept() -> None:
    document = nfe()
    assert xmlsec_accepts(document)
    assert signxml_accepts(document)
    verified = verify(document)
    assert verified.signed_id == ID
    assert verified.certificate_der == a1.signer().certificate_der
    assert verified.element.findtext(f".//{{{xml.NFE}}}xNome") == "São João ª º ç"


@pytest.mark.parametrize(
    ("root", "child", "version"),
    [("evento", "infEvento", "1.00"), ("inutNFe", "infInut", "4.00")],
)
def test_events_and_voidings_are_signed_alike(root: str, child: str, version: str) -> None:
    inner = f'<{child} xmlns="{xml.NFE}" Id="ID1"><a>1</a></{child}>'.encode()
    signature, _ = a1.signer().signature(inner, element_id="ID1")
    own = inner.replace(f' xmlns="{xml.NFE}"'.encode(), b"")
    document = (
        f'<{root} xmlns="{xml.NFE}" versao="{version}">'.encode()
        + own
        + signature
        + f"</{root}>".encode()
    )
    assert xmlsec_accepts(document)
    assert signxml_accepts(document)
    assert verify(document).signed_id == "ID1"


def test_digest_is_of_the_canonical_form_of_another_implementation() -> None:
    """SIG-3, SIG-5: lxml's C14N of a deep copy gives the same bytes that were signed."""
    document = nfe()
    element = etree.fromstring(document)[0]
    alone = etree.fromstring(etree.tostring(element))
    canonical = etree.tostring(alone, method="c14n", exclusive=False, with_comments=False)
    assert canonical == INNER
    digest = base64.b64encode(hashlib.sha1(canonical).digest()).decode()  # noqa: S324
    assert verify(document).digest_value == digest
    assert a1.signer().signature(INNER, element_id=ID)[1] == digest


def test_whole_document_is_canonical_already() -> None:
    document = nfe()
    assert etree.tostring(etree.fromstring(document), method="c14n") == document


def test_signature_has_the_fixed_profile_and_no_more() -> None:
    """SIG-1: algorithms, two transforms in order, one certificate, no KeyValue, no white space."""
    signature = etree.fromstring(a1.signer().signature(INNER, element_id=ID)[0])
    assert [etree.QName(node).localname for node in signature.iter()] == [
        *("Signature", "SignedInfo", "CanonicalizationMethod", "SignatureMethod", "Reference"),
        *("Transforms", "Transform", "Transform", "DigestMethod", "DigestValue"),
        *("SignatureValue", "KeyInfo", "X509Data", "X509Certificate"),
    ]
    assert [node.get("Algorithm") for node in signature.iter() if node.get("Algorithm")] == [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2000/09/xmldsig#sha1",
    ]
    assert not re.search(rb"\s", a1.signer().signature(INNER, element_id=ID)[0].replace(b" ", b""))


def test_same_bytes_and_key_give_the_same_signature() -> None:
    """SIG-4."""
    leaf = a1.issued()
    again = Signer.from_pem(leaf.key_pem, leaf.chain_pem)
    assert nfe(signer=again) == nfe()


def test_signature_fits_the_official_schema() -> None:
    found = [fault for fault in xml.faults(nfe(), "nfe") if "Signature" in fault.path]
    assert found == []


def test_signing_what_does_not_carry_the_id_or_namespace_is_refused() -> None:
    with pytest.raises(ValueError):
        a1.signer().signature(INNER, element_id="NFe1")
    with pytest.raises(ValueError):
        a1.signer().signature(b'<infNFe Id="x"></infNFe>', element_id="x")


def test_key_of_another_certificate_is_refused() -> None:
    mine, other = a1.issued(), a1.issued("11222333000181")
    with pytest.raises(ValueError):
        Signer.from_pem(mine.key_pem, other.certificate_pem)


def test_nothing_printed_shows_the_key() -> None:
    assert "PRIVATE" not in repr(a1.signer()) + repr(vars(a1.signer()))


# --- what is refused -------------------------------------------------------------------------

Change = Callable[[bytes], bytes]


def pretty(document: bytes) -> bytes:
    root = etree.fromstring(document)
    etree.indent(root)
    return etree.tostring(root)


CHANGES: dict[str, Change] = {
    "changed byte": lambda it: it.replace(b"vista", b"vistA"),
    "changed version": lambda it: it.replace(b'versao="4.00"', b'versao="4.01"'),
    "white space added": lambda it: it.replace(b"<emit>", b"<emit> "),
    "pretty print": pretty,
    "digest of something else": lambda it: re.sub(
        rb"<DigestValue>.", b"<DigestValue>" + (b"A" if b"<DigestValue>B" in it else b"B"), it
    ),
    "value of something else": lambda it: re.sub(rb"<SignatureValue>..", b"<SignatureValue>AA", it),
    "accents stripped": lambda it: it.replace("ã".encode(), b"a"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_noticed_by_all_three(name: str) -> None:
    document = CHANGES[name](nfe())
    assert not xmlsec_accepts(document)
    assert not signxml_accepts(document)
    with pytest.raises(BadSignature):
        verify(document)


def test_attribute_swapped_for_another_id_is_noticed() -> None:
    other = ID[:-1] + ("0" if ID[-1] != "0" else "1")
    for document in (
        nfe().replace(f'Id="{ID}"'.encode(), f'Id="{other}"'.encode()),
        nfe().replace(f'URI="#{ID}"'.encode(), f'URI="#{other}"'.encode()),
        nfe().replace(f'URI="#{ID}"'.encode(), b'URI=""'),
    ):
        with pytest.raises(BadSignature, match="não se refere"):
            verify(document)


def test_attribute_order_and_quotes_are_no_change() -> None:
    """What the canonical form takes for equal is equal."""
    document = nfe().replace(
        f'Id="{ID}" versao="4.00"'.encode(), f"versao='4.00'   Id='{ID}'".encode()
    )
    document = document.replace(b"<vazio></vazio>", b"<vazio/>")
    assert xmlsec_accepts(document)
    assert verify(document).signed_id == ID


def test_certificate_of_somebody_else_is_noticed() -> None:
    other = base64.b64encode(a1.signer("11222333000181").certificate_der)
    document = re.sub(rb"(?<=<X509Certificate>)[^<]+", other, nfe())
    with pytest.raises(BadSignature, match="não confere com o certificado"):
        verify(document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("xmldsig#rsa-sha1", "xmldsig#hmac-sha1"),
        ("2000/09/xmldsig#sha1", "2001/04/xmlenc#sha256"),
        ("REC-xml-c14n-20010315", "REC-xml-c14n-20010315#WithComments"),
        ("xmldsig#enveloped-signature", "xmldsig#base64"),
        ('<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature">', None),
        ("<KeyInfo>", "<KeyInfo><KeyName></KeyName>"),
        ("</SignatureValue>", "</SignatureValue><Object></Object>"),
        ("</Transforms>", '<Transform Algorithm="x"></Transform></Transforms>'),
        ("<X509Data>", "<X509Data><X509SubjectName></X509SubjectName>"),
        ("<SignedInfo>", '<SignedInfo Id="x">'),
        ("<Signature ", "<ds:Signature "),
    ],
)
def test_other_profiles_are_refused(old: str, new: str | None) -> None:
    """SIG-1: the schema fixes every algorithm, so none may be swapped for a weaker one."""
    document = nfe()
    if new is None:
        document = document.replace(f"{old}</Transform>".encode(), b"")
    else:
        document = document.replace(old.encode(), new.encode())
    if b"<ds:" in document:
        document = document.replace(b"</Signature>", b"</ds:Signature>").replace(
            b"<ds:Signature xmlns=", b"<ds:Signature xmlns:ds="
        )
    assert document != nfe()
    with pytest.raises(BadSignature):
        verify(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<NFe/>",
        b"not xml",
        f'<NFe xmlns="{xml.NFE}"><infNFe Id="x"/></NFe>'.encode(),
        f'<other xmlns="{xml.NFE}"/>'.encode(),
        INNER,
    ],
)
def test_documents_without_signature_are_refused(document: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(document)


def test_base64_with_line_breaks_is_read_and_rubbish_is_not() -> None:
    """Documents of older software have breaks in the value and in the certificate."""

    def broken(found: re.Match[bytes]) -> bytes:
        return re.sub(rb"(.{64})", rb"\1\n", found[0])

    document = re.sub(rb"(?<=<X509Certificate>)[^<]+", broken, nfe())
    document = re.sub(rb"(?<=<SignatureValue>)[^<]+", broken, document)
    assert verify(document).signed_id == ID
    for tag in (b"SignatureValue", b"X509Certificate"):
        with pytest.raises(BadSignature, match="base64"):
            verify(nfe().replace(b"<" + tag + b">", b"<" + tag + b">*"))
    with pytest.raises(BadSignature, match="certificado"):
        verify(re.sub(rb"(?<=<X509Certificate>)[^<]+", b"AAAA", nfe()))


# --- signature wrapping ----------------------------------------------------------------------

_FORGED = INNER.replace(b"vista", b"prazo").replace(f' xmlns="{xml.NFE}"'.encode(), b"")
_OWN = INNER.replace(f' xmlns="{xml.NFE}"'.encode(), b"")


def _wrapped(where: str) -> bytes:
    """The genuine element moved aside, and a forged one where readers look."""
    good = nfe()
    forged = _FORGED.replace(ID.encode(), ID[:-1].encode() + b"9")
    match where:
        case "same Id twice, forged first":
            return good.replace(_OWN, _FORGED + _OWN)
        case "same Id twice, forged last":
            return good.replace(_OWN, _OWN + _FORGED)
        case "genuine inside Object":
            return good.replace(_OWN, forged).replace(
                b"</Signature>", b"<Object>" + INNER + b"</Object></Signature>"
            )
        case "genuine inside the forged one":
            return good.replace(_OWN, forged.replace(b"</infNFe>", _OWN + b"</infNFe>"))
        case "genuine in infNFeSupl":
            return good.replace(_OWN, forged + b"<infNFeSupl>" + _OWN + b"</infNFeSupl>")
        case "genuine under another name":
            other = INNER.replace(b"infNFe", b"infXXX")
            return good.replace(_OWN, _FORGED + other)
        case "signature of another part":
            inner = b'<infNFeSupl xmlns="%s" Id="x"></infNFeSupl>' % xml.NFE.encode()
            signature, _ = a1.signer().signature(inner, element_id="x")
            part = inner.replace(b' xmlns="%s"' % xml.NFE.encode(), b"")
            return b'<NFe xmlns="%s">%s%s%s</NFe>' % (
                xml.NFE.encode(), _FORGED, part, signature,
            )  # fmt: skip
        case "genuine SignedInfo inside the forged one":
            # The forged digest in the true place, the genuine SignedInfo where a search by text
            # would meet it first.
            info = re.search(rb"<SignedInfo>.*</SignedInfo>", good)
            assert info
            hidden = info[0].replace(b"<SignedInfo>", b'<SignedInfo xmlns="%s">' % DS.encode())
            own = _OWN.replace(b"<emit>", hidden + b"<emit>")
            inner = own.replace(b" Id=", b' xmlns="%s" Id=' % xml.NFE.encode(), 1)
            digest = base64.b64encode(hashlib.sha1(inner).digest())  # noqa: S324
            forged_info = re.sub(rb"(?<=<DigestValue>)[^<]+", digest, info[0])
            return good.replace(info[0], forged_info).replace(_OWN, own)
        case "two signatures":
            signature, _ = a1.signer().signature(INNER, element_id=ID)
            return good.replace(b"</NFe>", signature + b"</NFe>")
        case "Id in another spelling":
            return good.replace(_OWN, _OWN + f'<x ID="{ID}"></x>'.encode())
        case "the whole in a wrapper":
            return b'<nfeProc xmlns="%s">' % xml.NFE.encode() + good + b"</nfeProc>"
        case "comment in a text":
            return good.replace(b"vista", b"vis<!-- x -->ta")
        case "processing instruction":
            return good.replace(b"vista", b"vis<?x y?>ta")
        case "forged in another namespace":
            return good.replace(_OWN, b'<infNFe xmlns="urn:x"></infNFe>' + _OWN)
    raise AssertionError(where)


@pytest.mark.parametrize(
    "where",
    [
        "same Id twice, forged first",
        "same Id twice, forged last",
        "genuine inside Object",
        "genuine inside the forged one",
        "genuine in infNFeSupl",
        "genuine under another name",
        "signature of another part",
        "genuine SignedInfo inside the forged one",
        "two signatures",
        "Id in another spelling",
        "the whole in a wrapper",
        "comment in a text",
        "processing instruction",
    ],
)
def test_wrapping_is_refused(where: str) -> None:
    with pytest.raises(BadSignature):
        verify(_wrapped(where))


def test_longer_names_do_not_pass_for_the_signed_element() -> None:
    """infNFeSupl begins like infNFe: before it, it must change nothing."""
    good = nfe()
    document = good.replace(_OWN, b"<infNFeSupl>x</infNFeSupl>" + _OWN)
    assert verify(document).element.tag == f"{{{xml.NFE}}}infNFe"
    assert xmlsec_accepts(document)


def test_attributes_of_the_root_do_not_matter_unless_they_are_inherited() -> None:
    root = b'<NFe xmlns="%s"' % xml.NFE.encode()
    assert verify(nfe().replace(root, root + b' x="1"')).signed_id == ID
    with pytest.raises(BadSignature):
        verify(nfe().replace(root, root + b' xml:lang="pt"'))


def test_foreign_namesake_is_refused_or_harmless() -> None:
    """A namesake of another namespace must never be what is digested or handed out."""
    document = _wrapped("forged in another namespace")
    try:
        element = verify(document).element
    except BadSignature:
        return
    assert element.tag == f"{{{xml.NFE}}}infNFe"


# --- out of nfeProc (SIG-7) ------------------------------------------------------------------


def test_cut_out_of_its_wrapper_the_signature_holds() -> None:
    document = nfe()
    wrapped = (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<nfeProc versao="4.00" xmlns="%s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        % xml.NFE.encode()
        + document
        + b"<protNFe></protNFe></nfeProc>"
    )
    assert not xmlsec_accepts(wrapped)  # inclusive C14N pulls xmlns:xsi in
    cut = xml.cut_out(wrapped, "NFe")
    assert cut == document
    assert verify(cut).signed_id == ID


def test_namespace_declared_by_the_wrapper_alone_is_brought_along() -> None:
    bare = nfe().replace(b'<NFe xmlns="%s">' % xml.NFE.encode(), b"<NFe>", 1)
    wrapped = b'<nfeProc xmlns="%s">' % xml.NFE.encode() + bare + b"</nfeProc>"
    assert verify(xml.cut_out(wrapped, "NFe")).signed_id == ID


def test_namespaces_of_the_root_itself_belong_to_the_digest() -> None:
    """Inclusive C14N: prefixes in scope are written into the apex, used or not."""
    spaces = ' xmlns:xsd="urn:d" xmlns:xsi="urn:i"'
    inner = INNER.replace(b' Id="', f'{spaces} Id="'.encode(), 1)
    signature, _ = a1.signer().signature(inner, element_id=ID)
    info = signature.replace(b"<SignedInfo>", f'<SignedInfo xmlns="{DS}"{spaces}>'.encode())
    signed_info = info[info.index(b"<SignedInfo") : info.index(b"</SignedInfo>") + 13]
    value = base64.b64encode(a1.signer().sha1_rsa(signed_info))
    signature = re.sub(rb"(?<=<SignatureValue>)[^<]+", value, signature)
    document = f'<NFe xmlns="{xml.NFE}"{spaces}>'.encode() + _OWN + signature + b"</NFe>"
    assert xmlsec_accepts(document)
    assert verify(document).signed_id == ID


@pytest.mark.parametrize(
    "wrapped",
    [
        b"<nfeProc></nfeProc>",
        b"<a><NFe></NFe><NFe></NFe></a>",
        b"<a><!-- <NFe></NFe> --><NFe></NFe></a>",
        b"<a></NFe><NFe></a>",
        b"<a><NFe></a>",
    ],
)
def test_none_or_several_are_not_cut(wrapped: bytes) -> None:
    with pytest.raises(xml.BadXml):
        xml.cut_out(wrapped, "NFe")


def _with_certificate(der: bytes) -> bytes:
    return re.sub(rb"(?<=<X509Certificate>)[^<]+", base64.b64encode(der), nfe())


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        # The version, the kind of key, the numbers of the key: each is read at another time.
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x78"),
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x63\x05"),
        (b"\x02\x03\x01\x00\x01", b"\x02\x03\x01\x00\x02"),
    ],
)
def test_certificate_that_cannot_be_read_is_a_bad_signature(part: bytes, broken: bytes) -> None:
    der = a1.signer().certificate_der
    assert part in der

    with pytest.raises(BadSignature, match="não pode ser lid"):
        verify(_with_certificate(der.replace(part, broken)))
