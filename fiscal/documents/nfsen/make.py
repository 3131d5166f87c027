"""From a declaration to the bytes of its DPS: built, signed, valid (SIG-10, XSD-4, SIG-8)."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from lxml import etree

from fiscal import xml
from fiscal.documents.nfe.schema_faults import Translation
from fiscal.documents.nfsen import keys
from fiscal.documents.nfsen.catalogue import layout, places
from fiscal.documents.nfsen.writing import VERSION, write
from fiscal.documents.service import Declared, Prepared, RpsIdentity, Summary
from fiscal.documents.types import Data
from fiscal.errors import SchemaInvalid
from fiscal.signing import CLASSIC, STRAW, Profile, Signer
from lib.errors import FieldError

SIZE_LIMIT = 1024 * 1024  # of ours: the national system publishes none
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'  # E1229: only what is sent carries it

_OPEN = f'<DPS xmlns="{xml.NFSE}" versao="{VERSION}">'.encode()
_SPACE = f' xmlns="{xml.NFSE}"'.encode()
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, collect_ids=False)


def make(
    declared: Declared, identity: RpsIdentity, *, signer: Signer, profile: Profile = CLASSIC
) -> Prepared:
    """The signed DPS under its number, valid against the schema, without XML declaration.

    Takes no number and keeps nothing. Raises SchemaInvalid, which names request fields, and
    ValueError for an identity that does not fit.
    """
    data = declared.data
    element_id = id_of(data, identity)
    raw, digest = sealed(data, identity, element_id=element_id, signer=signer, profile=profile)
    return Prepared(element_id, raw, digest, summary(data))


def sealed(
    data: Data, identity: RpsIdentity, *, element_id: str, signer: Signer, profile: Profile
) -> tuple[bytes, str]:
    """The signed, valid DPS of `data` under an Id, and its DigestValue. Raises SchemaInvalid."""
    inner = write(data, identity, element_id=element_id)
    signature, digest = signer.signature(inner, element_id=element_id, profile=profile)
    raw = b"".join((_OPEN, inner.replace(_SPACE, b"", 1), signature, b"</DPS>"))
    validate(raw)
    return raw, digest


def rehearse(declared: Declared, *, ambiente: str) -> list[FieldError]:
    """What the schema finds in the DPS that `declared` would make; empty when it is fine.

    Built with a number and a signature of straw, so that no number is spent on a refusal.
    """
    identity = RpsIdentity(ambiente, declared.data.get("serie_dps") or "1", 999_999_999_999_999)
    try:
        make(declared, identity, signer=STRAW)
    except SchemaInvalid as refused:
        return list(refused.erros)
    return []


def id_of(data: Data, identity: RpsIdentity) -> str:
    """infDPS/@Id of a declaration under its number (NAC-2)."""
    return keys.dps_id(
        city=data["codigo_municipio_emissora"],
        document=data.get("cnpj_prestador") or data.get("cpf_prestador", ""),
        series=identity.series,
        number=identity.number,
    )


def summary(data: Data) -> Summary:
    """What lists show of a declaration."""
    kinds = ("cnpj", "cpf", "nif")
    return Summary(
        taker_document=next((data[n] for k in kinds if (n := f"{k}_tomador") in data), ""),
        taker_name=data.get("razao_social_tomador", ""),
        taker_email=data.get("email_tomador", ""),
        total=data.get("valor_servico", Decimal("0.00")),
    )


def validate(raw: bytes) -> None:
    """Hold the very bytes against the schema and the size limit. Raises SchemaInvalid."""
    if len(raw) > SIZE_LIMIT:
        message = f"A DPS teria {len(raw) // 1024} KB; o limite é {SIZE_LIMIT // 1024} KB."
        raise SchemaInvalid(erros=[FieldError("documentos", message)])
    # Only a failure is worth the time to know why.
    if not xml.schema("DPS").validate(etree.fromstring(raw, _PARSER)):
        raise SchemaInvalid(erros=_translation().errors(xml.faults(raw, "DPS"), raw))


@cache
def _translation() -> Translation:
    return Translation(places(), layout(), frozenset(("DPS", "infDPS")))
