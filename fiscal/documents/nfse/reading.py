"""The municipal body → Declared, with every fault at once (fiscal-api §4.2, §4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from functools import cache
from typing import Any

from fiscal import xml
from fiscal.documents.nfe import moments
from fiscal.documents.nfe.faults import Faults
from fiscal.documents.nfe.values import (
    Refused,
    decimals,
    enum_reader,
    plain,
    read_boolean,
    read_date,
    shown,
)
from fiscal.documents.nfse import rules
from fiscal.documents.nfse.catalogue import Field, catalogue, groups
from fiscal.documents.service import NFSE, Declared, ServiceIssuer
from fiscal.documents.types import Data
from fiscal.errors import InvalidRequest, SchemaInvalid
from lib.br import document_kind, normalise_document

Reader = Callable[[Any], Any]

_DEPTH = 4
_MOST_ENTRIES = 99
_MOST_NOTES = 100
_LINES = frozenset({"servico.discriminacao"})
_DOCUMENTS = {"cnpj": "cnpj", "cpf": "cpf"}
# Letters are dropped nowhere: some cities have them in these numbers.
_MASK = re.compile(r"[.\-/()\s]")
_NO_DIGIT = re.compile(r"[^0-9]")
_UNSENT = ("servico.codigo_municipio",)  # §4.2: the documented sample omits it


def read(
    body: Mapping[str, Any], *, issuer: ServiceIssuer, ambiente: str, now: datetime
) -> Declared:
    """What a body declares, completed with the defaults of the catalogue.

    `data` holds what is present, by path: text (digits, enumerations, S or N, AAAA-MM-DD), Decimal,
    lists and objects of such. `now` is on the issuer's wall clock. Raises InvalidRequest for the
    first mandatory field that is missing, SchemaInvalid with all faults otherwise.
    """
    if not isinstance(body, Mapping) or not body:
        raise InvalidRequest("O corpo da requisição não é um objeto JSON válido.")
    faults, notes = Faults(), list[dict[str, str]]()
    data: Data = {}
    for path, value in _leaves(body, "", 0):
        _read_one(path, value, data, faults, notes)
    _refuse_missing(body, data, faults)
    issued_at = _issued_at(data, faults, now)
    _complete(data)
    memory = rules.check(data, faults, today=now.date())
    if faults:
        raise SchemaInvalid(erros=list(faults.values()))
    assert issued_at is not None  # missing and unreadable ones were refused
    return Declared(NFSE, issuer, data, issued_at, _competence(data, issued_at), notes, memory)


def _leaves(node: Mapping[str, Any], where: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Every value with its path; objects that the catalogue knows as such stay whole."""
    for name, value in node.items():
        path = f"{where}{name}"
        field = catalogue().get(path)
        if isinstance(value, Mapping) and field is None and depth < _DEPTH:
            yield from _leaves(value, f"{path}.", depth + 1)
        else:
            yield path, value


def _read_one(
    path: str, value: Any, data: Data, faults: Faults, notes: list[dict[str, str]]
) -> None:
    if value is None or value in ([], {}) or (isinstance(value, str) and not value.strip()):
        return
    field = catalogue().get(path)
    if path in groups():
        # Left out, it would take the whole group with it: a note without its customer.
        faults.add(path, "Informe um objeto.")
        return
    if field is None or "[]" in path:
        if len(notes) < _MOST_NOTES:
            notes.append({"campo": shown(path), "mensagem": "Campo desconhecido: ignorado."})
        return
    try:
        data[path] = _reader(field)(value)
    except Refused as error:
        faults.add(path, str(error))


def _refuse_missing(body: Mapping[str, Any], data: Data, faults: Faults) -> None:
    """§4.3: the first one is told as 400."""
    for field in catalogue().values():
        is_given = field.path in data or field.path in faults or field.default
        if field.required and not is_given and field.path not in _UNSENT:
            raise InvalidRequest(f'Parâmetro "{field.path}" não informado.')


