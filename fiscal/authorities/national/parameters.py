"""What the national system says of a city: agreement, rates, regimes, withholdings (NAC-13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from fiscal.authorities.base import Credentials
from fiscal.authorities.national import answers, hosts
from fiscal.authorities.transport import Limits

# A pre-check is worth little waiting.
ASKING = Limits(connect=3, read=5, overall=8)
_OK, _NOT_FOUND, _BAD = 200, 404, 400


@dataclass(frozen=True)
class Told:
    """One answer: 200, or 404 and 400 for what the city has not."""

    status: int
    answer: dict[str, Any]


@dataclass(frozen=True)
class Parameters:
    """The parameters of one environment, over the connections of one certificate."""

    ambiente: str
    credentials: Credentials = field(repr=False)

    def ask(self, name: str) -> Told:
        """The answer below `/parametrizacao`. Raises NotSent, Misconfigured or Lost."""
        rest = hosts.service(hosts.PARAMETERS, ambiente=self.ambiente, credentials=self.credentials)
        reply = rest.get(name, limits=ASKING)
        body = answers.body_of(reply)
        if reply.status not in (_OK, _NOT_FOUND, _BAD):
            found = answers.refusal(reply)
            raise answers.lost(reply, "; ".join(message.text for message in found))
        if body is None and reply.status == _OK:
            raise answers.lost(reply, "sem parâmetros")
        return Told(reply.status, dict(body or {}))


# --- names -------------------------------------------------------------------------------------


def agreement_name(city: str) -> str:
    """`city` is the IBGE code."""
    return f"{city}/convenio"


def rate_name(city: str, service: str, on: date) -> str:
    """`service`: cTribNac, or with cTribMun: the code is spelled II.SS.DD.CCC."""
    return f"{city}/{spelled(service)}/{on.isoformat()}/aliquota"


def withholdings_name(city: str, on: date) -> str:
    return f"{city}/{on.isoformat()}/retencoes"


def regimes_name(city: str, service: str, on: date) -> str:
    return f"{city}/{spelled(service)}/{on.isoformat()}/regimes_especiais"


def benefit_name(city: str, benefit: str, on: date) -> str:
    return f"{city}/{benefit}/{on.isoformat()}/beneficio"


def spelled(service: str) -> str:
    """`010101` as `01.01.01.000`; `010101123` as `01.01.01.123`."""
    text = service.ljust(9, "0")
    return f"{text[:2]}.{text[2:4]}.{text[4:6]}.{text[6:9]}"


# --- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """Whether a city shares its notes with the system, and issues through it."""

    is_active: bool  # aderenteAmbienteNacional
    uses_emitter: bool  # aderenteEmissorNacional


def agreement(answer: Mapping[str, Any]) -> Agreement | None:
    """The agreement in an answer; None where the city has none, or it tells nothing."""
    found = _lowered(_lowered(answer).get("parametrosconvenio"))
    if not found:
        return None
    return Agreement(
        _is_one(found.get("aderenteambientenacional")),
        _is_one(found.get("aderenteemissornacional")),
    )


def rate(answer: Mapping[str, Any]) -> Decimal | None:
    """The rate in force, in percent, of the first entry of an answer about rates."""
    by_service = _lowered(answer).get("aliquotas")
    for entries in by_service.values() if isinstance(by_service, Mapping) else ():
        for entry in entries if isinstance(entries, list) else ():
            value = _lowered(entry).get("aliq")
            try:
                return None if value is None else Decimal(str(value))
            except InvalidOperation:
                return None
    return None


def _lowered(value: object) -> dict[str, Any]:
    return {str(k).lower(): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def _is_one(value: object) -> bool:
    return str(value).strip().lower() in ("1", "true", "sim")
