"""The little of DER and BER that certificates need: a value's octets, and costs hidden in a PFX."""

from __future__ import annotations

from collections.abc import Iterator

# Key derivations of real files repeat 1,000 to 600,000 times. A hostile file asks for 2^31, and
# would hold a worker for hours.
MAX_ITERATIONS = 5_000_000

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_DEEPEST = 30


def octets(value: bytes) -> bytes:
    """Content of the innermost value of `value`: strings come wrapped in explicit tags.

    What is not DER comes back as it is.
    """
    for _ in range(_DEEPEST):
        parts = list(_values(value))
        if len(parts) != 1:
            break
        tag, value = parts[0]
        if not tag & 0x20:
            break
    return value


def iterations(raw: bytes) -> Iterator[int]:
    """Every integer that follows an octet string in a sequence: salt, then iterations.

    So PBEParameter, PBKDF2-params and MacData write them. Looks inside octet strings too, where
    PKCS#12 nests its structures.
    """
    yield from _iterations(raw, 0)


def _iterations(raw: bytes, depth: int) -> Iterator[int]:
    if depth > _DEEPEST:
        return
    before = 0
    for tag, content in _values(raw):
        if tag == _INTEGER and before & 0x1F == _OCTETS:
            yield int.from_bytes(content)
        if tag == _OCTETS | 0x20:  # BER: a string in pieces
            yield from _iterations(b"".join(piece for _, piece in _values(content)), depth + 1)
        elif tag & 0x20 or (tag == _OCTETS and content[:1] == bytes([_SEQUENCE])):
            yield from _iterations(content, depth + 1)
        before = tag


def _values(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of the values in a row; ends silently where it is no DER any more."""
    at = 0
    while at + 2 <= len(raw):
        tag, size = raw[at], raw[at + 1]
        at += 2
        if size == 0x80:  # indefinite: everything up to the end, which the pieces will limit
            yield tag, raw[at:]
            return
        if size > 0x80:
            width = size & 0x7F
            size = int.from_bytes(raw[at : at + width])
            at += width
        if at + size > len(raw):
            return
        yield tag, raw[at : at + size]
        at += size
