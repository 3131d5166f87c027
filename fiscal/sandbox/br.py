"""Check digits as the authority computes them: CNPJ, CPF, access key, GTIN, IBGE municipality."""

from __future__ import annotations

import re

KEY = re.compile(r"[0-9]{6}[0-9A-Z]{12}[0-9]{26}")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")
# Municipalities whose published code does not follow the check digit rule of the IBGE.
_IRREGULAR = {
    "2201919", "2201988", "2202251", "2611533", "3117836",
    "3152131", "4305871", "5203939", "5203962",
}  # fmt: skip


def _mod11(text: str, top: int) -> int:
    """Remainder by 11 of the characters weighted 2, 3, … `top`, 2, … from the right."""
    total, weight = 0, 2
    for character in reversed(text):
        total += (ord(character) - 48) * weight
        weight = 2 if weight == top else weight + 1
    return total % 11


def key_digit(first43: str) -> str:
    """cDV of an access key (KEY-3)."""
    rest = _mod11(first43, 9)
    return "0" if rest < 2 else str(11 - rest)


def is_cnpj(text: str) -> bool:
    """Numeric or alphanumeric CNPJ with right digits, not all zero (KEY-4)."""
    if not _CNPJ.fullmatch(text) or set(text) == {"0"}:
        return False
    digits = text[:12]
    for _ in range(2):
        rest = _mod11(digits, 9)
        digits += "0" if rest < 2 else str(11 - rest)
    return digits == text


def is_cpf(text: str) -> bool:
    """CPF with right digits, not one digit repeated (KEY-5)."""
    if not re.fullmatch("[0-9]{11}", text) or len(set(text)) == 1:
        return False
    digits = text[:9]
    for _ in range(2):
        rest = _mod11(digits, 11)
        digits += "0" if rest < 2 else str(11 - rest)
    return digits == text


def is_key(text: str) -> bool:
    """44 characters of the right kind with the right check digit."""
    return bool(KEY.fullmatch(text)) and key_digit(text[:43]) == text[43]


def key_document(key: str) -> str:
    """The issuer's CNPJ, or the CPF that three zeros and the series of a CPF issuer announce."""
    block = key[6:20]
    if block.startswith("000") and "920" <= key[22:25] <= "969":
        return block[3:]
    return block


def is_gtin(text: str) -> bool:
    """GTIN of 8, 12, 13 or 14 digits with the right last one."""
    if not re.fullmatch("[0-9]{8}|[0-9]{12,14}", text):
        return False
    body = text[:-1]
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(body[::-1]))
    return str(-total % 10) == text[-1]


def is_municipality(code: str) -> bool:
    """IBGE code of a municipality with the right last digit."""
    if code in _IRREGULAR:
        return True
    total = 0
    for place, digit in enumerate(code[:6]):
        product = int(digit) * (1 + place % 2)
        total += product // 10 + product % 10
    return str(-total % 10) == code[6]
