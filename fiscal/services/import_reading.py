"""Reading an NF-e that was authorized elsewhere: what its XML proves (fiscal-api §2.12).

Nothing is believed that the signature does not cover: every value comes from the signed element,
and the protocol must speak of that very element. A fault names the field of the answer that it is
about, `xml` for the file as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cryptography import x509
from lxml import etree

from fiscal import access_key, certificates
from fiscal.access_key import KeyParts
from fiscal.authorities.base import TP_AMB, Protocol
from fiscal.authorities.cstat import Class, classify
from fiscal.errors import XmlInvalid
from fiscal.signing import BadSignature, Verified, verify
from fiscal.xml import NFE, BadXml, child_text, cut_out, local_name, parse
from lib.errors import FieldError

MODELO = 55
LIMIT = 1024 * 1024  # a document of 500 KB (XML-13) and its protocol, in any layout of the text
XML = "xml"
_ROOTS = ("nfeProc", "procNFe")
_MARK = b"\xef\xbb\xbf"
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_DECLARATION = re.compile(rb"\A\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["'](?:utf-?8|us-ascii)["']""", re.IGNORECASE)
_BARE = re.compile(rb"\A\s*<NFe[\s>]")
_NPROT = re.compile("[0-9]{15}|[0-9]{17}")
_HEAD = f'<nfeProc xmlns="{NFE}" versao="4.00">'.encode()


@dataclass(frozen=True)
class Imported:
    """An authorized NF-e as its XML proves it; `content` is what is kept."""

    content: bytes
    verified: Verified
    key: KeyParts
    chave: str
    protocol: Protocol

    def value(self, *names: str) -> str:
        """Text of the signed element, "" when absent."""
        return child_text(self.verified.element, *names)

    @property
    def issuer(self) -> str:
        return self.value("emit", "CNPJ") or self.value("emit", "CPF")

    @property
    def moment(self) -> datetime:
        """dhEmi. Raises XmlInvalid."""
        found = _read_moment(self.value("ide", "dhEmi"))
        if found is None:
            raise invalid("data_emissao", "A nota não tem data de emissão válida.")
        return found

    @property
    def total(self) -> Decimal:
        """vNF: 13 digits and two decimals. Raises XmlInvalid."""
        text = self.value("total", "ICMSTot", "vNF")
        if not re.fullmatch(r"[0-9]{1,13}\.[0-9]{2}", text):
            raise invalid("valor_total", "O valor total da nota é inválido.")
        return Decimal(text)


def read_import(raw: bytes) -> Imported:
    """The document inside `raw`, its signature and protocol checked. Raises XmlInvalid."""
    try:
        content = _content(raw)
        root = parse(content, limit=LIMIT)
        _shape(root)
        verified = verify(_cut(content, root[0]))
        proved = _cut(content, root[1])
    except (BadXml, BadSignature) as error:
        campo = XML if isinstance(error, BadXml) else "assinatura"
        raise invalid(campo, str(error)) from error
    chave = verified.signed_id[3:]
    if verified.signed_id[:3] != "NFe" or not access_key.is_valid(chave):
        raise invalid("chave_nfe", "A chave de acesso da nota é inválida.")
    found = Imported(content, verified, access_key.parse(chave), chave, _protocol(proved))
    _compare(found)
    return found


def refuse_foreign(found: Imported, *, ambiente: str) -> None:
    """Another model, another environment, or a protocol of another document. Raises XmlInvalid."""
    if found.key.modelo != MODELO:
        raise invalid("modelo", "O XML não é de uma NF-e (modelo 55).")
    if found.value("ide", "tpAmb") != TP_AMB[ambiente]:
        raise invalid("ambiente", f"A nota não é do ambiente de {ambiente}.")
    wrong = found.protocol.differences(
        chave=found.chave, digest_value=found.verified.digest_value, ambiente=ambiente
    )
    if wrong or not found.protocol.digest_value:
        told = ", ".join(wrong) or "digVal"
        raise invalid("protocolo", f"O protocolo não é desta nota: {told}.")


def invalid(campo: str, reason: str) -> XmlInvalid:
    """The refusal of a file, for one fault of it."""
    return XmlInvalid(erros=[FieldError(campo, reason)])


# --- the file ----------------------------------------------------------------------------------


