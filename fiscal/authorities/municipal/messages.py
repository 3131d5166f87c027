"""Codes of cities: made comparable, and told with what can be done about them (ABR-5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fiscal.authorities.provider import ProviderMessage
from fiscal.tables import nfse_cities

# Codes come padded ("E10 ") and with zeros ("E010").
_CODE = re.compile(r"\A([A-Za-z]*)0*([0-9]+)\Z")
# Since 2026 many cities answer only that the national system is to be used. The codes are the
# cities' own, so each is known by its letters and number alone.
_USE_NATIONAL = frozenset({"E1010", "E1011", "L64", "L66", "L84"})
_NATIONAL_HINT = "O município passou para a NFS-e nacional: emita esta nota em /v2/nfsen."


def normal(code: str) -> str:
    """E010, "E10 " and e10 are E10; what is no letters and number stays, trimmed."""
    found = _CODE.match(code.strip())
    return f"{found[1].upper()}{found[2]}" if found else code.strip()


def told(table: str, code: str, text: str, correction: str = "") -> ProviderMessage:
    """A message of a city; what it leaves unsaid comes from the error table `table`."""
    code = normal(code)
    known_text, known_correction = nfse_cities.corrections(table).get(code, ("", ""))
    hint = _NATIONAL_HINT if code in _USE_NATIONAL else ""
    return ProviderMessage(
        code,
        text.strip() or known_text or "A prefeitura não informou o motivo.",
        hint or correction.strip() or known_correction or None,
    )


def has(messages: Iterable[ProviderMessage], codes: frozenset[str]) -> bool:
    """Whether one of the messages has one of these codes."""
    return any(message.code in codes for message in messages)
