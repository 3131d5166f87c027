"""The fields of an event's request, read one by one into the tags of detEvento.

What is absent is 400 with the documented message, what is malformed 422 naming the field; both
tell all faults at once.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from fiscal import xml
from fiscal.documents.nfe import moments, values
from fiscal.documents.nfe.values import Refused
from fiscal.errors import InvalidRequest, SchemaInvalid
from lib import br
from lib.errors import FieldError

# A value and the present moment in the issuer's zone → text of the layout, or Refused.
Reader = Callable[[Any, datetime], str]


@dataclass(frozen=True)
class Input:
    """One field: its name, its tag, how it is read; `absent` is what is said when it must come."""

    name: str
    tag: str
    read: Reader
    required: bool = False
    absent: str = ""


def is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def missing(name: str) -> str:
    """§1.8."""
    return f'Parâmetro "{name}" não informado.'


def read(body: Mapping[str, Any], inputs: Iterable[Input], *, now: datetime) -> dict[str, str]:
    """Tag → text, in the order of `inputs`. Raises InvalidRequest, then SchemaInvalid."""
    inputs = tuple(inputs)
    gone = [one for one in inputs if one.required and is_absent(body.get(one.name))]
    if gone:
        faults = [FieldError(one.name, one.absent or missing(one.name)) for one in gone]
        raise InvalidRequest(faults[0].mensagem, erros=faults if len(faults) > 1 else None)
    found, faults = collect(body, inputs, now=now)
    if faults:
        raise SchemaInvalid(erros=faults)
    return found


def collect(
    body: Mapping[str, Any], inputs: Iterable[Input], *, now: datetime, prefix: str = ""
) -> tuple[dict[str, str], list[FieldError]]:
    """(tag → text, faults), for entries of a list; here an absent field is a fault as any other."""
    found: dict[str, str] = {}
    faults: list[FieldError] = []
    for one in inputs:
        value = body.get(one.name)
        if is_absent(value):
            if one.required:
                faults.append(FieldError(prefix + one.name, "Informe este campo."))
            continue
        try:
            found[one.tag] = one.read(value, now)
        except Refused as error:
            faults.append(FieldError(prefix + one.name, str(error)))
    return found, faults


# --- readers -----------------------------------------------------------------------------------


def text(least: int, most: int) -> Reader:
    """Text of so many characters after cleaning (XML-6); nothing is cut in a legal statement."""

    def read_text(value: Any, now: datetime) -> str:
        found = xml.text(values.plain(value))
        if not least <= len(found) <= most:
            raise Refused(f"Use de {least} a {most} caracteres.")
        return found

    return read_text


def choice(*accepted: str) -> Reader:
    reader = values.enum_reader(accepted)
    return lambda value, now: str(reader(value))


def pattern(expression: str, hint: str) -> Reader:
    """Text that the expression matches whole."""
    compiled = re.compile(expression)

    def read_pattern(value: Any, now: datetime) -> str:
        found = values.plain(value).strip()
        if not compiled.fullmatch(found):
            raise Refused(hint)
        return found

    return read_pattern


def yes_no(value: Any, now: datetime) -> str:
    """1 or 0."""
    return "1" if values.read_boolean(value) == "S" else "0"


def date(value: Any, now: datetime) -> str:
    return values.read_date(value)


def moment(value: Any, now: datetime) -> str:
    """A moment in the issuer's zone."""
    return moments.written(moment_of(value, now))


def moment_of(value: Any, now: datetime) -> datetime:
    """Raises Refused."""
    offset = now.utcoffset()
    assert offset is not None
    try:
        return moments.moment(values.plain(value), zone=timezone(offset), now=now)
    except Refused:
        raise
    except ValueError as error:
        raise Refused(str(error)) from None


def cnpj(value: Any, now: datetime) -> str:
    return _document(value, br.is_cnpj, "CNPJ inválido.")


def cpf(value: Any, now: datetime) -> str:
    return _document(value, br.is_cpf, "CPF inválido.")


def _document(value: Any, is_valid: Callable[[str], bool], fault: str) -> str:
    found = values.plain(value).strip()
    if len(found) > 20 or not is_valid(found):
        raise Refused(fault)
    return br.normalise_document(found)


def uf(value: Any, now: datetime) -> str:
    found = values.plain(value).strip().upper()
    if found not in br.UFS:
        raise Refused("Informe a sigla de uma UF.")
    return found


def number(digits: int, places: int, *, is_fixed: bool, may_be_zero: bool = False) -> Reader:
    """A decimal above zero (or from zero on), with exactly or up to `places` decimals."""
    fits = re.compile(rf"0*[0-9]{{1,{digits}}}(\.[0-9]{{1,{places}}}0*)?")
    limits = f"até {digits} dígitos inteiros e {places} decimais"

    def read_number(value: Any, now: datetime) -> str:
        found = values.plain(value).strip()
        if len(found) > 40 or not fits.fullmatch(found) or not (may_be_zero or Decimal(found)):
            least = "sem sinal" if may_be_zero else "maior que zero"
            raise Refused(f"Use um número {least}, com {limits} e ponto decimal.")
        exact = f"{Decimal(found):.{places}f}"
        return exact if is_fixed else exact.rstrip("0").rstrip(".")

    return read_number


def sha1(value: Any, now: datetime) -> str:
    """Base64 of 20 bytes."""
    found = values.plain(value).strip()
    try:
        is_hash = len(found) == 28 and len(base64.b64decode(found, validate=True)) == 20
    except (binascii.Error, ValueError):
        is_hash = False
    if not is_hash:
        raise Refused("Use o Base64 de um SHA-1: 28 caracteres.")
    return found


def coordinate(most: int) -> Reader:
    """Degrees with six decimals (TLatitude, TLongitude)."""

    def read_coordinate(value: Any, now: datetime) -> str:
        found = values.plain(value).strip()
        if not re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{1,15})?", found) or abs(Decimal(found)) > most:
            raise Refused(f"Use graus decimais de -{most} a {most}, como -23.550520.")
        return f"{Decimal(found):.6f}"

    return read_coordinate
