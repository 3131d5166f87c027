"""XML of the fiscal world: reading what strangers send, and text as the layouts accept it.

Reading is hardened (XSD-7); schemas live in `fiscal.xsd` and are offered here as well.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from lxml import etree

from fiscal import xsd
from fiscal.xsd import RawFault, has_schema, schema

__all__ = [
    "DOCUMENT_LIMIT",
    "NFE",
    "NFSE",
    "READ_LIMIT",
    "BadXml",
    "RawFault",
    "child_text",
    "cut_out",
    "escape",
    "escape_attribute",
    "event_faults",
    "explain",
    "faults",
    "has_schema",
    "joined_lines",
    "local_name",
    "parse",
    "schema",
    "text",
]

NFE = "http://www.portalfiscal.inf.br/nfe"
NFSE = "http://www.sped.fazenda.gov.br/nfse"  # national: DPS, NFSe, pedRegEvento, evento
DOCUMENT_LIMIT = 500 * 1024  # XML-13: one document
READ_LIMIT = 20 * 1024 * 1024  # an answer with fifty compressed documents stays far below

# Encodings in which "<!DOCTYPE" is written with these very bytes. Others could hide it from the
# check below, and no authority uses them.
_ENCODINGS = {"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252"}
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_UTF8_MARK = b"\xef\xbb\xbf"


class BadXml(ValueError):
    """Not an XML document that is safe to read. The text says why, in pt-BR."""


def parse(raw: bytes, *, limit: int = READ_LIMIT) -> etree._Element:
    """The root of untrusted `raw`: no entities, no DOCTYPE, no network, no recovery (XSD-7).

    `limit` is in bytes and checked before parsing. Raises BadXml.
    """
    if len(raw) > limit:
        raise BadXml(f"O XML tem mais de {limit // 1024} KB.")
    _refuse_disguises(raw)
    try:
        # A parser of its own: a shared one is a lock between threads, a new one costs microseconds.
        root = etree.fromstring(raw, _parser())
    except etree.XMLSyntaxError as error:
        # The parser's own words are English; the place is what helps.
        line, column = error.position
        raise BadXml(f"XML malformado na linha {line}, coluna {column}.") from error
    except ValueError as error:
        raise BadXml("XML malformado.") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadXml("O XML não pode trazer DOCTYPE nem entidades.")
    return root


def _parser() -> etree.XMLParser[Any]:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
    )


def _refuse_disguises(raw: bytes) -> None:
    """Refuse encodings that hide markup from a look at the bytes, and any DOCTYPE or ENTITY."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in raw[:4]:
        raise BadXml("O XML deve estar em UTF-8.")
    declared = _DECLARED.match(raw.removeprefix(_UTF8_MARK)[:200])
    if declared and declared[1].decode("ascii").lower() not in _ENCODINGS:
        raise BadXml("O XML deve estar em UTF-8.")
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise BadXml("O XML não pode trazer DOCTYPE nem entidades.")


def cut_out(raw: bytes, tag: str, *, namespace: str = NFE) -> bytes:
    """The only `<tag>…</tag>` of `raw`, byte for byte: NFe out of nfeProc or of an envelope.

    Signatures are checked on the stand-alone document (SIG-7), and only the bytes that come back
    may be read. The `namespace` that only the wrapper declares is written into the tag, as the
    canonical form would. Raises BadXml when there is none, or more than one.
    """
    name = re.escape(tag.encode("ascii"))
    starts = [found.start() for found in re.finditer(rb"<" + name + rb"(?=[\s>])", raw)]
    ends = [found.span() for found in re.finditer(rb"</" + name + rb"\s*>", raw)]
    if len(starts) != 1 or len(ends) != 1 or ends[0][0] < starts[0]:
        raise BadXml(f"O XML deve conter exatamente um elemento {tag}.")
    part = raw[starts[0] : ends[0][1]]
    head = part[: part.index(b">")]
    if b"xmlns=" in head:
        return part
    return part.replace(b"<" + tag.encode(), f'<{tag} xmlns="{namespace}"'.encode(), 1)


