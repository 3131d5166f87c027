"""Reading one value of a company as it was sent; ValueError says in pt-BR what is accepted.

None and blank text clear a value, except where a reader says otherwise. Numbers are taken for the
text that they write: clients send CEP and series either way.
"""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64decode
from collections.abc import Callable, Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from lib.br import UFS, is_cnpj, is_cpf, normalise_document, only_digits, parse_date

Reader = Callable[[Any], Any]

LOGO_SIDE = 200  # pixels
_LOGO_BYTES = 250_000  # 200 x 200 pixels without any compression have 160 KB
_PNG = b"\x89PNG\r\n\x1a\n"
_TRUE, _FALSE = ("true", "1", "sim"), ("false", "0", "nao", "não")
_SPACES = re.compile(r"\s+")


def plain(value: Any) -> str:
    """The text of a text or number, trimmed; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        raise ValueError("deve ser um texto")
    return _SPACES.sub(" ", str(value)).strip()


def text(least: int, most: int) -> Reader:
    """Text of that many characters."""

    def read(value: Any) -> str:
        found = plain(value)
        if found and not least <= len(found) <= most:
            raise ValueError(f"deve ter de {least} a {most} caracteres")
        return found

    return read


def digits(least: int, most: int) -> Reader:
    """So many digits; punctuation is dropped."""
    size = str(least) if least == most else f"de {least} a {most}"

    def read(value: Any) -> str:
        found = plain(value)
        bare = only_digits(found)
        if found and (not least <= len(bare) <= most or re.search(r"[^\W\d_]", found)):
            raise ValueError(f"deve ter {size} dígitos")
        return bare

    return read


def choice(accepted: Collection[str]) -> Reader:
    """One of a few texts; "" when none is given."""

    def read(value: Any) -> str:
        found = plain(value)
        if found and found not in accepted:
            raise ValueError(f"deve ser um destes: {', '.join(accepted)}")
        return found

    return read


# As the texts of the API write it, as they misspell it (§14.2), and as people call it.
_ORIENTATIONS = {
    "portrait": "portrait",
    "landscape": "landscape",
    "ladscape": "landscape",
    "retrato": "portrait",
    "paisagem": "landscape",
}


def orientation(value: Any) -> str:
    """`portrait` or `landscape`; "" when none is given."""
    found = plain(value).lower()
    if found and found not in _ORIENTATIONS:
        raise ValueError("deve ser um destes: portrait, landscape")
    return _ORIENTATIONS.get(found, "")


def flag(value: Any) -> bool:
    """True or false; absent is false."""
    word = str(value).strip().lower() if isinstance(value, bool | int | str) else "?"
    if value is None or word in ("", *_FALSE):
        return False
    if word not in _TRUE:
        raise ValueError("deve ser true ou false")
    return True


def number(least: int, most: int) -> Reader:
    """A whole number in a range, None when absent."""

    def read(value: Any) -> int | None:
        found = plain(value)
        if not found:
            return None
        if not re.fullmatch("[0-9]{1,15}", found) or not least <= int(found) <= most:
            raise ValueError(f"deve ser um número de {least} a {most}")
        return int(found)

    return read


def regime(value: Any) -> int | None:
    """CRT."""
    found = plain(value)
    if found and found not in ("1", "2", "3", "4"):
        raise ValueError("deve ser 1, 2, 3 ou 4")
    return int(found) if found else None


def cnpj(value: Any) -> str:
    """Numeric or with letters (KEY-4)."""
    return _document(value, is_cnpj, "não é um CNPJ válido")


def cpf(value: Any) -> str:
    return _document(value, is_cpf, "não é um CPF válido")


def cpf_or_cnpj(value: Any) -> str:
    return _document(value, lambda one: is_cnpj(one) or is_cpf(one), "não é um CPF ou CNPJ válido")


def _document(value: Any, accepts: Callable[[str], bool], complaint: str) -> str:
    bare = normalise_document(plain(value))
    if bare and not accepts(bare):
        raise ValueError(complaint)
    return bare


def inscricao_estadual(value: Any) -> str:
    """TIe of the layout: 2 to 14 digits, or ISENTO."""
    found = re.sub(r"[./\-\s]", "", plain(value)).upper()
    if found and not re.fullmatch("[0-9]{2,14}|ISENTO", found):
        raise ValueError("deve ter de 2 a 14 dígitos, ou ISENTO")
    return found


def uf(value: Any) -> str:
    found = plain(value).upper()
    if found and found not in UFS:
        raise ValueError("deve ser a sigla de um estado")
    return found


def email(value: Any) -> str:
    found = plain(value)
    if found:
        try:
            validate_email(found)
        except ValidationError as error:
            raise ValueError("não é um e-mail válido") from error
    return found


def day(value: Any) -> str:
    """A date, as aaaa-mm-dd."""
    found = plain(value)
    if not found:
        return ""
    try:
        return parse_date(found).isoformat()
    except ValueError as error:
        raise ValueError("deve ser uma data (aaaa-mm-dd)") from error


def secret(most: int) -> Reader:
    """A password, kept as it was typed."""

    def read(value: Any) -> str:
        if isinstance(value, bool | list | dict):
            raise ValueError("deve ser um texto")
        found = "" if value is None else str(value)
        if len(found) > most:
            raise ValueError(f"deve ter até {most} caracteres")
        return found

    return read


def base64_bytes(value: Any) -> bytes:
    """Base64, also with line breaks or after a `data:` prefix; b"" when absent."""
    if value is not None and not isinstance(value, str):
        raise ValueError("deve ser um texto em base64")
    packed = "".join((value or "").rpartition(",")[2].split())
    try:
        return b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError as error:
        raise ValueError("não está em base64") from error


def logo(value: Any) -> bytes:
    """A PNG of at most 200 × 200 pixels."""
    data = base64_bytes(value)
    if not data:
        return b""
    size = _png_size(data) if len(data) <= _LOGO_BYTES else None
    if size is None:
        raise ValueError("deve ser uma imagem PNG")
    if max(size) > LOGO_SIDE:
        raise ValueError(f"deve ter no máximo {LOGO_SIDE} x {LOGO_SIDE} pixels")
    return data


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG whose pieces are all there (PNG, ISO/IEC 15948 §5); else None."""
    if not data.startswith(_PNG):
        return None
    size, position, kind = None, len(_PNG), b""
    while kind != b"IEND":
        if len(data) < position + 12:
            return None
        length = int.from_bytes(data[position : position + 4], "big")
        body = data[position + 4 : position + 8 + length]
        check = data[position + 8 + length : position + 12 + length]
        kind = body[:4]
        if check != zlib.crc32(body).to_bytes(4, "big"):
            return None
        if kind == b"IHDR" and length == 13:
            size = struct.unpack(">II", body[4:12])
        position += 12 + length
    return size if size and min(size) > 0 else None
