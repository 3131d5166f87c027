"""Barcode, linha digitável and due-date factor (boleto-pix §2 and §4: FAT-1, FAT-2, BAR-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.gateways.boleto.digits import mod10, mod11_of_barcode

_BASE = date(1997, 10, 7)
_FIRST = date(2000, 7, 3)
_CYCLE = 9000
_BACK, _AHEAD = timedelta(days=3000), timedelta(days=5500)
NO_DATE = "0000"
CURRENCY = "9"  # real
MAX_CENTS = 99_999_999_99
_FREE = 25  # digits of the campo livre
_DIGITS = re.compile(r"[0-9]+\Z")


class InvalidCode(Exception):
    """Not a barcode or linha digitável of a boleto; the text says why (pt-BR)."""


@dataclass(frozen=True)
class Code:
    """What a barcode says."""

    bank: str
    fator: str
    amount: Decimal
    campo_livre: str


def fator(due: date) -> str:
    """The factor of a due date, from 3 July 2000 on (FAT-1). Raises ValueError before."""
    if due < _FIRST:
        raise ValueError("Vencimento anterior a 03/07/2000.")
    return str(1000 + ((due - _BASE).days - 1000) % _CYCLE)


def due_date(code: str, *, today: date) -> date | None:
    """The date a factor means when it is read `today` (FAT-2); None for 0000.

    Raises InvalidCode when no date between 3,000 days ago and 5,500 days ahead has that factor.
    """
    if code == NO_DATE:
        return None
    first = _BASE + timedelta(days=int(code))
    cycles = max(0, -((first - (today - _BACK)).days // _CYCLE))
    found = first + timedelta(days=_CYCLE * cycles)
    if not today - _BACK <= found <= today + _AHEAD:
        raise InvalidCode("Fator de vencimento fora do intervalo de segurança.")
    return found


def barcode(*, bank: str, due: date, amount: Decimal, campo_livre: str) -> str:
    """The 44 digits of the barcode.

    Raises ValueError for an amount above 99,999,999.99, or a bank that filled its part wrongly.
    """
    if not (is_digits(campo_livre, _FREE) and is_digits(bank, 3)):
        raise ValueError(f"O campo livre de um boleto tem {_FREE} números.")
    cents = int(amount * 100)
    if not 0 <= cents <= MAX_CENTS or cents != amount * 100:
        raise ValueError("O valor de um boleto vai de R$ 0,00 a R$ 99.999.999,99.")
    return sealed(f"{bank}{CURRENCY}", f"{fator(due)}{cents:010d}{campo_livre}")


def sealed(head: str, rest: str) -> str:
    """The barcode of its first four and last 39 digits: the fifth is their check digit."""
    return f"{head}{mod11_of_barcode(head + rest)}{rest}"


def line(code: str) -> str:
    """The linha digitável of a barcode, as printed: `34191.75124 34567.840813 05367.890000 5 …`."""
    first, second, third = code[:4] + code[19:24], code[24:34], code[34:]
    first, second, third = (part + mod10(part) for part in (first, second, third))
    return (
        f"{first[:5]}.{first[5:]} {second[:5]}.{second[5:]} {third[:5]}.{third[5:]} "
        f"{code[4]} {code[5:19]}"
    )


def read(text: str) -> str:
    """The barcode that was typed, scanned or pasted, whatever stands between the digits.

    Raises InvalidCode: not 44 or 47 digits, or a check digit that is not right.
    """
    digits = re.sub(r"[^0-9]", "", text)
    if len(digits) == 47:
        digits = _of_line(digits)
    if len(digits) != 44:
        raise InvalidCode("O código de um boleto tem 44 ou 47 números.")
    if sealed(digits[:4], digits[5:]) != digits:
        raise InvalidCode("O dígito verificador do código de barras não confere.")
    return digits


def _of_line(digits: str) -> str:
    fields = digits[:10], digits[10:21], digits[21:32]
    for position, one in enumerate(fields, 1):
        if mod10(one[:-1]) != one[-1]:
            raise InvalidCode(f"O dígito verificador do campo {position} não confere.")
    first, second, third = (one[:-1] for one in fields)
    return first[:4] + digits[32] + digits[33:] + first[4:] + second + third


def parts(code: str) -> Code:
    """What a barcode of 44 digits says."""
    return Code(code[:3], code[5:9], Decimal(code[9:19]) / 100, code[19:])


def is_digits(text: str, *lengths: int) -> bool:
    """Is it that many decimal digits?"""
    return len(text) in lengths and bool(_DIGITS.match(text))
