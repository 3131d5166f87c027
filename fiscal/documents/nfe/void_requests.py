"""Requests of inutilização: ranges of numbers, and filters of the list (fiscal-api §2.11, §3.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from fiscal.documents.nfe import event_fields as fields
from fiscal.documents.nfe import moments, values
from fiscal.documents.nfe.event_requests import Body, justificativa
from fiscal.documents.nfe.values import Refused
from fiscal.errors import InvalidRequest
from lib import br
from lib.errors import FieldError

_NUMBERS = ("serie", "numero_inicial", "numero_final")
_WHOLE = re.compile("[0-9]{1,9}")
_MAX_SERIE = 999


@dataclass(frozen=True)
class VoidRequest:
    cnpj: str
    serie: int
    first: int
    last: int
    justificativa: str


def void_request(body: Body, *, modelo: int) -> VoidRequest:
    """Raises InvalidRequest naming the first parameter at fault, or JustificationMissing."""
    gone = [name for name in ("cnpj", *_NUMBERS) if fields.is_absent(body.get(name))]
    if gone:
        faults = [FieldError(name, fields.missing(name)) for name in gone]
        raise InvalidRequest(faults[0].mensagem, erros=faults if len(gone) > 1 else None)
    text = justificativa(body, modelo=modelo)
    serie, first, last = (_whole(body, name) for name in _NUMBERS)
    if serie > _MAX_SERIE:
        raise InvalidRequest(_invalid("serie"))
    if first < 1:
        raise InvalidRequest(_invalid("numero_inicial"))
    if first > last:
        raise InvalidRequest('Parâmetro "numero_inicial" deve ser menor ou igual a "numero_final".')
    return VoidRequest(_cnpj(body), serie, first, last, text)


def _whole(body: Body, name: str) -> int:
    try:
        found = values.plain(body[name]).strip()
    except Refused as error:
        raise InvalidRequest(_invalid(name)) from error
    if not _WHOLE.fullmatch(found):
        raise InvalidRequest(_invalid(name))
    return int(found)


def _cnpj(body: Body) -> str:
    value = body["cnpj"]
    if not isinstance(value, str) or len(value) > 20 or not br.is_cnpj(value):
        raise InvalidRequest('Parâmetro "cnpj" inválido.')
    return br.normalise_document(value)


def _invalid(name: str) -> str:
    return f'Parâmetro "{name}" inválido: informe um número.'


# --- the list ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filters:
    """What the list is asked for; None takes all. Moments from, and before."""

    since: datetime | None = None
    before: datetime | None = None
    first: int | None = None
    last: int | None = None


def document_asked(query: Mapping[str, str]) -> str:
    """`cnpj` or `cpf`, one of which must come. Raises InvalidRequest."""
    checks = {"cnpj": br.is_cnpj, "cpf": br.is_cpf}
    given = {name: query[name].strip() for name in checks if query.get(name, "").strip()}
    if not given or not all(len(one) <= 20 and checks[name](one) for name, one in given.items()):
        raise InvalidRequest('Parâmetro "cnpj" ou "cpf" inválidos ou não informados')
    return br.normalise_document(next(iter(given.values())))


def filters(query: Mapping[str, str], *, now: datetime) -> Filters:
    """`now` is local time of the issuer: bare dates are days there. Raises InvalidRequest."""
    return Filters(
        since=_moment(query, "data_recebimento_inicial", now, is_end=False),
        before=_moment(query, "data_recebimento_final", now, is_end=True),
        first=_number(query, "numero_inicial"),
        last=_number(query, "numero_final"),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "").strip()
    return _whole({name: text}, name) if text else None


def _moment(query: Mapping[str, str], name: str, now: datetime, *, is_end: bool) -> datetime | None:
    text = query.get(name, "").strip()
    if "T" in text:
        text = text.replace(" ", "+")  # an offset whose sign was not escaped in the address
    if not text:
        return None
    try:
        found = fields.moment_of(text, now)
        if not moments.is_bare_date(text):
            return found + timedelta(seconds=1) if is_end else found
        day = datetime.combine(datetime.fromisoformat(text[:10]).date(), time(), found.tzinfo)
        return day + timedelta(days=1) if is_end else day
    except (Refused, OverflowError) as error:
        raise InvalidRequest(f'Parâmetro "{name}" inválido. {error}') from error
