"""Declarations of service for cities, and who verifies what was made of them."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from support import authority

from fiscal.authorities.base import Credentials
from fiscal.authorities.municipal import profiles
from fiscal.documents.nfse.reading import read
from fiscal.documents.service import Declared, NoteRef, RpsIdentity, ServiceIssuer

DS = "http://www.w3.org/2000/09/xmldsig#"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone(timedelta(hours=-3)))
ISSUER = ServiceIssuer(
    cnpj="11222333000181", cpf="", nome="Prestador Ltda", nome_fantasia="",
    inscricao_municipal="31000000", regime_tributario=3, email="", telefone="",
    logradouro="Rua A", numero="1", complemento="", bairro="Centro", cep="01001000",
    municipio="São Paulo", codigo_municipio="3550308", uf="SP",
)  # fmt: skip
# Families by what they differ in, each with a city of its own.
CITIES = {"issnet-2.04": "3543402", "webiss-2.02": "4301602", "webiss-1.00": "3105608"}
SAO_PAULO = "3550308"


def body(municipality: str, **also: Any) -> dict[str, Any]:
    """A body of /v2/nfse; `also` replaces paths, given with __ for the dots."""
    made: dict[str, Any] = {
        "data_emissao": "2026-11-20T10:00:00-03:00",
        "natureza_operacao": "1",
        "optante_simples_nacional": False,
        "prestador": {
            "cnpj": ISSUER.cnpj,
            "codigo_municipio": municipality,
            "inscricao_municipal": ISSUER.inscricao_municipal,
        },
        "tomador": {
            "cnpj": "11444777000161",
            "razao_social": "Tomador & Cia Ltda",
            "email": "a@exemplo.com.br",
            "telefone": "1133334444",
            "endereco": {
                "logradouro": "Praça da Sé",
                "numero": "1",
                "bairro": "Sé",
                "codigo_municipio": "3550308",
                "uf": "SP",
                "cep": "01001000",
            },
        },
        "servico": {
            "valor_servicos": "1000.00",
            "aliquota": "5",
            "iss_retido": "false",
            "item_lista_servico": "0107",
            "codigo_tributario_municipio": "2658",
            "discriminacao": "Análise de sistemas\nsegunda linha",
            "codigo_nbs": "1.1502.20.00",
            "codigo_indicador_operacao": "100301",
            "ibs_cbs_classificacao_tributaria": "000001",
        },
    }
    for path, value in also.items():
        *above, last = path.split("__")
        place = made
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return made


def declared(municipality: str, **also: Any) -> Declared:
    return read(body(municipality, **also), issuer=ISSUER, ambiente="homologacao", now=NOW)


def identity(number: int = 1, *, series: str = "OL03") -> RpsIdentity:
    return RpsIdentity("homologacao", series, number)


def note(municipality: str, **also: Any) -> NoteRef:
    return NoteRef(ISSUER, municipality, identity(), **also)


def provider(municipality: str, ambiente: str = "homologacao") -> Any:
    return profiles.city(municipality, ambiente)


def signatures(document: bytes) -> int:
    """How many signatures a document has, all verified by xmlsec1 against their certificates."""
    root = etree.fromstring(document)
    for name in ("Id", "id"):
        xmlsec.tree.add_ids(root, [name])
    found = list(root.iter(f"{{{DS}}}Signature"))
    for node in found:
        context = xmlsec.SignatureContext()
        pem = certificate(node).public_bytes(serialization.Encoding.PEM)
        context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatCertPem)
        context.verify(node)
    return len(found)


def certificate(node: Any) -> x509.Certificate:
    der = base64.b64decode(node.findtext(f".//{{{DS}}}X509Certificate") or "")
    return x509.load_der_x509_certificate(der)


def opens(document: bytes, signature: str, text: str) -> None:
    """Raises unless `signature` is of `text` under the certificate of the document."""
    key: Any = certificate(etree.fromstring(document)).public_key()
    key.verify(base64.b64decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303


@cache
def rsa_client() -> Credentials:
    """A taxpayer whose certificate both opens connections of support.authority and signs."""
    by = authority.authority(authority.OURS)
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"PRESTADOR:{ISSUER.cnpj}")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by._x509.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(by._key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    return Credentials(made.fingerprint(hashes.SHA256()).hex(), certificate, pem)


COMPETENCE_OF_LAYOUT_1 = date(2025, 12, 31)
MOMENT = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
