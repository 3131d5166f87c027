"""What a file sent by a stranger may be: its name, its declared type, its first bytes. Pure."""

from __future__ import annotations

import base64
import re
import unicodedata

MAX_BYTES = 10 * 1024 * 1024  # billing-engine §2.3: 10 MB each

# What customers are sent along with an invoice; nothing here runs when it is opened.
ALLOWED_TYPES = frozenset(
    {
        "application/pdf",
        "image/png",
        "image/jpeg",
        "image/jpg",
        "image/gif",
        "image/webp",
        "image/tiff",
        "image/bmp",
        "text/plain",
        "text/csv",
        "text/xml",
        "application/csv",
        "application/xml",
        "application/json",
        "application/rtf",
        "text/rtf",
        "application/zip",
        "application/x-zip-compressed",
        "message/rfc822",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-outlook",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
    }
)

# Names that an operating system would run or a browser would render.
_DANGEROUS_NAME = re.compile(
    r"\.(exe|com|scr|pif|msi|msp|bat|cmd|ps1|psm1|vbs?|vbe|jse?|mjs|wsf|wsh|hta|jar|lnk|url|reg|"
    r"cpl|dll|sys|sh|bash|py|pl|php\d?|phtml|asp|aspx|jsp|html?|xht|xhtml|shtml|mht|mhtml|svgz?|"
    r"swf|apk|app|dmg|iso|chm|docm|dotm|xlsm|xltm|xlam|pptm|potm|ppam)$",
    re.IGNORECASE,
)
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xca\xfe\xba\xbe",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
)
# The tags that make a browser take a text for HTML (WHATWG MIME Sniffing §7.1), and SVG's.
_MARKUP = re.compile(
    rb"<(!doctype\s+(html|svg)|(html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p"
    rb"|svg|object|embed|form|img|link|meta|base|video|audio|math|(\w+:)(svg|html|script))[\s/>])",
    re.IGNORECASE,
)
_SCRIPTABLE_XML = re.compile(
    rb"<!doctype\s+(html|svg)|<(\w+:)?(svg|html|script)[\s/>]|<\?xml-stylesheet"
    rb"|http://www\.w3\.org/(1999/xhtml|2000/svg|1999/XSL/Transform)",
    re.IGNORECASE,
)
_SNIFFED = 4096
_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_DATA_URL = re.compile(r"\s*data:[^,]{0,200},")


def decode_content(text: str) -> bytes:
    """The bytes of imperfect Base64, as lenient as common decoders: "tst" is two bytes.

    Line breaks, missing padding, the URL alphabet and a `data:` prefix are no faults; b"" is what
    holds no byte.
    """
    if prefix := _DATA_URL.match(text):
        text = text[prefix.end() :]
    raw = text.encode("ascii", "ignore").translate(bytes.maketrans(b"-_", b"+/"))
    raw = _BASE64.sub(b"", raw.split(b"=", 1)[0])
    if len(raw) % 4 == 1:
        raw = raw[:-1]  # six bits are no byte
    return base64.b64decode(raw + b"=" * (-len(raw) % 4))


def safe_name(text: str) -> str:
    """A file name to show and to save under: no folders, no invisible or direction-changing marks.

    "" when nothing is left.
    """
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    name = "".join(c for c in name if unicodedata.category(c) not in _HIDDEN)
    return re.sub(r"\s+", " ", name).strip(" .")[:255]


# Control, format (bidi, zero width), surrogate, private, unassigned; line and paragraph breaks.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_dangerous_name(name: str) -> bool:
    return _DANGEROUS_NAME.search(name) is not None


def plain_type(text: str) -> str:
    """`Text/CSV; charset=utf-8` → `text/csv`."""
    return text.split(";", 1)[0].strip().lower()


def is_allowed_type(content_type: str) -> bool:
    return content_type in ALLOWED_TYPES


def is_dangerous(data: bytes) -> bool:
    """A program, or what a browser would run as a page, whatever it was declared as."""
    if data.startswith(_PROGRAMS):
        return True
    head = _as_ascii(data[:_SNIFFED]).lstrip(b"\xef\xbb\xbf \t\r\n\x0c\x00")
    if not head.startswith(b"<"):
        return False
    if head[:5].lower() == b"<?xml" or head.startswith(b"<!--"):
        return _SCRIPTABLE_XML.search(head) is not None
    return _MARKUP.match(head) is not None or _SCRIPTABLE_XML.search(head) is not None


def _as_ascii(head: bytes) -> bytes:
    """UTF-16 and UTF-32 lose their zero bytes, so that their tags are seen."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00", b"<\x00")):
        return head.lstrip(b"\xff\xfe").replace(b"\x00", b"")
    return head
