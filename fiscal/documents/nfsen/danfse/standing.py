"""Whether a national NFS-e still stands: its events, or what its row says (NT 008, PDF-7)."""

from __future__ import annotations

from collections.abc import Iterable

from fiscal.documents.nfe.danfe.tags import Tag
from fiscal.xml import parse

CANCELLED, REPLACED = "CANCELADA", "SUBSTITUÍDA"
# Element of pedRegEvento by what it does (NAC-11): 105104 grants a cancellation that was asked
# for, 305101 is one by the city itself.
_CANCELLING = ("e101101", "e105104", "e305101")
_REPLACING = "e105102"


def mark_of(chave: str, events: Iterable[bytes], *, known: str = "") -> str:
    """The watermark: `known` unless a registered event of that very note tells it. Raises BadXml.

    `events` are `evento` messages, which the national system signed after it had registered them.
    """
    found: set[str] = set()
    for raw in events:
        root = Tag(parse(raw))
        asked = root.anywhere("infPedReg")
        if asked("chNFSe") == chave:
            found.update(child.name for child in asked.children())
    if _REPLACING in found:
        return REPLACED
    return CANCELLED if found.intersection(_CANCELLING) else known
