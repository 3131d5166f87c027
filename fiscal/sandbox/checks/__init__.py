"""What NFeAutorizacao verifies, one module per block of the table (guide §20.2), in its order.

Not verified, because it cannot be verified honestly here: check digits of state registrations, the
NCM and cClassTrib tables beyond their form, limits of value by unit (750-752), registers of buyers,
circulation of goods (219, 690), and the refusal of a CNPJ buyer in NFC-e, whose code is not ours to
invent.
"""

from __future__ import annotations

from lxml import etree

from fiscal.sandbox import schemas, soap
from fiscal.sandbox.checks import (
    arithmetic,
    classification,
    contingency,
    dates,
    duplicates,
    issuer,
    key,
    model,
    qrcode,
    reform,
    signing,
)
from fiscal.sandbox.document import NS, Document, Refusal
from fiscal.sandbox.world import Call

# Rows 12 to 21: all are evaluated, the first refusal is the answer, the rest goes to the log.
BLOCKS = (
    key.check,
    issuer.check,
    duplicates.check,
    dates.check,
    contingency.check,
    model.check,
    classification.check,
    arithmetic.check,
    reform.check,
    qrcode.check,
)


def read(raw: bytes) -> Document | Refusal:
    """Row 9: the document of those bytes, a root of its own; 243, 587 or 215 otherwise."""
    try:
        root = soap.parse(raw)
    except (etree.XMLSyntaxError, ValueError) as error:
        return Refusal(243, f"[{error}]")
    if root.tag != f"{NS}NFe":
        return Refusal(587)
    fault = schemas.first_fault(root, "nfe")
    return Refusal(215, f"[{fault}]") if fault else Document(raw, root)


def judge(document: Document, call: Call) -> list[Refusal]:
    """Rows 10 to 21: what is wrong with a schema-valid document, in order; empty is good."""
    unsigned = signing.check(document.root, "infNFe", document.issuer, call)
    if unsigned is not None:
        return [unsigned]
    return [refusal for block in BLOCKS for refusal in block(document, call)]
