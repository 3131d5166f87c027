"""Row 12: the access key against the fields it repeats, and the documents named anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from fiscal.sandbox import br
from fiscal.sandbox.document import Document, Key, Refusal
from fiscal.sandbox.world import Call

# NUM-6: eight equal digits, and the runs of consecutive ones.
_FORBIDDEN_CNF = {str(digit) * 8 for digit in range(10)} | {
    "".join(str((start + step) % 10) for step in range(8)) for start in range(10)
}


def check(document: Document, _: Call) -> Iterator[Refusal]:
    """227, 502, 253, 561, 562, 897, 207, 208, 489, 490."""
    if not document.id.startswith("NFe"):
        yield Refusal(227)
    yield from _key(document)
    yield from _parties(document)


def _key(document: Document) -> Iterator[Refusal]:
    head, key = document.head, Key(document.key)
    first = composed(document)
    if key.text[:43] != first:
        yield from _difference(document, key, first)
    if br.key_digit(key.text[:43]) != key.text[43] or head.text("ide/cDV") != key.text[43]:
        yield Refusal(253)
    cnf = head.text("ide/cNF")
    if cnf in _FORBIDDEN_CNF or cnf == f"{int(head.text('ide/nNF')):08d}":
        yield Refusal(897)


def _difference(document: Document, key: Key, first: str) -> Iterator[Refusal]:
    """Which part differs: month and code have answers of their own, the rest is 502."""
    if key.aamm != first[2:6]:
        yield Refusal(561)
    if key.text[35:43] != first[35:]:
        yield Refusal(562)
    if (key.text[:2], key.text[6:35]) != (first[:2], first[6:35]):
        yield Refusal(502, f"[chNFe: {key.text}]")


def composed(document: Document) -> str:
    """The first 43 characters as the fields say (KEY-1); the month is the one written in dhEmi."""
    head = document.head
    moment = head.text("ide/dhEmi")
    return (
        head.text("ide/cUF")
        + moment[2:4]
        + moment[5:7]
        + document.issuer.zfill(14)
        + head.text("ide/mod")
        + head.text("ide/serie").zfill(3)
        + head.text("ide/nNF").zfill(9)
        + head.text("ide/tpEmis")
        + head.text("ide/cNF")
    )


def _parties(document: Document) -> Iterator[Refusal]:
    emitter = document.head.text("emit/CNPJ")
    if emitter and not br.is_cnpj(emitter):
        yield Refusal(207)
    buyer = document.head.text("dest/CNPJ")
    if buyer and not br.is_cnpj(buyer):
        yield Refusal(208)
    for path, text in _leaves(document):
        name = path.rpartition("/")[2]
        if name == "CNPJ" and text and path not in ("emit/CNPJ", "dest/CNPJ"):
            if not br.is_cnpj(text):
                yield Refusal(489, f"[{path}]")
        elif name == "CPF" and text and not br.is_cpf(text):
            yield Refusal(490, f"[{path}]")


def _leaves(document: Document) -> Iterator[tuple[str, str]]:
    for group in (document.head, *document.items):
        yield from group.leaves.items()
