"""What was signed with a certificate that no longer signs, and never arrived (CRT-5, REC-3)."""

from __future__ import annotations

import base64
from datetime import datetime

from fiscal.models import Attempt, FiscalDocument
from fiscal.services import archive
from fiscal.services.certificates import opened
from fiscal.services.signing_step import Signature
from fiscal.signing import signed_again

NFE = 55
_UNKNOWN = (Attempt.Outcome.OPEN, Attempt.Outcome.LOST)


def under_new_certificate(document: FiscalDocument, *, now: datetime) -> Signature | None:
    """The signed NF-e under the certificate that signs now; None when it is the one it has.

    Authorities refuse a signature whose certificate has ended (291) or is none of theirs (293).
    infNFe stays byte for byte, and with it key and DigestValue: should the bytes before turn up
    after all, both are the same document. NFC-e are dated and signed anew anyway (704). Raises
    CertificateExpired, NoCertificate.
    """
    if document.modelo != NFE:
        return None
    certificate = opened(document.company, at=now)
    signer = certificate.signer
    before = archive.signed_xml(document)
    if base64.b64encode(signer.certificate_der) in before or _may_have_arrived(document):
        return None
    xml = signed_again(before, signer)

    def keep() -> bytes:
        name = archive.nfe_name(document.chave or "")
        archive.keep(document, archive.Kind.SIGNED, name, xml, at=now)
        return xml

    return Signature(keep, certificate.credentials)


def _may_have_arrived(document: FiscalDocument) -> bool:
    attempts = document.attempts.filter(kind=Attempt.Kind.AUTHORIZE)
    return attempts.filter(outcome__in=_UNKNOWN).exists()
