"""A request body to a checked document, and a checked document to the bytes that are sent.

`check` needs no number and no certificate, so everything that can be refused is refused before a
number is taken (NUM-2, XSD-4). `make` ends with bytes that never change again (SIG-8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from lxml import etree

from fiscal import access_key, qrcode, xml
from fiscal.documents.nfe import rules, schema_faults
from fiscal.documents.nfe.formats import cents
from fiscal.documents.nfe.reading import Read, read
from fiscal.documents.nfe.writing import write
from fiscal.documents.types import Csc, Data, Identity, Issuer, SignedXml
from fiscal.errors import SchemaInvalid
from fiscal.signing import Signer
from fiscal.taxes import complete
from lib.errors import FieldError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

OFFLINE = 9
_OPEN = f'<NFe xmlns="{xml.NFE}">'.encode()
_SPACE = f' xmlns="{xml.NFE}"'.encode()
_SIMPLIFIED = "6"  # tpImp of the DANFE that needs a QR code in model 55 (NT 2026.002)
_LAST_NUMBER = 999_999_999

_OWN_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, collect_ids=False)

# KEY-9: what the key says again, where it stands in the bytes.
_KEY_FIELDS = re.compile(
    rb'^<infNFe xmlns="[^"]*" Id="NFe([0-9A-Z]{44})".*?<cUF>([0-9]+)</cUF><cNF>([0-9]+)</cNF>'
    rb".*?<mod>([0-9]+)</mod><serie>([0-9]+)</serie><nNF>([0-9]+)</nNF><dhEmi>([^<]+)</dhEmi>"
    rb".*?<tpEmis>([0-9])</tpEmis><cDV>([0-9])</cDV>.*?<emit><C(?:NPJ|PF)>([0-9A-Z]+)</C",
    re.DOTALL,
)


def check(
    body: Mapping[str, Any],
    *,
    modelo: int,
    ambiente: str,
    issuer: Issuer,
    now: datetime,
    offline: bool = False,
    tp_imp: str = "",
) -> Read:
    """The complete Data of a request that would make a valid document.

    Reads, computes, then builds the document once with a number and a signature of straw and holds
    it against the schema. `offline`: issued in contingency at the till. `tp_imp`: print format of
    the layout. Raises InvalidRequest or SchemaInvalid, which names request fields.
    """
    data = prepare(body, modelo=modelo, ambiente=ambiente, issuer=issuer, now=now, offline=offline)
    rehearse(data, modelo=modelo, ambiente=ambiente, now=now, offline=offline, tp_imp=tp_imp)
    return data


def rehearse(
    data: Data,
    *,
    modelo: int,
    ambiente: str,
    now: datetime,
    offline: bool = False,
    tp_imp: str = "",
) -> SignedXml:
    """The document that `data` from `prepare` would make, with number and signature of straw.

    To be looked at, never sent. Raises SchemaInvalid.
    """
    identity = _straw_identity(data, modelo, ambiente, OFFLINE if offline else 1, now)
    return make(data, identity, signer=_STRAW, csc=_STRAW_CSC, qr_version=2, tp_imp=tp_imp)


def prepare(
    body: Mapping[str, Any],
    *,
    modelo: int,
    ambiente: str,
    issuer: Issuer,
    now: datetime,
    offline: bool = False,
) -> Read:
    """Read and complete, without the trial build: for whoever calls `make` right after it.

    The notes of reading and of the taxes are together in `notes` of the answer.
    """
    data = read(body, modelo=modelo, ambiente=ambiente, issuer=issuer, now=now, offline=offline)
    crt = int(data.get("regime_tributario_emitente") or issuer.regime_tributario)
    data.notes = [*data.notes, *complete(data, modelo=modelo, crt=crt)]
    if found := rules.after_totals(data, modelo=modelo):
        raise SchemaInvalid(erros=found)
    return data


def make(
    data: Data,
    identity: Identity,
    *,
    signer: Signer,
    csc: Csc | None = None,
    qr_version: int = 3,
    tp_imp: str = "",
) -> SignedXml:
    """The signed document of `data` under its identity, valid against the schema.

    `data` comes from `check` and is not changed. `csc` is needed for version 2 of the QR code,
    which NFC-e has, and NF-e of the simplified DANFE (`tp_imp` 6). Takes no number and keeps
    nothing: a SchemaInvalid leaves the series as it was. Raises ValueError for an identity, CSC or
    certificate that does not fit the document.
    """
    chave = key_of(data, identity)
    inner = write(data, identity, chave=chave, tp_imp=tp_imp)
    _compare_key(inner, chave)
    signature, digest = signer.signature(inner, element_id=access_key.nfe_id(chave))
    url, url_consulta = "", ""
    if identity.modelo == 65 or tp_imp == _SIMPLIFIED:
        url, url_consulta = _qr(data, identity, chave, digest, csc, signer, qr_version)
    extra = qrcode.supplement(url, url_consulta) if url else b""
    raw = b"".join((_OPEN, inner.replace(_SPACE, b"", 1), extra, signature, b"</NFe>"))
    _validate(raw, identity.modelo)
    return SignedXml(
        chave=chave,
        xml=raw,
        digest_value=digest,
        dh_emi=data["data_emissao"],
        qrcode_url=url,
        url_consulta=url_consulta,
    )


def key_of(data: Data, identity: Identity) -> str:
    """The access key of `data` under `identity` (KEY-1). Raises ValueError when they do not fit."""
    return access_key.compose(
        cuf=access_key.UF_CODES[data["uf_emitente"]],
        aamm=access_key.aamm_of(data["data_emissao"]),
        document=data.get("cnpj_emitente") or data["cpf_emitente"],
        modelo=identity.modelo,
        serie=identity.serie,
        numero=identity.numero,
        tp_emis=identity.tp_emis,
        cnf=identity.cnf,
    )


# --- steps of make ---------------------------------------------------------------------------


def _compare_key(inner: bytes, chave: str) -> None:
    """Derive the key again from the bytes to be signed (KEY-9: 502, 253, 561, 562 otherwise)."""
    found = _KEY_FIELDS.match(inner)
    if found is None:
        return  # an incomplete document: the schema will say what is missing
    own, cuf, cnf, modelo, serie, numero, dh_emi, tp_emis, cdv, document = (
        part.decode("ascii") for part in found.groups()
    )
    again = access_key.compose(
        cuf=cuf,
        aamm=access_key.aamm_of(dh_emi),
        document=document,
        modelo=int(modelo),
        serie=int(serie),
        numero=int(numero),
        tp_emis=int(tp_emis),
        cnf=cnf,
    )
    if not again == own == chave or again[43] != cdv:
        raise ValueError("the key and the fields of the document do not say the same")


def _qr(
    data: Data,
    identity: Identity,
    chave: str,
    digest: str,
    csc: Csc | None,
    signer: Signer,
    version: int,
) -> tuple[str, str]:
    """Address inside the QR code and page for the key (§14)."""
    foreign = "id_estrangeiro_destinatario" in data or data.get("uf_destinatario") == "EX"
    document = data.get("cnpj_destinatario") or data.get("cpf_destinatario") or ""
    url = qrcode.qr_url(
        chave=chave,
        ambiente=identity.ambiente,
        version=version,
        digest_value=digest,
        dh_emi=data["data_emissao"],
        v_nf=cents(data.get("valor_total") or Decimal("0.00")),
        buyer=qrcode.Buyer(document=document, foreign=foreign and not document),
        csc=csc,
        signer=signer,
    )
    return url, qrcode.addresses(data["uf_emitente"], identity.ambiente).url_chave


def _validate(raw: bytes, modelo: int) -> None:
    """Hold the very bytes against the schema and the size limit. Raises SchemaInvalid."""
    if len(raw) > xml.DOCUMENT_LIMIT:
        size, limit = len(raw) // 1024, xml.DOCUMENT_LIMIT // 1024
        message = f"O documento teria {size} KB; o limite é {limit} KB (rejeição 214)."
        raise SchemaInvalid(erros=[FieldError("items", message)])
    # Bytes of our own making need none of the care of `xml.parse`, and only a failure is worth the
    # time to know why.
    if not xml.schema("nfe").validate(etree.fromstring(raw, _OWN_PARSER)):
        found = xml.faults(raw, "nfe")
        raise SchemaInvalid(erros=schema_faults.errors(found, raw, modelo=modelo))


# --- the trial build of check ----------------------------------------------------------------


class _Straw(Signer):
    """Signs nothing, at no cost, in the form of a signature."""

    def __init__(self) -> None:
        super().__init__(cast("rsa.RSAPrivateKey", None), bytes(1024))

    def sha1_rsa(self, data: bytes) -> bytes:
        return bytes(256)


_STRAW = _Straw()
_STRAW_CSC = Csc("1", "0")


def _straw_identity(
    data: Data, modelo: int, ambiente: str, tp_emis: int, now: datetime
) -> Identity:
    """The number that was asked for, or else one as long as a number gets."""
    return Identity(
        modelo=modelo,
        ambiente=ambiente,
        serie=int(data.get("serie") or 1),
        numero=int(data.get("numero") or _LAST_NUMBER),
        cnf="10203040",
        tp_emis=tp_emis,
        dh_cont=now if tp_emis == OFFLINE else None,
        x_just="Emissão em contingência" if tp_emis == OFFLINE else "",
    )
