"""Ids of the national system and the key of an NFS-e (NAC-2, NAC-3, NAC-11).

Text, never numbers: the inscription inside of each may hold capital letters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import mul

KEY_PATTERN = r"[0-9]{9}[0-9A-Z]{12}[0-9]{29}"
CONSULT_PAGE = "https://www.nfse.gov.br/ConsultaPublica/?tpc=1&chave="

_KEY = re.compile(KEY_PATTERN)
_DPS = re.compile(r"DPS[0-9]{8}[0-9A-Z]{12}[0-9]{22}")
_SERIES = re.compile(r"[0-9]{1,5}")
_WEIGHTS = tuple(2 + n % 8 for n in reversed(range(49)))
_CPF, _CNPJ = "1", "2"


@dataclass(frozen=True)
class NfseKey:
    """The slices of a key (NAC-3)."""

    city: str  # IBGE, 7 digits
    generated_by: str  # 1 municipality, 2 national system
    document: str  # CNPJ or CPF
    number: int  # of the NFS-e
    aamm: str


@dataclass(frozen=True)
class DpsId:
    """The slices of infDPS/@Id (NAC-2)."""

    city: str
    document: str
    series: str  # five digits
    number: int


def dps_id(*, city: str, document: str, series: str, number: int) -> str:
    """infDPS/@Id, 45 characters. `document` is a CNPJ (14) or a CPF (11) without mask.

    Raises ValueError when a part does not fit its place.
    """
    if len(document) not in (11, 14) or not _SERIES.fullmatch(series):
        raise ValueError("a part of the Id of the DPS does not fit its place")
    kind = _CPF if len(document) == 11 else _CNPJ
    made = f"DPS{city}{kind}{document.rjust(14, '0')}{series.zfill(5)}{number:015d}"
    if len(made) != 45 or not _DPS.fullmatch(made):
        raise ValueError("a part of the Id of the DPS does not fit its place")
    return made


def parse_dps_id(text: str) -> DpsId:
    """The parts of infDPS/@Id. Raises ValueError for another form."""
    if len(text) != 45 or not _DPS.fullmatch(text):
        raise ValueError("not the Id of a DPS")
    return DpsId(text[3:10], _document(text[10], text[11:25]), text[25:30], int(text[30:]))


def check_digit(body: str) -> str:
    """Last digit of the key, of its first 49 characters: modulo 11 as in KEY-3."""
    if len(body) != 49:
        raise ValueError("the key without its digit has 49 characters")
    total = sum(map(mul, (code - 48 for code in body.encode("ascii")), _WEIGHTS))
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def is_key(text: str) -> bool:
    """Whether `text` has the form and the check digit of a key."""
    return _KEY.fullmatch(text) is not None and check_digit(text[:49]) == text[49]


def has_form(text: str) -> bool:
    """Whether `text` may be a key: what an authority gives is believed without its digit, which no
    published example proves for CNPJ with letters."""
    return _KEY.fullmatch(text) is not None


def parse_key(key: str) -> NfseKey:
    """The parts of a key, whatever its digit. Raises ValueError for another form."""
    if not _KEY.fullmatch(key):
        raise ValueError("not the key of an NFS-e")
    return NfseKey(key[:7], key[7], _document(key[8], key[9:23]), int(key[23:36]), key[36:40])


def event_request_id(key: str, kind: str) -> str:
    """infPedReg/@Id, 59 characters: layout 1.01 has no sequence in it."""
    if not _KEY.fullmatch(key) or not re.fullmatch("[0-9]{6}", kind):
        raise ValueError("a part of the Id of the event does not fit its place")
    return f"PRE{key}{kind}"


def page_of(key: str) -> str:
    """Public page of a note, which is also its QR code (PDF-7)."""
    return f"{CONSULT_PAGE}{key}"


def _document(kind: str, block: str) -> str:
    return block[3:] if kind == _CPF else block
