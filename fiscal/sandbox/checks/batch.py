"""Row 6: the envelope of a batch, without judging the documents in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from fiscal.sandbox.checks.message import MAX_DOCUMENT
from fiscal.sandbox.document import NS
from fiscal.sandbox.world import Refused

MAX_DOCUMENTS = 50
_NFE = re.compile(rb"<NFe[\s>].*?</NFe>", re.DOTALL)


@dataclass(frozen=True)
class Batch:
    """idLote, whether the answer is wanted at once, and each NFe as received."""

    id: str
    is_sync: bool
    documents: tuple[bytes, ...]


def read(payload: bytes, root: etree._Element) -> Batch:
    """The batch of an enviNFe; Refused 225, 214 or 452."""
    children = [str(child.tag) for child in root]
    n_documents = len(children) - 2
    if children[:2] != [f"{NS}idLote", f"{NS}indSinc"] or not 1 <= n_documents <= MAX_DOCUMENTS:
        raise Refused(225)
    if set(children[2:]) != {f"{NS}NFe"}:
        raise Refused(225)
    lote, sync = root[0].text or "", root[1].text or ""
    if not re.fullmatch("[0-9]{1,15}", lote) or sync not in ("0", "1"):
        raise Refused(225)
    documents = tuple(_NFE.findall(payload))
    if len(documents) != n_documents:
        raise Refused(225)
    if any(len(each) > MAX_DOCUMENT for each in documents):
        raise Refused(214)
    if (sync == "1") != (n_documents == 1):
        raise Refused(452)
    return Batch(lote, sync == "1", documents)
