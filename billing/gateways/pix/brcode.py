"""BR Code: the text behind a Pix QR, "copia e cola" (boleto-pix §7, PIX-1)."""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from lib.br import unaccented

GUI = "br.gov.bcb.pix"
_ONCE = "12"
_LONGEST_ACCOUNT = 99
_LONGEST_KEY = 77
_TXID = re.compile(r"[A-Za-z0-9]{1,25}\Z")
NO_TXID = "***"
_CRC = "6304"
# CPF or CNPJ (with letters, too), telephone, e-mail, random key.
_KEYS = (
    re.compile(r"[0-9]{11}\Z"),
    re.compile(r"[0-9A-Z]{12}[0-9]{2}\Z"),
    re.compile(r"\+[1-9][0-9]{8,14}\Z"),
    re.compile(r"[a-z0-9.!#$&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+\Z"),
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z"),
)


class InvalidBrCode(Exception):
    """Not a BR Code, or data that none can carry; the text says why (pt-BR)."""


@dataclass(frozen=True)
class Field:
    """An id of two digits, and its value."""

    id: str
    value: str

    @property
    def text(self) -> str:
        if len(self.value) > _LONGEST_ACCOUNT:
            raise InvalidBrCode(f"O campo {self.id} passa de {_LONGEST_ACCOUNT} caracteres.")
        return f"{self.id}{len(self.value):02d}{self.value}"


def static(
    *,
    key: str,
    name: str,
    city: str,
    amount: Decimal | None = None,
    txid: str = "",
    description: str = "",
) -> str:
    """A code that may be paid again and again, for `amount` or for what the payer types.

    Raises InvalidBrCode for a key, amount or txid that no code can carry.
    """
    if not is_key(key):
        raise InvalidBrCode("A chave Pix não é CPF, CNPJ, telefone (+55…), e-mail nem aleatória.")
    if txid and not _TXID.match(txid):
        raise InvalidBrCode("O identificador do Pix tem de 1 a 25 letras e números.")
    account = Field("00", GUI).text + Field("01", key).text
    room = _LONGEST_ACCOUNT - len(account) - 4
    if shown := _plain(description, max(0, room)):
        account += Field("02", shown).text
    fields = [Field("26", account), *_money(amount), *_receiver(name, city)]
    return _sealed([Field("00", "01"), *fields, Field("62", Field("05", txid or NO_TXID).text)])


def dynamic(*, location: str, name: str, city: str) -> str:
    """A code that is paid once: `location` is the address of the charge at its bank.

    Raises InvalidBrCode for an address of more than 77 characters.
    """
    address = location.removeprefix("https://")
    if not 0 < len(address) <= _LONGEST_KEY:
        raise InvalidBrCode("O endereço da cobrança Pix tem de 1 a 77 caracteres.")
    account = Field("00", GUI).text + Field("25", address).text
    fields = [Field("26", account), *_money(None), *_receiver(name, city)]
    head = [Field("00", "01"), Field("01", _ONCE)]
    return _sealed([*head, *fields, Field("62", Field("05", NO_TXID).text)])


def is_key(key: str) -> bool:
    """Is it a key as the directory writes them (DICT)?"""
    return len(key) <= _LONGEST_KEY and any(kind.match(key) for kind in _KEYS)


def read(code: str) -> list[Field]:
    """The fields of a code, unknown ones too. Raises InvalidBrCode: damaged, or not one."""
    if not code.isascii():
        raise InvalidBrCode("O código Pix está incompleto ou foi alterado.")
    fields = fields_of(code)
    if [one.id for one in fields[-1:]] != ["63"] or _crc(code[:-4]) != code[-4:]:
        raise InvalidBrCode("O código Pix está incompleto ou foi alterado.")
    return fields


def fields_of(text: str) -> list[Field]:
    """Fields one after the other to the exact end, as in a code and inside 26 and 62."""
    found, at = [], 0
    while at < len(text):
        size = text[at + 2 : at + 4]
        if not (size.isascii() and size.isdecimal()) or at + 4 + int(size) > len(text):
            raise InvalidBrCode("O código Pix está incompleto ou foi alterado.")
        found.append(Field(text[at : at + 2], text[at + 4 : at + 4 + int(size)]))
        at += 4 + int(size)
    return found


def _money(amount: Decimal | None) -> Sequence[Field]:
    currency = (Field("52", "0000"), Field("53", "986"))
    if amount is None:
        return currency
    if amount <= 0 or amount != round(amount, 2) or amount >= Decimal(10) ** 10:
        raise InvalidBrCode("O valor de um Pix tem duas casas e é maior que zero.")
    return (*currency, Field("54", f"{amount:.2f}"))


def _receiver(name: str, city: str) -> Sequence[Field]:
    shown = Field("59", _plain(name, 25)), Field("60", _plain(city, 15))
    if not all(one.value for one in shown):
        raise InvalidBrCode("O código Pix precisa do nome e da cidade de quem recebe.")
    return (Field("58", "BR"), *shown)


def _plain(text: str, size: int) -> str:
    """ASCII without double spaces, of at most `size` characters."""
    return " ".join(unaccented(text).split())[:size].strip()


def _sealed(fields: Sequence[Field]) -> str:
    text = "".join(one.text for one in fields) + _CRC
    return text + _crc(text)


def _crc(text: str) -> str:
    """CRC-16/CCITT-FALSE in four hexadecimal digits."""
    return f"{crc_hqx(text.encode(), 0xFFFF):04X}"
