"""The table of addresses and services, as typed values (sefaz-endpoints.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fiscal.authorities.base import NotOffered
from fiscal.tables.loaders import yaml_table


@dataclass(frozen=True)
class Service:
    """One service: its SOAP operation and method, and what asks and answers."""

    name: str
    operacao: str
    metodo: str
    pedido: str
    resposta: str
    versao: str
    corpo: str = ""
    address: str = ""  # the service whose address it shares
    excecoes: Mapping[str, str] = field(default_factory=dict)  # UF → method

    @property
    def is_zipped(self) -> bool:
        return "gzip" in self.corpo


@dataclass(frozen=True)
class State:
    """A UF: its code, its time zone and who answers for it."""

    uf: str
    c_uf: int
    fuso: str
    nfe: str
    nfce: str
    svc: str
    tp_emis_svc: int

    def authority(self, modelo: int) -> str:
        return self.nfce if modelo == 65 else self.nfe


@cache
def service(name: str) -> Service:
    """The service under its key in the table. Raises NotOffered."""
    row = _table()["servicos"].get(name)
    if row is None:
        raise NotOffered(f"Serviço {name} desconhecido.")
    return Service(
        name=name,
        operacao=row["operacao"],
        metodo=row["metodo"],
        pedido=row["pedido"],
        resposta=row["resposta"],
        versao=row["versao"],
        corpo=row.get("corpo", ""),
        address=row.get("url", name),
        excecoes=row.get("excecoes", {}),
    )


def namespace_of(of: Service) -> str:
    return str(_table()["transporte"]["ns"]).replace("{operacao}", of.operacao)


def default_body() -> str:
    return str(_table()["transporte"]["corpo"])


@cache
def state(uf: str) -> State:
    """The UF. Raises NotOffered when there is no such UF."""
    row = _table()["uf"].get(uf)
    if row is None:
        raise NotOffered(f"UF {uf} desconhecida.")
    return State(
        uf=uf,
        c_uf=row["cUF"],
        fuso=row["fuso"],
        nfe=row["nfe"],
        nfce=row["nfce"],
        svc=row["svc"],
        tp_emis_svc=row["tpEmis_svc"],
    )


def states() -> tuple[State, ...]:
    return tuple(state(uf) for uf in _table()["uf"])


def addresses(authority: str, *, modelo: int, ambiente: str) -> Mapping[str, str]:
    """Service → published address at that authority; what is absent is not offered."""
    kind = "nfce" if modelo == 65 else "nfe"
    found: Mapping[str, str] = _table()[kind].get(authority, {}).get(ambiente, {})
    return found


def event_destination(tp_evento: str) -> str:
    """autorizador_da_uf, AN or SVRS (EVT-8). Raises NotOffered for an unknown event."""
    for destination, types in _table()["eventos_destino"].items():
        if tp_evento in types:
            return str(destination)
    raise NotOffered(f"Evento {tp_evento} desconhecido.")


def _table() -> Any:
    return yaml_table("sefaz-endpoints.yaml")
