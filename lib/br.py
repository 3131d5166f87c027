"""Brazilian documents, addresses, dates and amounts in words. Plain functions over text."""

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Literal

from lib import money

INVALID_DATE = "Data inválida. Use dd/mm/aaaa."

# fmt: off
UFS = frozenset({
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA",
    "PB", "PE", "PI", "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
})
# fmt: on

_MASK_CHARACTERS = re.compile(r"[./\-\s]")
_CPF = re.compile(r"[0-9]{11}")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
_CEP = re.compile(r"[0-9]{8}")
_DATES = (
    re.compile(r"(?P<d>[0-9]{2})/(?P<m>[0-9]{2})/(?P<y>[0-9]{4})"),
    re.compile(r"(?P<d>[0-9]{2})-(?P<m>[0-9]{2})-(?P<y>[0-9]{4})"),
    re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"),
    re.compile(r"(?P<d>[0-9]{2})(?P<m>[0-9]{2})(?P<y>[0-9]{4})"),
)
_OLDEST_YEAR = 1900  # a smaller year is a two-digit one typed with zeros


# --- CPF and CNPJ (boleto-pix.md §9) ---------------------------------------------------------


def normalise_document(text: str) -> str:
    """CPF or CNPJ without `.`, `/`, `-` and spaces, upper case. Letters are never removed."""
    bare = _MASK_CHARACTERS.sub("", text)
    # upper() turns a few foreign letters into A–Z (ı → I): those are left to fail the check.
    return bare.upper() if bare.isascii() else bare


def _check_digit(body: str, weights: range | tuple[int, ...]) -> str:
    """Modulo 11 digit of `body`; a character is worth its ASCII code minus 48."""
    total = sum((ord(char) - 48) * weight for char, weight in zip(body, weights, strict=True))
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def is_cpf(text: str) -> bool:
    """Whether `text`, masked or not, is a CPF with right check digits; all-equal ones are not."""
    cpf = normalise_document(text)
    if not _CPF.fullmatch(cpf) or len(set(cpf)) == 1:
        return False
    first = _check_digit(cpf[:9], range(10, 1, -1))
    return cpf[9:] == first + _check_digit(cpf[:9] + first, range(11, 1, -1))


