"""Taking over an NF-e that was authorized elsewhere, by its XML (fiscal-api §2.12).

Nothing is believed that the signature does not cover: every value comes from the signed element,
and the protocol must speak of that very element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cryptography import x509
from django.db import IntegrityError, transaction
from lxml import etree

from accounts.services.audit import Actor, record
from fiscal import access_key, certificates
from fiscal.access_key import KeyParts
from fiscal.authorities.base import TP_AMB, Protocol
from fiscal.authorities.cstat import Class, classify
from fiscal.errors import (
    AlreadyAuthorized,
    InProcessing,
    InvalidRequest,
    IssuerForbidden,
    NotEnabled,
    XmlInvalid,
)
from fiscal.models import WAITING, Archive, Company, FiscalDocument, State
from fiscal.services import archive, numbering
from fiscal.services.issue import refuse_ref
from fiscal.signing import BadSignature, Verified, verify
from fiscal.xml import NFE, BadXml, child_text, cut_out, local_name, parse
from lib.errors import FieldError

MODELO = 55
LIMIT = 1024 * 1024  # a document of 500 KB (XML-13) and its protocol, in any layout of the text
_ROOTS = ("nfeProc", "procNFe")
_MARK = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"\A\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["'](?:utf-?8|us-ascii)["']""", re.IGNORECASE)
_BARE = re.compile(rb"\A\s*<NFe[\s>]")
_NPROT = re.compile("[0-9]{15}|[0-9]{17}")
_HEAD = f'<nfeProc xmlns="{NFE}" versao="4.00">'.encode()
_TAKEN = 'Parâmetro "ref" inválido: já há uma nota com esta referência.'


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


@dataclass(frozen=True)
class Result:
    document: FiscalDocument
    is_new: bool


def import_nfe(
    company: Company, *, ambiente: str, raw: bytes, ref: str, actor: Actor, now: datetime
) -> Result:
    """Keep an authorized NF-e of `company` as a document, without certificate or authority.

    `raw` is nfeProc, or NFe and protNFe one after the other; `ref` is the key when empty. The same
    key again answers the document that is there. Raises NotEnabled, XmlInvalid for anything that
    is no genuine authorized NF-e of this environment, IssuerForbidden for another issuer's,
    InvalidRequest or AlreadyAuthorized when `ref` or number is another document's, InProcessing
    while the same document is being sent from here; nothing is kept then.
    """
    if not company.emits(MODELO):
        raise NotEnabled()
    found = read_import(raw)
    if found.issuer != company.document:
        raise IssuerForbidden()
    _refuse_foreign(found, company, ambiente)
    ref = ref or access_key.nfe_id(found.chave)
    refuse_ref(ref, modelo=MODELO)
    try:
        return _keep(found, company, ambiente, ref, actor, now)
    except IntegrityError as error:  # another request was faster, or the key is another tenant's
        known = _known(company, ambiente, found.chave)
        if known is None:
            raise _invalid("Esta nota não pode ser importada: já está registrada.") from error
        return Result(known, is_new=False)


# --- reading -----------------------------------------------------------------------------------


def read_import(raw: bytes) -> Imported:
    """The document inside `raw`, its signature and protocol checked. Raises XmlInvalid."""
    try:
        content = _content(raw)
        _shape(parse(content, limit=LIMIT))
        verified = verify(cut_out(content, "NFe"))
        protocol = _protocol(cut_out(content, "protNFe"))
    except (BadXml, BadSignature) as error:
        raise _invalid(str(error)) from error
    chave = verified.signed_id[3:]
    if verified.signed_id[:3] != "NFe" or not access_key.is_valid(chave):
        raise _invalid("A chave de acesso da nota é inválida.")
    found = Imported(content, verified, access_key.parse(chave), chave, protocol)
    _compare(found)
    return found


def _content(raw: bytes) -> bytes:
    """The bytes as one document: UTF-8, and wrapped as nfeProc where NFe and protNFe came bare."""
    if len(raw) > LIMIT:
        raise BadXml(f"O XML tem mais de {LIMIT // 1024} KB.")
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
    inner = [child for child in root[1] if local_name(child) != "Signature"]
    if [child.tag for child in inner] != [f"{{{NFE}}}infProt"]:
        raise BadXml("O protocolo de autorização está incompleto.")
    if any(len(field) or not isinstance(field.tag, str) for field in inner[0]):
        raise BadXml("O protocolo de autorização tem conteúdo inesperado.")


def _protocol(raw: bytes) -> Protocol:
    inf = parse(raw).find(f"{{{NFE}}}infProt")
    received = None if inf is None else _read_moment(child_text(inf, "dhRecbto"))
    if inf is None or received is None:
        raise BadXml("O protocolo de autorização não tem data válida.")
    if not _NPROT.fullmatch(child_text(inf, "nProt")):
        raise BadXml("O protocolo de autorização não tem número válido.")
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
        "dhEmi": (key.aamm, f"{_moment(found):%y%m}"),
        "emit": (key.document, found.issuer.zfill(14)),
    }
    wrong = [tag for tag, (ours, theirs) in pairs.items() if ours != theirs]
    if wrong:
        raise _invalid(f"A chave de acesso não confere com a nota em: {', '.join(wrong)}.")
    if not certificates.covers(_holder(found), issuer=found.issuer):
        raise _invalid("A nota não foi assinada com um certificado do emitente.")
    if classify(found.protocol.c_stat) is not Class.AUTHORIZED:
        raise _invalid("O protocolo não é de uma autorização de uso.")


