"""The body of a national services invoice → Declared, with every fault at once (fiscal-api §5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from fiscal.documents.nfe import moments
from fiscal.documents.nfe.levels import Level, compiled
from fiscal.documents.nfe.reading import Reading
from fiscal.documents.nfsen import federal_rules, rules
from fiscal.documents.nfsen.catalogue import catalogue
from fiscal.documents.nfsen.defaults import complete_group
from fiscal.documents.nfsen.readers import reader_of
from fiscal.documents.service import NFSEN, Declared, ServiceIssuer
from fiscal.documents.types import Data
from fiscal.errors import InvalidRequest, SchemaInvalid
from fiscal.tables import places

# §5.2: without these there is no DPS. The first of an entry is what the client is told.
_PROVIDER = tuple(f"{kind}_prestador" for kind in ("cnpj", "cpf", "nif", "motivo_ausencia_nif"))
_PLACE = ("codigo_municipio_prestacao", "codigo_pais_prestacao")
_NO_TAG = "indicador_operacao_zfm_alc"  # not in layout 1.01
_REFORM = ("ibs_cbs_situacao_tributaria", "ibs_cbs_classificacao_tributaria")
_OMITTED = (
    *("razao_social", "codigo_municipio", "cep", "codigo_pais_ext", "cep_ext", "nome_cidade_ext"),
    *("regiao_ext", "logradouro", "numero", "complemento", "bairro"),
)


def read(
    body: Mapping[str, Any], *, issuer: ServiceIssuer, ambiente: str, now: datetime
) -> Declared:
    """What a body declares, with the defaults of the catalogue.

    `data` is keyed by the names of the catalogue: text as the layout writes it, Decimal, and lists
    of the same. Raises InvalidRequest for the first mandatory field that is missing (§5.3),
    SchemaInvalid with all faults otherwise; `campo` is the request field.
    """
    if not isinstance(body, Mapping) or not body:
        raise InvalidRequest("O corpo da requisição não é um objeto JSON válido.")
    city = str(body.get("codigo_municipio_emissora") or issuer.codigo_municipio)
    known = places.municipality(city)
    zone = places.zone(known.uf if known else issuer.uf, city)
    reading = Reading(top(), zone, now)
    data = reading.fields(body, top(), "")
    reading.dated(data)
    _refuse_missing(data, reading)
    _missing_of_entries(data, reading)
    notes = [{"campo": note.campo, "mensagem": note.mensagem} for note in reading.notes]
    issued_at = _issued_at(data, reading, now)
    memory = _complete(data, notes)
    rules.check(data, reading.faults, today=now.astimezone(zone).date())
    if reading.faults:
        raise SchemaInvalid(erros=list(reading.faults.values()))
    assert issued_at is not None  # missing and unreadable ones were refused
    competence = date.fromisoformat(data["data_competencia"])
    return Declared(NFSEN, issuer, data, issued_at, competence, notes, memory)


@cache
def top() -> Level:
    """The compiled body."""
    return compiled(catalogue(), reader_of=reader_of)


@cache
def _mandatory() -> tuple[tuple[str, ...], ...]:
    """The mandatory fields in the order of the catalogue, each with what may stand for it."""
    found: list[tuple[str, ...]] = []
    for field in catalogue().fields:
        if field.parents:
            continue
        if field.name in (_PROVIDER[0], _PLACE[0]):
            found.append(_PROVIDER if field.name == _PROVIDER[0] else _PLACE)
        elif field.required == "yes":
            found.append((field.name,))
    return tuple(found)


def _refuse_missing(data: Data, reading: Reading) -> None:
    for names in _mandatory():
        if not any(name in data or name in reading.faults for name in names):
            raise InvalidRequest(f'Parâmetro "{names[0]}" não informado')


def _missing_of_entries(data: Data, reading: Reading) -> None:
    for name, inner in top().lists.items():
        for n, entry in enumerate(data.get(name, ())):
            path = f"{name}[{n}]"
            if path not in reading.faults:
                reading.missing(entry, inner, f"{path}.")


def _issued_at(data: Data, reading: Reading, now: datetime) -> datetime | None:
    """dhEmi, never in the future (E0008): a clock that is a little ahead is set right."""
    if "data_emissao" not in data:
        return None
    issued = datetime.fromisoformat(data["data_emissao"])
    if issued > now + moments.TOLERANCE:
        reading.faults.add("data_emissao", "Rejeição E0008: está no futuro.")
    elif issued > now:
        issued = (now - timedelta(seconds=1)).astimezone(reading.zone).replace(microsecond=0)
        data["data_emissao"] = moments.written(issued)
    return issued


def _complete(data: Data, notes: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Defaults, computed values and what the layout does not want to be told."""
    data.setdefault("emitente_dps", "1")
    if data["emitente_dps"] == "1":
        # NAC-5, E0121 and E0128: the system knows the name and address of its own issuers.
        for name in _OMITTED:
            data.pop(f"{name}_prestador", None)
    if data.pop(_NO_TAG, None):
        notes.append({"campo": _NO_TAG, "mensagem": "Não existe no leiaute atual: ignorado."})
    if any(name in data for name in _REFORM):
        complete_group(data)
    if filled := federal_rules.fill_total(data):
        notes.append(
            {"campo": filled, "mensagem": "Total aproximado dos tributos não informado: zero."}
        )
    return federal_rules.fill(data)