def is_cnpj(text: str) -> bool:
    """Whether `text`, masked or not, is a CNPJ, numeric or with letters (issued since 07/2026)."""
    cnpj = normalise_document(text)
    if not _CNPJ.fullmatch(cnpj) or len(set(cnpj)) == 1:
        return False
    weights = (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = _check_digit(cnpj[:12], weights)
    return cnpj[12:] == first + _check_digit(cnpj[:12] + first, (6, *weights))


def document_kind(text: str) -> Literal["cpf", "cnpj"] | None:
    """Which valid document `text` is, or None."""
    if is_cpf(text):
        return "cpf"
    return "cnpj" if is_cnpj(text) else None


def cpf_mask(text: str) -> str:
    """`999.999.999-99`; text of another length comes back as given."""
    d = normalise_document(text)
    return f"{d[:3]}.{d[3:6]}.{d[6:9]}-{d[9:]}" if len(d) == 11 else text


def cnpj_mask(text: str) -> str:
    """`AA.AAA.AAA/AAAA-99`; text of another length comes back as given."""
    d = normalise_document(text)
    return f"{d[:2]}.{d[2:5]}.{d[5:8]}/{d[8:12]}-{d[12:]}" if len(d) == 14 else text


def document_mask(text: str) -> str:
    """The mask that fits the length: CPF for 11 characters, CNPJ for 14, else as given."""
    return cpf_mask(text) if len(normalise_document(text)) == 11 else cnpj_mask(text)


# --- addresses, telephones, search -----------------------------------------------------------


def only_digits(text: str) -> str:
    """The ASCII digits of `text`; for CEP and telephone, never for a CNPJ."""
    return re.sub(r"[^0-9]", "", text)


def is_cep(text: str) -> bool:
    """Exactly 8 digits. The dash is refused as in the API (§1.7); forms take it out first."""
    return _CEP.fullmatch(text) is not None


def cep_mask(text: str) -> str:
    """`99999-999`; text without 8 digits comes back as given."""
    digits = only_digits(text)
    return f"{digits[:5]}-{digits[5:]}" if len(digits) == 8 else text


def phone_mask(text: str) -> str:
    """`(11) 91234-5678` or `(11) 1234-5678`, without the +55; other lengths come back as given."""
    digits = only_digits(text)
    if len(digits) in (12, 13) and digits.startswith("55"):
        digits = digits[2:]
    if len(digits) not in (10, 11):
        return text
    return f"({digits[:2]}) {digits[2:-4]}-{digits[-4:]}"


def fold(text: str) -> str:
    """Text for search columns: lower case, no accents, runs of whitespace as one space."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(bare.casefold().split())


def unaccented(text: str) -> str:
    """ASCII: letters without their accents, without what ASCII has nothing like."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


# --- dates -----------------------------------------------------------------------------------


def parse_date(text: str) -> date:
    """Read dd/mm/aaaa, dd-mm-aaaa, aaaa-mm-dd or ddmmaaaa, from 1900 on (T-2, ux §1.1).

    Raises ValueError with the pt-BR text for people.
    """
    for pattern in _DATES:
        found = pattern.fullmatch(text.strip())
        if found:
            return _date(int(found["y"]), int(found["m"]), int(found["d"]))
    raise ValueError(INVALID_DATE)


def _date(year: int, month: int, day: int) -> date:
    """A date of the calendar, with the refusal in Portuguese."""
    try:
        found = date(year, month, day)
    except ValueError:
        raise ValueError(INVALID_DATE) from None
    if year < _OLDEST_YEAR:
        raise ValueError(INVALID_DATE)
    return found


def date_br(d: date) -> str:
    """`dd/mm/aaaa`."""
    return f"{d.day:02d}/{d.month:02d}/{d.year:04d}"


# --- amounts in words ------------------------------------------------------------------------

# fmt: off
_UP_TO_19 = (
    "", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove", "dez", "onze",
    "doze", "treze", "quatorze", "quinze", "dezesseis", "dezessete", "dezoito", "dezenove",
)
_TENS = (
    "", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa",
)
_HUNDREDS = (
    "", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos", "seiscentos", "setecentos",
    "oitocentos", "novecentos",
)
# fmt: on
_SCALES = (("milhão", "milhões"), ("bilhão", "bilhões"), ("trilhão", "trilhões"))


def _below_thousand(number: int) -> str:
    """1–999 in words."""
    if number == 100:
        return "cem"
    hundreds, rest = divmod(number, 100)
    tens, units = divmod(rest, 10) if rest >= 20 else (0, rest)
    words = (_HUNDREDS[hundreds], _TENS[tens], _UP_TO_19[units])
    return " e ".join(word for word in words if word)


def _group_in_words(number: int, scale: int) -> str:
    """A group of three digits with its scale: 0 units, 1 mil, 2 milhão, 3 bilhão, 4 trilhão."""
    if scale == 0:
        return _below_thousand(number)
    if scale == 1:
        return "mil" if number == 1 else f"{_below_thousand(number)} mil"
    return f"{_below_thousand(number)} {_SCALES[scale - 2][number > 1]}"


def _cardinal(number: int) -> str:
    """A positive integer in words; the last group takes "e" when below 101 or whole hundreds."""
    groups: list[tuple[int, int]] = []
    for scale in range(5):
        number, group = divmod(number, 1000)
        if group:
            groups.insert(0, (group, scale))
    words = [_group_in_words(group, scale) for group, scale in groups]
    last = groups[-1][0]
    joint = " e " if last < 100 or last % 100 == 0 else " "
    return joint.join(filter(None, [" ".join(words[:-1]), words[-1]]))


def _reais(number: int) -> str:
    """Whole reais in words: "um real", "mil reais", "um milhão de reais"."""
    if number == 1:
        return "um real"
    de = " de" if number % 1_000_000 == 0 else ""
    return f"{_cardinal(number)}{de} reais"


def extenso(value: Decimal) -> str:
    """An amount in words, half-up to the cent: "mil e cem reais e um centavo".

    One thousand is "mil", without "um". Raises ValueError from a quadrillion on.
    """
    cents = int(money.half_up(abs(value)) * 100)
    reais, centavos = divmod(cents, 100)
    if reais >= 10**15:
        raise ValueError("extenso goes up to trilhões")
    parts = [_reais(reais)] if reais else []
    if centavos:
        parts.append(f"{_cardinal(centavos)} {'centavo' if centavos == 1 else 'centavos'}")
    words = " e ".join(parts) or "zero reais"
    return f"menos {words}" if value < 0 and parts else words
