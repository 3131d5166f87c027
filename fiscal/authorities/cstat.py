"""What each cStat means to us (fiscal-engine §8.4); the list is tables/cstat.csv."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from fiscal.tables.loaders import FOLDER


class Class(StrEnum):
    """What a code asks of us."""

    AUTHORIZED = "AUTHORIZED"
    DENIED = "DENIED"
    PROCESSING = "PROCESSING"
    READ_INSIDE = "READ_INSIDE"
    CANCELLED = "CANCELLED"
    EVENT_REGISTERED = "EVENT_REGISTERED"
    EVENT_DUPLICATE = "EVENT_DUPLICATE"
    EPEC_REGISTERED = "EPEC_REGISTERED"
    VOIDED = "VOIDED"
    VOIDED_ALREADY = "VOIDED_ALREADY"
    NOT_FOUND = "NOT_FOUND"
    RECOVER = "RECOVER"
    SERVICE_UP = "SERVICE_UP"
    SERVICE_PAUSED = "SERVICE_PAUSED"
    SERVICE_DOWN = "SERVICE_DOWN"
    SVC_CLOSING = "SVC_CLOSING"
    SVC_DISABLED = "SVC_DISABLED"
    THROTTLED = "THROTTLED"
    CONFIG_ERROR = "CONFIG_ERROR"
    REJECTED = "REJECTED"
    EVENT_REJECTED = "EVENT_REJECTED"
    UNKNOWN = "UNKNOWN"  # query by key
    CANNOT_QUERY = "CANNOT_QUERY"
    BLOCKED = "BLOCKED"
    RETRY = "RETRY"
    EMPTY = "EMPTY"
    DOCS = "DOCS"
    INFORMATION = "INFORMATION"  # the register of contributors: nothing to do


# §8.4, every other refusal of an event: they are about the event, never about its document.
_OF_A_DOCUMENT = {
    Class.REJECTED,
    Class.DENIED,
    Class.NOT_FOUND,
    Class.RECOVER,
    Class.VOIDED_ALREADY,
    Class.CANNOT_QUERY,
}
# Denial ended in 2024 (Ajuste SINIEF 43/2023): only archived answers bring a protocol with these.
_ONCE_DENIED = {"301", "302", "303"}
_HINTS = {
    Class.REJECTED: "Corrija o que a mensagem aponta e reenvie; o número da nota é mantido.",
    Class.EVENT_REJECTED: "O evento não foi registrado; a nota não mudou.",
    Class.CONFIG_ERROR: "A configuração da empresa impede a emissão: revise-a antes de reenviar.",
    Class.UNKNOWN: "A situação será consultada pela chave; não é preciso reenviar.",
    Class.RETRY: "Falha na autorizadora; a situação será consultada antes de reenviar.",
    Class.THROTTLED: "Limite de consultas da SEFAZ atingido; aguarde uma hora.",
}


@dataclass(frozen=True)
class Code:
    """A line of the table: official text, our advice and the request field that it is about."""

    code: str
    kind: Class
    text: str
    hint: str
    field: str


def classify(code: str | int, *, in_event: bool = False, has_protocol: bool = False) -> Class:
    """The class of any code, known or not (ANS-6); never raises.

    `in_event` for the cStat of a retEvento. `has_protocol` tells an archived denial by 301-303
    from the rejection that these codes are since 2024.
    """
    text = str(code).strip()
    found = _codes().get(text)
    kind = found.kind if found else _by_range(text)
    if text in _ONCE_DENIED and not has_protocol:
        kind = Class.REJECTED
    if in_event and kind in _OF_A_DOCUMENT and _number(text) >= 200:
        return Class.EVENT_REJECTED
    return kind


def hint(code: str | int) -> str:
    """What the person can do, in pt-BR; advice by class when the table has none for the code."""
    found = _codes().get(str(code).strip())
    return (found.hint if found else "") or _HINTS.get(classify(code), "")


def official(code: str | int) -> str:
    """The text of the manual; empty for an unknown code."""
    found = _codes().get(str(code).strip())
    return found.text if found else ""


def field(code: str | int) -> str:
    """The request field that the code is about; empty when it is about none or unknown."""
    found = _codes().get(str(code).strip())
    return found.field if found else ""


def known() -> tuple[Code, ...]:
    """The whole table, in order of code."""
    return tuple(_codes().values())


def _by_range(text: str) -> Class:
    # ANS-6: from 200 on it is a refusal that can be mended; below, a word to be checked by key.
    return Class.REJECTED if _number(text) >= 200 else Class.UNKNOWN


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() else 0


@cache
def _codes() -> dict[str, Code]:
    with (FOLDER / "cstat.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {
            row["code"]: Code(
                row["code"], Class(row["class"]), row["text"], row["hint"], row["field"]
            )
            for row in rows
        }
