"""From a cell's text to a value. A reader raises ValueError with the pt-BR text for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from lib import br, money

Reader = Callable[[str], Any]

BAD_DOCUMENT = (
    "CNPJ ou CPF inválido. Confira os 14 caracteres do CNPJ (letras são aceitas nas 12 primeiras "
    "posições) ou os 11 números do CPF."
)
ROUNDED = (
    "A planilha arredondou o número (notação científica). Formate a coluna como texto e digite "
    "de novo."
)
BAD_CEP = "O CEP deve ter 8 números."
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_SHORT_DATE = re.compile(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})")
_MIDNIGHT = re.compile(r" 00:00(:00(\.0+)?)?$")
_SERIAL = re.compile(r"[0-9]{5}")
_SERIAL_ZERO = date(1899, 12, 30)  # Excel's day 0, its false 29/02/1900 taken into account
_SCIENTIFIC = re.compile(r"[0-9][.,]?[0-9]*E\+?[0-9]+", re.IGNORECASE)
_PHONE = re.compile(r"[0-9()+./ -]{8,30}")
_YES = frozenset(("sim", "s", "verdadeiro", "true", "1", "x"))
_NO = frozenset(("nao", "n", "falso", "false", "0"))


def words(text: str) -> str:
    """Text for comparing what people type: no accents, case, punctuation or double spaces."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", br.fold(text)).split())


def line_of_text(longest: int) -> Reader:
    """A text of one line; line breaks inside the cell become spaces."""

    def read(text: str) -> str:
        return _fitting(" ".join(text.split()), longest)

    return read


def free_text(longest: int = 10_000) -> Reader:
    """A text that may have several lines."""

    def read(text: str) -> str:
        return _fitting(text.replace("\r\n", "\n").replace("\r", "\n"), longest)

    return read


def _fitting(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"O texto tem {len(text)} caracteres; o máximo é {longest}.")
    return text


def code(text: str) -> str:
    """An external code, up to 60 characters."""
    if _SCIENTIFIC.fullmatch(text):
        raise ValueError(ROUNDED)
    return _fitting(" ".join(text.split()), 60)


def document(text: str) -> str:
    """CPF or CNPJ without mask, with the zeros that a spreadsheet drops from its start."""
    bare = br.normalise_document(text)
    if br.document_kind(bare):
        return bare
    if _SCIENTIFIC.fullmatch(text):
        raise ValueError(ROUNDED)
    restored = _with_zeros(bare)
    if restored is None:
        raise ValueError(BAD_DOCUMENT)
    return restored


def _with_zeros(digits: str) -> str | None:
    """The only CPF or CNPJ that `digits` becomes with one to three zeros before it."""
    if not re.fullmatch(r"[0-9]{8,13}", digits):
        return None
    padded = (digits.zfill(11), digits.zfill(14))
    found = [p for p in padded if len(p) - len(digits) in (1, 2, 3) and br.document_kind(p)]
    return found[0] if len(found) == 1 else None


def cep(text: str) -> str:
    """Eight digits; a seventh alone gets back the zero that a spreadsheet dropped (São Paulo)."""
    digits = re.sub(r"[.\s-]", "", text)
    if re.fullmatch(r"[1-9][0-9]{6}", digits):
        digits = f"0{digits}"
    if not br.is_cep(digits):
        raise ValueError(BAD_CEP)
    return digits


def uf(text: str) -> str:
    """A state's two letters."""
    if text.upper() not in br.UFS:
        raise ValueError("UF inválida. Use a sigla do estado, como SP.")
    return text.upper()


def ibge(text: str) -> str:
    """A municipality's IBGE code."""
    if not re.fullmatch(r"[1-5][0-9]{6}", text):
        raise ValueError("Código IBGE inválido. Use os 7 números do município.")
    return text


def phone(text: str) -> str:
    """A telephone as typed, with at least 8 digits."""
    if not _PHONE.fullmatch(text) or len(br.only_digits(text)) < 8:
        raise ValueError("Telefone inválido. Use DDD e número, como (11) 91234-5678.")
    return text


@lru_cache(maxsize=4096)
def email(text: str) -> str:
    """One e-mail address."""
    try:
        validate_email(text)
    except ValidationError:
        raise ValueError("E-mail inválido. Use o formato nome@empresa.com.br.") from None
    return _fitting(text, 254)


def emails(text: str) -> str:
    """Addresses separated by comma, semicolon, space or line, as `a@x.com, b@y.com`."""
    found = [part for part in re.split(r"[,;\s]+", text) if part]
    wrong = [part for part in found if not _is_email(part)]
    if wrong:
        raise ValueError(f"E-mail inválido: {wrong[0][:60]}. Separe os endereços por vírgula.")
    return ", ".join(found)


def _is_email(text: str) -> bool:
    try:
        email(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def day(text: str) -> date:
    """dd/mm/aaaa, dd-mm-aaaa, aaaa-mm-dd, ddmmaaaa or a spreadsheet's serial number of a day."""
    bare = _MIDNIGHT.sub("", text)
    short = _SHORT_DATE.fullmatch(bare)
    if short:
        bare = f"{short[1]:0>2}/{short[2]:0>2}/{short[3]}"
    if _SERIAL.fullmatch(bare):
        found = _SERIAL_ZERO + timedelta(days=int(bare))
    else:
        found = br.parse_date(bare)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError(f"Data fora de {_FIRST_YEAR} a {_LAST_YEAR}. Confira o ano.")
    return found


def amount(places: int, *, integer_digits: int, least: Decimal | None = None) -> Reader:
    """A number as Brazilians write it, within what the database keeps."""
    most = Decimal(10) ** integer_digits

    @lru_cache(maxsize=4096)
    def read(text: str) -> Decimal:
        value = money.parse_brl(text, places=places)
        if abs(value) >= most:
            raise ValueError(f"Valor alto demais: use até {integer_digits} algarismos inteiros.")
        if least is not None and value < least:
            raise ValueError(f"Use um número a partir de {_plain(least)}.")
        return value

    return read


def _plain(value: Decimal) -> str:
    return str(value).replace(".", ",")


def percent(text: str) -> Decimal:
    """`5`, `5%` or `5,25 %`, from 0 to 100."""
    value = money.parse_brl(text.rstrip("% "), places=6)
    if not 0 <= value <= 100:
        raise ValueError("Use um percentual de 0 a 100.")
    return value


def whole(least: int, most: int) -> Reader:
    """A whole number in a range."""

    def read(text: str) -> int:
        bare = re.sub(r",0+$", "", text)
        if not re.fullmatch(r"[0-9]{1,6}", bare) or not least <= int(bare) <= most:
            raise ValueError(f"Use um número inteiro de {least} a {most}.")
        return int(bare)

    return read


@lru_cache(maxsize=1024)
def yes_or_no(text: str) -> bool:
    """sim or não."""
    word = words(text)
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("Use sim ou não.")


def choice(options: Mapping[str, Any], *, accepted: str) -> Reader:
    """One of `options`, whose keys are in the form of `words`; `accepted` is for people."""

    @lru_cache(maxsize=1024)
    def read(text: str) -> Any:
        word = words(text)
        if word not in options:
            raise ValueError(f"Use: {accepted}.")
        return options[word]

    return read