def _issued_at(data: Data, faults: Faults, now: datetime) -> datetime | None:
    text = data.get("data_emissao")
    if text is None:
        return None
    zone = timezone(now.utcoffset() or timedelta())
    try:
        found = moments.moment(text, zone=zone, now=now)
    except ValueError as error:
        faults.add("data_emissao", str(error))
        return None
    if found > now + moments.TOLERANCE:
        faults.add("data_emissao", "A data de emissão está no futuro.")
    data["data_emissao"] = moments.written(found)
    return found


def _competence(data: Data, issued_at: datetime) -> date:
    given = data.get("data_competencia")
    return date.fromisoformat(given) if given else issued_at.date()


def _complete(data: Data) -> None:
    for field in catalogue().values():
        if field.default:
            is_flag = field.kind == "boolean"
            data.setdefault(field.path, read_boolean(field.default) if is_flag else field.default)
    data.setdefault("servico.codigo_municipio", data.get("prestador.codigo_municipio"))
    street = data.get("tomador.endereco.logradouro")
    if street:
        data.setdefault("tomador.endereco.tipo_logradouro", street[:3])
    if data.get("numero_rps_substituido"):
        data.setdefault("tipo_rps_substituido", "1")  # §4.2: 1 when unknown
    if data["servico.codigo_municipio"] is None:
        del data["servico.codigo_municipio"]


# --- one value ---------------------------------------------------------------------------------


@cache
def _reader(field: Field) -> Reader:
    name = field.path.rpartition(".")[2]
    if name in _DOCUMENTS:
        return _document(_DOCUMENTS[name])
    if field.kind == "decimal":
        return decimals(field.integer_digits, field.scale)
    if field.kind == "enum":
        return enum_reader(field.enum)
    if field.kind == "digits":
        return _digits(field)
    readers: Mapping[str, Reader] = {
        "boolean": read_boolean,
        "date": read_date,
        "datetime": plain,
        "array": _list,
        "object": _object,
    }
    return readers.get(field.kind) or _text(field)


def _document(kind: str) -> Reader:
    def read_document(value: Any) -> str:
        text = normalise_document(plain(value))
        if document_kind(text) != kind:
            raise Refused(f"{kind.upper()} inválido.")
        return text

    return read_document


def _digits(field: Field) -> Reader:
    is_inscription = field.path.endswith("inscricao_municipal")

    def read_digits(value: Any) -> str:
        # §4.2: what is no digit is dropped from an inscription.
        text = (_NO_DIGIT if is_inscription else _MASK).sub("", plain(value))
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise Refused("Informe só dígitos.")
        if field.exact_length and len(text) != field.exact_length:
            raise Refused(f"Informe {field.exact_length} dígitos.")
        return text

    return read_digits


def _text(field: Field) -> Reader:
    clean = xml.joined_lines if field.path in _LINES else xml.text

    def read_text(value: Any) -> str:
        text = _kept_lines(plain(value)) if field.path in _LINES else clean(plain(value))
        if not text:
            raise Refused("Informe ao menos um caractere visível.")
        if field.exact_length and len(text) != field.exact_length:
            raise Refused(f"Informe {field.exact_length} caracteres.")
        if field.max_length and len(text) > field.max_length:
            raise Refused(f"Informe até {field.max_length} caracteres.")
        return text

    return read_text


def _kept_lines(text: str) -> str:
    """The description of the service is printed line by line: its breaks stay."""
    lines = (xml.text(line) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return "\n".join(lines).strip()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Refused("Informe uma lista.")
    if len(value) > _MOST_ENTRIES:
        raise Refused(f"Informe no máximo {_MOST_ENTRIES} entradas.")
    return [_object(one) if isinstance(one, Mapping) else xml.text(plain(one)) for one in value]


def _object(value: Any, depth: int = 0) -> Data:
    if not isinstance(value, Mapping) or depth > _DEPTH:
        raise Refused("Informe um objeto.")
    return {
        str(name): _object(one, depth + 1) if isinstance(one, Mapping) else xml.text(plain(one))
        for name, one in value.items()
        if one not in (None, "")
    }