def _holder(found: Imported) -> str:
    return certificates.holder_of(x509.load_der_x509_certificate(found.verified.certificate_der))


def _moment(found: Imported) -> datetime:
    moment = _read_moment(found.value("ide", "dhEmi"))
    if moment is None:
        raise _invalid("A nota não tem data de emissão válida.")
    return moment


def _read_moment(text: str) -> datetime | None:
    """A moment of this century with its offset, as the layouts write it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo and 2000 <= moment.year <= 2098 else None


def _refuse_foreign(found: Imported, company: Company, ambiente: str) -> None:
    """Another model, another environment, or a protocol of another document. Raises XmlInvalid."""
    if found.key.modelo != MODELO:
        raise _invalid("O XML não é de uma NF-e (modelo 55).")
    if found.value("ide", "tpAmb") != TP_AMB[ambiente]:
        raise _invalid(f"A nota não é do ambiente de {ambiente}.")
    wrong = found.protocol.differences(
        chave=found.chave, digest_value=found.verified.digest_value, ambiente=ambiente
    )
    if wrong or not found.protocol.digest_value:
        told = ", ".join(wrong) or "digVal"
        raise _invalid(f"O protocolo não é desta nota: {told}.")


def _invalid(reason: str) -> XmlInvalid:
    return XmlInvalid(erros=[FieldError("", reason)])


# --- keeping -----------------------------------------------------------------------------------


def _known(company: Company, ambiente: str, chave: str) -> FiscalDocument | None:
    """The document of that key, when it stands as what the XML says. Raises InProcessing."""
    row: FiscalDocument | None = (
        FiscalDocument.objects.filter(company=company, ambiente=ambiente, chave=chave)
        .select_related("company")
        .first()
    )
    if row is not None and row.state in (*WAITING, State.CONFLITO):
        raise InProcessing()
    if row is not None and row.state in (State.REJEITADO, State.INUTILIZADO):
        raise InvalidRequest("A nota consta aqui como não autorizada; consulte a sua situação.")
    return row


@transaction.atomic
def _keep(
    found: Imported, company: Company, ambiente: str, ref: str, actor: Actor, now: datetime
) -> Result:
    known = _known(company, ambiente, found.chave)
    if known is not None:
        return Result(known, is_new=False)
    _refuse_taken(found, company, ambiente, ref)
    document = _document(found, company, ambiente, ref, now)
    archive.keep(
        document, Archive.Kind.IMPORTED, archive.nfe_name(found.chave), found.content, at=now
    )
    _catch_up(company, ambiente, found.key)
    record(company.account, actor=actor, action="nota.importada", target=document)
    return Result(document, is_new=True)


def _catch_up(company: Company, ambiente: str, key: KeyParts) -> None:
    """The series goes on behind the imported number (NUM-8). Its lock comes last, as at issue."""
    series = numbering.locked_series(company, ambiente=ambiente, modelo=MODELO, serie=key.serie)
    if series.next_number <= key.numero:
        series.next_number = key.numero + 1
        series.save(update_fields=["next_number"])


def _refuse_taken(found: Imported, company: Company, ambiente: str, ref: str) -> None:
    # The note itself may just have been imported by another request: that is no refusal.
    others = FiscalDocument.objects.exclude(chave=found.chave)
    rows = others.filter(company=company, ambiente=ambiente, modelo=MODELO)
    same = rows.filter(ref=ref, superseded_by=None).first()
    if same is not None:
        if same.state in WAITING:
            raise InProcessing()
        raise InvalidRequest(_TAKEN) if same.state == State.REJEITADO else AlreadyAuthorized()
    if rows.filter(serie=found.key.serie, numero=found.key.numero).exists():
        raise InvalidRequest("Já há outra nota com este número e série.")


def _document(
    found: Imported, company: Company, ambiente: str, ref: str, now: datetime
) -> FiscalDocument:
    key, protocol = found.key, found.protocol
    dest = ("CNPJ", "CPF", "idEstrangeiro")
    return FiscalDocument.objects.create(
        account_id=company.account_id,
        company=company,
        ambiente=ambiente,
        modelo=MODELO,
        ref=ref,
        state=State.AUTORIZADO,
        serie=key.serie,
        numero=key.numero,
        chave=found.chave,
        cnf=key.cnf,
        tp_emis=key.tp_emis,
        dh_emi=_moment(found),
        digest_value=found.verified.digest_value,
        protocolo=protocol.protocolo,
        authorized_at=protocol.dh_recbto,
        c_stat=protocol.c_stat,
        x_motivo=protocol.x_motivo,
        recipient_document=next((text for tag in dest if (text := found.value("dest", tag))), "")[
            :20
        ],
        recipient_name=found.value("dest", "xNome")[:60],
        recipient_email=found.value("dest", "email")[:60],
        total=_total(found),
        is_imported=True,
        created_at=now,
    )


def _total(found: Imported) -> Decimal:
    """vNF: 13 digits and two decimals. Raises XmlInvalid."""
    text = found.value("total", "ICMSTot", "vNF")
    if not re.fullmatch(r"[0-9]{1,13}\.[0-9]{2}", text):
        raise _invalid("O valor total da nota é inválido.")
    return Decimal(text)
