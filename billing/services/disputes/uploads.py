"""What customers may send along with a dispute: told by its bytes, never by its name alone. Pure.

A file that is two things at once (a picture that is also an archive, a PDF that is also a page) is
refused: whoever opens it must see what its name says, and nothing else.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

from billing.errors import fault
from billing.services.file_checks import is_dangerous, safe_name

MAX_FILES = 3
MAX_BYTES = 5 * 1024 * 1024
TOO_MANY = f"Envie no máximo {MAX_FILES} arquivos."
TOO_BIG = "O arquivo excede 5 MB."
NOT_TAKEN = "Tipo de arquivo não aceito."
FIELD = "anexos"

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BY_ENDING = {"pdf": PDF, "png": PNG, "jpg": JPEG, "jpeg": JPEG, "xlsx": XLSX}
ACCEPT = ",".join(f".{ending}" for ending in _BY_ENDING)

_LONGEST_STEM = 190
_PNG_MARK = b"\x89PNG\r\n\x1a\n"
_PDF_HEAD = 1024  # so far readers look for the header of a PDF
_ARCHIVE_END = b"PK\x05\x06"
_ARCHIVE_TAIL = 22 + 0xFFFF  # so far from the end readers look for an archive's directory
_SCRIPT = re.compile(rb"<\s*(script|html|iframe|!doctype\s+html|\?php)", re.IGNORECASE)
_MACROS = re.compile(r"(^|/)(vbaProject\w*\.bin|activeX\d*\.(xml|bin))$", re.IGNORECASE)
_UNPACKED = 100 * 1024 * 1024  # a bigger table is no evidence but a bomb
_PARTS = 5_000


@dataclass(frozen=True)
class Upload:
    """A file as it was sent."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Checked:
    """A file that may be kept: a name to show, and the type that its bytes are of."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


def check_uploads(files: Sequence[Upload]) -> list[Checked]:
    """All of them, or InvalidInput for `anexos` with the first fault."""
    if len(files) > MAX_FILES:
        raise fault(FIELD, TOO_MANY)
    return [_check(one) for one in files]


def _check(upload: Upload) -> Checked:
    if len(upload.data) > MAX_BYTES:
        raise fault(FIELD, TOO_BIG)
    stem, _, ending = upload.name.strip().rpartition(".")
    kind, name = _BY_ENDING.get(ending.lower()), safe_name(stem)[:_LONGEST_STEM]
    if kind is None or not name or kind != type_of(upload.data):
        raise fault(FIELD, NOT_TAKEN)
    return Checked(f"{name}.{ending}", kind, upload.data)


def type_of(data: bytes) -> str | None:
    """The one type that the bytes are of; None for any other, and for two at once."""
    for kind, is_it in _TESTS.items():
        if is_it(data):
            return None if is_dangerous(data) else kind
    return None


def _is_pdf(data: bytes) -> bool:
    """From its first byte to its end mark, and no archive or page besides."""
    return (
        data.startswith(b"%PDF-")
        and b"%%EOF" in data[-_PDF_HEAD:]
        and not _is_archive(data)
        and not _SCRIPT.search(data[:_PDF_HEAD])
    )


def _is_png(data: bytes) -> bool:
    """Chunk after chunk with their checksums, from the header to the end, and nothing after it."""
    if not data.startswith(_PNG_MARK):
        return False
    at, kind, is_first = len(_PNG_MARK), b"", True
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 8 + size
        if end + 4 > len(data) or (is_first and kind != b"IHDR"):
            return False
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return False
        at, is_first = end + 4, False
        if kind == b"IEND":
            break
    return kind == b"IEND" and at == len(data) and _is_only_picture(data)


def _is_jpeg(data: bytes) -> bool:
    """Cameras write more than the picture after it, so only what is another format is refused."""
    return data.startswith(b"\xff\xd8\xff") and b"\xff\xd9" in data[4:] and _is_only_picture(data)


def _is_only_picture(data: bytes) -> bool:
    return not _is_archive(data) and b"%PDF-" not in data[:_PDF_HEAD] and not _SCRIPT.search(data)


def _is_archive(data: bytes) -> bool:
    return _ARCHIVE_END in data[-_ARCHIVE_TAIL:]


def _is_xlsx(data: bytes) -> bool:
    """A workbook without macros, packed in one archive that is all of the file."""
    if not data.startswith(b"PK\x03\x04") or b"%PDF-" in data[:_PDF_HEAD]:
        return False
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            parts = archive.infolist()
            is_whole = not archive.comment and data[-22:-18] == _ARCHIVE_END
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return False
    names = {one.filename for one in parts}
    return (
        is_whole
        and 0 < len(parts) <= _PARTS
        and min(one.header_offset for one in parts) == 0
        and {"[Content_Types].xml", "xl/workbook.xml"} <= names
        and not any(_MACROS.search(name) for name in names)
        and sum(one.file_size for one in parts) <= _UNPACKED
    )


_TESTS = {PDF: _is_pdf, PNG: _is_png, JPEG: _is_jpeg, XLSX: _is_xlsx}
