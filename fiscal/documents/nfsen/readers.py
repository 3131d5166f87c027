"""One value of the request → what its element takes, by the type that the schema gives it.

Masks and lost leading zeros are mended, free texts are cleaned and cut (XML-6); everything else
that the type does not admit is refused with what would be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fiscal import xml
from fiscal.documents.nfe import texts, values
from fiscal.documents.nfe.catalogue import Field
from fiscal.documents.nfe.layout import Simple
from fiscal.documents.nfe.values import Reader, Refused, TooLong, plain, shortened
from fiscal.documents.nfsen import keys
from fiscal.documents.nfsen.catalogue import type_of

# The readers of NF-e know these under another name.
_SHARED = {"TSCNPJ": "TCnpj", "TSCPF": "TCpf", "TSChaveNFe": "TChNFe"}
_MASK = re.compile(r"[.\-/()\s+]")
# Texts that may be shortened without changing what they say: to whom, where, what.
_CUT = frozenset(("xNome", "xLgr", "xDescServ", "xInfComp"))
_DIGITS = re.compile(r"\[0-9\]\{([0-9]+)(?:,([0-9]+))?\}")
_LEADING_ZEROS = frozenset(("TSIdeDedRed",))  # 01 to 09 of the catalogue, 1 to 9 of the layout


def reader_of(field: Field) -> Reader | None:
    """The reader of a field; None for lists and moments, which need more than the value."""
    if field.kind in ("array", "datetime"):
        return None
    kind = type_of(field)
    if kind is None:
        return values.enum_reader(field.enum)
    if field.kind == "decimal":
        return values.decimal_reader(field)
    if kind.name in ("TSData", "xs:date"):
        return values.read_date
    if kind.enum:
        return _enum(kind)
    if kind.name in _SHARED:
        return texts.reader(replace(field, xsd=_SHARED[kind.name]))
    if kind.name == "TSChaveNFSe":
        return _key
    pattern = kind.patterns[0] if len(kind.patterns) == 1 else ""
    if kind.name in ("TSSerieDPS", "TSNumDPS"):
        return _number(kind)
    if found := _DIGITS.fullmatch(pattern):
        return _digits(int(found[1]), int(found[2] or found[1]))
    return _text(kind, field.xml[0].rpartition("/")[2])


def _enum(kind: Simple) -> Reader:
    read = values.enum_reader(kind.enum)
    if kind.name not in _LEADING_ZEROS:
        return read
    return lambda value: read(plain(value).strip().lstrip("0"))


def _digits(least: int, most: int) -> Reader:
    """Digits of a code or a telephone, masked or not."""
    limits = f"{least}" if least == most else f"de {least} a {most}"

    def read(value: Any) -> str:
        text = value if type(value) is str else plain(value).zfill(least)
        text = _MASK.sub("", text)
        if not (text.isascii() and text.isdecimal() and least <= len(text) <= most):
            raise Refused(f"Informe {limits} dígitos.")
        return text

    return read


def _number(kind: Simple) -> Reader:
    def read(value: Any) -> str:
        text = plain(value).strip().lstrip("0")
        if not kind.admits(text) or (kind.max_length and len(text) > kind.max_length):
            raise Refused(f"Informe um número de até {kind.max_length} dígitos, maior que zero.")
        return text

    return read


def _key(value: Any) -> str:
    text = re.sub(r"\s", "", plain(value)).upper().removeprefix("NFS")
    if not re.fullmatch(keys.KEY_PATTERN, text):
        raise Refused("Informe a chave de acesso da NFS-e, de 50 caracteres.")
    return text


def _text(kind: Simple, tag: str) -> Reader:
    clean = _cleaner(kind, tag)
    low, high, is_cut = kind.min_length or 1, kind.max_length, tag in _CUT

    def read(value: Any) -> str:
        text = clean(value if type(value) is str else plain(value))
        if high and len(text) > high and is_cut:
            raise TooLong(shortened(text, high), high)
        if len(text) < low or (high and len(text) > high):
            raise Refused(_length(low, high))
        if kind.patterns and not kind.admits(text):
            raise Refused("Formato inválido.")
        return text

    return read


def _length(low: int, high: int) -> str:
    if low == high:
        return f"Informe {low} caracteres."
    if low > 1:
        return f"Informe de {low} a {high} caracteres."
    return f"Informe até {high} caracteres, ao menos um visível."


def _cleaner(kind: Simple, tag: str) -> Callable[[str], str]:
    if kind.name == "TSDesc2000":
        return _lines  # the only type that admits line breaks
    if tag == "xInfComp":
        return xml.joined_lines
    if kind.name in ("TSCodPaisISO", "TSCodCIB"):
        return lambda value: xml.text(value).upper()
    return xml.text


def _lines(value: str) -> str:
    return "\n".join(xml.text(line) for line in value.splitlines()).strip()