def _content(raw: bytes) -> bytes:
    """The bytes as one document: UTF-8, and wrapped as nfeProc where NFe and protNFe came bare."""
    if len(raw) > LIMIT:
        raise BadXml(f"O XML tem mais de {LIMIT // 1024} KB.")
    if raw.startswith(_PACKED):
        raise BadXml("O arquivo está compactado: envie o próprio XML.")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadXml("O XML deve estar em UTF-8.") from None
    content = raw.removeprefix(_MARK)
    declaration = _DECLARATION.match(content)
    if declaration and b"encoding" in declaration[0] and not _ENCODING.search(declaration[0]):
        raise BadXml("O XML deve estar em UTF-8.")
    rest = content[declaration.end() :] if declaration else content
    return _HEAD + rest.strip() + b"</nfeProc>" if _BARE.match(rest) else content


def _shape(root: etree._Element) -> None:
    """nfeProc with NFe and protNFe, and nothing that could pass for either. Raises BadXml."""
    around = [*root.itersiblings(), *root.itersiblings(preceding=True)]
    tags = [child.tag for child in root]
    if local_name(root) not in _ROOTS or tags != [f"{{{NFE}}}NFe", f"{{{NFE}}}protNFe"] or around:
        raise BadXml("O XML deve ser um nfeProc: a NFe e o protocolo de autorização (protNFe).")


def _cut(content: bytes, element: etree._Element) -> bytes:
    """The bytes of that element, and of no other that looks like it in a CDATA. Raises BadXml."""
    raw = cut_out(content, local_name(element))
    if _canonical(parse(raw)) != _canonical(element):
        raise BadXml("O XML traz a nota ou o protocolo mais de uma vez.")
    return raw


def _canonical(element: etree._Element) -> bytes:
    """Without the namespaces that only the wrapper uses (xml-exc-c14n)."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=True)


# --- the protocol ------------------------------------------------------------------------------


def _protocol(raw: bytes) -> Protocol:
    """What protNFe says. Raises XmlInvalid."""
    try:
        inf = _plain_protocol(parse(raw))
    except BadXml as error:
        raise invalid("protocolo", str(error)) from error
    received = _read_moment(child_text(inf, "dhRecbto"))
    if received is None:
        raise invalid("protocolo", "O protocolo de autorização não tem data válida.")
    if not _NPROT.fullmatch(child_text(inf, "nProt")):
        raise invalid("protocolo", "O protocolo de autorização não tem número válido.")
    return Protocol(
        chave=child_text(inf, "chNFe"),
        c_stat=child_text(inf, "cStat"),
        x_motivo=child_text(inf, "xMotivo")[:255],
        protocolo=child_text(inf, "nProt"),
        digest_value=child_text(inf, "digVal"),
        dh_recbto=received,
        tp_amb=child_text(inf, "tpAmb"),
        xml=raw,
    )


def _plain_protocol(root: etree._Element) -> etree._Element:
    """infProt, the only one, with nothing but texts in it. Raises BadXml."""
    inner = [child for child in root if local_name(child) != "Signature"]
    if [child.tag for child in inner] != [f"{{{NFE}}}infProt"]:
        raise BadXml("O protocolo de autorização está incompleto.")
    if any(len(field) or not isinstance(field.tag, str) for field in inner[0]):
        raise BadXml("O protocolo de autorização tem conteúdo inesperado.")
    return inner[0]


# --- the whole ---------------------------------------------------------------------------------


def _compare(found: Imported) -> None:
    """Key, signed fields, signer and protocol are about the same document. Raises XmlInvalid."""
    key, value = found.key, found.value
    pairs = {
        "cUF": (key.cuf, value("ide", "cUF")),
        "mod": (str(key.modelo), value("ide", "mod")),
        "serie": (str(key.serie), value("ide", "serie")),
        "nNF": (str(key.numero), value("ide", "nNF")),
        "cNF": (key.cnf, value("ide", "cNF")),
        "tpEmis": (str(key.tp_emis), value("ide", "tpEmis")),
        "dhEmi": (key.aamm, f"{found.moment:%y%m}"),
        "emit": (key.document, found.issuer.zfill(14)),
    }
    wrong = [tag for tag, (ours, theirs) in pairs.items() if ours != theirs]
    if wrong:
        told = ", ".join(wrong)
        raise invalid("chave_nfe", f"A chave de acesso não confere com a nota em: {told}.")
    if not certificates.covers(_holder(found), issuer=found.issuer):
        raise invalid("assinatura", "A nota não foi assinada com um certificado do emitente.")
    if classify(found.protocol.c_stat) is not Class.AUTHORIZED:
        raise invalid("protocolo", "O protocolo não é de uma autorização de uso.")


def _holder(found: Imported) -> str:
    return certificates.holder_of(x509.load_der_x509_certificate(found.verified.certificate_der))


def _read_moment(text: str) -> datetime | None:
    """A moment of this century with its offset, as the layouts write it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo and 2000 <= moment.year <= 2098 else None
