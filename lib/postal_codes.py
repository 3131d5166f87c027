"""The address of a CEP from a service in the form of ViaCEP (https://viacep.com.br).

`GET {url with {cep}}` answers JSON with `logradouro`, `bairro`, `localidade`, `uf` and `ibge`, or
`{"erro": "true"}` for a CEP that does not exist. Only the eight digits come from users; who runs
the installation chooses the address. One that names a machine is gone to over https and only where
it is public; a private one (a stand-in of tests) must be given as an IP address or localhost.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.core.cache import cache

from lib import outbound
from lib.br import UFS, is_cep
from lib.errors import GatewayRefused, GatewayUnavailable

TIMEOUT = 2.0  # seconds for all of it (P15)
FOUND_FOR, MISSING_FOR = 30 * 24 * 3600, 24 * 3600  # seconds
_LONGEST = 100
_ANSWER = 16 * 1024  # bytes; a real one has some 400


@dataclass(frozen=True)
class Address:
    """Where a CEP is. A town with one CEP has neither street nor district."""

    cep: str
    street: str
    district: str
    city: str
    state: str
    ibge_code: str = ""


def look_up(cep: str, *, url: str, timeout: float = TIMEOUT) -> Address | None:
    """The address of eight digits, or None when no such CEP exists. Answers are kept a while.

    Raises GatewayUnavailable without an answer in time, GatewayRefused for one that is none, and
    ValueError for anything but eight digits.
    """
    if not is_cep(cep):
        raise ValueError("a CEP has eight digits")
    key = "cep:" + hashlib.sha256(f"{url} {cep}".encode()).hexdigest()
    kept = cache.get(key)
    if kept is not None:
        return Address(**kept) if kept else None
    found = _asked(cep, url, timeout)
    cache.set(key, asdict(found) if found else {}, FOUND_FOR if found else MISSING_FOR)
    return found


def _asked(cep: str, url: str, timeout: float) -> Address | None:
    answer = outbound.send(
        "GET",
        url.replace("{cep}", cep),
        headers={"Accept": "application/json"},
        timeout=timeout,
        policy=_policy(url),
        kept=_ANSWER,
    )
    if answer.status == 404:
        return None
    if answer.status == 429 or answer.status >= 500:
        raise GatewayUnavailable(f"o serviço de CEP respondeu {answer.status}")
    if answer.status != 200:
        raise GatewayRefused(f"o serviço de CEP respondeu {answer.status}")
    return _read(cep, answer.body)


def _policy(url: str) -> outbound.Policy:
    """A private address only where the setting itself names one."""
    host = urlsplit(url).hostname or ""
    is_private = host == "localhost" or _is_number(host)
    return outbound.Policy(allow_http=is_private, allow_private=is_private)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _read(cep: str, body: bytes) -> Address | None:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise GatewayRefused("o serviço de CEP não respondeu JSON") from error
    if not isinstance(found, dict):
        raise GatewayRefused("o serviço de CEP respondeu outra coisa")
    if found.get("erro"):
        return None  # true, or "true": it has been both
    state = _text(found, "uf").upper()
    if state not in UFS or not _text(found, "localidade"):
        raise GatewayRefused("o serviço de CEP respondeu sem município")
    ibge = _text(found, "ibge")
    return Address(
        cep=cep,
        street=_text(found, "logradouro"),
        district=_text(found, "bairro"),
        city=_text(found, "localidade"),
        state=state,
        ibge_code=ibge if ibge.isascii() and ibge.isdecimal() and len(ibge) == 7 else "",
    )


def _text(found: dict[str, Any], name: str) -> str:
    """One line of what a page may show."""
    value = found.get(name)
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable()).strip()[:_LONGEST]
