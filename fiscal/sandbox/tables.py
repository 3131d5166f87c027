"""Who serves whom, read from the published table of addresses (data, no rules)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta, timezone
from importlib.resources import files
from typing import Any

import yaml

SERVICES = {
    "status_servico": "NFeStatusServico4",
    "autorizacao": "NFeAutorizacao4",
    "ret_autorizacao": "NFeRetAutorizacao4",
    "consulta_protocolo": "NFeConsultaProtocolo4",
    "inutilizacao": "NFeInutilizacao4",
    "recepcao_evento": "NFeRecepcaoEvento4",
    "consulta_cadastro": "CadConsultaCadastro4",
    "distribuicao_dfe": "NFeDistribuicaoDFe",
    "recepcao_epec": "RecepcaoEvento",
}
# What may be asked of an authority of service notes, whatever its protocol calls it.
NOTE_SERVICES = (
    "nota_envio", "nota_consulta", "nota_lote", "nota_cancelamento", "nota_distribuicao",
    "nota_parametros",
)  # fmt: skip
SVC = ("SVC-AN", "SVC-RS")
# SVC has no voiding and no register; the Ambiente Nacional has events and distribution alone.
NOT_OFFERED = {
    "SVC-AN": {"inutilizacao", "consulta_cadastro", "distribuicao_dfe", "recepcao_epec"},
    "SVC-RS": {"inutilizacao", "consulta_cadastro", "distribuicao_dfe", "recepcao_epec"},
    "AN": set(SERVICES) - {"recepcao_evento", "distribuicao_dfe"},
}
AMBIENTES = {"producao": "1", "homologacao": "2"}
AN, SVRS_ORGAO = "91", "92"


@dataclass(frozen=True)
class Uf:
    """A federative unit: its IBGE code, its offset from UTC and its authorities."""

    sigla: str
    cuf: str
    zone: timezone
    nfe: str
    nfce: str
    svc: str


@functools.cache
def _data() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    raw = (files("fiscal") / "tables" / "sefaz-endpoints.yaml").read_bytes()
    return dict(yaml.load(raw, Loader=loader))  # noqa: S506  a safe loader either way


@functools.cache
def by_code() -> dict[str, Uf]:
    """Every unit by its two-digit code."""
    made = (_uf(sigla, row) for sigla, row in _data()["uf"].items())
    return {uf.cuf: uf for uf in made}


def _uf(sigla: str, row: dict[str, Any]) -> Uf:
    hours = int(row["offset"][:3])
    zone = timezone(timedelta(hours=hours))
    return Uf(sigla, str(row["cUF"]), zone, row["nfe"], row["nfce"], row["svc"])


@functools.cache
def authorities() -> frozenset[str]:
    """Every authority that may stand in a path."""
    ufs = by_code().values()
    return frozenset({uf.nfe for uf in ufs} | {uf.nfce for uf in ufs} | {*SVC, "AN", "SVAN"})


def offers(authority: str, service: str) -> bool:
    """Whether the authority has the service at all."""
    if authority not in authorities() or service not in SERVICES:
        return False
    if service == "distribuicao_dfe":
        return authority == "AN"
    if service == "recepcao_epec":
        return authority == "SP"
    return service not in NOT_OFFERED.get(authority, ())


def serves(authority: str, cuf: str, modelo: str) -> bool:
    """Whether documents of that model of that unit are this authority's."""
    uf = by_code().get(cuf)
    if uf is None:
        return False
    if authority in SVC:
        return uf.svc == authority
    return authority == (uf.nfce if modelo == "65" else uf.nfe)


def qr_addresses(sigla: str, ambiente: str) -> tuple[str, str]:
    """(address of the QR code, urlChave) published for the unit; empty texts when none is."""
    row = _data()["nfce_qrcode"].get(sigla, {}).get(ambiente, {})
    return str(row.get("qrCode", "")), str(row.get("urlChave", ""))