def local_name(element: etree._Element) -> str:
    """The tag without its namespace; empty for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def child_text(element: etree._Element, *names: str) -> str:
    """Text of the descendant reached by local `names`; empty when some step is missing."""
    for name in names:
        found = next((child for child in element if local_name(child) == name), None)
        if found is None:
            return ""
        element = found
    return element.text or ""


# --- validation ------------------------------------------------------------------------------


def faults(raw: bytes, name: str) -> list[RawFault]:
    """What `schema(name)` finds in `raw`, first fault per element (XSD-5); empty when valid.

    Raises KeyError for a name that `has_schema` denies.
    """
    try:
        root = parse(raw)
    except BadXml as error:
        return [RawFault("", "", "malformed", str(error))]
    return xsd.element_faults(root, name)


def event_faults(raw: bytes, tp_evento: str = "") -> list[RawFault]:
    """Faults of one `<evento>`: the generic schema, then that of its type's detEvento (XSD-2).

    `tp_evento` is that of the document unless given. A type without a schema of its own is
    checked by the generic one alone.
    """
    try:
        root = parse(raw)
    except BadXml as error:
        return [RawFault("", "", "malformed", str(error))]
    found = xsd.element_faults(root, "evento")
    name = f"e{tp_evento or child_text(root, 'infEvento', 'tpEvento')}"
    detail = root.find(f"{{{NFE}}}infEvento/{{{NFE}}}detEvento")
    if found or detail is None or not has_schema(name):
        return found
    return xsd.element_faults(detail, name)


def explain(raw: bytes, name: str) -> list[str]:
    """Why `raw` is not valid, at length and in English, by an independent validator.

    For developer tools: some 80 times slower than `faults` (XSD-3). Raises BadXml.
    """
    return xsd.explain(parse(raw), name)


# --- text (XML-6) ----------------------------------------------------------------------------

# What word processors write instead of the signs that the layouts know (TString ends at U+00FF).
_TYPOGRAPHIC = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″", '"'),
        **dict.fromkeys("•‣●▪", "*"),
        "…": "...",
        "€": "EUR",
        "™": "(TM)",
        "Œ": "OE",
        "œ": "oe",
    }
)
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\xad]")


def text(value: str) -> str:
    """`value` as a layout text: trimmed, single spaces, no control characters, Latin-1 only.

    Accents stay. Typographic signs become their plain form; a letter outside Latin-1 loses its
    mark; what has no plain form at all (emoji) is left out, since TString would refuse it.
    """
    plain = value if value.isascii() else _latin(value)
    # Unwanted characters first: a control character between two blanks must not leave two.
    return " ".join(_UNWANTED.sub(" ", plain).split())


def _latin(value: str) -> str:
    """`value` with each character outside Latin-1 replaced or left out."""
    composed = unicodedata.normalize("NFC", value).translate(_TYPOGRAPHIC)
    return "".join(char if char <= "\xff" else _plain(char) for char in composed)


def _plain(char: str) -> str:
    """The Latin-1 letters under the marks of `char`; a blank stays one; else nothing."""
    if char.isspace():
        return " "
    return "".join(part for part in unicodedata.normalize("NFKD", char) if part <= "\xff")


def joined_lines(value: str) -> str:
    """Several lines as one text, joined with ` | ` as in infCpl (XML-6), without empty ones."""
    cleaned = (text(line) for line in value.splitlines())
    return " | ".join(line for line in cleaned if line)


def escape(value: str) -> str:
    """`value` as character data in canonical form (SIG-3)."""
    return (
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    )


def escape_attribute(value: str) -> str:
    """`value` as the inside of a double-quoted attribute in canonical form (SIG-3)."""
    return (
        value.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace('"', "&quot;")
        .replace("\t", "&#x9;")
        .replace("\n", "&#xA;")
        .replace("\r", "&#xD;")
    )
