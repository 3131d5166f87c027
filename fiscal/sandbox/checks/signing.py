"""Rows 10 and 11: the signature, and the certificate it was made with."""

from __future__ import annotations

from lxml import etree

from fiscal.sandbox import signature
from fiscal.sandbox.document import Refusal
from fiscal.sandbox.world import Call

NFE = "http://www.portalfiscal.inf.br/nfe"


def check(root: etree._Element, signed: str, author: str, call: Call) -> Refusal | None:
    """Verify the signature of the child `signed` and that its certificate may sign for `author`."""
    try:
        verified = signature.verify(root, signed, NFE)
    except signature.OutOfProfile as error:
        return Refusal(298, f"[{error}]")
    except signature.Differs as error:
        return Refusal(297, f"[{error}]")
    fault = call.world.trust.judge(verified.certificate, call.now, call.world.revoked())
    if fault is not None:
        return Refusal(290 + fault)
    if verified.certificate is None or not verified.certificate.base_is(author):
        return Refusal(213)
    return None
