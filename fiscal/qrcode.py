"""QR code of NFC-e, and of NF-e with the simplified DANFE: its address and infNFeSupl (§14).

Version 2 hashes with the taxpayer's security code (CSC); version 3 needs none and is signed when
the document is issued offline.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fiscal import access_key
from fiscal.documents.types import Csc
from fiscal.tables.loaders import yaml_table
from fiscal.xml import escape

if TYPE_CHECKING:
    from fiscal.signing import Signer

_TP_AMB = {"producao": "1", "homologacao": "2"}
_OFFLINE = 9  # tpEmis; the schema ties the form to this digit of the key (QR-5)


@dataclass(frozen=True)
class Addresses:
    """Where a UF answers about its NFC-e in one environment, copied literally into the XML."""

    qrcode: str  # `?p=…` follows
    url_chave: str


@dataclass(frozen=True)
class Buyer:
    """The recipient as the offline form of version 3 names it (QR-2).

    Without arguments: not identified. `foreign` buyers leave `document` empty.
    """

    document: str = ""  # CNPJ (14) or CPF (11)
    foreign: bool = False

    @property
    def kind(self) -> str:
        """tp_idDest: 1 CNPJ, 2 CPF, 3 foreign, empty when not identified."""
        if self.foreign:
            return "3"
        return {14: "1", 11: "2"}.get(len(self.document), "")


def addresses(uf: str, ambiente: str) -> Addresses:
    """The pages of the issuer's UF, which hold in contingency too (QR-3). KeyError for no UF."""
    row = yaml_table("sefaz-endpoints.yaml")["nfce_qrcode"][uf][ambiente]
    return Addresses(qrcode=row["qrCode"], url_chave=row["urlChave"])


def qr_url(
    *,
    chave: str,
    ambiente: str,
    version: int,
    digest_value: str = "",
    dh_emi: str = "",
    v_nf: str = "",
    buyer: Buyer | None = None,
    csc: Csc | None = None,
    signer: Signer | None = None,
) -> str:
    """Text of infNFeSupl/qrCode; the key says the UF, and whether it was issued offline.

    Version 2 needs `csc`; offline, version 2 needs `digest_value` (base64, of the signature), and
    version 3 `buyer` and `signer`; both forms offline need `dh_emi` and `v_nf` as the XML has
    them. Raises ValueError when something needed is missing, KeyError for a UF without addresses.
    """
    parts = access_key.parse(chave)
    base = addresses(parts.uf, ambiente).qrcode
    head = f"{chave}|{version}|{_TP_AMB[ambiente]}"
    offline = parts.tp_emis == _OFFLINE
    if offline and (len(dh_emi) < 10 or not v_nf):
        raise ValueError("an offline QR code needs dhEmi and vNF")
    if version == 2:
        middle = f"|{dh_emi[8:10]}|{v_nf}|{_digest_hex(digest_value)}" if offline else ""
        return f"{base}?p={_hashed(head + middle, csc)}"
    if version == 3:
        return f"{base}?p={_signed(head, dh_emi, v_nf, buyer, signer) if offline else head}"
    raise ValueError(f"no such version of the QR code: {version}")


def _digest_hex(digest_value: str) -> str:
    """Lower-case hexadecimal of the characters of the base64 text, 56 in all (QR-1)."""
    if len(digest_value) != 28:
        raise ValueError("an offline QR code of version 2 needs the DigestValue")
    return digest_value.encode("ascii").hex()


def _hashed(head: str, csc: Csc | None) -> str:
    """`head`, the id of the CSC and the hash that only its holder can make (QR-1)."""
    if csc is None or not csc.code:
        raise ValueError("version 2 of the QR code needs the CSC")
    text = f"{head}|{csc.id.lstrip('0') or '0'}"
    secret = (text + csc.code).encode("utf-8")
    return f"{text}|{hashlib.sha1(secret, usedforsecurity=False).hexdigest().upper()}"


def _signed(head: str, dh_emi: str, v_nf: str, buyer: Buyer | None, signer: Signer | None) -> str:
    """The offline form of version 3 with its signature (QR-2)."""
    if signer is None:
        raise ValueError("an offline QR code of version 3 needs the certificate")
    buyer = buyer or Buyer()
    document = "" if buyer.foreign else buyer.document
    text = f"{head}|{dh_emi[8:10]}|{v_nf}|{buyer.kind}|{document}"
    return f"{text}|{base64.b64encode(signer.sha1_rsa(text.encode('ascii'))).decode('ascii')}"


def supplement(qrcode: str, url_chave: str) -> bytes:
    """`<infNFeSupl>` for its place between infNFe and Signature, outside of what is signed."""
    return (
        f"<infNFeSupl><qrCode>{escape(qrcode)}</qrCode>"
        f"<urlChave>{escape(url_chave)}</urlChave></infNFeSupl>"
    ).encode()
