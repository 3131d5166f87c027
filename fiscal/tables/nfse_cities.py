"""Which city takes service notes through what system: data of `nfse/` (ABR-8, fiscal-api §17.5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from fiscal.tables.loaders import FOLDER, yaml_table
from fiscal.tables.registers import read_rows

ACTIVE, UNKNOWN = "ativo", "nao_implementado"


@dataclass(frozen=True)
class City:
    """A city whose system is known; `family` is "" where we do not speak its protocol.

    `addresses` by ambiente, only those that exist; `files` the layouts of RPS files that it reads.
    """

    code: str  # IBGE, 7 digits
    provider: str
    family: str
    status: str  # as in §17.5
    addresses: MappingProxyType[str, str]
    files: tuple[str, ...]


@cache
def cities() -> MappingProxyType[str, City]:
    """Every city of the table, by IBGE code."""
    rows = read_rows((FOLDER / "nfse" / "cities.csv").read_bytes())
    return MappingProxyType({row["codigo"]: _city(row) for row in rows})


def _city(row: dict[str, str]) -> City:
    places = {name: row[name] for name in ("homologacao", "producao") if row[name]}
    return City(
        row["codigo"],
        row["provedor"],
        row["familia"],
        row["status"],
        MappingProxyType(places),
        tuple(row["arquivo"].split()),
    )


def family_options(name: str) -> dict[str, Any]:
    """The options of a family, as families.yaml writes them. Raises KeyError."""
    options: dict[str, Any] = yaml_table("nfse/families.yaml")["familias"][name]
    return options


def corrections(name: str) -> dict[str, tuple[str, str]]:
    """Code → message and correction of an error table: `abrasf_erros`, `sao_paulo_erros`."""
    return _corrections(name)


@cache
def _corrections(name: str) -> dict[str, tuple[str, str]]:
    rows = read_rows((FOLDER / "nfse" / f"{name}.csv").read_bytes())
    return {row["codigo"]: (row["mensagem"], row["correcao"]) for row in rows}


def services(code: str) -> tuple[dict[str, Any], ...]:
    """The service list of a city whose system is spoken here, by item; empty for others.

    The items are those of LC 116, which binds every city; the rate is the city's own law, which
    no table here has.
    """
    city = cities().get(code)
    return _services() if city is not None and city.family else ()


@cache
def _services() -> tuple[dict[str, Any], ...]:
    rows = read_rows((FOLDER / "nfse" / "lc116.csv").read_bytes())
    return tuple({**row, "tax_rate": None} for row in rows)


def shown(code: str) -> dict[str, Any]:
    """What §17.5 tells of a city beyond its name; only the first two where it is not served."""
    city = cities().get(code)
    if city is None or not city.family:
        return {"nfse_habilitada": False, "status_nfse": city.status if city else UNKNOWN}
    options = family_options(city.family)
    needed = options["obrigatorios"]
    return {
        "nfse_habilitada": city.status == ACTIVE,
        "status_nfse": city.status,
        "requer_certificado_nfse": True,
        "possui_ambiente_homologacao_nfse": "homologacao" in city.addresses,
        "possui_cancelamento_nfse": True,
        "provedor_nfse": options["provedor"],
        "endereco_obrigatorio_nfse": needed["endereco"],
        "cpf_cnpj_obrigatorio_nfse": needed["documento"],
        "codigo_cnae_obrigatorio_nfse": needed["cnae"],
        "item_lista_servico_obrigatorio_nfse": needed["item"],
        "codigo_tributario_municipio_obrigatorio_nfse": needed["codigo_tributario"],
        "data_previsao_reimplementacao_nfse": None,
        "ultima_emissao_nfse": None,
    }
