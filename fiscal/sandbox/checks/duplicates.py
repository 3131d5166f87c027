"""Row 14: what is already there under this key or this number."""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.sandbox import books
from fiscal.sandbox.document import Document, Key, Refusal
from fiscal.sandbox.world import Call


def check(document: Document, call: Call) -> Iterator[Refusal]:
    """218, 204, 539 (with the key in xMotivo), 206."""
    key = Key(document.key)
    for row in books.same_number(call, key):
        if row["chave"] != key.text:
            yield Refusal(539, f"[chNFe: {row['chave']}][nProt: {row['protocolo']}]")
        elif row["situacao"] == "cancelado":
            yield Refusal(218, f"[nProt: {row['protocolo']}]")
        else:
            yield Refusal(204, f"[nProt: {row['protocolo']}]")
    if books.voided(call, key) is not None:
        yield Refusal(206)
